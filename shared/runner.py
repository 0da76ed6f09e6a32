"""Runs leased tasks: claims what is due, renews leases, and records how each attempt ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import structlog
from pydantic import ValidationError

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command
from contracts.jobs import JobAccepted, JobCancelled, JobFailed, JobNews
from shared import heartbeat, metrics, tasks
from shared.database import AWAY, Pool
from shared.errors import Refused, printable
from shared.isolation import Isolation
from shared.jobs import STARTED, Bench, Job, LostLease, lineage_of, news
from shared.outbox import Transaction
from shared.retry import Verdict, judge
from shared.settings import WorkSettings
from shared.settling import Settling, tell_lost
from shared.tasks import Lease, Settlement
from shared.telemetry import context_of, trace_id_of, tracer

BoundWork: TypeAlias = Callable[[Job[Any]], Awaitable[dict[str, Any] | None]]
N = TypeVar("N", bound=JobNews)
Interruption = Literal["cancelled", "lost", "overdue", "stopping"]

_POLL_SECONDS = 1.0
_SAY_STARTED_AFTER_SECONDS = 0.1
_LET_GO_SECONDS = 4.0
DEADLINE_EXCEEDED = ("deadline_exceeded", "It took longer than its deadline allows.")

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Running:
    """A job that this process works on."""

    job: Job[Any]
    work: "asyncio.Task[dict[str, Any] | None]"
    since: float = field(default_factory=time.monotonic)
    start_said: bool = False
    interrupted: Interruption | None = None

    @property
    def may_say_start(self) -> bool:
        return not self.start_said and not self.work.done() and not self.job.settled


class Runner:
    """The working part of one process."""

    def __init__(self, bench: Bench, settings: WorkSettings, pulse: Pool) -> None:
        self._bench = bench
        self._settings = settings
        self._pulse = pulse
        self._works: dict[type[Command], BoundWork] = {}
        self._running: dict[UUID, _Running] = {}  # by the token of its lease: two may have been given for one job
        self._supervised: set[asyncio.Task[None]] = set()
        self._settling = Settling(bench)
        self._claiming = asyncio.Lock()
        self._wake = asyncio.Event()
        self._reserved = 0
        self._taking = 0  # transactions that lease tasks as they take them
        self._taken = asyncio.Event()
        self._taken.set()
        self._backlog = True
        self._isolation = Isolation()
        self._stopping = False

    @property
    def kinds(self) -> list[str]:
        """Name the kinds that are worked on here."""
        return [command.wire_name for command in self._works]

    def work_on(self, works: Mapping[type[Command], BoundWork]) -> None:
        """Set what is worked on, ready to be called with a job."""
        self._works = dict(works)

    async def take(self, tx: Transaction, commands: Sequence[Command]) -> None:
        """Make tasks of commands; where slots are free and nothing waits, they start as soon as this commits."""
        reserved = self._free() if tx.eager and not self._backlog else 0
        if reserved:
            self._begin_taking(reserved)
            tx.at_end(lambda: self._end_taking(reserved))
        traces = [tx.trace_of(command) for command in commands]
        rows = await tasks.insert_tasks(
            tx.connection,
            commands,
            traces,
            worker=self._bench.worker,
            leased=reserved,
            lease_seconds=self._settings.lease_seconds,
            deadline_hours=self._settings.job_deadline_hours,
            announced=[tx.was_born_here(command) for command in commands],
        )
        # Of two commands under one id the first was written, so it is the one that runs.
        by_id = {command.job_id: (command, trace) for command, trace in zip(commands[::-1], traces[::-1], strict=True)}
        for row in rows:
            self._note_taken(tx, row, *by_id[row["id"]])

    def _begin_taking(self, count: int) -> None:
        self._reserved += count
        self._taking += 1
        self._taken.clear()

    def _end_taking(self, count: int) -> None:
        self._reserved -= count
        self._taking -= 1
        if not self._taking:
            self._taken.set()

    def _note_taken(self, tx: Transaction, row: Any, command: Command, traceparent: str | None) -> None:
        if row["state"] == "cancelled":
            tx.say(self._news(JobCancelled, command, epoch=1, sequence=0))
            return
        if tx.was_born_here(command):
            tx.say(self._news(JobAccepted, command, epoch=0, sequence=0))
        if row["state"] == "pending":
            tx.after_commit(self.look_for_work)
        else:
            lease = Lease(command.job_id, row["lease_token"], row["lease_epoch"], row["attempt"] + 1, row["started_at"])
            tx.after_commit(lambda: self._start(command, lease, traceparent))

    def _news(self, news_class: type[N], command: Command, *, epoch: int, sequence: int) -> N:
        return news(
            news_class,
            command.own_lineage(),
            command.wire_name,
            self._bench.service,
            epoch=epoch,
            sequence=sequence,
            at=self._bench.clock.now(),
        )

    def look_for_work(self) -> None:
        """Have the claimer look again: something may be due."""
        self._backlog = True
        self._wake.set()

    def run_suspects(self) -> None:
        """Let what runs finish, then run tasks of crashed processes one by one with nothing beside them."""
        if self._isolation.begin():
            self._wake.set()

    async def claim(self) -> None:
        """Claim and start what is due, until cancelled."""
        while True:
            self._wake.clear()
            try:
                while not self._stopping and await self._claim_batch():
                    pass
            except AWAY as error:
                _log.warning("claiming_paused", error=repr(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()

    async def _claim_batch(self) -> bool:
        """Claim once; tell whether claiming again at once makes sense."""
        async with self._claiming:
            if self._isolation.active:
                return await self._claim_suspect()
            limit = self._free()
            if limit <= 0:
                return False
            self._reserved += limit
            try:
                rows = await self._claim(limit, suspects=False)
            finally:
                self._reserved -= limit
            # Fewer than wanted may only mean that another process chose the same; only none means that nothing waits.
            self._backlog = bool(rows)
            return self._backlog

    async def _claim_suspect(self) -> bool:
        if self._reserved or self._running:  # also whoever goes on without its lease, for what may be paid for
            return self._isolation.give_up_when_over()
        if await self._claim(1, suspects=True):
            self._isolation.went_on()
            return False
        self._isolation.end()
        self._backlog = True
        return True

    async def _claim(self, limit: int, *, suspects: bool) -> int:
        rows = await tasks.claim_tasks(
            self._bench.pool,
            worker=self._bench.worker,
            kinds=self.kinds,
            limit=0 if self._stopping else limit,
            lease_seconds=self._settings.lease_seconds,
            suspects=suspects,
        )
        unreadable = []
        for row in rows:
            lease = Lease(row["id"], row["lease_token"], row["lease_epoch"], row["attempt"] + 1, row["started_at"])
            try:
                command = CATALOGUE[row["kind"]].model_validate(row["command"])
            except ValidationError as error:
                unreadable.append((row, lease, error))
                continue
            if isinstance(command, Command):
                self._start(command, lease, row["traceparent"])
        for one in unreadable:  # last, for the database may go away meanwhile
            await self._fail_unreadable(*one)
        return len(rows)

    async def _fail_unreadable(self, row: Any, lease: Lease, error: ValidationError) -> None:
        """End a task whose command this version of the code cannot read."""
        code, sentence = "command_not_understood", printable(str(error))
        said = news(
            JobFailed,
            lineage_of(row),
            row["kind"],
            self._bench.service,
            epoch=lease.epoch,
            sequence=STARTED + 1,
            at=self._bench.clock.now(),
            attempt=lease.attempt,
            code=code,
            sentence=sentence,
        )
        saying = self._bench.outbox.encode(said, traceparent=row["traceparent"])
        settlement = Settlement(lease, "failed", lease.attempt, code=code, sentence=sentence, sayings=(saying,))
        await tasks.settle_tasks(self._bench.pool, [settlement])

    def _free(self) -> int:
        if self._stopping or self._isolation.active:
            return 0
        return max(0, self._settings.concurrency - len(self._running) - self._reserved)

    def _start(self, command: Command, lease: Lease, traceparent: str | None) -> None:
        job = Job(command, lease, self._bench, traceparent)
        running = _Running(job, asyncio.create_task(self._work(job)))
        for before in self._running.values():
            if before.job.id == job.id and before.job.lease_epoch < job.lease_epoch:  # a commit may be heard of late
                self._interrupt(before, "lost")
        self._running[lease.token] = running
        metrics.RUNNING.set(len(self._running))
        supervisor = asyncio.create_task(self._supervise(running))
        self._supervised.add(supervisor)
        supervisor.add_done_callback(self._supervised.discard)

    async def _work(self, job: Job[Any]) -> dict[str, Any] | None:
        structlog.contextvars.bind_contextvars(
            job_id=str(job.id),
            kind=job.command.wire_name,
            trace_id=trace_id_of(job.traceparent),
            traceparent=job.traceparent,
        )
        name = f"work {job.command.wire_name}"
        with tracer().start_as_current_span(
            name, context=context_of(job.traceparent), attributes={"diorama.job_id": str(job.id)}
        ):
            return await self._works[type(job.command)](job)

    async def _supervise(self, running: _Running) -> None:
        try:
            await asyncio.wait((running.work,))
            settlement = self._judge_safely(running)
            if settlement is not None:
                await self._settling.settle(running.job, settlement)
        finally:
            del self._running[running.job.lease.token]
            metrics.RUNNING.set(len(self._running))
            if self._backlog or self._isolation.active:
                self._wake.set()

    def _judge_safely(self, running: _Running) -> Settlement | None:
        """Judge an attempt; where its result or its error cannot even be said, fail it for that reason."""
        try:
            return self._judge(running)
        except (Refused, ValueError, TypeError) as error:
            _log.exception("result_unsayable", job_id=str(running.job.id))
            unsayable = Refused("result_unsayable", f"What came of it cannot be said: {type(error).__name__}.")
            refused = error if isinstance(error, Refused) else unsayable
            return running.job.failure(judge(refused, running.job.attempt))

    def _judge(self, running: _Running) -> Settlement | None:
        job, work = running.job, running.work
        kind = job.command.wire_name
        metrics.JOB_SECONDS.labels(kind).observe(time.monotonic() - running.since)
        error = None if work.cancelled() else work.exception()
        if job.settled:
            if error is not None:
                _log.error("handler_failed_after_its_end", job_id=str(job.id), kind=kind, exc_info=error)
            return None
        if job.lease_lost or isinstance(error, LostLease):
            tell_lost(job)
            return None
        return self._settlement_of(running, error)

    def _settlement_of(self, running: _Running, error: BaseException | None) -> Settlement:
        job, work, kind = running.job, running.work, running.job.command.wire_name
        if running.interrupted == "cancelled":
            return job.cancellation()
        if error is None and not work.cancelled():
            return job.completion({}, work.result() or {})
        if running.interrupted == "overdue" and not isinstance(error, Refused):  # which tells more than the deadline
            return job.failure(Verdict(*DEADLINE_EXCEEDED, None, job.attempt))
        if running.interrupted == "stopping":
            return job.release()
        failed = error or RuntimeError("the handler cancelled itself")
        verdict = judge(failed, job.attempt)
        unexpected = failed if verdict.code == "unexpected_error" else None
        _log.warning("attempt_failed", job_id=str(job.id), kind=kind, code=verdict.code, exc_info=unexpected)
        return job.failure(verdict)

    async def beat(self) -> None:
        """Renew all leases with one statement, now and again, until cancelled."""
        pause_seconds, patience_seconds = self._settings.heartbeat_seconds, self._settings.lease_seconds / 5
        reconnect = self._pulse.expire_connections
        await heartbeat.beat(
            self._renew, reconnect=reconnect, pause_seconds=pause_seconds, patience_seconds=patience_seconds
        )

    async def _renew(self) -> None:
        held = [running for running in self._running.values() if not running.job.lease_lost]
        if not held:
            return
        try:
            answers = await tasks.renew_leases(
                self._pulse,
                [running.job.lease for running in held],
                [(running.job.share, running.job.stage) for running in held],
                self._settings.lease_seconds,
            )
        except AWAY as error:
            _log.warning("heartbeat_missed", error=repr(error), jobs=len(held))
            return
        for running in held:
            pulse = answers.get(running.job.id)
            if pulse is None:
                self._interrupt(running, "lost")
            elif pulse.cancelled or pulse.overdue:
                self._interrupt(running, "cancelled" if pulse.cancelled else "overdue")
            elif pulse.hinted:
                running.job.hinted.set()

    async def tell_starts(self) -> None:
        """Say JobStarted for work that turns out to be long, until cancelled."""
        while True:
            await asyncio.sleep(_SAY_STARTED_AFTER_SECONDS / 2)
            before = time.monotonic() - _SAY_STARTED_AFTER_SECONDS
            long = [one for one in self._running.values() if one.since < before and one.may_say_start]
            if not long:
                continue
            try:
                await tasks.insert_started(self._bench.pool, [(one.job.lease, one.job.started()) for one in long])
            except AWAY as error:
                _log.warning("starts_not_said", error=repr(error), jobs=len(long))
                continue
            for running in long:
                running.start_said = True
            self._bench.outbox.wake.set()

    def cancel(self, job_ids: Sequence[UUID]) -> None:
        """Stop what this process runs of these jobs and of their descendants."""
        doomed = set(job_ids)
        for running in list(self._running.values()):
            command = running.job.command
            if doomed & {command.job_id, command.parent_job_id, command.root_job_id}:
                self._interrupt(running, "cancelled")

    def _interrupt(self, running: _Running, why: Interruption) -> None:
        """Interrupt what runs, once; and once more whoever has gone on with what only its lease was lost for."""
        goes_on = running.interrupted == "lost" and why in {"cancelled", "stopping"}
        if (running.interrupted is None or goes_on) and not running.job.settled and not running.work.done():
            running.interrupted = why
            running.job.cancel_requested = why == "cancelled"
            running.job.lease_lost |= why == "lost"
            running.job.overdue = why == "overdue"
            running.work.cancel()

    async def stop(self, seconds: float) -> None:
        """Start nothing more; let what runs finish within so many seconds, then give the rest back."""
        self._stopping = True
        let_go_at = time.monotonic() + max(0.0, seconds - _LET_GO_SECONDS)
        with suppress(TimeoutError):
            # What is being claimed or taken in at this moment belongs to what runs.
            async with asyncio.timeout(max(_LET_GO_SECONDS, seconds - _LET_GO_SECONDS)), self._claiming:
                await self._taken.wait()
        await self._wait_for_running(let_go_at)
        for running in list(self._running.values()):
            self._interrupt(running, "stopping")
        # However long a claim took: what is interrupted now has this time to be given back.
        await self._wait_for_running(time.monotonic() + _LET_GO_SECONDS)
        for supervisor in list(self._supervised):  # whose ends cannot be recorded any more
            supervisor.cancel()

    async def _wait_for_running(self, until: float) -> None:
        while self._supervised and (left := until - time.monotonic()) > 0:
            await asyncio.wait(self._supervised, timeout=left)
