"""How a service is on the bus: it declares, relays what it said, hears, and says again what others missed."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self

import structlog

from contracts.envelope import Command, Message
from contracts.jobs import DiscardDeadLetters, RedriveDeadLetters, ReplayOutbox
from shared.broker import Publisher
from shared.database import Pool, until_answered
from shared.ending import end
from shared.handling import Heard, Reactions, bind_reaction
from shared.health import Health
from shared.hearing import Deaf, Hearing
from shared.housekeeping import Housekeeping
from shared.intake import BoundReaction, Intake
from shared.outbox import Outbox, Transaction
from shared.redriving import DeadLetters
from shared.relay import Relay
from shared.reporting import Reporting
from shared.settings import ServiceSettings
from shared.topology import Topology

_FLUSH_SECONDS = 3
_TIDY_SECONDS = 7.0
"""Closing a connection may take five."""

_log = structlog.get_logger(__name__)


class Bus:
    """One service's place on the bus. Entered, it keeps itself connected; left, it flushes what was said."""

    def __init__(
        self,
        service: str,
        settings: ServiceSettings,
        *,
        hears: Reactions,
        pool: Pool,
        health: Health,
        works: frozenset[type[Command]] = frozenset(),
    ) -> None:
        declared = Topology.generated()
        self.service = service
        self.pool = pool
        self.outbox = Outbox(service)
        self.publisher = Publisher(settings.rabbitmq_url, f"diorama.{service} says", declared)
        self.intake = Intake(service, pool, self.outbox, works=works, retention_days=settings.said_retention_days)
        self._hears = hears
        self._relay = Relay(self.outbox, pool, self.publisher)
        self._housekeeping = Housekeeping(pool, retention_days=settings.said_retention_days, works=bool(works))
        self._hearing = Hearing(
            service,
            settings.rabbitmq_url,
            pool=pool,
            outbox=self.outbox,
            publisher=self.publisher,
            intake=self.intake,
            hears=declared.hears.get(service, ()),
        )
        self.reporting = Reporting(
            self.outbox,
            self.publisher,
            intake=self.intake,
            housekeeping=self._housekeeping,
            health=health,
            pause_seconds=settings.report_seconds,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving = False
        self.died: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        letters = DeadLetters(service, self.outbox)
        self.intake.react(
            {
                ReplayOutbox: _replay_outbox,
                RedriveDeadLetters: letters.on_redrive_dead_letters,
                DiscardDeadLetters: letters.on_discard_dead_letters,
            }
        )
        health.add("consumer", self._hearing.check)

    def provide(self, crafts: Mapping[str, Any]) -> None:
        """Tie the reactions to their crafts; raise HandlerError where one is missing."""
        bound: dict[Any, BoundReaction] = {}
        reactions: dict[type[Message], BoundReaction] = {}
        for message, reaction in self._hears.items():
            reactions[message] = bound.setdefault(reaction, bind_reaction(reaction, crafts))
        self.intake.react(reactions)

    def transaction(self, pool: Pool | None = None) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction that can speak."""
        return self.outbox.transaction(pool or self.pool)

    async def __aenter__(self) -> Self:
        self._relaying = self._start(self._relay_when_prepared)
        self._taking_in = self._start(self.intake.run)
        for run in (self.publisher.run, self._housekeeping.run, self._hearing.run, self.reporting.run):
            self._start(run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        await end(self._taking_in, again_after_seconds=_TIDY_SECONDS)
        try:
            await self._relay.stop(self._relaying, seconds=_FLUSH_SECONDS)
            await self.reporting.leave()
        finally:
            await end(*self._tasks, again_after_seconds=_TIDY_SECONDS)
            self.died.cancel()

    def alongside(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a loop of the service's own until the bus is left; should it die, the process ends with it."""
        self._start(run)

    async def hears(self) -> bool:
        """Tell whether the service hears its queue now."""
        try:
            await self._hearing.check()
        except Deaf:
            return False
        return True

    async def stop_hearing(self) -> None:
        """Take no more deliveries."""
        await self._hearing.stop()

    async def _relay_when_prepared(self) -> None:
        await until_answered(self._housekeeping.prepare, "prepare the tables")
        self._start(self._relay.run_again)
        await self._relay.run()

    def _start(self, run: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        task = asyncio.create_task(run())
        task.add_done_callback(self._note_end)
        self._tasks.append(task)
        return task

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        """Have the process end, and be started again, rather than go on deaf or dumb."""
        if task.cancelled():
            error: BaseException | None = None if self._leaving else RuntimeError("a loop ended, and nobody ended it")
        else:
            error = task.exception()
        if error is None:
            return
        _log.critical("loop_died", exc_info=error)
        if not self.died.done():
            self.died.set_exception(error)


async def _replay_outbox(tx: Transaction, asked: Sequence[Heard[ReplayOutbox]]) -> None:
    """Note what is to be said again; the relay does so page by page."""
    for one in asked:
        request = one.message
        await tx.connection.execute(
            "INSERT INTO replays (queue, routing_keys, said_at) VALUES ($1, $2, $3)",
            request.queue,
            list(request.routing_keys),
            request.since,
        )
