"""A job that a pause held up is not blamed for the time that it waited."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.jobs import ResumeWork
from shared import sweep, tasks
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.instructions import Instructions
from shared.outbox import Outbox
from shared.tasks import Lease
from tests.living import House
from tests.shared.chores import fetch
from tests.shared.machines import StoppedClock, a_stopped_clock

HOUR_SECONDS, DAY_SECONDS = 3600, 24 * 3600


class Waiting:
    """One job that waits, and the database's clock."""

    def __init__(self, clock: StoppedClock) -> None:
        self._clock = clock
        self._pool = cast("Any", clock)
        self._command = fetch()
        self._outbox = Outbox("media")
        self._instructions = Instructions("media", cast("Any", SimpleNamespace(look_for_work=lambda: None)))

    async def begin(self) -> None:
        await self._clock.begin()
        limits: Any = {"worker": "me", "leased": 0, "lease_seconds": 15, "deadline_hours": 24}
        await tasks.insert_tasks(self._pool, [self._command], [None], announced=[True], **limits)

    async def after(self, seconds: float) -> str:
        """Sweep after so many seconds; give the state in which the job is then."""
        await self._clock.pass_seconds(seconds)
        if (await sweep.select_survey(self._pool, [])).overdue:
            await sweep.fail_overdue(self._pool)
        state: str = await self._pool.fetchval("SELECT state FROM tasks")
        return state

    async def begin_work(self) -> Lease:
        kinds = [self._command.wire_name]
        (row,) = await tasks.claim_tasks(
            self._pool, worker="me", kinds=kinds, limit=1, lease_seconds=15, suspects=False
        )
        return Lease(row["id"], row["lease_token"], row["lease_epoch"], row["attempt"] + 1, row["started_at"])

    async def has_had_its_time(self, lease: Lease) -> bool:
        """Tell what a heartbeat learns."""
        pulses = await tasks.renew_leases(self._pool, [lease], [(None, None)], 15)
        return pulses[lease.job_id].overdue

    async def pause(self, seconds: float) -> None:
        await self._clock.pause(self._command.wire_name, seconds)

    async def resume(self) -> None:
        asked = ResumeWork(addressee="media", kind=self._command.wire_name)
        async with self._outbox.transaction(self._pool) as tx:
            await self._instructions.on_pauses(tx, [Heard(asked, uuid7(), datetime.now(UTC), "tests", None)])


@pytest.fixture
async def waiting(house: House) -> AsyncIterator[Waiting]:
    async with a_stopped_clock(house) as clock:
        one = Waiting(clock)
        await one.begin()
        try:
            yield one
        finally:
            await clock.end()


async def test_a_job_that_was_never_paused_fails_after_its_deadline(waiting: Waiting) -> None:
    assert await waiting.after(DAY_SECONDS) == "pending"
    assert await waiting.after(1) == "failed"


async def test_a_pause_may_last_longer_than_the_deadline_of_what_it_holds_up(waiting: Waiting) -> None:
    await waiting.pause(3 * DAY_SECONDS)
    assert await waiting.after(2 * DAY_SECONDS) == "pending"
    assert await waiting.after(2 * DAY_SECONDS) == "pending", "the pause ended by itself a day ago"
    assert await waiting.after(1) == "failed"


async def test_what_is_resumed_has_all_of_its_time_again(waiting: Waiting) -> None:
    await waiting.pause(3 * DAY_SECONDS)
    assert await waiting.after(2 * DAY_SECONDS) == "pending"
    await waiting.resume()
    await waiting.resume()
    assert await waiting.after(DAY_SECONDS) == "pending"
    assert await waiting.after(1) == "failed"


async def test_resuming_what_has_gone_on_long_ago_gives_no_more_time(waiting: Waiting) -> None:
    await waiting.pause(HOUR_SECONDS)
    assert await waiting.after(24 * HOUR_SECONDS) == "pending"
    await waiting.resume()
    assert await waiting.after(HOUR_SECONDS) == "pending"
    assert await waiting.after(1) == "failed"


async def test_what_runs_after_a_pause_is_not_interrupted_for_it(waiting: Waiting) -> None:
    await waiting.pause(3 * DAY_SECONDS)
    await waiting.after(2 * DAY_SECONDS)
    await waiting.resume()
    lease = await waiting.begin_work()
    await waiting.after(DAY_SECONDS)
    assert not await waiting.has_had_its_time(lease)
    await waiting.after(1)
    assert await waiting.has_had_its_time(lease)
