"""RabbitMQ: connections that come back by themselves, and publishing that is confirmed or fails in time.

Plain connections, rebuilt whole after every loss: what a restored channel forgets is the most common way in which
consumers fall silent.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import aio_pika
import aiormq
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    DeliveryError,
    PublishError,
)
from yarl import URL

from contracts.envelope import CONTENT_TYPE
from shared import metrics, topology
from shared.database import AWAY
from shared.ending import end
from shared.topology import Topology

BROKER_AWAY = (
    *(AMQPError, aiormq.exceptions.AMQPError, ConnectionError, OSError, TimeoutError),
    ChannelInvalidStateError,  # a RuntimeError, so it must be named
    StopAsyncIteration,  # what aiormq lets out when the broker hangs up in the middle of the greeting
)
"""The broker cannot answer now."""

_PUBLISH_SECONDS = 5
_IN_FLIGHT = 200
_HEARTBEAT_SECONDS = 10
_CANCELLED_AGAIN_SECONDS = 1.0

_log = structlog.get_logger(__name__)


@contextmanager
def channel_errors() -> Iterator[None]:
    """Raise ConnectionError for what aiormq gives those who wait on a channel that closes under them.

    It ends their wait with a bare `Exception`, or with a `CancelledError` though nobody cancelled them; neither must
    be mistaken for a mistake of ours, or for a wish to end.
    """
    task = asyncio.current_task()
    cancels = task.cancelling() if task else 0
    try:
        yield
    except asyncio.CancelledError as error:
        if task is None or task.cancelling() > cancels:
            raise
        raise ConnectionError("the channel was closed") from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        raise ConnectionError("the channel was closed") from error


async def acknowledge(delivery: AbstractIncomingMessage, *, multiple: bool = False) -> None:
    """Acknowledge a delivery; what came through a channel that is gone comes again, and is known."""
    with suppress(*BROKER_AWAY), channel_errors():
        await delivery.ack(multiple=multiple)


class Unroutable(Exception):
    """No queue is bound to what was published."""


class Link:
    """One connection, kept up: opened, handed to `session`, and opened again when the session ends."""

    def __init__(self, url: str, name: str, session: Callable[[AbstractConnection], Awaitable[None]]) -> None:
        self._url = url
        self._name = name
        self._session = session
        self.unreachable_at = float("-inf")
        """When the broker last could not be reached, in seconds of the process's monotonic clock."""

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        pause_seconds = 0.2
        while True:
            try:
                await self._connect_once()
                pause_seconds = 0.2
            except (*BROKER_AWAY, *AWAY) as error:
                _log.warning("broker_away", link=self._name, error=repr(error))
            await asyncio.sleep(pause_seconds * random.uniform(0.7, 1.3))  # noqa: S311 - jitter is no secret
            pause_seconds = min(pause_seconds * 2, 2)

    async def _connect_once(self) -> None:
        url = URL(self._url).update_query(heartbeat=_HEARTBEAT_SECONDS)
        connection = aio_pika.Connection(url, client_properties={"connection_name": self._name})
        try:
            await self._open(connection)
            await self._hold_session(connection)
        finally:
            # Also after a failed attempt: a connection that is only dropped complains when it is collected.
            with suppress(*BROKER_AWAY):
                async with asyncio.timeout(5):
                    await connection.close()

    async def _open(self, connection: AbstractConnection) -> None:
        try:
            async with asyncio.timeout(10):
                await connection.connect()
        except BROKER_AWAY:
            self.unreachable_at = time.monotonic()
            raise

    async def _hold_session(self, connection: AbstractConnection) -> None:
        session = asyncio.ensure_future(self._named_session(connection))
        closed = asyncio.ensure_future(_until_closed(connection))
        try:
            await asyncio.wait((session, closed), return_when=asyncio.FIRST_COMPLETED)
            if session.done():
                session.result()
            else:
                _log.warning("broker_connection_lost", link=self._name)
        finally:
            await end(session, closed, again_after_seconds=_CANCELLED_AGAIN_SECONDS)

    async def _named_session(self, connection: AbstractConnection) -> None:
        with channel_errors():
            await self._session(connection)


async def _until_closed(it: AbstractConnection | AbstractChannel) -> None:
    await it.closed()


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages wait in a queue to be delivered, and how many processes listen on it."""

    ready: int
    consumers: int


class Publisher:
    """Publishes persistently, mandatorily and confirmed, with a bound on what is in flight and on every wait."""

    def __init__(self, url: str, name: str, declared: Topology) -> None:
        self.up = asyncio.Event()
        self._link = Link(url, name, self._hold_channel)
        self._topology = declared
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._room = asyncio.Semaphore(_IN_FLIGHT)
        self._lost = asyncio.Event()
        self.published = 0
        """Messages that were confirmed since the start; marks are none."""

    async def run(self) -> None:
        """Stay connected until cancelled."""
        await self._link.run()

    async def declare(self) -> None:
        """Declare the whole topology again, on a channel of its own."""
        if self._channel is None:
            raise ConnectionError("the broker is away")
        await self._lend(self._topology.declare)

    async def publish(
        self, routing_key: str, body: bytes, *, message_id: UUID, type_: str, exchange: str = topology.EVENTS
    ) -> None:
        """Publish and wait for the confirmation.

        `exchange` "" sends to the queue that `routing_key` names.

        Raises:
            Unroutable: no queue takes it.
            ConnectionError, AMQPError, TimeoutError: not confirmed; publish it again with the same id.

        """
        if self._channel is None:
            raise ConnectionError("the broker is away")
        message = aio_pika.Message(
            body,
            content_type=CONTENT_TYPE,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=str(message_id),
            type=type_,
        )
        try:
            # aio-pika's own timeout does not cover the wait for the channel's lock.
            async with asyncio.timeout(_PUBLISH_SECONDS), self._room:
                with channel_errors():
                    await self._exchanges[exchange].publish(message, routing_key, mandatory=True)
        except PublishError as error:
            raise Unroutable(f"nobody hears {routing_key}") from error
        except DeliveryError as error:
            metrics.PUBLISH_FAILURES.labels("refused").inc()
            raise ConnectionError("the broker refused the message; its queue is full or closing") from error
        except BROKER_AWAY:
            metrics.PUBLISH_FAILURES.labels("away").inc()
            self._lost.set()  # a half-open connection is given up rather than waited for
            raise
        metrics.PUBLISHED.labels(type_).inc()
        self.published += exchange != topology.MARKS

    async def depths(self, queues: Sequence[str]) -> dict[str, Depth | None]:
        """Count what waits in each queue, without what was delivered already, and who listens; None: it is missing.

        Raises what BROKER_AWAY holds where the broker does not answer.
        """
        return dict(zip(queues, await asyncio.gather(*map(self._depth, queues)), strict=True))

    async def _depth(self, queue: str) -> Depth | None:
        found: list[Depth] = []

        async def look(channel: AbstractChannel) -> None:
            told = (await channel.get_queue(queue)).declaration_result
            found.append(Depth(told.message_count or 0, told.consumer_count or 0))

        try:
            await self._lend(look)
        except ChannelNotFoundEntity:
            return None
        return found[0]

    async def bind(self, queue: str, exchange: str, routing_key: str) -> None:
        """Bind a queue, on a channel of its own."""

        async def bind(channel: AbstractChannel) -> None:
            await (await channel.get_queue(queue)).bind(exchange, routing_key)

        await self._lend(bind)

    async def replace(self, queue: str) -> None:
        """Delete a queue with all it holds, and declare the whole topology again."""

        async def delete(channel: AbstractChannel) -> None:
            await channel.queue_delete(queue)

        await self._lend(delete)
        await self.declare()

    async def _lend(self, use: Callable[[AbstractChannel], Awaitable[None]]) -> None:
        # A refused or interrupted declaration closes its channel; publishing must not suffer for it.
        if self._connection is None:
            raise ConnectionError("the broker is away")
        with channel_errors():
            async with asyncio.timeout(10), self._connection.channel() as channel:
                await use(channel)

    _connection: AbstractConnection | None = None

    async def _hold_channel(self, connection: AbstractConnection) -> None:
        async with asyncio.timeout(15):
            self._connection = connection
            async with connection.channel() as channel:
                await self._topology.declare(channel)
            publishing = await connection.channel(publisher_confirms=True, on_return_raises=True)
            self._exchanges = {
                "": publishing.default_exchange,
                topology.EVENTS: await publishing.get_exchange(topology.EVENTS, ensure=False),
                topology.MARKS: await publishing.get_exchange(topology.MARKS, ensure=False),
            }
        self._channel = publishing
        self._lost.clear()
        self.up.set()
        closed = asyncio.ensure_future(_until_closed(publishing))
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((closed, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            lost.cancel()
            self.up.clear()
            self._channel = self._connection = None
