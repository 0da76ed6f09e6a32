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
from tests.shared.plans import rows_read

HOUR_SECONDS, DAY_SECONDS = 3600, 24 * 3600
MANY, FEW = 20_000, 100


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


@pytest.mark.parametrize("waits", ["in time", "behind a pause", "after a long pause"])
async def test_a_look_for_the_overdue_reads_few_however_many_wait(house: House, waits: str) -> None:
    kind = fetch().wire_name
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL search_path = media")
        hours = 1 if waits == "in time" else 30
        await put_waiting(connection, kind, MANY, created_hours_ago=hours)
        if waits != "in time":
            ends_at = "now() + interval '1 hour'" if waits == "behind a pause" else "now() - interval '2 hours'"
            await connection.execute(f"INSERT INTO pauses (kind, owner, expires_at) VALUES ($1, 'me', {ends_at})", kind)
        await connection.execute("INSERT INTO tombstones (job_id, cancelled_by) VALUES (gen_random_uuid(), 'me')")
        await connection.execute("ANALYZE tasks; ANALYZE pauses; ANALYZE tombstones")
        pool: Any = connection
        assert not (await sweep.select_survey(pool, [kind])).overdue
        assert await rows_read(connection, lambda pool: sweep.select_survey(pool, [kind])) < FEW

        await put_waiting(connection, "another.kind.v1", 1, created_hours_ago=30)
        assert (await sweep.select_survey(pool, [kind])).overdue
        [ended] = await sweep.fail_overdue(pool)
        assert ended["kind"] == "another.kind.v1"
        assert not (await sweep.select_survey(pool, [kind])).overdue


async def test_a_page_of_the_overdue_is_ended_without_reading_all_of_them(house: House) -> None:
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL search_path = media")
        for kind in ("one.kind.v1", "another.kind.v1"):
            await put_waiting(connection, kind, MANY // 2, created_hours_ago=30)
        await connection.execute("ANALYZE tasks")
        assert await rows_read(connection, sweep.fail_overdue) < 5 * sweep._LIMIT
        assert len(await sweep.fail_overdue(cast("Any", connection))) == sweep._LIMIT


async def put_waiting(connection: Any, kind: str, count: int, *, created_hours_ago: int) -> None:
    """Lay a family of tasks into the table that wait for so long, and may for a day."""
    command = fetch()
    await connection.execute(
        """
        INSERT INTO tasks (id, kind, command, project_id, parent_job_id, root_job_id, state, created_at, rank_at,
                           deadline_at, announced)
        SELECT gen_random_uuid(), $1, $2::jsonb, $3, $4, $4, 'pending', at, at, at + interval '1 day', true
        FROM (SELECT now() - make_interval(hours => $5, secs => n / 100.0) AS at
              FROM generate_series(1, $6) AS n) AS given
        """,
        kind,
        command.model_dump(mode="json", exclude_none=True),
        command.project_id,
        command.job_id,
        created_hours_ago,
        count,
    )
