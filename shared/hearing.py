"""The ear of a service: its queue's consumer, and the watchdog that notices when it has gone deaf.

Three things go wrong silently. A broker may cancel a consumer while connection and channel stay open; and a queue may
be deleted, or lost with the broker's disk, and be declared again empty. For the first the consumer is looked for;
for the second a mark is sent through a binding that only this queue has: a queue without it was created anew, and
everybody is asked to say again to it what was said since the last message that was heard. And a queue may be there
and neither give nor take: it is replaced, and then it was created anew.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from contracts.envelope import EVERYBODY
from contracts.jobs import ReplayOutbox
from shared import metrics, topology
from shared.broker import BROKER_AWAY, Link, Publisher, Unroutable, acknowledge, channel_errors
from shared.database import AWAY, Pool, until_answered
from shared.dead_letters import DeadLetter, id_of, insert_dead_letter
from shared.errors import Failure
from shared.identifiers import uuid7
from shared.intake import Intake
from shared.outbox import Outbox
from shared.redriving import redrive_lost, redrive_once, update_redriven

_PREFETCH = 200
_BURIED_AT_ONCE = 20
_WATCH_SECONDS = 5
_MARGIN = timedelta(seconds=60)
_CONSUME_SECONDS = 10
_BROKEN_SECONDS = 20

_log = structlog.get_logger(__name__)


Hear: TypeAlias = Callable[[AbstractIncomingMessage], Awaitable[None]]


class Deaf(Failure):
    """The service does not hear its queue at the moment."""


class Hearing:
    """Keeps one consumer on the service's queue and one on its dead queue."""

    def __init__(
        self,
        service: str,
        url: str,
        *,
        pool: Pool,
        outbox: Outbox,
        publisher: Publisher,
        intake: Intake,
        hears: Sequence[str],
    ) -> None:
        self._service = service
        self._queue = topology.queue_of(service)
        self._pool = pool
        self._outbox = outbox
        self._publisher = publisher
        self._intake = intake
        self._hears = tuple(hears)
        self._link = Link(url, f"diorama.{service} hears", self._session)
        self._channel: AbstractChannel | None = None
        self._tag: str | None = None
        self._stopped = False
        self._refused_since: dict[str, float] = {}

    async def run(self) -> None:
        """Hear until cancelled."""
        await self._link.run()

    async def check(self) -> None:
        """Raise Deaf when no consumer of this process is on the queue."""
        if self._tag is None or self._channel is None or not await _consumes(self._channel, self._tag):
            raise Deaf("consumer_missing", f"no consumer of this process is on {self._queue}")

    async def stop(self) -> None:
        """Take no more deliveries; those already here are still taken in."""
        self._stopped = True
        if self._channel is not None and self._tag is not None and not self._channel.is_closed:
            async with asyncio.timeout(2):
                queue = await self._channel.get_queue(self._queue, ensure=False)
                await queue.cancel(self._tag)

    async def _session(self, connection: AbstractConnection) -> None:
        self._intake.remembers_progress = False
        await self._publisher.up.wait()  # and so the topology is declared
        if self._stopped:
            return
        channel, tag = await self._consume(connection, self._queue, _PREFETCH, self._intake.deliver)
        # A channel of its own: a multiple-ack reaches every delivery of its channel.
        burying, _ = await self._consume(connection, topology.dead_queue_of(self._service), _BURIED_AT_ONCE, self._bury)
        self._channel, self._tag = channel, tag
        metrics.CONSUMER_UP.set(1)
        _log.info("hearing", queue=self._queue)
        try:
            await self._watch(channel, burying, tag)
        finally:
            self._channel = self._tag = None
            metrics.CONSUMER_UP.set(0)

    async def _consume(
        self, connection: AbstractConnection, queue: str, prefetch: int, hear: Hear
    ) -> tuple[AbstractChannel, str]:
        try:
            with channel_errors():
                async with asyncio.timeout(_CONSUME_SECONDS):
                    channel = await connection.channel()
                    await channel.set_qos(prefetch_count=prefetch)
                    tag = await (await channel.get_queue(queue)).consume(hear)
        except ChannelNotFoundEntity:
            await self._publisher.declare()  # somebody deleted it, and nobody may publish to it for long
            raise
        except BROKER_AWAY:
            await self._replace_if_broken(queue)
            raise
        self._refused_since.pop(queue, None)
        return channel, tag

    async def _replace_if_broken(self, queue: str) -> None:
        """Delete and declare anew a queue that refuses its consumer for long though the broker answers all the while.

        A broker that is killed within a second of creating a quorum queue may bring it back without a leader, for
        ever: it is there, and neither gives nor takes. What it held is said again, as after any other loss.
        """
        now = time.monotonic()
        since = max(self._refused_since.setdefault(queue, now), self._link.unreachable_at)
        if not self._publisher.up.is_set() or now - since < _BROKEN_SECONDS:
            return
        _log.error("broken_queue_replaced", queue=queue)
        await self._publisher.replace(queue)
        del self._refused_since[queue]

    async def _watch(self, channel: AbstractChannel, burying: AbstractChannel, tag: str) -> None:
        """Return when this session's consumer is, or may be, gone."""
        closed = [asyncio.ensure_future(_until_closed(it)) for it in (channel, burying)]
        try:
            while await _consumes(channel, tag):
                if not await self._is_marked():
                    # RabbitMQ 3.10 does not always tell the consumers of a deleted quorum queue.
                    return
                done, _ = await asyncio.wait(closed, timeout=_WATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    return
                if self._stopped:
                    await asyncio.wait(closed, return_when=asyncio.FIRST_COMPLETED)
                    return
            _log.warning("consumer_was_cancelled", queue=self._queue)
        finally:
            for waiting in closed:
                waiting.cancel()

    async def _is_marked(self) -> bool:
        """Tell whether the queue is still the old one; where it is not, have everything said again that it missed.

        What cannot be found out now, because broker or database do not answer, must not stop the ear: it is asked
        again at the next look, and until then the place that was reached is not moved on.
        """
        if not self._publisher.up.is_set():
            return True
        try:
            token = str(await self._pool.fetchval("SELECT token FROM bus_mark"))
            try:
                await self._send_mark(token)
            except Unroutable:
                await self._publisher.declare()
                await self._ask_for_replay()
                await self._publisher.bind(self._queue, topology.MARKS, token)
                return False
        except (*BROKER_AWAY, *AWAY) as error:
            _log.warning("mark_not_sent", error=repr(error))
            return True
        self._intake.remembers_progress = True
        return True

    async def _send_mark(self, token: str) -> None:
        await self._publisher.publish(
            token, b"{}", message_id=uuid7(), type_=topology.MARK_TYPE, exchange=topology.MARKS
        )

    async def _ask_for_replay(self) -> None:
        async with self._outbox.transaction(self._pool) as tx:
            heard_until = await tx.connection.fetchval("SELECT heard_until FROM bus_mark")
            since = heard_until - _MARGIN
            tx.say(ReplayOutbox(addressee=EVERYBODY, queue=self._queue, routing_keys=self._hears, since=since))
            await redrive_lost(tx, self._service)
        _log.warning("queue_was_created_anew", queue=self._queue, replay_since=since.isoformat())

    async def _bury(self, delivery: AbstractIncomingMessage) -> None:
        """Move what the broker gave up delivering into our own table; the first time, deliver it once more."""
        reasons = ", ".join(str(death.get("reason")) for death in _deaths(delivery)) or "unknown"
        letter = DeadLetter(delivery, "delivery_limit", f"The broker gave up delivering it ({reasons}).")
        await until_answered(lambda: self._insert_or_redrive(letter), "set a dead letter aside")
        await acknowledge(delivery)

    async def _insert_or_redrive(self, letter: DeadLetter) -> None:
        async with self._outbox.transaction(self._pool) as tx:
            if await insert_dead_letter(tx, self._service, letter, redriven=True):
                await redrive_once(tx, self._queue, letter)
                tx.after_commit(self._outbox.wake.set)
            else:
                await update_redriven(tx, self._service, taken_in=[], set_aside=[id_of(letter.delivery)])


async def _until_closed(channel: AbstractChannel) -> None:
    await channel.closed()


async def _consumes(channel: AbstractChannel, tag: str) -> bool:
    if channel.is_closed:
        return False
    underlay: Any = await channel.get_underlay_channel()
    return tag in underlay.consumers


def _deaths(delivery: AbstractIncomingMessage) -> list[dict[str, Any]]:
    deaths = delivery.headers.get("x-death")
    return [death for death in deaths if isinstance(death, dict)] if isinstance(deaths, list) else []
