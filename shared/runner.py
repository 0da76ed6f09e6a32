"""Runs leased tasks: claims what is due, renews leases, and records how each attempt ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from uuid import UUID

import structlog

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command
from contracts.jobs import JobAccepted, JobCancelled
from shared import metrics, tasks
from shared.batching import Batcher
from shared.database import AWAY
from shared.jobs import Bench, Job, LostLease, news
from shared.outbox import Transaction
from shared.retry import judge
from shared.settings import WorkSettings
from shared.tasks import Lease, Settlement
from shared.telemetry import context_of, trace_id_of, tracer

BoundWork: TypeAlias = Callable[[Job[Any]], Awaitable[dict[str, Any] | None]]
Interruption = Literal["cancelled", "lost", "stopping"]

_POLL_SECONDS = 1.0
_SAY_STARTED_AFTER_SECONDS = 0.1
_LET_GO_SECONDS = 2.0

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Running:
    """A job that this process works on."""

    job: Job[Any]
    work: "asyncio.Task[dict[str, Any] | None]"
    since: float = field(default_factory=time.monotonic)
    start_said: bool = False
    interrupted: Interruption | None = None


class Runner:
    """The working part of one process."""

    def __init__(self, bench: Bench, settings: WorkSettings) -> None:
        self._bench = bench
        self._settings = settings
        self._works: dict[type[Command], BoundWork] = {}
        self._running: dict[UUID, _Running] = {}
        self._supervised: set[asyncio.Task[None]] = set()
        self._settling: Batcher[Settlement, bool] = Batcher(self._settle_batch)
        self._wake = asyncio.Event()
        self._reserved = 0
        self._backlog = True
        self._alone = False
        self._stopping = False

    def work_on(self, works: Mapping[type[Command], BoundWork]) -> None:
        """Set what is worked on, ready to be called with a job."""
        self._works = dict(works)

    async def take(self, tx: Transaction, commands: Sequence[Command]) -> None:
        """Make tasks of commands; where slots are free and nothing waits, they start as soon as this commits."""
        self._reserved = self._free() if tx.eager and not self._backlog else 0
        traces = [tx.trace_of(command) for command in commands]
        rows = await tasks.insert_tasks(
            tx.connection,
            commands,
            traces,
            worker=self._bench.worker,
            leased=self._reserved,
            lease_seconds=self._settings.lease_seconds,
            deadline_hours=self._settings.job_deadline_hours,
        )
        by_id = {command.job_id: (command, trace) for command, trace in zip(commands, traces, strict=True)}
        for row in rows:
            self._taken(tx, row, *by_id[row["id"]])
        tx.after_commit(self._unreserve)

    def _taken(self, tx: Transaction, row: Any, command: Command, traceparent: str | None) -> None:
        if row["state"] == "cancelled":
            tx.say(news(JobCancelled, command, epoch=1, sequence=0, at=self._bench.clock.now()))
        elif row["state"] == "pending":
            tx.after_commit(self.look_for_work)
        else:
            lease = Lease(command.job_id, row["lease_token"], row["lease_epoch"], row["attempt"] + 1, row["started_at"])
            tx.after_commit(lambda: self._start(command, lease, traceparent))
        if row["state"] != "cancelled" and tx.was_born_here(command):
            tx.say(news(JobAccepted, command, epoch=0, sequence=1, at=self._bench.clock.now()))

    def look_for_work(self) -> None:
        """Have the claimer look again: something may be due."""
        self._backlog = True
        self._wake.set()

    def run_suspects(self) -> None:
        """Let what runs finish, then run tasks of crashed processes one by one with nothing beside them."""
        self._alone = True
        self._wake.set()

    async def claim(self) -> None:
        """Claim and start what is due, until cancelled."""
        while True:
            self._wake.clear()
            with suppress(*AWAY):
                while not self._stopping and await self._claim_batch():
                    pass
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._wake.wait()

    async def _claim_batch(self) -> bool:
        """Claim once; tell whether claiming again at once makes sense."""
        if self._alone and any(running.interrupted is None for running in self._running.values()):
            return False
        limit = 1 if self._alone else self._free()
        if limit <= 0:
            return False
        rows = await tasks.claim_tasks(
            self._bench.pool,
            worker=self._bench.worker,
            kinds=[command.wire_name for command in self._works],
            limit=limit,
            lease_seconds=self._settings.lease_seconds,
            suspects=self._alone,
        )
        for row in rows:
            lease = Lease(row["id"], row["lease_token"], row["lease_epoch"], row["attempt"] + 1, row["started_at"])
            command = CATALOGUE[row["kind"]].model_validate(row["command"])
            if isinstance(command, Command):
                self._start(command, lease, row["traceparent"])
        if self._alone:
            self._alone = bool(rows)
            return not rows
        self._backlog = len(rows) == limit
        return False

    def _free(self) -> int:
        if self._stopping or self._alone:
            return 0
        return max(0, self._settings.concurrency - len(self._running) - self._reserved)

    def _unreserve(self) -> None:
        self._reserved = 0

    def _start(self, command: Command, lease: Lease, traceparent: str | None) -> None:
        job = Job(command, lease, self._bench, traceparent)
        running = _Running(job, asyncio.create_task(self._work(job)))
        self._running[job.id] = running
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
            settlement = self._judge(running)
            if settlement is not None:
                await self._settle(running, settlement)
        finally:
            if self._running.get(running.job.id) is running:
                del self._running[running.job.id]
            metrics.RUNNING.set(len(self._running))
            if self._backlog or self._alone:
                self._wake.set()

    def _judge(self, running: _Running) -> Settlement | None:
        job, work = running.job, running.work
        kind = job.command.wire_name
        metrics.JOB_SECONDS.labels(kind).observe(time.monotonic() - running.since)
        error = None if work.cancelled() else work.exception()
        if job.settled:
            if error is not None:
                _log.error("handler_failed_after_its_end", job_id=str(job.id), kind=kind, exc_info=error)
            return None
        if running.interrupted == "lost" or isinstance(error, LostLease):
            metrics.LEASES_LOST.inc()
            _log.warning("lease_lost", job_id=str(job.id), kind=kind)
            return None
        if running.interrupted == "cancelled":
            return job.cancellation()
        if running.interrupted == "stopping":
            return job.release()
        if error is None and not work.cancelled():
            return job.completion({}, work.result() or {})
        failed = error or RuntimeError("the handler cancelled itself")
        verdict = judge(failed, job.attempt)
        unexpected = failed if verdict.code == "unexpected_error" else None
        _log.warning("attempt_failed", job_id=str(job.id), kind=kind, code=verdict.code, exc_info=unexpected)
        return job.failure(verdict)

    async def _settle(self, running: _Running, settlement: Settlement) -> None:
        pause_seconds = 0.1
        while True:
            try:
                held = await self._settling.submit(settlement)
            except AWAY as error:
                if running.interrupted == "lost":
                    return
                _log.warning("settling_paused", job_id=str(running.job.id), error=repr(error))
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, 2)
                continue
            outcome = settlement.state if held else "lost"
            metrics.JOBS_ENDED.labels(running.job.command.wire_name, outcome).inc()
            return

    async def _settle_batch(self, settlements: list[Settlement]) -> list[bool | Exception]:
        settled = await tasks.settle_tasks(self._bench.pool, settlements)
        if any(settlement.sayings for settlement in settlements):
            self._bench.outbox.wake.set()
        return [settlement.lease.job_id in settled for settlement in settlements]

    async def beat(self) -> None:
        """Renew all leases with one statement, now and again, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            held = list(self._running.values())
            if not held:
                continue
            try:
                answers = await tasks.renew_leases(
                    self._bench.pool,
                    [running.job.lease for running in held],
                    [(running.job.share, running.job.stage) for running in held],
                    self._settings.lease_seconds,
                )
            except AWAY as error:
                _log.warning("heartbeat_missed", error=repr(error), jobs=len(held))
                continue
            for running in held:
                cancelled = answers.get(running.job.id)
                if cancelled is None:
                    self._interrupt(running, "lost")
                elif cancelled:
                    self._interrupt(running, "cancelled")

    async def tell_starts(self) -> None:
        """Say JobStarted for work that turns out to be long, until cancelled."""
        while True:
            await asyncio.sleep(_SAY_STARTED_AFTER_SECONDS / 2)
            before = time.monotonic() - _SAY_STARTED_AFTER_SECONDS
            long = [one for one in self._running.values() if not one.start_said and one.since < before]
            if not long:
                continue
            for running in long:
                running.start_said = True
            with suppress(*AWAY):
                await tasks.insert_started(self._bench.pool, [(one.job.lease, one.job.started()) for one in long])
                self._bench.outbox.wake.set()

    def cancel(self, job_ids: Sequence[UUID]) -> None:
        """Stop what this process runs of these jobs and of their descendants."""
        doomed = set(job_ids)
        for running in list(self._running.values()):
            command = running.job.command
            if doomed & {command.job_id, command.parent_job_id, command.root_job_id}:
                self._interrupt(running, "cancelled")

    def _interrupt(self, running: _Running, why: Interruption) -> None:
        if running.interrupted is None and not running.job.settled and not running.work.done():
            running.interrupted = why
            running.work.cancel()

    async def stop(self) -> None:
        """Start nothing more; let what runs finish within the grace period, then give the rest back."""
        self._stopping = True
        if self._supervised:
            await asyncio.wait(self._supervised, timeout=self._settings.grace_seconds - _LET_GO_SECONDS)
        for running in list(self._running.values()):
            self._interrupt(running, "stopping")
        if self._supervised:
            await asyncio.wait(self._supervised, timeout=_LET_GO_SECONDS)
