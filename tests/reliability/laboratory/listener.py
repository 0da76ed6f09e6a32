"""An outside system that hears everything that is said, on a queue of its own and over no wire of ours."""

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from types import TracebackType
from typing import Self
from uuid import UUID

import orjson
from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from contracts.envelope import routing_key_of
from contracts.jobs import JobCancelled, JobCompleted, JobFailed, JobNews
from deploy.local.stack import Stack
from shared.broker import Link, acknowledge
from shared.topology import EVENTS

QUEUE = "laboratory.listener"
_ENDS: tuple[type[JobNews], ...] = (JobCompleted, JobFailed, JobCancelled)
ENDS = frozenset(map(routing_key_of, _ENDS))
_PREFETCH = 500
_ANSWER_SECONDS = 10
_BOUND_SECONDS = 60
_LAG = timedelta(seconds=10)
"""What is published now was written into the outbox, or lay in our queue, at most so long."""


@dataclass(frozen=True, slots=True)
class Deafness:
    """A time in which the listener's queue was gone, so that it may have missed what was said."""

    since: datetime
    until: datetime

    def excuses(self, said_at: datetime) -> bool:
        return self.since - _LAG <= said_at <= self.until


class Listener:
    """Remembers what it has heard. Use it as an async context manager.

    Attributes:
        bodies: a digest of each event's body, by id.
        ends: the ids of the events that told the end of a job, by job.
        contradictions: ids under which two different things were said.
        heard: how many events came, by routing key, repetitions included.
        deaf: when it could not hear.

    """

    def __init__(self, servers: Stack) -> None:
        self.bodies: dict[UUID, bytes] = {}
        self.ends: defaultdict[UUID, set[UUID]] = defaultdict(set)
        self.contradictions: set[UUID] = set()
        self.heard: Counter[str] = Counter()
        self.deaf: list[Deafness] = []
        self._since = datetime.now(UTC)
        self._bound = asyncio.Event()
        self._link = Link(servers.rabbitmq_url, QUEUE, self._listen)

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._link.run())
        try:
            async with asyncio.timeout(_BOUND_SECONDS):
                await self._bound.wait()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running  # raises what made it deaf, if anything did

    def was_deaf(self, said_at: datetime) -> bool:
        return any(deafness.excuses(said_at) for deafness in self.deaf)

    async def _listen(self, connection: AbstractConnection) -> None:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), connection.channel() as asking:
                await asking.declare_queue(QUEUE, passive=True)
        except ChannelNotFoundEntity:
            await self._declare(connection)
            self.deaf.append(Deafness(self._since, datetime.now(UTC)))
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=_PREFETCH)
        await (await channel.get_queue(QUEUE)).consume(self._hear)
        self._bound.set()
        try:
            await channel.closed()  # a connection tells nobody of its own end
        finally:
            self._since = datetime.now(UTC)

    async def _declare(self, connection: AbstractConnection) -> None:
        async with connection.channel() as channel:
            exchange = await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)
            await (await channel.declare_queue(QUEUE, durable=True)).bind(exchange, "#")

    async def _hear(self, delivery: AbstractIncomingMessage) -> None:
        document = orjson.loads(delivery.body)
        event_id, digest = UUID(document["id"]), blake2b(delivery.body, digest_size=8).digest()
        routing_key = delivery.routing_key or ""
        self.heard[routing_key] += 1
        if self.bodies.setdefault(event_id, digest) != digest:
            self.contradictions.add(event_id)
        if routing_key in ENDS:
            self.ends[UUID(document["data"]["job_id"])].add(event_id)
        await acknowledge(delivery)
