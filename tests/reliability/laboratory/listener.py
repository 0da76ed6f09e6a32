"""An outside system that hears everything that is said, on a queue of its own and over no wire of ours."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from types import TracebackType
from typing import Self
from uuid import UUID

import orjson
from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from contracts.envelope import EVERYBODY, routing_key_of
from contracts.jobs import JobCancelled, JobCompleted, JobFailed, JobNews, ReplayOutbox
from deploy.local.stack import Stack
from shared.broker import Link, acknowledge
from shared.outbox import Outbox
from shared.topology import EVENTS, Topology
from tests.journeys.outsiders import publish
from tests.reliability.laboratory.broker import delete_queue, until_declared

QUEUE = "diorama.listener"
_ENDS: tuple[type[JobNews], ...] = (JobCompleted, JobFailed, JobCancelled)
ENDS = frozenset(map(routing_key_of, _ENDS))
_PREFETCH = 500
_ANSWER_SECONDS = 10
_BOUND_SECONDS = 60
_DECLARED_SECONDS = 60
_EVERYTHING = tuple(sorted({key for keys in Topology.generated().hears.values() for key in keys}))
_MARGIN = timedelta(seconds=60)
"""The services' own: what was said was written down at most so long before it was published."""


class Listener:
    """Remembers what it has heard. Use it as an async context manager.

    Attributes:
        began_at: whatever has been said since then it must hear.
        bodies: a digest of each event's body, by id.
        keys: the routing key of each event, by id.
        ends: the ids of the events that told the end of a job, by job.
        contradictions: ids under which two different things were said.
        losses: since when it may have missed something, for each time that its queue was gone with the broker's disk.
        asked: the ids of its own requests.

    """

    def __init__(self, servers: Stack) -> None:
        self.began_at = datetime.now(UTC)
        self.bodies: dict[UUID, bytes] = {}
        self.ends: defaultdict[UUID, set[UUID]] = defaultdict(set)
        self.contradictions: set[UUID] = set()
        self.keys: dict[UUID, str] = {}
        self.losses: list[datetime] = []
        self.asked: set[UUID] = set()
        self._servers = servers
        self._asked_about = 0
        self._since = datetime.now(UTC)
        self._bound = asyncio.Event()
        self._is_known = False
        self._link = Link(servers.rabbitmq_url, QUEUE, self._listen)

    async def __aenter__(self) -> Self:
        await self._begin()
        self.began_at = datetime.now(UTC)
        self._is_known = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Hear nothing for a while, and whatever was missed afterwards: what waits in the queue, or is said again."""
        await self._end()
        self._bound.clear()
        try:
            yield
        finally:
            await self._begin()

    async def _begin(self) -> None:
        self._running = asyncio.create_task(self._link.run())
        try:
            async with asyncio.timeout(_BOUND_SECONDS):
                await self._bound.wait()
        except BaseException:
            await self._end()
            raise

    async def _end(self) -> None:
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running  # raises what made it deaf, if anything did

    async def ask_again(self) -> None:
        """Repeat the request to hear again all that may have been missed; it may have been lost as well."""
        if self.losses:
            await self._ask(self.losses[0])

    async def _listen(self, connection: AbstractConnection) -> None:
        if not self._is_known:
            await delete_queue(self._servers, QUEUE)  # with what others have left in it
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), connection.channel() as asking:
                await asking.declare_queue(QUEUE, passive=True)
        except ChannelNotFoundEntity:
            await self._declare(connection)
            if self._is_known:
                self.losses.append(self._since - _MARGIN)
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=_PREFETCH)
        await (await channel.get_queue(QUEUE)).consume(self._hear)
        try:
            for since in self.losses[self._asked_about :]:
                await self._ask(since)
                self._asked_about += 1
            self._bound.set()
            await channel.closed()  # a connection tells nobody of its own end
        finally:
            self._since = datetime.now(UTC)

    async def _declare(self, connection: AbstractConnection) -> None:
        async with connection.channel() as channel:
            exchange = await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)
            await (await channel.declare_queue(QUEUE, durable=True)).bind(exchange, "#")

    async def _ask(self, since: datetime) -> None:
        """Have everybody say again what was said since a moment, as any consumer does that has lost its queue."""
        request = ReplayOutbox(addressee=EVERYBODY, queue=QUEUE, routing_keys=_EVERYTHING, since=since)
        saying = Outbox("listener").encode(request)
        self.asked.add(saying.message_id)
        await until_declared(self._servers, seconds=_DECLARED_SECONDS)
        await publish(self._servers, saying.routing_key, saying.body)

    async def _hear(self, delivery: AbstractIncomingMessage) -> None:
        document = orjson.loads(delivery.body)
        event_id, digest = UUID(document["id"]), blake2b(delivery.body, digest_size=8).digest()
        routing_key = delivery.type or delivery.routing_key or ""  # said again it comes by the name of the queue
        self.keys[event_id] = routing_key
        if self.bodies.setdefault(event_id, digest) != digest:
            self.contradictions.add(event_id)
        if routing_key in ENDS:
            self.ends[UUID(document["data"]["job_id"])].add(event_id)
        await acknowledge(delivery)
