"""What is too slow for the database is set aside in the end; what waits for a lock is not."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest

from contracts.scraper import ImageFound
from shared import database, intake
from shared.handling import Heard
from shared.outbox import Transaction
from tests.living import House, until
from tests.shared.chores import check, is_in
from tests.shared.letters import found, letters_in

TOO_LONG_SECONDS = 1


class Slow:
    """Needs more time than the database gives for one message, and none for the others."""

    def __init__(self) -> None:
        self.slow: set[UUID] = set()
        self.tries: Counter[UUID] = Counter()

    async def __call__(self, tx: Transaction, facts: Sequence[Heard[ImageFound]]) -> None:
        self.tries.update(fact.id for fact in facts)
        if any(fact.message.fetch_job_id in self.slow for fact in facts):
            await tx.connection.execute("SELECT pg_sleep($1)", 3 * TOO_LONG_SECONDS)


async def test_a_message_that_is_always_too_slow_is_set_aside_and_its_neighbours_are_taken_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, slow, neighbour = Slow(), found(), check()
    handler.slow.add(slow.fetch_job_id)
    slow_id = await house.say(slow)
    await house.say(neighbour)
    monkeypatch.setattr(database, "_STATEMENT_SECONDS", TOO_LONG_SECONDS)
    async with house.worker("media", hears={ImageFound: handler}):
        await until(lambda: is_in(house, "completed", neighbour), seconds=60)
        [letter] = await until(lambda: letters_in(house), seconds=60)
    assert (letter["code"], letter["message_id"]) == ("handler_failed", str(slow_id))
    assert handler.tries[slow_id] >= intake._SLOW_TRIES, "it is not given up at the first time"


class Locking:
    """Writes what somebody else has locked."""

    def __init__(self) -> None:
        self.tries = 0

    async def __call__(self, tx: Transaction, _facts: Sequence[Heard[ImageFound]]) -> None:
        self.tries += 1
        await tx.connection.execute("UPDATE bus_mark SET heard_until = heard_until")

    async def was_tried(self, times: int) -> bool:
        return self.tries >= times


async def test_a_message_that_waits_for_a_lock_is_tried_until_it_is_taken_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Locking()
    monkeypatch.setattr(database, "_LOCK_SECONDS", TOO_LONG_SECONDS)
    async with house.worker("media", hears={ImageFound: handler}):
        async with house.admin.acquire() as holder, holder.transaction():
            await holder.execute("UPDATE media.bus_mark SET heard_until = heard_until")
            heard = await house.say(found())
            await until(lambda: handler.was_tried(intake._SLOW_TRIES + 2), seconds=60)
        await until(lambda: house.value("SELECT true FROM media.inbox WHERE message_id = $1", heard), seconds=60)
    assert not await letters_in(house)
