"""A cancel ends exactly the job that was named and its descendants, also those not yet born."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from contracts.jobs import CancelJob, JobCancelled
from contracts.media import FetchMedia
from shared import sweep, tasks
from shared.database import open_pool
from shared.errors import TryAgain
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.instructions import Instructions
from shared.jobs import Job
from shared.outbox import Outbox
from tests.living import House, until
from tests.shared.chores import all_said, do_nothing, fetch, put
from tests.shared.plans import rows_read

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def cancel(command: FetchMedia) -> CancelJob:
    return CancelJob(addressee="all", job_id=command.job_id, cancelled_by="somebody")


async def states(house: House) -> dict[Any, str]:
    return {row["id"]: row["state"] for row in await house.rows("SELECT id, state FROM media.tasks")}


async def stay(_job: Job[FetchMedia]) -> None:
    await asyncio.Event().wait()


async def test_running_work_is_cancelled_and_its_neighbour_is_not(house: House) -> None:
    doomed, neighbour = fetch(), fetch()
    async with house.worker("media", works={FetchMedia: stay}, grace_seconds=2.5):
        await house.say(doomed)
        await house.say(neighbour)
        await until(lambda: _all(house, {doomed.job_id: "in_progress", neighbour.job_id: "in_progress"}))
        await house.say(cancel(doomed))
        await until(lambda: _all(house, {doomed.job_id: "cancelled", neighbour.job_id: "in_progress"}), seconds=3)
    (said,) = [one for one in await house.heard() if isinstance(one, JobCancelled)]
    assert (said.job_id, said.attempt) == (doomed.job_id, 1)
    assert said.started_at


async def test_waiting_work_is_cancelled_at_once(house: House) -> None:
    running, waiting = fetch(), fetch()
    async with house.worker("media", works={FetchMedia: stay}, concurrency=1, grace_seconds=2.5):
        await house.say(running)
        await until(lambda: _all(house, {running.job_id: "in_progress"}))
        await house.say(waiting)
        await until(lambda: _all(house, {running.job_id: "in_progress", waiting.job_id: "pending"}))
        await house.say(cancel(waiting))
        await until(lambda: _all(house, {running.job_id: "in_progress", waiting.job_id: "cancelled"}))


async def test_a_cancel_that_overtakes_its_command_still_holds(house: House) -> None:
    command = fetch()
    async with house.worker("media", works={FetchMedia: stay}):
        await house.say(cancel(command))
        await until(lambda: _tombstones(house))
        await house.say(command)
        await until(lambda: _all(house, {command.job_id: "cancelled"}))
    assert [one.job_id for one in await house.heard() if isinstance(one, JobCancelled)] == [command.job_id]


async def test_children_not_yet_born_are_cancelled_with_their_root(house: House) -> None:
    root = uuid7()
    child = fetch(parent_job_id=uuid7(), root_job_id=root)
    async with house.worker("media", works={FetchMedia: stay}):
        await house.say(CancelJob(addressee="all", job_id=root, cancelled_by="somebody"))
        await until(lambda: _tombstones(house))
        await house.say(child)
        await until(lambda: _all(house, {child.job_id: "cancelled"}))


async def test_work_of_another_process_is_cancelled_by_its_next_heartbeat(house: House) -> None:
    command = fetch()
    async with house.worker("media", works={FetchMedia: stay}, heartbeat_seconds=0.3) as worker:
        await house.say(command)
        await until(lambda: _all(house, {command.job_id: "in_progress"}))
        # Another process of the service has heard the cancel; this one has not.
        await worker.pool.execute("INSERT INTO tombstones (job_id, cancelled_by) VALUES ($1, 'x')", command.job_id)
        await until(lambda: _all(house, {command.job_id: "cancelled"}), seconds=3)


async def test_all_waiting_descendants_are_cancelled_however_many(house: House) -> None:
    root = fetch()
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await _pause(house)
        for parent in (root.job_id, uuid7()):
            await put_descendants(house, root, parent, 600)
        await house.say(cancel(root))
        await until(lambda: _counts(house, {"cancelled": 1200}), seconds=10)
        await until(lambda: all_said(house))
    cancelled = [one.job_id for one in await house.heard() if isinstance(one, JobCancelled)]
    assert len(cancelled) == len(set(cancelled)) == 1200


class Counting:
    """Stands in for a connection, and counts what is asked of it."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        self.statements += name in {"execute", "executemany", "fetch", "fetchrow", "fetchval"}
        return getattr(self._connection, name)


async def test_a_cancel_holds_up_nobody_however_many_wait_for_it(house: House) -> None:
    """What it takes to hear of it is the same for a small tree and for a large one, whose rest is swept up."""
    stopped: list[UUID] = []
    instructions = Instructions("media", cast("Any", SimpleNamespace(cancel=stopped.extend)))
    outbox, small, large = Outbox("media"), fetch(), fetch()
    asked: dict[UUID, int] = {}
    async with await open_pool(house.servers.database_url("media"), size=1, application_name="cancels") as pool:
        for root, count in ((small, 10), (large, 2_000)):
            await put_descendants(house, root, root.job_id, count)
            async with outbox.transaction(pool) as tx:
                tx.connection = counting = cast("Any", Counting(tx.connection))
                await instructions.on_cancel_job(tx, [Heard(cancel(root), uuid7(), NOW, "tests", None)])
            asked[root.job_id] = counting.statements
    assert stopped == [small.job_id, large.job_id], "what runs is stopped at once"
    assert asked[small.job_id] == asked[large.job_id]
    assert await _counts(house, {"cancelled": 10 + 500, "pending": 1_500}), "a small tree ends at once"
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await until(lambda: _counts(house, {"cancelled": 2_010}))
        await until(lambda: all_said(house))
    cancelled = [one.job_id for one in await house.heard() if isinstance(one, JobCancelled)]
    assert len(cancelled) == len(set(cancelled)) == 2_010


@pytest.mark.parametrize("by", ["root", "parent"])
async def test_a_page_of_a_cancelled_tree_is_ended_without_reading_all_of_it(house: House, by: str) -> None:
    root, limit = fetch(), 100
    parent, named = (uuid7(), root.job_id) if by == "root" else (root.job_id, uuid7())
    family = root if by == "root" else root.model_copy(update={"job_id": named})
    await put_descendants(house, family, parent, 20_000)
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL search_path = media")
        await connection.execute("INSERT INTO tombstones (job_id, cancelled_by) VALUES ($1, 'x')", root.job_id)
        await connection.execute("ANALYZE tasks; ANALYZE tombstones")
        read = await rows_read(connection, lambda one: tasks.cancel_pending(one, limit))
        assert read < 5 * limit
        assert len(await tasks.cancel_pending(cast("Any", connection), limit)) == limit


async def test_what_is_left_of_a_cancelled_tree_is_ended_though_the_database_was_away_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    look = sweep.select_survey

    async def be_away_once(*given: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == 2:
            # The rest of a tree whose cancel has become old meanwhile.
            await put(house, left)
            long_ago = datetime.now(UTC) - timedelta(hours=1)
            await house.admin.execute("INSERT INTO media.tombstones VALUES ($1, 'x', $2)", left.job_id, long_ago)
            raise ConnectionError("the database is away")
        return await look(*given)

    left = fetch()
    monkeypatch.setattr(sweep, "select_survey", be_away_once)
    await _pause(house)  # or it might be begun before it is seen
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await until(lambda: _all(house, {left.job_id: "cancelled"}), seconds=6)


async def _pause(house: House) -> None:
    await house.admin.execute(
        "INSERT INTO media.pauses VALUES ($1, 'me', now() + interval '1 hour')", FetchMedia.wire_name
    )


async def put_descendants(house: House, root: FetchMedia, parent: UUID, count: int) -> None:
    command = fetch().model_dump(mode="json", exclude_none=True)
    await house.admin.execute(
        """
        INSERT INTO media.tasks (id, kind, command, project_id, parent_job_id, root_job_id, state, rank_at, deadline_at,
                                 announced)
        SELECT id, $1, $2::jsonb || jsonb_build_object('job_id', id), $3, $4, $5, 'pending', now(),
               now() + interval '1 day', true
        FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $6)) AS given
        """,
        FetchMedia.wire_name,
        command,
        root.project_id,
        parent,
        root.job_id,
        count,
    )


async def _counts(house: House, expected: dict[str, int]) -> bool:
    rows = await house.rows("SELECT state, count(*) AS jobs FROM media.tasks GROUP BY state")
    return {row["state"]: row["jobs"] for row in rows} == expected


async def put_crashed(house: House, command: FetchMedia, *, seconds_left: float) -> None:
    await put(house, command, state="in_progress", lease_token=uuid4(), lease_epoch=1, worker="dead/1/x")
    await house.admin.execute("UPDATE media.tasks SET lease_until = now() + $1 * interval '1 s'", seconds_left)


async def test_a_job_whose_worker_crashed_is_cancelled_and_not_run_again(house: House) -> None:
    command, runs = fetch(), Counter[UUID]()

    async def count(job: Job[FetchMedia]) -> None:
        runs[job.id] += 1

    async with house.worker("media", works={FetchMedia: count}):
        await put_crashed(house, command, seconds_left=1)
        await house.say(cancel(command))
        await until(lambda: _all(house, {command.job_id: "cancelled"}), seconds=6)
        await until(lambda: all_said(house))
    assert not runs
    assert [one.job_id for one in await house.heard() if isinstance(one, JobCancelled)] == [command.job_id]


async def test_a_crashed_job_that_was_cancelled_long_ago_is_cancelled_all_the_same(house: House) -> None:
    """Every worker of the service was away since then."""
    crashed, waiting = fetch(), fetch()
    await put_crashed(house, crashed, seconds_left=-1)
    await put(house, waiting)
    for command in (crashed, waiting):
        await house.admin.execute(
            "INSERT INTO media.tombstones VALUES ($1, 'me', now() - interval '11 hours')", command.job_id
        )
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await until(lambda: _all(house, {crashed.job_id: "cancelled", waiting.job_id: "cancelled"}), seconds=6)


async def test_a_job_that_waits_for_its_next_attempt_is_cancelled_at_once(house: House) -> None:
    async def busy(_job: Job[FetchMedia]) -> None:
        raise TryAgain("busy", "Later.", retry_after_seconds=3600)

    command = fetch()
    async with house.worker("media", works={FetchMedia: busy}):
        await house.say(command)
        await until(lambda: house.value("SELECT true FROM media.tasks WHERE state = 'pending' AND attempt = 1"))
        await house.say(cancel(command))
        await until(lambda: _all(house, {command.job_id: "cancelled"}), seconds=3)


async def test_a_job_that_fails_at_the_moment_of_its_cancel_is_not_tried_again(house: House) -> None:
    begun, command = asyncio.Event(), fetch()

    async def fail_when_cancelled(_job: Job[FetchMedia]) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TimeoutError from None

    async with house.worker("media", works={FetchMedia: fail_when_cancelled}):
        await house.say(command)
        await asyncio.wait_for(begun.wait(), 20)
        await house.say(cancel(command))
        await until(lambda: _all(house, {command.job_id: "cancelled"}), seconds=3)


async def test_a_cancel_after_the_end_changes_nothing(house: House) -> None:
    command, probe = fetch(), fetch()
    async with house.worker("media", works={FetchMedia: do_nothing}):
        await house.say(command)
        await until(lambda: _all(house, {command.job_id: "completed"}))
        await house.say(cancel(command))
        await until(lambda: _tombstones(house))
        await house.say(probe)
        await until(lambda: _all(house, {command.job_id: "completed", probe.job_id: "completed"}))
    assert not [one for one in await house.heard() if isinstance(one, JobCancelled)]


async def _all(house: House, expected: dict[Any, str]) -> bool:
    return await states(house) == expected


async def _tombstones(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.tombstones"))
