"""However many letters are meant, they are delivered a few at a time, and each of them once."""

from uuid import UUID

import pytest

from contracts.jobs import DiscardDeadLetters, RedriveDeadLetters
from contracts.scraper import ImageFound
from shared import redriving
from shared.topology import queue_of
from tests.living import House, until
from tests.shared.chores import all_said, waiting_in
from tests.shared.letters import (
    Handler,
    a_desk,
    discard,
    found,
    letters_in,
    outcomes_are,
    redrive,
    redriven_by,
    set_aside,
    settled,
)

LETTERS = 11


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redriving, "_REDRIVEN_AT_ONCE", 2)
    monkeypatch.setattr(redriving, "_NAMED_AT_ONCE", 4)


async def some_letters(house: House) -> list[UUID]:
    async with house.worker("media", hears={ImageFound: Handler()}):
        return await set_aside(house, *(found() for _ in range(LETTERS)))


async def _is_quiet(house: House) -> bool:
    return await all_said(house) and not await waiting_in(house, queue_of("media"))


async def test_all_that_are_named_are_taken_in_and_each_once(house: House) -> None:
    ids, handler = await some_letters(house), Handler(None)
    async with house.worker("media", hears={ImageFound: handler}) as worker:
        redriven = redriven_by(worker)
        await house.say(redrive(*ids))
        await until(lambda: outcomes_are(house, *["taken_in"] * LETTERS))
        await until(lambda: _is_quiet(house))
        assert await settled(house) == dict.fromkeys(ids, "taken_in")
    assert set(redriven.values()) == {1}


async def test_all_that_a_filter_finds_are_delivered_once_also_when_they_die_again(house: House) -> None:
    ids = await some_letters(house)
    async with house.worker("media", hears={ImageFound: Handler()}) as worker:
        redriven = redriven_by(worker)
        await house.say(redrive(code="not_ready"))
        await until(lambda: outcomes_are(house, *["dead_again"] * LETTERS))
        await until(lambda: _is_quiet(house))
        assert await settled(house) == dict.fromkeys(ids, "dead")
    assert list(redriven.values()) == [1] * LETTERS


async def test_a_filter_finds_each_letter_of_one_moment_once(house: House) -> None:
    await some_letters(house)
    await house.admin.execute("UPDATE media.dead_letters SET received_at = now()")
    async with house.worker("media", hears={ImageFound: Handler()}) as worker:
        redriven = redriven_by(worker)
        await house.say(redrive(code="not_ready"))
        await until(lambda: outcomes_are(house, *["dead_again"] * LETTERS))
        await until(lambda: _is_quiet(house))
    assert list(redriven.values()) == [1] * LETTERS


async def test_all_that_a_filter_finds_are_given_up(house: House) -> None:
    ids = await some_letters(house)
    asked = DiscardDeadLetters(addressee="media", filter=redrive(code="not_ready").filter, asked_by="me")
    async with house.worker("media"):
        await house.say(asked)
        await until(lambda: _are_discarded(house))
        assert await settled(house) == dict.fromkeys(ids, "discarded")


async def _are_discarded(house: House) -> bool:
    return all(letter["discarded_by"] == "me" for letter in await letters_in(house))


async def test_one_transaction_holds_a_few_and_reminds_of_the_others(house: House) -> None:
    ids = await some_letters(house)
    async with a_desk(house) as desk:
        await desk.obey(redrive(*ids))
        assert len(await desk.delivered()) == redriving._REDRIVEN_AT_ONCE
        [reminder] = await desk.said()
        assert isinstance(reminder, RedriveDeadLetters)
        assert reminder.dead_letter_ids == tuple(ids[redriving._REDRIVEN_AT_ONCE :])


async def test_what_is_too_large_is_not_delivered_again_and_can_be_given_up(house: House) -> None:
    async with house.worker("media"):
        body = b"x" * 300_000
        await house.publisher.publish("media.fetch_media", body, message_id=UUID(int=7), type_="any")
        [letter] = await until(lambda: letters_in(house))
    async with a_desk(house) as desk:
        await desk.lose_what_is_said()
        await desk.obey(redrive(letter["id"]))
        assert await desk.delivered() == []
        assert await desk.told() == {letter["id"]: "dead"}
        await desk.obey(discard(letter["id"]))
        assert await desk.told() == {letter["id"]: "discarded"}
