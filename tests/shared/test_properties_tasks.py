"""Whatever happens to tasks, and in whatever order: a lease is one worker's, and a job's life goes one way."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle
from random import Random
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from contracts.catalogue import open_envelope, understand
from contracts.envelope import EVERYBODY, Command, Message
from contracts.jobs import CancelJob, JobCancelled, JobCompleted, JobFailed, JobNews, ReportJobs
from services.gateway.rules.jobs import apply_news, job_of_news
from shared import jobs, sweep, tasks
from shared.errors import Refused, TryAgain
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.instructions import Instructions
from shared.isolation import Isolation
from shared.jobs import Bench, Clock, Job, LostLease
from shared.outbox import Outbox, insert_sayings
from shared.retry import judge
from shared.runner import Runner
from shared.settings import WorkSettings
from shared.tasks import Lease, Settlement
from shared.worker import Worker
from tests.living import House
from tests.shared.machines import Machine, StoppedClock, a_stopped_clock, explore, finds_a_broken_promise
from tests.shared.task_model import COMMANDS, DEADLINE_SECONDS, KINDS, LEASE_SECONDS, TaskModel

EXAMPLES, STEPS = 70, 50
SLOTS = 3
PAUSE_SECONDS = 200
TICK_SECONDS = 1 / 64  # exact in binary and in microseconds
ENDS: dict[type[JobNews], str] = {JobCompleted: "completed", JobFailed: "failed", JobCancelled: "cancelled"}
TELLS = {"pending": {"pending"}, "in_progress": {"pending", "in_progress"}} | {end: {end} for end in ENDS.values()}
"""What news may let a job look like; that work has begun is not always said."""

_SEEN = """
    SELECT id, state, lease_epoch, attempt, crashes, suspect, announced,
           CASE WHEN state = 'in_progress' THEN lease_token END AS token,
           CASE state WHEN 'pending' THEN extract(epoch FROM run_at - now())::float8
                      WHEN 'in_progress' THEN extract(epoch FROM lease_until - now())::float8 END AS moment
    FROM tasks
"""
_SPOKEN = "SELECT count(*) FROM outbox"
SETTLE, RENEW, RELEASE, NEWS = tasks.settle_tasks, tasks.renew_leases, sweep.release_expired, jobs.news
ENDINGS = ("completed", "refused", "try_again", "rate_limited", "cancelled", "released")
_SOME_JOBS = st.lists(st.integers(0, 11), min_size=1, max_size=3, unique=True)
_SOME_COMMANDS = st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=4, unique_by=lambda one: one.job_id)


class HandingOut(Runner):
    """Hands jobs to the test, where a runner would run them; what it hands out is never forgotten, as by a zombie."""

    def __init__(self, bench: Bench, settings: WorkSettings, clock: StoppedClock) -> None:
        super().__init__(bench, settings, cast("Any", clock))
        self.work_on({type(command): _not_run for command in COMMANDS})
        self.jobs: list[Job[Any]] = []

    def _start(self, command: Command, lease: Lease, traceparent: str | None) -> None:
        self.jobs.append(Job(command, lease, self._bench, traceparent))


async def _not_run(_job: Job[Any]) -> None:
    raise AssertionError("jobs of these lives are ended by hand")


class Working(Machine):
    """A worker's tasks, beside what they are believed to be."""

    def __init__(self, clock: StoppedClock, settings: WorkSettings) -> None:
        super().__init__()
        self.model = TaskModel()
        self.clock = clock
        self.pool = cast("Any", clock)
        self.do(self._begin(settings))

    async def _begin(self, settings: WorkSettings) -> None:
        await self.clock.begin()
        self.outbox = Outbox("media")
        own_kinds = frozenset(type(command) for command in COMMANDS)
        bench = Bench("media", self.pool, self.outbox, Clock(), "me", own_kinds, lambda *_: None)
        self.runner = self.outbox.tasks = HandingOut(bench, settings, self.clock)
        self.instructions = Instructions("media", self.runner)
        # A worker that is not connected to anything: only its looks at the tasks are wanted.
        worker: Any = Worker("media", settings, hears={}, works={})
        self.worker = worker
        worker._pulse, worker._runner, worker._instructions = self.pool, self.runner, self.instructions
        worker.bus = SimpleNamespace(transaction=lambda: self.outbox.transaction(self.pool))
        worker._count_at, worker._recalled = float("inf"), True

    def teardown(self) -> None:
        self.do(self.clock.end())

    @initialize(commands=st.permutations(COMMANDS))
    def begin_with_some_work(self, commands: list[Command]) -> None:
        self.hear_commands(commands=commands[:4], eager=True, heard=True)

    @rule(commands=_SOME_COMMANDS, eager=st.booleans(), heard=st.booleans())
    def hear_commands(self, commands: list[Command], *, eager: bool, heard: bool) -> None:
        async def hear() -> None:
            self.runner._backlog = False
            async with self.outbox.transaction(self.pool, eager=eager) as tx:
                for command in commands:
                    tx.work(command, heard=heard)

        starting = self.model.accept(commands, slots=SLOTS if eager else 0, announced=not heard)
        assert self._start(self._handed_out(hear())) == starting
        self.time_passes(seconds=TICK_SECONDS)  # so that no two tasks have the same rank

    @rule(limit=st.integers(1, 3), suspects=st.booleans())
    def claim(self, limit: int, *, suspects: bool) -> None:
        due = self.model.due(suspects=suspects)
        free = [life for life in due if not self.model.is_cancelled(life.command)]
        handed = self._handed_out(self.runner._claim(limit, suspects=suspects))
        claimed = [self.model.lives[job.id] for job in handed]
        assert all(life in free for life in claimed), "what may not run was claimed"
        if free == due:  # what was cancelled and is not ended yet may stand in the way for a moment
            assert self.model.turns(claimed) == self.model.turns(free)[:limit], "it was not their turn"
        self._start(handed)

    @precondition(lambda self: self.runner.jobs)
    @rule(numbers=_SOME_JOBS)
    def say_that_work_has_begun(self, numbers: list[int]) -> None:
        self.do(tasks.insert_started(self.pool, [(job.lease, job.started()) for job in self._jobs(numbers)]))

    @precondition(lambda self: self.runner.jobs)
    @rule(numbers=_SOME_JOBS)
    def beat(self, numbers: list[int]) -> None:
        leases = {job.id: job.lease for job in self._jobs(numbers)}
        progress = [(0.5, "half") for _ in leases]
        pulses = self.do(tasks.renew_leases(self.pool, list(leases.values()), progress, LEASE_SECONDS))
        held = {job_id: self.model.lives[job_id] for job_id, lease in leases.items() if self.model.holds(lease)}
        assert {job_id: (pulse.cancelled, pulse.overdue) for job_id, pulse in pulses.items()} == {
            job_id: (self.model.is_cancelled(life.command), self.model.is_overdue(life))
            for job_id, life in held.items()
        }
        for life in held.values():
            life.prolong(self.model.now)

    @precondition(lambda self: self.runner.jobs)
    @rule(numbers=_SOME_JOBS, endings=st.lists(st.sampled_from(ENDINGS), min_size=3, max_size=3))
    def end_together(self, numbers: list[int], endings: list[str]) -> None:
        """Record several ends with one statement, those of all who ever held a lease of these jobs among them."""
        ending = {job.id for job in self._jobs(numbers)}
        handed = [job for job in self.runner.jobs if job.id in ending]
        ends = [(job, _settlement(job, which)) for job, which in zip(handed, cycle(endings), strict=False)]
        held = [end for job, end in ends if self.model.holds(job.lease)]
        spoken = self.do(self.pool.fetchval(_SPOKEN))
        settled = self.do(tasks.settle_tasks(self.pool, [end for _, end in ends]))
        assert settled == {end.lease.job_id for end in held}, "a lost lease ends nothing"
        assert self.do(self.pool.fetchval(_SPOKEN)) - spoken == len(held), "a lost lease says nothing"
        for end in held:
            self.model.settle(end)

    @precondition(lambda self: self.runner.jobs)
    @rule(number=st.integers(0, 11), completes=st.booleans())
    def end_in_a_transaction(self, number: int, *, completes: bool) -> None:
        (job,) = self._jobs([number])

        async def end() -> bool:
            try:
                async with job.completing() if completes else job.failing("refused", "No."):
                    return True
            except LostLease:
                return False

        held = self.model.holds(job.lease)
        assert self.do(end()) == held
        if held:
            self.model.settle(Settlement(job.lease, "completed" if completes else "failed", job.attempt))

    @precondition(lambda self: self.runner.jobs)
    @rule(number=st.integers(0, 11))
    def record_a_fact(self, number: int) -> None:
        (job,) = self._jobs([number])

        async def record() -> bool:
            try:
                async with job.recording():
                    return True
            except LostLease:
                return False

        assert self.do(record()) == self.model.holds(job.lease)

    @rule(seconds=st.sampled_from([1, 14, 15, 16, 299, 301, 601, 3600, DEADLINE_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.do(self.clock.pass_seconds(seconds))
        self.model.now += seconds

    @rule(limit=st.integers(1, 3))
    def lose_all_leases(self, limit: int) -> None:
        """Let a process fall silent and another one take over, so that there are zombies."""
        self.time_passes(seconds=LEASE_SECONDS + 1)
        self.sweep(fresh=False)
        self.claim(limit=limit, suspects=True)

    @rule(fresh=st.booleans())
    def sweep(self, *, fresh: bool) -> None:
        self.worker._recalled = not fresh
        if fresh:
            self.model.recall_cancels()
        self.do(self.worker._sweep_once())
        self.runner._isolation = Isolation()
        self.model.sweep()

    @rule(command=st.sampled_from(COMMANDS))
    def cancel(self, command: Command) -> None:
        asked = CancelJob(addressee=EVERYBODY, job_id=command.job_id, cancelled_by="ann")
        self._instruct(self.instructions.on_cancel_job, asked)
        self.model.cancel(command.job_id)

    @rule(commands=_SOME_COMMANDS)
    def ask_for_a_report(self, commands: list[Command]) -> None:
        asked = ReportJobs(addressee=EVERYBODY, job_ids=tuple(command.job_id for command in commands))
        self._instruct(self.instructions.on_report_jobs, asked)

    @rule(kind=st.sampled_from(KINDS), pauses=st.booleans())
    def pause_or_resume(self, kind: str, *, pauses: bool) -> None:
        self.do(self.clock.pause(kind, PAUSE_SECONDS if pauses else 0))
        self.model.paused_until[kind] = self.model.now + (PAUSE_SECONDS if pauses else 0)

    @rule(order=st.integers(0, 1000))
    def listen(self, order: int) -> None:
        """Hear all news again, in any order and often: they tell how each job ended, and only that."""
        news = self.do(self._news())
        heard = [*news, *news]
        Random(order).shuffle(heard)  # noqa: S311 - an order that can be repeated
        for job_id, life in self.model.lives.items():
            told = [one for one in heard if one.job_id == job_id]
            ends = {type(one) for one in told if type(one) in ENDS}
            assert ends == {end for end, state in ENDS.items() if state == life.state}
            assert not told or _known_after(told) in TELLS[life.state], "in any order news tell the same"

    async def _news(self) -> list[JobNews]:
        said = await self.pool.fetch("SELECT body FROM outbox")
        messages = [understand(open_envelope(orjson.loads(row["body"]))) for row in said]
        return [one for one in messages if isinstance(one, JobNews)]

    @invariant()
    def the_tasks_are_what_they_are_believed_to_be(self) -> None:
        rows = {row["id"]: row for row in self.do(self.pool.fetch(_SEEN))}
        assert rows.keys() == self.model.lives.keys()
        believed = {job_id: life.seen(self.model.now) for job_id, life in self.model.lives.items()}
        wrong = {
            (name, found, seen)
            for job_id, row in rows.items()
            for (name, found), seen in zip(list(row.items())[1:], believed[job_id], strict=True)
            if found != seen
        }
        assert not wrong, "a task is what it is believed to be"

    def _instruct(self, reaction: Any, asked: Message) -> None:
        async def react() -> None:
            async with self.outbox.transaction(self.pool) as tx:
                await reaction(tx, [Heard(asked, uuid7(), datetime.now(UTC), "tests", None)])

        self.do(react())

    def _jobs(self, numbers: list[int]) -> list[Job[Any]]:
        """Choose jobs that were handed out, also those whose lease is lost by now."""
        handed = self.runner.jobs
        return [handed[number] for number in dict.fromkeys(number % len(handed) for number in numbers)]

    def _handed_out(self, step: Any) -> list[Job[Any]]:
        known = len(self.runner.jobs)
        self.do(step)
        handed = sorted(self.runner.jobs[known:], key=lambda job: job.id)  # the database gives them in any order
        self.runner.jobs[known:] = handed
        return handed

    def _start(self, handed: list[Job[Any]]) -> set[UUID]:
        for job in handed:
            self.model.lives[job.id].begin(job.lease, self.model.now)
        return {job.id for job in handed}


def _settlement(job: Job[Any], ending: str) -> Settlement:
    match ending:
        case "completed":
            return job.completion({}, {})
        case "cancelled":
            return job.cancellation()
        case "released":
            return job.release()
        case "refused":
            return job.failure(judge(Refused("refused", "No."), job.attempt))
        case _:
            busy = TryAgain("busy", "Later.", retry_after_seconds=300, rate_limited=ending == "rate_limited")
            return job.failure(judge(busy, job.attempt))


def _known_after(told: list[JobNews]) -> str:
    """Give the state in which the gateway shows a job after such news."""
    row = job_of_news(told[0])
    for one in told:
        apply_news(row, one)
    return row.state


@pytest.fixture
async def working(house: House) -> AsyncIterator[Callable[[], Working]]:
    settings = house.settings("media", concurrency=SLOTS, lease_seconds=LEASE_SECONDS)
    async with a_stopped_clock(house) as clock:
        yield lambda: Working(clock, settings)


async def test_tasks_live_as_they_should_whatever_happens(working: Callable[[], Working]) -> None:
    await explore(working, examples=EXAMPLES, steps=STEPS)


async def _settle_for_anybody(connection: Any, settlements: Sequence[Settlement]) -> set[UUID]:
    """Record an end whoever reports it: the fence is open."""
    rows = await connection.fetch("SELECT id, lease_token FROM tasks WHERE state = 'in_progress'")
    tokens = {row["id"]: row["lease_token"] for row in rows}
    leases = [replace(end.lease, token=tokens.get(end.lease.job_id, end.lease.token)) for end in settlements]
    return await SETTLE(connection, [replace(end, lease=lease) for end, lease in zip(settlements, leases, strict=True)])


async def _let_zombies_speak(connection: Any, settlements: Sequence[Settlement]) -> set[UUID]:
    """Say also what a lost lease has to say, where its successor ends in the same statement."""
    rows = await connection.fetch("SELECT lease_token FROM tasks WHERE state = 'in_progress'")
    tokens = {row["lease_token"] for row in rows}
    settled = await SETTLE(connection, settlements)
    lost = [end for end in settlements if end.lease.job_id in settled and end.lease.token not in tokens]
    await insert_sayings(connection, [saying for end in lost for saying in end.sayings])
    return settled


async def _renew_nothing(pool: Any, leases: Any, progress: Any, _seconds: float) -> Any:
    return await RENEW(pool, leases, progress, 0)


async def _punish_neighbours(connection: Any, **limits: Any) -> Any:
    """Charge a crash to whatever ran in the process."""
    await connection.execute("UPDATE tasks SET suspect = true WHERE state = 'in_progress'")
    return await RELEASE(connection, **limits)


def _unnumbered(*given: Any, epoch: int, **facts: Any) -> Any:
    return NEWS(*given, epoch=min(epoch, 1), **facts)


@pytest.mark.parametrize(
    ("room", "name", "mutation", "promise"),
    [
        (tasks, "settle_tasks", _settle_for_anybody, "a lost lease (ends|says) nothing"),
        (tasks, "settle_tasks", _let_zombies_speak, "a lost lease says nothing"),
        (tasks, "renew_leases", _renew_nothing, "believed to be(.|\n)*'moment'"),
        (sweep, "release_expired", _punish_neighbours, "believed to be(.|\n)*'(crashes|suspect)'"),
        (jobs, "news", _unnumbered, "in any order news tell the same"),
        (sweep, "OVERDUE", "t.deadline_at < now()", "believed to be"),
    ],
)
async def test_a_mutated_house_breaks_these_promises(
    working: Callable[[], Working],
    monkeypatch: pytest.MonkeyPatch,
    *,
    room: Any,
    name: str,
    mutation: Any,
    promise: str,
) -> None:
    monkeypatch.setattr(room, name, mutation)
    await finds_a_broken_promise(working, promise, examples=EXAMPLES, steps=STEPS)
