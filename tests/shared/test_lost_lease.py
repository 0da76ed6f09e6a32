"""A worker that lost its lease changes nothing and says nothing; a crashed one is replaced."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from contracts.jobs import JobCompleted, JobFailed, JobRetryScheduled
from contracts.media import FetchMedia, MediaRejected
from shared import tasks
from shared.jobs import Job, LostLease
from shared.retry import CRASHES
from tests.living import House, lineage, until

KIND = FetchMedia.wire_name


def fetch(**more: Any) -> FetchMedia:
    return FetchMedia(**lineage(**more), url="http://example.com/a.png")


async def state_of(house: House, command: FetchMedia) -> str | None:
    return await house.value("SELECT state FROM media.tasks WHERE id = $1", command.job_id)


async def steal(house: House, command: FetchMedia) -> None:
    """Let the lease run out, as the database sees it."""
    await house.admin.execute(
        "UPDATE media.tasks SET lease_until = now() - interval '1 s' WHERE id = $1 AND state = 'in_progress'",
        command.job_id,
    )


class Frozen:
    """A handler whose first attempt hangs like a frozen process, and goes on when it is told to."""

    def __init__(self) -> None:
        self.thaw = asyncio.Event()
        self.attempts: Counter[Any] = Counter()
        self.refused: list[str] = []

    async def __call__(self, job: Job[FetchMedia]) -> None:
        self.attempts[job.id] += 1
        if self.attempts[job.id] > 1:
            return
        try:
            await self.thaw.wait()
        except asyncio.CancelledError:
            await self.thaw.wait()  # a frozen process does not notice that it should stop
        try:
            async with job.completing() as tx:
                tx.say(MediaRejected(**job.command.own_lineage(), code="zombie", sentence="I was here."))
        except LostLease:
            self.refused.append(str(job.id))
            raise


async def end_of_a_stolen_job(house: House, frozen: Frozen) -> list[Any]:
    command = fetch()
    async with house.worker("media", works={FetchMedia: frozen}, heartbeat_seconds=60):
        await house.say(command)
        await until(lambda: _has(frozen.attempts, 1))
        async with house.worker("media", works={FetchMedia: frozen}):
            await steal(house, command)
            await until(lambda: _is(house, command, "completed"))
        frozen.thaw.set()
        await until(lambda: _zombie_ended(frozen, house))
    return await house.heard()


async def _has(attempts: Counter[Any], count: int) -> bool:
    return attempts.total() >= count


async def _is(house: House, command: FetchMedia, state: str) -> bool:
    return await state_of(house, command) == state


async def _zombie_ended(frozen: Frozen, house: House) -> bool:
    said = await house.value("SELECT count(*) FROM media.said WHERE routing_key = 'media.media_rejected'")
    return bool(frozen.refused) or bool(said)


async def test_a_worker_that_lost_its_lease_changes_nothing_and_says_nothing(house: House) -> None:
    frozen = Frozen()
    news = await end_of_a_stolen_job(house, frozen)
    assert frozen.refused
    assert not [one for one in news if isinstance(one, MediaRejected)]
    assert len([one for one in news if isinstance(one, JobCompleted)]) == 1


async def test_without_the_fence_the_zombie_is_heard(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    settle = tasks.settle_tasks

    async def settle_anything(connection: Any, settlements: Any) -> Any:
        await settle(connection, settlements)
        return {settlement.lease.job_id for settlement in settlements}

    monkeypatch.setattr(tasks, "settle_tasks", settle_anything)
    news = await end_of_a_stolen_job(house, Frozen())
    assert [one for one in news if isinstance(one, MediaRejected)], "the test would not notice a missing fence"


@pytest.mark.parametrize("end", [None, TimeoutError("too long without an answer")], ids=["completed", "failed"])
async def test_whose_attempt_ends_after_its_lease_was_lost_tells_that_it_counts_for_nothing(
    house: House, capsys: pytest.CaptureFixture[str], end: Exception | None
) -> None:
    command, began, thaw = fetch(), asyncio.Event(), asyncio.Event()

    async def freeze(_job: Job[FetchMedia]) -> None:
        if not began.is_set():
            began.set()
            await thaw.wait()
            if end:
                raise end

    counted = _lost()
    async with house.worker("media", works={FetchMedia: freeze}, heartbeat_seconds=60):
        await house.say(command)
        await asyncio.wait_for(began.wait(), 20)
        async with house.worker("media", works={FetchMedia: freeze}):
            await steal(house, command)
            await until(lambda: _is(house, command, "completed"))
        assert _lost() == counted, "whoever took it over has lost nothing"
        thaw.set()
        await until(lambda: _has_lost(counted + 1))
    assert f'"job_id":"{command.job_id}","kind":"{KIND}","event":"lease_lost"' in capsys.readouterr().out
    assert len([one for one in await house.heard() if isinstance(one, JobCompleted)]) == 1


async def test_who_goes_on_with_a_job_that_the_same_process_has_anew_is_told_and_keeps_its_place(house: House) -> None:
    command, began, thaw, told = fetch(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def go_on(job: Job[FetchMedia]) -> None:
        if began.is_set():
            return
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert job.lease_lost
            told.set()
            await thaw.wait()
            raise

    async with house.worker("media", works={FetchMedia: go_on}, heartbeat_seconds=60) as worker:
        await house.say(command)
        await asyncio.wait_for(began.wait(), 20)
        await house.admin.execute(
            """
            UPDATE media.tasks SET state = 'pending', lease_token = NULL, lease_until = NULL, worker = NULL,
                started_at = NULL WHERE id = $1
            """,
            command.job_id,
        )
        await until(lambda: _is(house, command, "completed"))
        await asyncio.wait_for(told.wait(), 20)
        assert len(worker._runner._running) == 1
        thaw.set()


async def test_a_lease_that_is_heard_of_late_ends_nobody_who_has_a_later_one(house: House) -> None:
    command, thaw, jobs = fetch(), asyncio.Event(), list[Job[FetchMedia]]()

    async def go_on(job: Job[FetchMedia]) -> None:
        jobs.append(job)
        await thaw.wait()

    async def begun() -> bool:
        return bool(jobs)

    async with house.worker("media", works={FetchMedia: go_on}, heartbeat_seconds=60) as worker:
        await house.say(command)
        await until(begun)
        before = replace(jobs[0].lease, token=uuid4(), epoch=jobs[0].lease_epoch - 1)
        worker._runner._start(command, before, None)
        lost = jobs[0].lease_lost
        thaw.set()
        assert not lost
        await until(lambda: _is(house, command, "completed"))


async def _has_lost(count: float) -> bool:
    return _lost() == count


def _lost() -> float:
    return REGISTRY.get_sample_value("diorama_leases_lost_total") or 0


async def test_a_task_that_kills_its_worker_fails_and_its_neighbours_complete(house: House) -> None:
    """The process dies each time the poison runs; what ran beside it is rerun alone, and completes."""
    poison, neighbour = fetch(), fetch()
    runs: Counter[Any] = Counter()
    poisoned = asyncio.Event()

    async def die_of_poison(job: Job[FetchMedia]) -> None:
        runs[job.id] += 1
        if job.id == poison.job_id:
            poisoned.set()
            await asyncio.Event().wait()
        elif runs[job.id] == 1:
            await asyncio.Event().wait()

    async def crash() -> None:
        """Have every lease of the process run out, as if it had been killed."""
        await house.admin.execute(
            "UPDATE media.tasks SET lease_until = now() - interval '1 s' WHERE state = 'in_progress'"
        )

    for number in range(CRASHES + 1):
        poisoned.clear()
        async with house.worker("media", works={FetchMedia: die_of_poison}, heartbeat_seconds=60, grace_seconds=2.1):
            if number == 0:
                await house.say(poison)
                await house.say(neighbour)
                await until(lambda: _has(runs, 2))
            else:
                await until(lambda: _poison_runs_alone(house, poison))
            # What the process would have released in an orderly stop stays leased when it is killed.
            await house.admin.execute(
                "UPDATE media.tasks SET lease_token = gen_random_uuid() WHERE state = 'in_progress'"
            )
        await crash()
    async with house.worker("media", works={FetchMedia: die_of_poison}):
        await until(lambda: _is(house, poison, "failed"))
        await until(lambda: _is(house, neighbour, "completed"))
        await until(lambda: _outbox_is_empty(house))
    failed = [one for one in await house.heard() if isinstance(one, JobFailed)]
    assert [(one.job_id, one.code) for one in failed] == [(poison.job_id, "worker_lost")]
    assert failed[0].started_at
    crashes = await house.value("SELECT crashes FROM media.tasks WHERE id = $1", poison.job_id)
    assert crashes == CRASHES
    assert await house.value("SELECT crashes FROM media.tasks WHERE id = $1", neighbour.job_id) == 0


async def _poison_runs_alone(house: House, poison: FetchMedia) -> bool:
    running = await house.rows("SELECT id FROM media.tasks WHERE state = 'in_progress'")
    return [row["id"] for row in running] == [poison.job_id]


async def _outbox_is_empty(house: House) -> bool:
    return not await house.value("SELECT count(*) FROM media.outbox")


async def test_an_orderly_stop_gives_work_back_without_using_up_an_attempt(house: House) -> None:
    command = fetch()
    begun = asyncio.Event()

    async def long(_job: Job[FetchMedia]) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with house.worker("media", works={FetchMedia: long}, grace_seconds=2.5):
        await house.say(command)
        await asyncio.wait_for(begun.wait(), 20)
    row = (await house.rows("SELECT state, attempt, suspect FROM media.tasks"))[0]
    assert (row["state"], row["attempt"], row["suspect"]) == ("pending", 0, False)
    assert not [one for one in await house.heard() if isinstance(one, JobRetryScheduled)]
