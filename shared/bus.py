"""How a service is on the bus: it declares, relays what it said, hears, and says again what others missed."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Self

import structlog

from contracts.envelope import Command, Message
from contracts.jobs import ReplayOutbox
from shared.broker import Publisher
from shared.database import Pool
from shared.handling import Heard, Reactions, bind_reaction
from shared.health import Health
from shared.hearing import Hearing
from shared.intake import BoundReaction, Intake
from shared.outbox import Outbox, Transaction
from shared.relay import Relay
from shared.settings import ServiceSettings
from shared.topology import Topology

_DRAIN_SECONDS = 5

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
        self._relay = Relay(self.outbox, pool, self.publisher, retention_days=settings.said_retention_days)
        self._hearing = Hearing(
            service,
            settings.rabbitmq_url,
            pool=pool,
            outbox=self.outbox,
            publisher=self.publisher,
            intake=self.intake,
            hears=declared.hears.get(service, ()),
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.intake.react({ReplayOutbox: _replay_outbox})
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
        for run in (
            self.publisher.run,
            self._relay.run,
            self._relay.keep_house,
            self.intake.run,
            self._hearing.run,
        ):
            self._tasks.append(asyncio.create_task(run()))
            self._tasks[-1].add_done_callback(_report_end)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._relay.drain(_DRAIN_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop_hearing(self) -> None:
        """Take no more deliveries."""
        await self._hearing.stop()


def _report_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("bus_task_died", exc_info=error)


async def _replay_outbox(tx: Transaction, asked: Sequence[Heard[ReplayOutbox]]) -> None:
    """Say again, to one queue, what was said since a moment; durable like everything that is said."""
    for one in asked:
        request = one.message
        await tx.connection.execute(
            """
            INSERT INTO outbox (message_id, routing_key, queue, job_id, body)
            SELECT message_id, routing_key, $1, job_id, body FROM said
            WHERE said_at >= $2 AND routing_key = ANY ($3)
            ORDER BY said_at
            """,
            request.queue,
            request.since,
            list(request.routing_keys),
        )
