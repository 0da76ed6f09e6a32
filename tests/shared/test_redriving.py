"""A dead letter is delivered once more when somebody asks for it, or given up; and what became of it is said."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aio_pika
import orjson
import pytest

from contracts.envelope import Message
from contracts.jobs import (
    DeadLetterFilter,
    DeadLettersSettled,
    DiscardDeadLetters,
    MessageDeadLettered,
    RedriveDeadLetters,
)
from contracts.scraper import ImageFound
from shared import intake
from shared.errors import Refused
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.outbox import Transaction
from shared.topology import queue_of
from tests.living import House, lineage, until
from tests.shared.chores import all_said, check, is_in


class Handler:
    """Takes in what it hears, except while it is broken; then it refuses it with a reason."""

    def __init__(self, reason: str | None = "not_ready") -> None:
        self.reason = reason
        self.taken_in: Counter[UUID] = Counter()

    async def __call__(self, _tx: Transaction, facts: Sequence[Heard[ImageFound]]) -> None:
        if self.reason:
            raise Refused(self.reason, "It is not ready for that.")
        self.taken_in.update(fact.id for fact in facts)

    async def has(self, message_id: UUID) -> bool:
        return message_id in self.taken_in


def found() -> ImageFound:
    return ImageFound(**lineage(), fetch_job_id=uuid7(), url="http://example.com/a.png", found_in="img")


def redrive(*ids: UUID, **conditions: Any) -> RedriveDeadLetters:
    wanted = DeadLetterFilter(**conditions) if conditions else None
    return RedriveDeadLetters(addressee="media", dead_letter_ids=ids, filter=wanted, asked_by="me")


def discard(*ids: UUID) -> DiscardDeadLetters:
    return DiscardDeadLetters(addressee="media", dead_letter_ids=ids, asked_by="me")


async def _letters(house: House) -> list[Any]:
    return await house.rows("SELECT * FROM media.dead_letters ORDER BY received_at")


async def _outcomes(house: House, *expected: str | None) -> bool:
    return Counter(letter["outcome"] for letter in await _letters(house)) == Counter(expected)


async def _set_aside(house: House, *messages: Message) -> list[UUID]:
    """Say messages, and give the ids of the letters that become of them."""
    before = len(await _letters(house))
    said = [str(await house.say(message)) for message in messages]

    async def all_dead() -> bool:
        return len(await _letters(house)) == before + len(messages)

    await until(all_dead)
    ids = {letter["message_id"]: letter["id"] for letter in await _letters(house)}
    return [ids[message_id] for message_id in said]


async def _obeyed(house: House, instruction: Message) -> None:
    await until(_obeys(house, await house.say(instruction)))


def _obeys(house: House, asked: UUID) -> Any:
    return lambda: house.value("SELECT true FROM media.inbox WHERE message_id = $1", asked)


async def _settled(house: House) -> dict[UUID, str]:
    """Give the last that was said of each letter."""
    await until(lambda: all_said(house))
    told = [one for one in await house.heard() if isinstance(one, DeadLettersSettled)]
    return {letter.dead_letter_id: letter.state for one in told for letter in one.letters}


async def test_a_letter_is_taken_in_once_its_reason_is_gone(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await _set_aside(house, found())
        handler.reason = None
        await house.say(redrive(letter_id))
        await until(lambda: _outcomes(house, "taken_in"))
    [letter] = await _letters(house)
    assert handler.taken_in == {UUID(letter["message_id"]): 1}, "it comes under its own id"
    assert letter["redriven_at"]
    assert letter["redriven_by"] == "me"
    assert await _settled(house) == {letter_id: "taken_in"}


async def test_a_letter_whose_reason_remains_is_dead_again_and_can_be_redriven_again(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await _set_aside(house, found())
        await house.say(redrive(letter_id))
        await until(lambda: _outcomes(house, "dead_again"))
        assert await _settled(house) == {letter_id: "dead"}
        handler.reason = None
        await house.say(redrive(letter_id))
        await until(lambda: _outcomes(house, "taken_in"))


async def test_a_letter_that_dies_of_another_reason_is_told_of_with_both(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await _set_aside(house, found())
        handler.reason = "another_reason"
        await house.say(redrive(letter_id))
        await until(lambda: _outcomes(house, "dead_again", None))
        assert await _settled(house) == {letter_id: "dead"}
    assert {letter["code"] for letter in await _letters(house)} == {"not_ready", "another_reason"}


async def test_what_was_taken_in_meanwhile_has_no_second_effect(house: House) -> None:
    """Its sender said it again before anybody redrove it."""
    handler, message, message_id = Handler(), found(), uuid7()
    async with house.worker("media", hears={ImageFound: handler}):
        await house.say(message, message_id=message_id)
        [letter] = await until(lambda: _letters(house))
        handler.reason = None
        await house.say(message, message_id=message_id)
        await until(lambda: handler.has(message_id))
        await house.say(redrive(letter["id"]))
        await until(lambda: _outcomes(house, "taken_in"))
    assert handler.taken_in == {message_id: 1}


async def test_without_the_inbox_it_would_have_a_second_effect(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_fresh(_connection: object, message_ids: list[UUID]) -> set[UUID]:
        return set(message_ids)

    handler, message, message_id = Handler(), found(), uuid7()
    async with house.worker("media", hears={ImageFound: handler}):
        await house.say(message, message_id=message_id)
        [letter] = await until(lambda: _letters(house))
        handler.reason = None
        await house.say(message, message_id=message_id)
        await until(lambda: handler.has(message_id))
        monkeypatch.setattr(intake, "_insert_inbox", all_fresh)
        await house.say(redrive(letter["id"]))
        await until(lambda: _outcomes(house, "taken_in"))
    assert handler.taken_in == {message_id: 2}, "the test would not notice it"


async def test_a_filter_redrives_what_it_finds_and_nothing_else(house: House) -> None:
    handler = Handler("first_reason")
    async with house.worker("media", hears={ImageFound: handler}):
        first = await _set_aside(house, found(), found())
        handler.reason = "second_reason"
        await _set_aside(house, found())
        handler.reason = None
        for nothing in (
            {"code": "third_reason"},
            {"code": "first_reason", "message_type": "media.media_stored.v1"},
            {"received_after": datetime.now(UTC) + timedelta(hours=1)},
            {"received_before": datetime.now(UTC) - timedelta(hours=1)},
        ):
            await _obeyed(house, redrive(**nothing))
        assert await _outcomes(house, None, None, None)
        await house.say(redrive(code="first_reason", message_type=ImageFound.wire_name))
        await until(lambda: _outcomes(house, "taken_in", "taken_in", None))
        assert await _settled(house) == dict.fromkeys(first, "taken_in")


@pytest.mark.parametrize("conditions", [{}, {"colour": "blue"}], ids=["no", "a strange"])
async def test_a_filter_without_a_condition_that_is_understood_finds_nothing(
    house: House, conditions: dict[str, str]
) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        [letter_id] = await _set_aside(house, found())
        handler.reason = None
        for instruction in (redrive(code="other"), discard()):
            envelope = orjson.loads(house.outbox.encode(instruction).body)
            envelope["data"]["filter"] = conditions
            asked = UUID(envelope["id"])
            body = orjson.dumps(envelope)
            await house.publisher.publish(instruction.routing_key, body, message_id=asked, type_="any")
            await until(_obeys(house, asked))
        assert await _outcomes(house, None)
        await house.say(redrive(letter_id))
        await until(lambda: _outcomes(house, "taken_in"))


async def test_a_discarded_letter_is_kept_and_never_delivered_again(house: House) -> None:
    handler = Handler()
    async with house.worker("media", hears={ImageFound: handler}):
        given_up, other = await _set_aside(house, found(), found())
        await _obeyed(house, discard(given_up))
        handler.reason = None
        await house.say(redrive(given_up, code="not_ready"))
        await until(lambda: _outcomes(house, "taken_in", None))
        assert await _settled(house) == {given_up: "discarded", other: "taken_in"}
    assert await house.value("SELECT discarded_by FROM media.dead_letters WHERE id = $1", given_up) == "me"
    assert sum(handler.taken_in.values()) == 1


async def test_whoever_names_a_letter_that_is_not_there_is_told_so(house: House) -> None:
    nowhere = uuid7()
    async with house.worker("media"):
        await _obeyed(house, redrive(nowhere))
        assert await _settled(house) == {nowhere: "unknown"}


async def test_a_command_that_could_not_be_taken_in_becomes_a_task_when_it_is_redriven(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = check()

    def refuse(*_: object, **__: object) -> None:
        raise Refused("not_ready", "It is not ready for that.")

    async with house.worker("media"):
        with monkeypatch.context() as mutation:
            mutation.setattr(Transaction, "work", refuse)
            [letter_id] = await _set_aside(house, command)
        await house.say(redrive(letter_id))
        await until(lambda: is_in(house, "completed", command))
        assert await _settled(house) == {letter_id: "taken_in"}


async def test_a_letter_in_binary_mode_is_redriven_whole(house: House) -> None:
    handler, message_id = Handler(), uuid7()
    envelope = orjson.loads(house.outbox.encode(found(), message_id=message_id).body)
    headers = {f"cloudEvents_{name}": value for name, value in envelope.items() if name != "data"}
    async with house.worker("media", hears={ImageFound: handler}):
        connection = await aio_pika.connect(house.servers.rabbitmq_url)
        async with connection, connection.channel() as channel:
            message = aio_pika.Message(orjson.dumps(envelope["data"]), headers=headers, message_id="a stranger's own")
            await channel.default_exchange.publish(message, queue_of("media"))
        [letter] = await until(lambda: _letters(house))
        handler.reason = None
        await house.say(redrive(letter["id"]))
        await until(lambda: _outcomes(house, "taken_in"))
    assert handler.taken_in == {message_id: 1}


async def test_what_nobody_heard_is_told_of_and_said_to_everybody_again(house: House) -> None:
    async with house.worker("media") as worker:
        async with worker.bus.transaction() as tx:
            message_id = tx.say(nobodys := check("nobody"))
        [letter] = await until(lambda: _letters(house))
        await until(lambda: all_said(house))
        [told] = [one for one in await house.heard() if isinstance(one, MessageDeadLettered)]
        assert (told.dead_letter_id, told.code, told.message_id) == (letter["id"], "unroutable", str(message_id))
        assert (told.job_id, told.message_type) == (nobodys.job_id, nobodys.wire_name)
        await house.say(redrive(letter["id"]))
        await until(lambda: _outcomes(house, "dead_again"))
        assert await _settled(house) == {letter["id"]: "dead"}, "still nobody hears it"


async def test_a_report_of_a_dead_letter_shows_what_the_letter_is(house: House) -> None:
    async with house.worker("media", hears={ImageFound: Handler()}):
        message = found()
        [letter_id] = await _set_aside(house, message)
        await until(lambda: all_said(house))
    [told] = [one for one in await house.heard() if isinstance(one, MessageDeadLettered)]
    assert (told.dead_letter_id, told.topic, told.project_id) == (letter_id, message.routing_key, message.project_id)
    assert message.url in (told.excerpt or "")
    assert told.received_at
    assert not told.redriven
