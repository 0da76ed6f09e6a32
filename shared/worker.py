"""A worker: on the bus, with tasks of its own, until it is told to stop."""

import asyncio
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import structlog

from contracts.envelope import Message
from contracts.jobs import (
    CancelJob,
    CheckWorker,
    JobAccepted,
    LookAgain,
    PauseWork,
    ReportJobs,
    ResumeWork,
    WaitingWork,
)
from shared import metrics, sweep
from shared.broker import BROKER_AWAY, Unroutable
from shared.bus import Bus
from shared.contact import Contact
from shared.database import AWAY, Pool, close_pool, open_pool
from shared.ending import end
from shared.handling import Reactions, Works, bind_work
from shared.health import Health
from shared.identifiers import uuid7
from shared.instructions import Instructions
from shared.jobs import Bench, Clock, Job
from shared.outbox import Transaction
from shared.reporting import Doing, name_worker
from shared.retry import ATTEMPTS, CRASHES
from shared.runner import DEADLINE_EXCEEDED, Runner
from shared.schema import SchemaError, verify
from shared.server import serve_health
from shared.settings import WorkSettings
from shared.telemetry import configure_logging, configure_tracing, end_tracing

_SWEEP_SECONDS = 1.0
_FLUSH_SECONDS = 8.0  # of the grace period, for what comes after the work
_TIDY_SECONDS = 7.0
_PULSE_CONNECTIONS = 5  # for heartbeats that hang, for the sweep and for reports; opened only where they are needed
_AT_ONCE_SECONDS = 4.0  # in which even a slow database lets somebody in
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

WORKER_LOST = ("worker_lost", "The worker that ran it went away without an answer.")

_log = structlog.get_logger(__name__)


class Worker:
    """One process of a working service.

    Entered, it has its database and its place on the bus; `run` gives the handlers their crafts and works until
    SIGTERM or SIGINT, then finishes or releases what runs, flushes what was said, and returns.
    """

    def __init__(self, service: str, settings: WorkSettings, *, hears: Reactions, works: Works) -> None:
        self.service = service
        self.settings = settings
        self.health = Health()
        self._hears = hears
        self._works: Works = {**works, CheckWorker: check_worker}
        self._stack = AsyncExitStack()
        self._progress: set[asyncio.Task[None]] = set()
        self._clock = Clock()
        self._contact: Contact | None = None
        self._doing = Doing()
        self._recalled = False
        self._told_to_end = False
        self._begins = False
        self._alongside: list[Callable[[], Awaitable[None]]] = []
        self.pool: Pool
        self.bus: Bus

    async def __aenter__(self) -> Self:
        self._hear_signals()
        try:
            await self._open()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    def _hear_signals(self) -> None:
        """Have a signal end what waits for a database or a model: the first process of a container has no other ear."""
        beginning = asyncio.current_task()

        def end() -> None:
            if beginning is not None and not self._told_to_end:  # told twice, it still ends in order
                beginning.cancel()
            self._told_to_end = True

        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                asyncio.get_running_loop().add_signal_handler(number, end)
            self._begins = True

    def _hear_signals_no_more(self) -> None:
        """From now on somebody else does: `run`, or whoever runs this in a process of his."""
        if self._begins:
            for number in _SIGNALS:
                asyncio.get_running_loop().remove_signal_handler(number)
        self._begins = False

    async def _open(self) -> None:
        configure_logging(self.service, self.settings.log_level)
        self._tracing = configure_tracing(self.service, self.settings.otel_exporter_otlp_endpoint)
        await self._stack.enter_async_context(serve_health(self.health, self.settings))
        asked_at = time.monotonic()
        self.pool = await self._open_pool("works", self.settings.database_pool_size)
        self._was_in_sight = time.monotonic() - asked_at < _AT_ONCE_SECONDS
        await self._verify_schema()
        kinds = frozenset(self._works)
        self.bus = Bus(self.service, self.settings, hears=self._hears, pool=self.pool, health=self.health, works=kinds)
        bench = Bench(self.service, self.pool, self.bus.outbox, self._clock, name_worker(), kinds, self._say_progress)
        # Leases are renewed on connections of their own: handlers that hold all others must not cost their leases.
        self._pulse = await self._open_pool("pulse", _PULSE_CONNECTIONS)
        self._runner = Runner(bench, self.settings, self._pulse)
        self._instructions = Instructions(self.service, self._runner)
        self.bus.outbox.tasks = self._runner
        self.bus.reporting.look = self._look
        self.bus.reporting.clock = self._clock.now
        self.health.add("database", self._check_database)

    async def _open_pool(self, purpose: str, size: int) -> Pool:
        pool = await open_pool(
            self.settings.database_url, size=size, application_name=f"diorama.{self.service} {purpose}"
        )
        self._stack.push_async_callback(close_pool, pool)
        return pool

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self._hear_signals_no_more()
        end_tracing(self._tracing)
        if self._told_to_end and kind is asyncio.CancelledError:
            raise SystemExit(0)

    def alongside(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a service's own loop for as long as it works; the loop is cancelled at the end."""
        self._alongside.append(loop)

    async def run(self, stop: asyncio.Event | None = None, /, **crafts: Any) -> None:
        """Work until told to stop, by a signal where no event is given.

        `crafts` are what handlers ask for by the names of their parameters; HandlerError when one is missing.
        """
        self.bus.provide(crafts)
        self._runner.work_on({command: bind_work(work, crafts) for command, work in self._works.items()})
        self.bus.intake.react(
            {
                CancelJob: self._instructions.on_cancel_job,
                LookAgain: self._instructions.on_look_again,
                ReportJobs: self._instructions.on_report_jobs,
                PauseWork: self._instructions.on_pauses,
                ResumeWork: self._instructions.on_pauses,
            }
        )
        self._hear_signals_no_more()
        stop = stop or stop_signal()
        async with self.bus:
            loops = (self._runner.claim, self._runner.beat, self._runner.tell_starts, self._sweep, *self._alongside)
            running = [asyncio.ensure_future(run()) for run in loops]
            self.health.started = True
            _log.info("working", worker=name_worker(), concurrency=self.settings.concurrency)
            stopped = asyncio.ensure_future(stop.wait())
            ends: list[asyncio.Future[Any]] = [stopped, self.bus.died, *running]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            await self._stop(running)
            if self.bus.died.done():
                self.bus.died.result()

    async def _stop(self, running: Sequence[asyncio.Future[None]]) -> None:
        """End in order within the grace period; raises what ended a loop, if one had died."""
        self.health.stopping = True
        _log.info("stopping")
        try:
            await self.bus.stop_hearing()
        except BROKER_AWAY as error:
            _log.warning("consumer_not_cancelled", error=repr(error))
        await self._runner.stop(self.settings.grace_seconds - _FLUSH_SECONDS)
        for result in await end(*running, again_after_seconds=_TIDY_SECONDS):
            if isinstance(result, Exception):
                raise result

    async def _verify_schema(self) -> None:
        async with self.pool.acquire() as connection:
            try:
                await verify(connection, self.service, works=True)
            except SchemaError as error:
                raise SystemExit(str(error)) from None

    async def _check_database(self) -> None:
        if await self.pool.fetchval("SELECT current_setting('transaction_read_only')::bool"):
            raise ConnectionError("the database takes no writes")

    async def _sweep(self) -> None:
        self._contact = Contact(self.settings.lease_seconds, in_sight=self._was_in_sight)
        while True:
            more = False
            try:
                more = await self._sweep_once()
            except AWAY as error:
                self._recalled = False  # what is left of a cancelled tree may have become old meanwhile
                _log.warning("sweep_paused", error=repr(error))
            await asyncio.sleep(0 if more else _SWEEP_SECONDS)

    async def _sweep_once(self) -> bool:
        """Sweep up what a look finds; tell whether it is worth looking again at once."""
        more = False
        if not self._recalled:
            await sweep.recall_cancels(self._pulse)
            self._recalled = True
        survey = await sweep.select_survey(self._pulse, self._runner.kinds)
        self._clock.set(survey.now)
        if self._contact is not None and not self._contact.answered():
            survey = replace(survey, expired=False)
        if survey.suspects:
            self._runner.run_suspects()
        if survey.expired or survey.silent or survey.overdue or survey.doomed:
            async with self.bus.transaction() as tx:
                more = await self._sweep_up(tx, survey)
                tx.after_commit(self._runner.look_for_work)
        return more

    async def _look(self) -> Doing:
        """Find out what this process does and what there is to do; what was known last while the database is away."""
        try:
            counted = await sweep.count_tasks(self._pulse, name_worker())
            self._clock.set(await sweep.select_now(self._pulse))
        except AWAY as error:
            _log.warning("tasks_not_counted", error=repr(error))
            return self._doing
        metrics.TASKS.clear()
        for row in counted:
            metrics.TASKS.labels(row["kind"], "pending").set(row["waiting"])
            metrics.TASKS.labels(row["kind"], "in_progress").set(row["running"])
        self._doing = Doing(
            kinds=tuple(sorted(self._runner.kinds)),
            capacity=self.settings.concurrency,
            running=sum(row["own"] for row in counted),
            work=tuple(WaitingWork.model_validate(dict(row)) for row in counted),
        )
        return self._doing

    async def _sweep_up(self, tx: Transaction, survey: sweep.Survey) -> bool:
        say = self._instructions
        more = survey.doomed and await say.end_cancelled(tx)
        if survey.expired:
            lost = await sweep.release_expired(tx.connection, crash_limit=CRASHES, attempt_limit=ATTEMPTS)
            for row in lost:
                say.say_ended(tx, row, WORKER_LOST)
            await sweep.recall_cancels(tx.connection)
            metrics.LEASES_TAKEN_OVER.inc(len(lost))
        if survey.overdue:
            for row in await sweep.fail_overdue(tx.connection):
                say.say_ended(tx, row, (DEADLINE_EXCEEDED[0], row["error_sentence"]))
        if survey.silent:
            for row in await sweep.announce_silent(tx.connection):
                say.say_of(tx, JobAccepted, row, sequence=1, waiting_for="pause" if row["paused"] else "worker")
        return more

    def _say_progress(self, message: Message, traceparent: str | None) -> None:
        if self.bus.publisher.up.is_set():
            task = asyncio.create_task(self._publish_progress(message, traceparent))
            self._progress.add(task)
            task.add_done_callback(self._progress.discard)

    async def _publish_progress(self, message: Message, traceparent: str | None) -> None:
        saying = self.bus.outbox.encode(message, traceparent=traceparent)
        try:
            await self.bus.publisher.publish(
                saying.routing_key, saying.body, message_id=uuid7(), type_=saying.routing_key
            )
        except (*BROKER_AWAY, Unroutable) as error:
            # Progress may be lost; the job's state says what matters.
            _log.debug("progress_not_said", error=repr(error))


async def check_worker(_job: Job[CheckWorker]) -> None:
    """Do nothing: the way there and back is what is checked."""


def stop_signal() -> asyncio.Event:
    """Give an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
