"""A database that was out of sight for longer than a lease: what ran goes on, and nothing is done twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from contracts.media import FetchMedia
from shared import contact, database, heartbeat
from shared.contact import Contact
from shared.jobs import Job
from tests.living import House, until
from tests.shared.chores import fetch, is_in
from tests.shared.lines import Line

JOBS = 3
LEASE_SECONDS = 3.0
FIRST_BY_SECONDS = 2.5
"""Longer than from one look of a sweep to the next, and shorter than the respite."""


class Long:
    """Work that lasts until it is let go, and counts who has begun it."""

    def __init__(self) -> None:
        self.begun: Counter[UUID] = Counter()
        self.let_go = asyncio.Event()

    async def __call__(self, job: Job[Any]) -> None:
        self.begun[job.id] += 1
        await self.let_go.wait()

    async def have_begun(self) -> bool:
        return len(self.begun) == JOBS


@asynccontextmanager
async def a_worker(house: House, long: Long, heartbeat_seconds: float) -> AsyncIterator[Line]:
    """Have a worker at work, with a line of its own to the database."""
    async with Line(house.servers.database_url("media")) as line:
        settings: Any = {
            "lease_seconds": LEASE_SECONDS,
            "heartbeat_seconds": heartbeat_seconds,
            "database_url": line.url,
        }
        async with house.worker("media", works={FetchMedia: long}, **settings):
            yield line


async def runs_after(
    house: House, outage: Callable[[Line, Line], Awaitable[None]], *, heartbeat_seconds: float
) -> "Counter[UUID]":
    """Count how often each job was begun that one of two workers ran while something happened to their lines."""
    long, commands = Long(), [fetch() for _ in range(JOBS)]
    async with a_worker(house, long, heartbeat_seconds) as line:
        for command in commands:
            await house.say(command)
        await until(long.have_begun)
        async with a_worker(house, long, heartbeat_seconds) as other:
            await outage(line, other)
            long.let_go.set()
            await until(lambda: is_in(house, "completed", *commands), seconds=60)
    return long.begun


async def be_out_of_sight(line: Line, other: Line) -> None:
    """Refuse both for longer than a lease; the one that runs nothing is back first, and the other a moment later."""
    for cut in (line, other):
        await cut.cut()
    await asyncio.sleep(LEASE_SECONDS + 1)
    await other.mend()
    await asyncio.sleep(FIRST_BY_SECONDS)
    await line.mend()
    await asyncio.sleep(LEASE_SECONDS)


async def test_whoever_is_back_first_after_an_outage_robs_nobody(house: House) -> None:
    begun = await runs_after(house, be_out_of_sight, heartbeat_seconds=0.5)
    assert set(begun.values()) == {1}


async def test_without_a_respite_what_runs_would_be_done_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Contact, "answered", lambda _self: True)
    begun = await runs_after(house, be_out_of_sight, heartbeat_seconds=0.5)
    assert max(begun.values()) > 1


async def lose_one_way(line: Line, _other: Line) -> None:
    """Have all connections die without a word, while new ones find their way, and let others have the time to rob."""
    assert line.die()
    await asyncio.sleep(2 * LEASE_SECONDS)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what hangs on a dead connection go on after more than a lease, and before the test has lost its patience."""
    monkeypatch.setattr(database, "_COMMAND_SECONDS", 3 * LEASE_SECONDS)


@pytest.mark.usefixtures("patience")
async def test_a_heartbeat_that_hangs_on_a_dead_connection_costs_no_lease(house: House) -> None:
    begun = await runs_after(house, lose_one_way, heartbeat_seconds=0.5)
    assert set(begun.values()) == {1}


@pytest.mark.usefixtures("patience")
async def test_without_another_one_beside_it_that_heartbeat_would_cost_all_leases(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_AT_ONCE", 1)
    begun = await runs_after(house, lose_one_way, heartbeat_seconds=0.5)
    assert max(begun.values()) > 1


async def test_who_is_gone_after_an_outage_is_replaced_all_the_same(house: House) -> None:
    async def stay_away(line: Line, other: Line) -> None:
        await be_out_of_sight(line, other)
        await line.cut()

    begun = await runs_after(house, stay_away, heartbeat_seconds=0.5)
    assert set(begun.values()) == {2}


def test_respite_is_given_once_for_each_time_that_the_database_was_out_of_sight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(contact, "_now", lambda: now)
    sight = Contact(15, in_sight=True)
    told = []
    for seconds in (1, 1, 20, 1, 8, 1, 1, 6, 6, 6):
        now += seconds
        told.append(sight.answered())
    assert told == [True, True, False, False, False, True, True, False, False, True]


def test_an_outage_within_the_respite_of_another_one_gives_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(contact, "_now", lambda: now)
    sight = Contact(15, in_sight=True)
    told = []
    for seconds in (1, 40, 1, 60, 1, 8, 2, 1):
        now += seconds
        told.append(sight.answered())
    assert told == [True, False, False, False, False, False, True, True]


def test_who_had_to_wait_for_the_database_at_the_start_robs_nobody_at_once() -> None:
    assert not Contact(15, in_sight=False).answered()
    assert Contact(15, in_sight=True).answered()
