"""No letter says for ever that it is being delivered, or that it is dead, when its message has long been taken in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import aio_pika
import pytest

from contracts.jobs import DiscardDeadLetters, RedriveDeadLetters
from contracts.scraper import ImageFound
from shared import hearing
from shared.dead_letters import DeadLetter
from shared.hearing import Hearing
from shared.redriving import update_redriven
from shared.relay import Relay
from shared.topology import queue_of
from tests.living import House, until
from tests.shared.letters import (
    Desk,
    Handler,
    a_desk,
    discard,
    found,
    letters_in,
    obeyed,
    outcomes_are,
    redrive,
    set_aside,
    settled,
)


async def a_letter(house: House) -> tuple[UUID, UUID]:
    """Have a message set aside; give the ids of the letter and the message."""
    async with house.worker("media", hears={ImageFound: Handler()}):
        [letter_id] = await set_aside(house, found())
    [letter] = await letters_in(house)
    return letter_id, UUID(letter["message_id"])


async def lose_the_queue(house: House) -> None:
    connection = await aio_pika.connect(house.servers.rabbitmq_url)
    async with connection, connection.channel() as channel:
        await channel.queue_delete(queue_of("media"))
    await house.publisher.declare()


async def a_letter_is_lost_with_the_queue_to_which_it_was_delivered_once_more(house: House) -> UUID:
    letter_id, message_id = await a_letter(house)
    async with a_desk(house) as desk:
        await desk.obey(redrive(letter_id))
        assert await desk.delivered() == [message_id]
        relay = Relay(desk.outbox, desk.pool, house.publisher)
        await until(_nothing_left(relay))
    await lose_the_queue(house)
    return message_id


def _nothing_left(relay: Relay) -> Any:
    async def nothing_left() -> bool:
        return not await relay.relay_batch()

    return nothing_left


async def test_what_was_lost_with_its_queue_is_delivered_again(house: House) -> None:
    message_id = await a_letter_is_lost_with_the_queue_to_which_it_was_delivered_once_more(house)
    handler = Handler(None)
    async with house.worker("media", hears={ImageFound: handler}):
        await until(lambda: outcomes_are(house, "taken_in"))
    assert handler.taken_in == {message_id: 1}
    [letter] = await letters_in(house)
    assert letter["redriven_by"] == "me", "it is still the wish of whoever asked for it"


async def test_without_a_reminder_it_would_be_under_way_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(hearing, "redrive_lost", nothing)
    await a_letter_is_lost_with_the_queue_to_which_it_was_delivered_once_more(house)
    handler = Handler(None)
    async with house.worker("media", hears={ImageFound: handler}):
        await obeyed(house, redrive(code="not_ready"))
    assert not handler.taken_in


async def test_a_letter_whose_delivery_is_given_up_by_the_broker_is_dead_again(house: House) -> None:
    letter_id, message_id = await a_letter(house)
    async with a_desk(house) as desk:
        await desk.obey(redrive(letter_id))
        nobody: Any = None
        ear: Any = Hearing(
            "media", "", pool=desk.pool, outbox=desk.outbox, publisher=house.publisher, intake=nobody, hears=()
        )
        given_up: Any = SimpleNamespace(message_id=str(message_id), routing_key="", headers={}, type=None, body=b"{}")
        await ear._insert_or_redrive(DeadLetter(given_up, "delivery_limit", "The broker gave up."))
        assert await outcomes_are(house, None, None), "it is delivered once more by itself"
        await ear._insert_or_redrive(DeadLetter(given_up, "delivery_limit", "The broker gave up."))
        assert await outcomes_are(house, "dead_again", "dead_again")
        assert (await desk.told())[letter_id] == "dead"


async def test_what_is_taken_in_settles_all_letters_of_its_message(house: House) -> None:
    handler = Handler("first_reason")
    async with house.worker("media", hears={ImageFound: handler}):
        [first] = await set_aside(house, found())
        handler.reason = "second_reason"
        await house.say(redrive(first))
        await until(lambda: outcomes_are(house, "dead_again", None))
        handler.reason = None
        await house.say(redrive(code="second_reason"))
        await until(lambda: outcomes_are(house, "taken_in", "taken_in"))
        ids = {letter["id"] for letter in await letters_in(house)}
        assert await settled(house) == dict.fromkeys(ids, "taken_in")


async def test_what_is_taken_in_settles_also_what_was_never_delivered_again(house: House) -> None:
    handler, message, message_id = Handler("first_reason"), found(), UUID(int=7)
    async with house.worker("media", hears={ImageFound: handler}):
        for handler.reason in ("first_reason", "second_reason"):
            await house.say(message, message_id=message_id)
            await until(_has_letter(house, handler.reason))
        handler.reason = None
        await house.say(redrive(code="second_reason"))
        await until(lambda: outcomes_are(house, "taken_in", "taken_in"))
    assert handler.taken_in == {message_id: 1}


def _has_letter(house: House, code: str) -> Any:
    async def has_letter() -> bool:
        return code in {letter["code"] for letter in await letters_in(house)}

    return has_letter


async def test_what_was_given_up_and_is_taken_in_all_the_same_is_taken_in(house: House) -> None:
    letter_id, message_id = await a_letter(house)
    async with a_desk(house) as desk:
        await desk.obey(redrive(letter_id))
        await desk.obey(discard(letter_id))
        assert await desk.told() == {letter_id: "discarded"}
        async with desk.outbox.transaction(desk.pool) as tx:
            await update_redriven(tx, "media", taken_in=[message_id], set_aside=[])
        assert await desk.told() == {letter_id: "taken_in"}
        await desk.lose_what_is_said()
        await desk.obey(discard(letter_id))
        assert await desk.told() == {letter_id: "taken_in"}


async def _is_waited_for(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def _waits_or_has_ended(house: House, asking: "asyncio.Task[None]") -> bool:
    return asking.done() or await _is_waited_for(house)


@asynccontextmanager
async def asked_meanwhile(
    house: House, desk: Desk, asked: RedriveDeadLetters | DiscardDeadLetters
) -> AsyncIterator[Any]:
    """Hold a transaction open in which a letter changes, while another process obeys an instruction about it."""
    async with desk.outbox.transaction(desk.pool) as tx:
        yield tx
        asking = asyncio.create_task(desk.obey(asked))
        await until(lambda: _waits_or_has_ended(house, asking))
    await asking


@pytest.mark.parametrize("instruct", [redrive, discard])
async def test_the_last_word_about_a_letter_is_true_when_it_is_taken_in_meanwhile(house: House, instruct: Any) -> None:
    letter_id, message_id = await a_letter(house)
    async with a_desk(house) as desk:
        await desk.obey(redrive(letter_id))
        await desk.lose_what_is_said()
        async with asked_meanwhile(house, desk, instruct(letter_id)) as tx:
            await update_redriven(tx, "media", taken_in=[message_id], set_aside=[])
        assert await desk.told() == {letter_id: "taken_in"}
        assert await desk.delivered() == []


async def test_a_letter_that_dies_again_meanwhile_is_delivered_again(house: House) -> None:
    letter_id, message_id = await a_letter(house)
    async with a_desk(house) as desk:
        await desk.obey(redrive(letter_id))
        await desk.lose_what_is_said()
        async with asked_meanwhile(house, desk, redrive(letter_id)) as tx:
            await update_redriven(tx, "media", taken_in=[], set_aside=[message_id])
        assert await desk.delivered() == [message_id]


async def test_the_last_word_about_a_letter_is_true_when_it_is_given_up_meanwhile(house: House) -> None:
    """It can only be told how it stands, for it is too large to be delivered again."""
    letter_id, _ = await a_letter(house)
    await house.admin.execute("UPDATE media.dead_letters SET code = 'message_too_large'")
    async with a_desk(house) as desk:
        await desk.lose_what_is_said()
        async with asked_meanwhile(house, desk, redrive(letter_id)) as tx:
            await desk.obey_in(tx, discard(letter_id))
        assert await desk.told() == {letter_id: "discarded"}
