"""A stop ends in time and loses nothing; a process that cannot go on ends instead of looking healthy."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.jobs import JobCompleted
from contracts.media import FetchMedia
from shared import relay, tasks
from shared.bus import Bus
from shared.handling import Works
from shared.jobs import Job
from shared.relay import Relay
from shared.runner import Runner
from shared.worker import Worker
from tests.living import House, until
from tests.shared.chores import about, all_said, check, do_nothing, fetch, is_in

GRACE_SECONDS = 9


@asynccontextmanager
async def a_worker_to_stop(house: House, works: Works) -> AsyncIterator[Worker]:
    """Run a worker, and check how long it takes to stop."""
    async with house.worker("media", works=works, grace_seconds=GRACE_SECONDS) as worker:
        yield worker
        began = time.monotonic()
    assert time.monotonic() - began < GRACE_SECONDS


class Stubborn:
    """Holds a connection and does not listen to its cancel until the test is over."""

    def __init__(self) -> None:
        self.begun, self.over = asyncio.Event(), asyncio.Event()
        self.worker: Worker

    async def __call__(self, _job: Job[FetchMedia]) -> None:
        async with self.worker.pool.acquire() as connection:
            await connection.fetchval("SELECT 1")
            self.begun.set()
            while not self.over.is_set():
                try:
                    await self.over.wait()
                except asyncio.CancelledError:
                    continue


async def test_a_handler_that_ignores_its_cancel_does_not_keep_the_process(house: House) -> None:
    stubborn = Stubborn()
    async with a_worker_to_stop(house, {FetchMedia: stubborn}) as stubborn.worker:
        await house.say(command := fetch())
        await asyncio.wait_for(stubborn.begun.wait(), 20)
    assert await is_in(house, "in_progress", command), "its lease will run out"
    stubborn.over.set()


async def test_what_runs_is_given_back_also_where_a_claim_hangs_as_the_stop_begins(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, hangs, claim = asyncio.Event(), asyncio.Event(), tasks.claim_tasks

    async def hang_once_one_runs(*arguments: Any, **options: Any) -> Any:
        if begun.is_set():
            hangs.set()
            await asyncio.Event().wait()
        return await claim(*arguments, **options)

    async def run_for_ever(_job: Job[FetchMedia]) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(tasks, "claim_tasks", hang_once_one_runs)
    async with a_worker_to_stop(house, {FetchMedia: run_for_ever}):
        await house.say(command := fetch())
        await asyncio.wait_for(hangs.wait(), 20)
    assert await is_in(house, "pending", command)


async def test_the_result_of_what_finishes_during_the_stop_is_kept_and_said(house: House) -> None:
    begun = asyncio.Event()

    async def finish_when_told_to_stop(_job: Job[FetchMedia]) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return {"finished": "in time"}
        return {}

    async with a_worker_to_stop(house, {FetchMedia: finish_when_told_to_stop}):
        await house.say(command := fetch())
        await asyncio.wait_for(begun.wait(), 20)
    assert await is_in(house, "completed", command)
    end = about(await house.heard(), command.job_id)[-1]
    assert isinstance(end, JobCompleted)
    assert end.result == {"finished": "in time"}


async def outbox_after_a_stop(house: House, monkeypatch: pytest.MonkeyPatch) -> int:
    """What is said in the last moment, when nobody looks at the outbox any more."""
    monkeypatch.setattr(relay, "_POLL_SECONDS", 60)
    command = fetch()

    async def say_at_the_end(job: Job[FetchMedia]) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            async with job.completing() as tx:
                for _ in range(500):
                    tx.say(check())
            job._bench.outbox.wake.clear()

    async with a_worker_to_stop(house, {FetchMedia: say_at_the_end}):
        await house.say(command)
        await until(lambda: is_in(house, "in_progress", command))
        await until(lambda: _start_was_said(house))
    left: int = await house.value("SELECT count(*) FROM media.outbox")
    return left


async def _start_was_said(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.said WHERE routing_key = 'jobs.job_started'"))


async def test_what_was_said_in_the_last_moment_has_left_when_the_process_ends(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await outbox_after_a_stop(house, monkeypatch) == 0


async def test_without_the_last_flush_it_would_stay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def give_up(_relay: Relay, running: "asyncio.Task[None]", **_: Any) -> None:
        running.cancel()

    monkeypatch.setattr(Relay, "stop", give_up)
    assert await outbox_after_a_stop(house, monkeypatch) > 400, "the test would not notice a missing flush"


async def test_what_is_taken_in_while_the_stop_begins_is_given_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was already leased when the stop began still starts, and must not stay leased to nobody."""
    commands = [fetch() for _ in range(3)]
    inserted, stopping = asyncio.Event(), asyncio.Event()
    take, stop = Runner.take, Runner.stop

    async def take_slowly(runner: Runner, tx: Any, taken: Any) -> None:
        await take(runner, tx, taken)
        inserted.set()
        await stopping.wait()
        await tx.connection.execute("SELECT pg_sleep(0.3)")

    async def note_stop(runner: Runner, seconds: float) -> None:
        stopping.set()
        await stop(runner, seconds)

    monkeypatch.setattr(Runner, "take", take_slowly)
    monkeypatch.setattr(Runner, "stop", note_stop)

    async def stay(_job: Job[FetchMedia]) -> None:
        await asyncio.Event().wait()

    async with a_worker_to_stop(house, {FetchMedia: stay}):
        for command in commands:
            await house.say(command)
        await asyncio.wait_for(inserted.wait(), 20)
    left = await house.rows("SELECT state, attempt, suspect FROM media.tasks")
    assert {tuple(row) for row in left} <= {("pending", 0, False)}
    async with house.worker("media", works={FetchMedia: do_nothing}):
        stopping.set()
        await until(lambda: is_in(house, "completed", *commands))


async def test_a_stop_waits_for_what_is_leased_in_a_transaction_that_has_not_ended(house: House) -> None:
    """Where it did not, that might be cancelled within its commit, and stay leased to nobody."""

    async def stay(_job: Job[FetchMedia]) -> None:
        await asyncio.Event().wait()

    command = fetch()
    async with a_worker_to_stop(house, {FetchMedia: stay}) as worker:
        runner = worker._runner
        runner._backlog = False
        async with worker.bus.outbox.transaction(worker.pool, eager=True) as tx:
            await runner.take(tx, [command])
            stopping = asyncio.create_task(runner.stop(GRACE_SECONDS))
            for _ in range(20):  # rounds of the loop, in which whoever waits for nothing is done
                await asyncio.sleep(0)
            assert not stopping.done()
        await stopping
        assert await is_in(house, "pending", command)
    assert [row["attempt"] for row in await house.rows("SELECT attempt FROM media.tasks")] == [0]


LOOPS = {
    "relay": "shared.relay.Relay.relay_batch",
    "intake": "shared.intake.Intake._take_in",
    "housekeeping": "shared.housekeeping._measure_outbox",
    "hearing": "shared.hearing.Hearing._is_marked",
    "publisher": "shared.topology.Topology.declare",
    "claiming": "shared.tasks.claim_tasks",
    "beating": "shared.tasks.renew_leases",
    "sweeping": "shared.sweep.select_survey",
}


@pytest.mark.parametrize("loop", LOOPS)
async def test_a_loop_that_dies_ends_the_process(house: House, monkeypatch: pytest.MonkeyPatch, loop: str) -> None:
    """Whoever runs it starts it again; it does not go on deaf, dumb or idle, and looking healthy."""

    async def break_down(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    await house.say(fetch())
    await house.say(fetch())

    async def stay(_job: Job[FetchMedia]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(LOOPS[loop], break_down)
    async with Worker(
        "media", house.settings("media", heartbeat_seconds=0.2), hears={}, works={FetchMedia: stay}
    ) as it:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(it.run(asyncio.Event()), 15)
        assert all(task.done() for task in it.bus._tasks), "parts of it live on"


async def test_a_dead_loop_that_nobody_noticed_would_look_healthy(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("shared.housekeeping._measure_outbox", break_down)
    noticed = asyncio.Event()
    monkeypatch.setattr(Bus, "_note_end", lambda _bus, _task: noticed.set())
    async with house.worker("media") as worker:
        await asyncio.wait_for(noticed.wait(), 20)
        assert not await worker.health.problems()


async def test_a_stop_is_told_to_those_who_ask_for_readiness(house: House) -> None:
    async with house.worker("media") as worker:
        assert not await worker.health.problems()
    assert worker.health.stopping


async def test_what_was_heard_before_the_stop_is_not_lost(house: House) -> None:
    commands = [check() for _ in range(200)]
    async with house.worker("media"):
        await asyncio.gather(*(house.say(command) for command in commands))
    async with house.worker("media"):
        await until(lambda: is_in(house, "completed", *commands[::20], commands[-1]))
        await until(lambda: all_said(house))
    completed = [one.job_id for one in await house.heard() if isinstance(one, JobCompleted)]
    assert sorted(completed) == sorted(command.job_id for command in commands)
