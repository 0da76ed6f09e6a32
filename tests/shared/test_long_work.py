"""Work that takes long is told of in order, keeps its lease, and does not go on for ever."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import JobCompleted, JobFailed, JobRetryScheduled, JobStarted
from contracts.media import FetchMedia
from shared import tasks
from shared.jobs import Job
from shared.outbox import Saying
from tests.living import House, until
from tests.shared.chores import about, all_ended, all_said, fetch, is_in, reason_of


async def news_of_a_job_that_ends_while_its_start_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Its end is worded, and recorded only after its start was said too: a commit that takes its time."""
    started = asyncio.Event()
    insert_started, settle = tasks.insert_started, Job._settle

    async def note_start(*arguments: Any) -> None:
        await insert_started(*arguments)
        started.set()

    async def settle_late(job: Job[Any], tx: Any, settlement: Any) -> None:
        await asyncio.wait_for(started.wait(), 20)
        await settle(job, tx, settlement)

    monkeypatch.setattr(tasks, "insert_started", note_start)
    monkeypatch.setattr(Job, "_settle", settle_late)

    async def complete(job: Job[FetchMedia]) -> None:
        async with job.completing() as tx:
            tx.result(done=True)

    async with house.worker("media", works={FetchMedia: complete}):
        await house.say(command := fetch())
        await until(lambda: is_in(house, "completed", command))
        await until(lambda: _said_its_start(house))
        await until(lambda: all_said(house))
    return about(await house.heard(), command.job_id)


async def _said_its_start(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.said WHERE routing_key = 'jobs.job_started'"))


async def test_a_start_that_is_said_late_never_outranks_the_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    news = await news_of_a_job_that_ends_while_its_start_is_said(house, monkeypatch)
    assert [type(one) for one in news] == [JobStarted, JobCompleted]
    assert news[0].lease_epoch == news[1].lease_epoch
    assert news[0].sequence == 1


async def test_a_start_numbered_when_it_is_said_would_outrank_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def number_now(job: Job[Any]) -> Saying:
        begun = job.news(JobStarted, attempt=job.attempt, started_at=job.started_at, worker="me")
        return job._encode([begun])[0]

    monkeypatch.setattr(Job, "started", number_now)
    news = await news_of_a_job_that_ends_while_its_start_is_said(house, monkeypatch)
    assert [type(one) for one in news] == [JobCompleted, JobStarted], "the test would not notice"


async def test_each_attempt_says_its_start_first(house: House) -> None:
    runs: Counter[UUID] = Counter()

    async def stumble(job: Job[FetchMedia]) -> None:
        runs[job.id] += 1
        await until(lambda: _starts(house, runs[job.id]))
        if runs[job.id] == 1:
            raise TimeoutError("the first time")

    async with house.worker("media", works={FetchMedia: stumble}):
        await house.say(command := fetch())
        await until(lambda: _waits(house))
        # Announced, or it may be told as well that it waits, until somebody looks for what is due.
        await house.admin.execute("UPDATE media.tasks SET run_at = now(), announced = true")
        await until(lambda: is_in(house, "completed", command))
        await until(lambda: all_said(house))
    news = about(await house.heard(), command.job_id)
    assert [type(one) for one in news] == [JobStarted, JobRetryScheduled, JobStarted, JobCompleted]
    assert [one.attempt for one in news] == [1, 1, 2, 2]


async def _starts(house: House, count: int) -> bool:
    said = await house.value(
        """
        SELECT (SELECT count(*) FROM media.said WHERE routing_key = 'jobs.job_started')
             + (SELECT count(*) FROM media.outbox WHERE routing_key = 'jobs.job_started')
        """
    )
    return bool(said >= count)


async def _waits(house: House) -> bool:
    return bool(await house.value("SELECT run_at > now() FROM media.tasks WHERE state = 'pending'"))


async def test_a_handler_that_hangs_past_its_deadline_ends_as_failed(house: House) -> None:
    async def hang(_job: Job[FetchMedia]) -> None:
        await asyncio.Event().wait()

    async with house.worker("media", works={FetchMedia: hang}, job_deadline_hours=0.0002, heartbeat_seconds=0.2):
        await house.say(command := fetch())
        await until(lambda: is_in(house, "failed", command), seconds=10)
        await until(lambda: all_said(house))
    assert await reason_of(house, command) == "deadline_exceeded"
    (failed,) = [one for one in await house.heard() if isinstance(one, JobFailed)]
    assert failed.code == "deadline_exceeded"


async def test_work_that_ends_well_although_its_deadline_passed_is_kept(house: House) -> None:
    begun = asyncio.Event()

    async def finish_first(_job: Job[FetchMedia]) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return  # it was at its last step

    async with house.worker("media", works={FetchMedia: finish_first}, heartbeat_seconds=0.2):
        await house.say(command := fetch())
        await asyncio.wait_for(begun.wait(), 20)
        await house.admin.execute("UPDATE media.tasks SET deadline_at = now()")
        await until(lambda: is_in(house, "completed", command), seconds=10)


async def test_what_waits_past_its_deadline_ends_as_failed(house: House) -> None:
    async def never_now(_job: Job[FetchMedia]) -> None:
        raise TimeoutError

    async with house.worker("media", works={FetchMedia: never_now}):
        await house.say(command := fetch())
        await until(lambda: _waits(house))
        await house.admin.execute("UPDATE media.tasks SET deadline_at = now()")
        await until(lambda: is_in(house, "failed", command), seconds=10)
    assert await reason_of(house, command) == "deadline_exceeded"


async def test_a_slow_recording_costs_nobody_the_lease(house: House) -> None:
    """Neither the neighbours, whose leases are renewed by the same statement, nor itself when it is over."""
    runs: Counter[UUID] = Counter()
    recording, recorded, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    slow, neighbour = fetch(), fetch()

    async def work(job: Job[FetchMedia]) -> None:
        runs[job.id] += 1
        if job.id == slow.job_id:
            async with job.recording():
                recording.set()
                await recorded.wait()
        await go.wait()

    # So long that no busy machine keeps the neighbour from renewing his.
    async with house.worker("media", works={FetchMedia: work}, lease_seconds=5, heartbeat_seconds=0.2):
        await house.say(slow)
        await house.say(neighbour)
        await asyncio.wait_for(recording.wait(), 20)
        await until(lambda: _lease_ran_out(house, slow))
        assert not await _lease_ran_out(house, neighbour)
        # Others look for what is left lying every second.
        looked = await house.value("SELECT now()")
        await until(lambda: _seconds_since(house, looked, 1.5))
        recorded.set()
        await until(lambda: _lease_holds(house, slow))
        go.set()
        await until(lambda: all_ended(house, 2))
    assert runs == {slow.job_id: 1, neighbour.job_id: 1}


async def _lease_ran_out(house: House, command: FetchMedia) -> bool:
    return bool(await house.value("SELECT lease_until < now() FROM media.tasks WHERE id = $1", command.job_id))


async def _lease_holds(house: House, command: FetchMedia) -> bool:
    return bool(
        await house.value(
            "SELECT lease_until > now() + interval '1 s' OR state <> 'in_progress' FROM media.tasks WHERE id = $1",
            command.job_id,
        )
    )


async def _seconds_since(house: House, moment: Any, seconds: float) -> bool:
    return bool(await house.value("SELECT now() > $1::timestamptz + $2 * interval '1 s'", moment, seconds))


async def test_a_lease_is_not_lost_between_a_slow_recording_and_the_next_heartbeat(house: House) -> None:
    """Whoever looks for what is left lying at that very moment finds the lease renewed."""
    recording, recorded, go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(job: Job[FetchMedia]) -> None:
        async with job.recording():
            recording.set()
            await recorded.wait()
        await go.wait()

    async with house.worker("media", works={FetchMedia: work}, lease_seconds=2, heartbeat_seconds=60):
        await house.say(command := fetch())
        await asyncio.wait_for(recording.wait(), 20)
        await until(lambda: _lease_ran_out(house, command))
        async with house.admin.acquire() as other, other.transaction():
            waiting = asyncio.ensure_future(
                other.fetchval(
                    "SELECT lease_until > clock_timestamp() FROM media.tasks WHERE id = $1 FOR UPDATE", command.job_id
                )
            )
            await until(lambda: _somebody_waits(house))
            recorded.set()
            holds = await waiting
        go.set()
        await until(lambda: is_in(house, "completed", command))
    assert holds, "the lease had run out while it was recorded"


async def _somebody_waits(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
