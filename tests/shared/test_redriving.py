"""A dead letter is delivered once more when somebody asks for it, or given up; and what became of it is said."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import aio_pika
import orjson
import pytest

from contracts.jobs import MessageDeadLettered
from contracts.scraper import ImageFound
from shared import intake
from shared.errors import Refused
from shared.identifiers import uuid7
from shared.outbox import Transaction
from shared.topology import queue_of
from tests.living import House, until
from tests.shared.chores import all_said, check, is_in
from tests.shared.letters import (
    Handler,
    discard,
    found,
    letters_in,
    obeyed,
    obeys,
    outcomes_are,
    redrive,
    set_aside,
    settled,
)


async def test_a_letter_is_taken_in_once_its_reason_is_gone(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await set_aside(house, found())
        handler.reason = None
        await house.say(redrive(letter_id))
        await until(lambda: outcomes_are(house, "taken_in"))
    [letter] = await letters_in(house)
    assert handler.taken_in == {UUID(letter["message_id"]): 1}, "it comes under its own id"
    assert letter["redriven_at"]
    assert letter["redriven_by"] == "me"
    assert await settled(house) == {letter_id: "taken_in"}


async def test_a_letter_whose_reason_remains_is_dead_again_and_can_be_redriven_again(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await set_aside(house, found())
        await house.say(redrive(letter_id))
        await until(lambda: outcomes_are(house, "dead_again"))
        assert await settled(house) == {letter_id: "dead"}
        handler.reason = None
        await house.say(redrive(letter_id))
        await until(lambda: outcomes_are(house, "taken_in"))


async def test_a_letter_that_dies_of_another_reason_is_told_of_with_both(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await set_aside(house, found())
        handler.reason = "another_reason"
        await house.say(redrive(letter_id))
        await until(lambda: outcomes_are(house, "dead_again", None))
        assert await settled(house) == {letter_id: "dead"}
    assert {letter["code"] for letter in await letters_in(house)} == {"not_ready", "another_reason"}


async def test_what_was_taken_in_meanwhile_has_no_second_effect(house: House) -> None:
    """Its sender said it again before anybody redrove it."""
    handler, message, message_id = Handler(), found(), uuid7()
    async with house.worker("media", hears={ImageFound: handler}):
        await house.say(message, message_id=message_id)
        [letter] = await until(lambda: letters_in(house))
        handler.reason = None
        await house.say(message, message_id=message_id)
        await until(lambda: handler.has(message_id))
        await house.say(redrive(letter["id"]))
        await until(lambda: outcomes_are(house, "taken_in"))
    assert handler.taken_in == {message_id: 1}


async def test_without_the_inbox_it_would_have_a_second_effect(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_fresh(_connection: object, message_ids: list[UUID]) -> set[UUID]:
        return set(message_ids)

    handler, message, message_id = Handler(), found(), uuid7()
    async with house.worker("media", hears={ImageFound: handler}):
        await house.say(message, message_id=message_id)
        [letter] = await until(lambda: letters_in(house))
        handler.reason = None
        await house.say(message, message_id=message_id)
        await until(lambda: handler.has(message_id))
        monkeypatch.setattr(intake, "_insert_inbox", all_fresh)
        await house.say(redrive(letter["id"]))
        await until(lambda: outcomes_are(house, "taken_in"))
    assert handler.taken_in == {message_id: 2}, "the test would not notice it"


async def test_a_filter_redrives_what_it_finds_and_nothing_else(house: House) -> None:
    handler = Handler("first_reason")
    async with house.worker("media", hears={ImageFound: handler}):
        first = await set_aside(house, found(), found())
        handler.reason = "second_reason"
        await set_aside(house, found())
        handler.reason = None
        for nothing in (
            {"code": "third_reason"},
            {"code": "first_reason", "message_type": "media.media_stored.v1"},
            {"received_after": datetime.now(UTC) + timedelta(hours=1)},
            {"received_before": datetime.now(UTC) - timedelta(hours=1)},
        ):
            await obeyed(house, redrive(**nothing))
        assert await outcomes_are(house, None, None, None)
        await house.say(redrive(code="first_reason", message_type=ImageFound.wire_name))
        await until(lambda: outcomes_are(house, "taken_in", "taken_in", None))
        assert await settled(house) == dict.fromkeys(first, "taken_in")


@pytest.mark.parametrize("conditions", [{}, {"colour": "blue"}], ids=["no", "a strange"])
async def test_a_filter_without_a_condition_that_is_understood_finds_nothing(
    house: House, conditions: dict[str, str]
) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await set_aside(house, found())
        handler.reason = None
        for instruction in (redrive(code="other"), discard()):
            envelope = orjson.loads(house.outbox.encode(instruction).body)
            envelope["data"]["filter"] = conditions
            asked = UUID(envelope["id"])
            body = orjson.dumps(envelope)
            await house.publisher.publish(instruction.routing_key, body, message_id=asked, type_="any")
            await until(obeys(house, asked))
        assert await outcomes_are(house, None)
        await house.say(redrive(letter_id))
        await until(lambda: outcomes_are(house, "taken_in"))


async def test_a_discarded_letter_is_kept_and_never_delivered_again(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        given_up, other = await set_aside(house, found(), found())
        await obeyed(house, discard(given_up))
        handler.reason = None
        await house.say(redrive(given_up, code="not_ready"))
        await until(lambda: outcomes_are(house, "taken_in", None))
        assert await settled(house) == {given_up: "discarded", other: "taken_in"}
    assert await house.value("SELECT discarded_by FROM media.dead_letters WHERE id = $1", given_up) == "me"
    assert sum(handler.taken_in.values()) == 1


async def test_whoever_names_a_letter_that_is_not_there_is_told_so(house: House) -> None:
    nowhere = uuid7()
    async with house.worker("media"):
        await obeyed(house, redrive(nowhere))
        assert await settled(house) == {nowhere: "unknown"}


async def test_a_command_that_could_not_be_taken_in_becomes_a_task_when_it_is_redriven(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = check()

    def refuse(*_: object, **__: object) -> None:
        raise Refused("not_ready", "It is not ready for that.")

    async with house.worker("media"):
        with monkeypatch.context() as mutation:
            mutation.setattr(Transaction, "work", refuse)
            [letter_id] = await set_aside(house, command)
        await house.say(redrive(letter_id))
        await until(lambda: is_in(house, "completed", command))
        assert await settled(house) == {letter_id: "taken_in"}


async def test_a_letter_in_binary_mode_is_redriven_whole(house: House) -> None:
    handler, message_id = Handler(), uuid7()
    envelope = orjson.loads(house.outbox.encode(found(), message_id=message_id).body)
    headers = {f"cloudEvents_{name}": value for name, value in envelope.items() if name != "data"}
    async with house.worker("media", hears={ImageFound: handler}):
        connection = await aio_pika.connect(house.servers.rabbitmq_url)
        async with connection, connection.channel() as channel:
            message = aio_pika.Message(orjson.dumps(envelope["data"]), headers=headers, message_id="a stranger's own")
            await channel.default_exchange.publish(message, queue_of("media"))
        [letter] = await until(lambda: letters_in(house))
        handler.reason = None
        await house.say(redrive(letter["id"]))
        await until(lambda: outcomes_are(house, "taken_in"))
    assert handler.taken_in == {message_id: 1}


async def test_what_nobody_heard_is_told_of_and_said_to_everybody_again(house: House) -> None:
    async with house.worker("media") as worker:
        async with worker.bus.transaction() as tx:
            message_id = tx.say(nobodys := check("nobody"))
        [letter] = await until(lambda: letters_in(house))
        await until(lambda: all_said(house))
        [told] = [one for one in await house.heard() if isinstance(one, MessageDeadLettered)]
        assert (told.dead_letter_id, told.code, told.message_id) == (letter["id"], "unroutable", str(message_id))
        assert (told.job_id, told.message_type) == (nobodys.job_id, nobodys.wire_name)
        await house.say(redrive(letter["id"]))
        await until(lambda: outcomes_are(house, "dead_again"))
        assert await settled(house) == {letter["id"]: "dead"}, "still nobody hears it"


async def test_a_report_of_a_dead_letter_shows_what_the_letter_is(house: House) -> None:
    async with house.worker("media", hears={ImageFound: Handler()}):
        message = found()
        [letter_id] = await set_aside(house, message)
        await until(lambda: all_said(house))
    [told] = [one for one in await house.heard() if isinstance(one, MessageDeadLettered)]
    assert (told.dead_letter_id, told.topic, told.project_id) == (letter_id, message.routing_key, message.project_id)
    assert message.url in (told.excerpt or "")
    assert told.received_at
    assert not told.redriven
