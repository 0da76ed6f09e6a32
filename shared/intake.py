"""What is heard: read, sorted, and taken in by the batch; acknowledged once it is committed.

A batch is one transaction. When it fails it is repeated message by message, so that a bad one is set aside with its
reason and never takes its neighbours with it. While the database is away the batch waits here; nothing is refused.
A batch that is too slow for the database time and again has failed like any other.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

import orjson
import structlog
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelInvalidStateError

from contracts.catalogue import NotUnderstoodError, open_envelope, understand
from contracts.envelope import MAXIMUM_BODY_BYTES, Command, Event, Message, from_binary_mode
from shared import metrics
from shared.broker import acknowledge
from shared.database import AWAY, TOO_SLOW, Connection, Pool
from shared.dead_letters import DeadLetter, id_of, insert_dead_letter
from shared.errors import Refused
from shared.handling import Heard, Selective
from shared.outbox import Outbox, Transaction
from shared.redriving import update_redriven
from shared.telemetry import link_to, tracer
from shared.topology import MARK_TYPE

BoundReaction: TypeAlias = Callable[[Transaction, Sequence[Heard[Any]]], Awaitable[None]]

_LIMIT = 200
_BUSY = 4
_LINGER_SECONDS = 0.005
_REMEMBER_SECONDS = 1.0
_SLOW_TRIES = 3
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Readable:
    """A delivery that was read."""

    delivery: AbstractIncomingMessage
    heard: Heard[Any]


Reading: TypeAlias = Readable | DeadLetter


class Intake:
    """Takes in what one queue delivers."""

    def __init__(
        self, service: str, pool: Pool, outbox: Outbox, *, works: frozenset[type[Command]], retention_days: int
    ) -> None:
        self._service = service
        self._pool = pool
        self._outbox = outbox
        self._works = works
        self._oldest = timedelta(days=retention_days * 2)
        self._reactions: dict[type[Message], BoundReaction] = {}
        self._deliveries: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._remembered_at = 0.0
        self._under_way = 0
        self.taken_in = 0
        """Messages that were taken in, or set aside, since the start."""
        self.oldest_at: datetime | None = None
        """When the first of the messages that are being taken in was said."""
        self.remembers_progress = False
        """Whether the queue is known to be the one that was heard all along, so that its progress may be noted."""

    @property
    def unacknowledged(self) -> int:
        """Count the deliveries that are here and not acknowledged yet."""
        return self._under_way + self._deliveries.qsize()

    def react(self, reactions: Mapping[type[Message], BoundReaction]) -> None:
        """Add reactions; they are ready to be called with a transaction and a batch."""
        self._reactions.update(reactions)

    async def deliver(self, delivery: AbstractIncomingMessage) -> None:
        """Take a delivery from the channel; it waits here for its batch."""
        self._deliveries.put_nowait(delivery)

    async def run(self) -> None:
        """Take in batch after batch until cancelled."""
        batch: list[AbstractIncomingMessage] = []
        while True:
            if len(batch) >= _BUSY:  # under load a short wait makes the next batch larger
                await asyncio.sleep(_LINGER_SECONDS)
            batch = [await self._deliveries.get()]
            while len(batch) < _LIMIT and not self._deliveries.empty():
                batch.append(self._deliveries.get_nowait())
            self._under_way = len(batch)
            await self._take_in(batch)
            await _acknowledge(batch)
            self._under_way, self.oldest_at = 0, None

    async def _take_in(self, batch: list[AbstractIncomingMessage]) -> None:
        readings = [self._read(delivery) for delivery in batch if delivery.type != MARK_TYPE]
        self.oldest_at = min((one.heard.time for one in readings if isinstance(one, Readable)), default=None)
        pause_seconds = 0.1
        slow_tries = 0
        while readings:
            try:
                await self._commit_or_set_aside(readings, patient=slow_tries < _SLOW_TRIES)
            except AWAY as error:
                slow_tries += isinstance(error, TOO_SLOW)
                _log.warning("intake_paused", error=repr(error), messages=len(readings))
                await asyncio.sleep(pause_seconds)
                pause_seconds = min(pause_seconds * 2, 2)
            else:
                self.taken_in += len(readings)
                return

    def _read(self, delivery: AbstractIncomingMessage) -> Reading:
        try:
            envelope = open_envelope(_document(delivery))
            message = understand(envelope)
        except NotUnderstoodError as error:
            return DeadLetter(delivery, error.code, error.sentence)
        heard = Heard(message, envelope.id, envelope.time, envelope.source, envelope.traceparent)
        if datetime.now(UTC) - envelope.time > self._oldest:
            return DeadLetter(delivery, "message_too_old", "it is older than what is remembered here", heard)
        if type(message) not in self._reactions and type(message) not in self._works:
            return DeadLetter(delivery, "message_not_expected", f"{self._service} does not hear {envelope.type}", heard)
        return Readable(delivery, heard)

    async def _commit_or_set_aside(self, readings: list[Reading], *, patient: bool = True) -> None:
        """Take readings in, or set aside what fails by itself; raises AWAY where they are to be tried again.

        `patient`: they are so, too, where the database found them too slow.
        """
        try:
            await self._commit(readings)
        except Exception as error:
            if isinstance(error, AWAY) and (patient or not isinstance(error, TOO_SLOW)):
                raise
            if len(readings) > 1:
                _log.warning("batch_repeated_singly", error=repr(error), messages=len(readings))
                for reading in readings:
                    await self._commit_or_set_aside([reading], patient=patient)
                return
            if isinstance(readings[0], DeadLetter):
                raise
            await self._commit([_set_aside(readings[0], error)])

    async def _commit(self, readings: list[Reading]) -> None:
        heard = [reading.heard for reading in readings if isinstance(reading, Readable)]
        traces = {item.message.job_id: item.traceparent for item in heard if isinstance(item.message, Command | Event)}
        links = [link for item in heard for link in link_to(item.traceparent)]
        with tracer().start_as_current_span(f"process diorama.{self._service}", links=links):
            async with self._outbox.transaction(self._pool, traces, eager=True) as tx:
                for reading in readings:
                    if isinstance(reading, DeadLetter):
                        await insert_dead_letter(tx, self._service, reading)
                await self._write(tx, heard)
                await self._note_redriven(tx, [reading for reading in readings if _came_alone(reading)])

    async def _write(self, tx: Transaction, heard: list[Heard[Any]]) -> None:
        for item in heard:
            if type(item.message) in self._works:
                tx.work(item.message, heard=True)
        told = heeded = [item for item in heard if self._heeds(item.message)]
        reacting = {item.id: item for item in reversed(told) if not item.message.fleeting}
        if reacting:
            fresh = await _insert_inbox(tx.connection, list(reacting))
            metrics.DUPLICATES.inc(len(reacting) - len(fresh))
            told = [item for item in told if item.message.fleeting or (item.id in fresh and reacting[item.id] is item)]
        await self._react(tx, told)
        if heard and self.remembers_progress and time.monotonic() - self._remembered_at > _REMEMBER_SECONDS:
            await _update_heard_until(tx.connection, min(item.time for item in heard))
            self._remembered_at = time.monotonic()
        worked_on = [item for item in heard if type(item.message) in self._works]
        tx.after_commit(lambda: _measure([*worked_on, *heeded]))

    def _heeds(self, message: Message) -> bool:
        reaction = self._reactions.get(type(message))
        return reaction.heeds(message) if isinstance(reaction, Selective) else reaction is not None

    async def _note_redriven(self, tx: Transaction, readings: Sequence[Reading]) -> None:
        """Say what became of the dead letters among these."""
        if readings:
            taken_in = [id_of(reading.delivery) for reading in readings if isinstance(reading, Readable)]
            set_aside = [id_of(reading.delivery) for reading in readings if isinstance(reading, DeadLetter)]
            await update_redriven(tx, self._service, taken_in=taken_in, set_aside=set_aside)

    async def _react(self, tx: Transaction, heard: list[Heard[Any]]) -> None:
        by_reaction: dict[BoundReaction, list[Heard[Any]]] = {}
        for item in heard:
            by_reaction.setdefault(self._reactions[type(item.message)], []).append(item)
        for reaction, facts in by_reaction.items():
            await reaction(tx, facts)


def _came_alone(reading: Reading) -> bool:
    """Tell whether it was sent to this queue alone, as what is said or delivered again is."""
    return not reading.delivery.exchange


def _document(delivery: AbstractIncomingMessage) -> Any:
    if len(delivery.body) > MAXIMUM_BODY_BYTES:
        raise NotUnderstoodError("message_too_large", f"the body has more than {MAXIMUM_BODY_BYTES} bytes")
    try:
        content = orjson.loads(delivery.body)
    except orjson.JSONDecodeError as error:
        raise NotUnderstoodError("not_json", f"the body is not JSON: {error}") from error
    return from_binary_mode(delivery.headers, content) or content


def _set_aside(reading: Readable, error: Exception) -> DeadLetter:
    code, sentence = ("handler_failed", f"{type(error).__name__}: {error}")
    if isinstance(error, Refused):
        code, sentence = error.code, error.sentence
    _log.error("message_set_aside", code=code, message_type=reading.heard.message.wire_name, exc_info=error)
    return DeadLetter(reading.delivery, code, sentence, reading.heard)


async def _insert_inbox(connection: Connection, message_ids: list[UUID]) -> set[UUID]:
    rows = await connection.fetch(
        """
        INSERT INTO inbox (message_id) SELECT unnest($1::uuid[])
        ON CONFLICT (message_id) DO NOTHING
        RETURNING message_id
        """,
        sorted(message_ids),  # in one order everywhere, so that two processes do not wait for each other
    )
    return {row["message_id"] for row in rows}


async def _update_heard_until(connection: Connection, said_at: datetime) -> None:
    # A sender's clock may be ahead; what it says later must still count as missed.
    await connection.execute("UPDATE bus_mark SET heard_until = least($1, now())", said_at)


def _measure(heard: Sequence[Heard[Any]]) -> None:
    now = datetime.now(UTC)
    for item in heard:
        metrics.HEARD.labels(item.message.wire_name).inc()
        metrics.EFFECT_DELAY.observe(max(0.0, (now - item.time).total_seconds()))


async def _acknowledge(batch: Sequence[AbstractIncomingMessage]) -> None:
    """Acknowledge with one multiple-ack for each channel; the batch may straddle a reconnect."""
    last = {id(delivery.channel): delivery for delivery in batch if not _stale(delivery)}
    for delivery in last.values():
        await acknowledge(delivery, multiple=True)


def _stale(delivery: AbstractIncomingMessage) -> bool:
    try:
        return delivery.channel.is_closed
    except ChannelInvalidStateError:
        return True
