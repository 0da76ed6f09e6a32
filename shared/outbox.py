"""Nothing is said before it is true: messages are written in the transaction that made them so."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import structlog

from contracts.envelope import Command, Envelope, Event, Message
from shared.database import Connection, Pool
from shared.errors import Refused, printable
from shared.identifiers import uuid7
from shared.telemetry import current_traceparent


@dataclass(frozen=True, slots=True)
class Saying:
    """One message, encoded, on its way into the outbox.

    Attributes:
        queue: whoever asked for it hears it alone, and nobody keeps it; None: it is said to everybody and kept.

    """

    message_id: UUID
    routing_key: str
    job_id: UUID | None
    body: bytes
    queue: str | None = None


class TaskIntake(Protocol):
    """What makes tasks of commands; only workers have one."""

    async def take(self, tx: "Transaction", commands: Sequence[Command]) -> None:
        """Insert the commands as tasks of this service."""


class Transaction:
    """A database transaction in which things become true, and what is said about them."""

    def __init__(
        self,
        connection: Connection,
        outbox: "Outbox",
        traces: Mapping[UUID, str | None] | None = None,
        *,
        eager: bool = False,
    ) -> None:
        self.connection = connection
        self.eager = eager
        self._heard: set[UUID] = set()
        self._outbox = outbox
        self._traces = traces or {}
        self._sayings: list[Saying] = []
        self._commands: list[Command] = []
        self._after_commit: list[Callable[[], None]] = []
        self._at_end: list[Callable[[], None]] = []

    def say(
        self,
        message: Message,
        *,
        message_id: UUID | None = None,
        traceparent: str | None = None,
        queue: str | None = None,
    ) -> UUID:
        """Say a message with this transaction; return its id. Raises Refused where it cannot be said at all.

        `queue`: it answers the service of this queue, which alone hears it; it is not kept to be said again.
        """
        trace = traceparent or self.trace_of(message)
        try:
            saying = self._outbox.encode(message, message_id=message_id, traceparent=trace)
        except ValueError as error:
            raise Refused("message_unsayable", printable(f"What follows from it cannot be said: {error}")) from error
        self._sayings.append(replace(saying, queue=queue))
        return saying.message_id

    def work(self, command: Command, *, heard: bool = False) -> None:
        """Make a task of this service's own; nothing happens when its id is known already.

        `heard`: the command came over the bus, so that whoever said it knows of the job.
        """
        if self._outbox.tasks is None:
            raise TypeError("this service does not work; only workers have tasks")
        self._commands.append(command)
        if heard:
            self._heard.add(command.job_id)

    def was_born_here(self, command: Command) -> bool:
        """Tell whether a command is this service's own idea, so that the others must be told of the job."""
        return command.job_id not in self._heard

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call back once what was done here can be seen."""
        self._after_commit.append(callback)

    def at_end(self, callback: Callable[[], None]) -> None:
        """Call back when this is over, committed or not."""
        self._at_end.append(callback)

    def trace_of(self, message: Message) -> str | None:
        """Find the trace to which a message belongs: that of the job it is about, else the current one."""
        if isinstance(message, Command | Event):
            for job_id in (message.job_id, message.parent_job_id, message.root_job_id):
                if job_id is not None and (known := self._traces.get(job_id)):
                    return known
        return current_traceparent() or structlog.contextvars.get_contextvars().get("traceparent")

    async def flush(self) -> None:
        """Write what was said and what is to be worked on; called just before the commit."""
        if self._commands:
            commands, self._commands = self._commands, []
            assert self._outbox.tasks is not None  # noqa: S101 - work() has checked it
            await self._outbox.tasks.take(self, commands)
        if self._sayings:
            sayings, self._sayings = self._sayings, []
            await insert_sayings(self.connection, sayings)
            self.after_commit(self._outbox.wake.set)

    def committed(self) -> None:
        """Run what was waiting for the commit."""
        for callback in self._after_commit:
            callback()

    def ended(self) -> None:
        """Run what was waiting for the end."""
        for callback in self._at_end:
            callback()


class Outbox:
    """Opens transactions that can speak, in the name of one service."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.source = f"diorama/{service}"
        self.wake = asyncio.Event()
        self.tasks: TaskIntake | None = None

    @asynccontextmanager
    async def transaction(
        self, pool: Pool, traces: Mapping[UUID, str | None] | None = None, *, eager: bool = False
    ) -> AsyncIterator[Transaction]:
        """Open a transaction; what it says leaves only if it commits.

        `eager`: the tasks that it makes may start at once, where there is room.
        """
        async with pool.acquire() as connection:
            tx = Transaction(connection, self, traces, eager=eager)
            async with self.committing(tx):
                yield tx

    @asynccontextmanager
    async def committing(self, tx: Transaction) -> AsyncIterator[None]:
        """Hold a transaction open around what is done with it, then write what it says and commit."""
        try:
            async with tx.connection.transaction():
                yield
                await tx.flush()
            tx.committed()
        finally:
            tx.ended()

    def encode(self, message: Message, *, message_id: UUID | None = None, traceparent: str | None = None) -> Saying:
        """Wrap and serialise a message in this service's name."""
        envelope = Envelope.wrap(
            message,
            message_id=message_id or uuid7(),
            source=self.source,
            time=datetime.now(UTC),
            traceparent=traceparent,
        )
        return Saying(envelope.id, message.routing_key, _job_of(message), envelope.encode())


def _job_of(message: Any) -> UUID | None:
    job_id = getattr(message, "job_id", None)
    return job_id if isinstance(job_id, UUID) else None


async def insert_sayings(connection: Connection, sayings: Iterable[Saying]) -> None:
    """Write messages to the outbox in one statement."""
    rows = list(sayings)
    await connection.execute(
        """
        INSERT INTO outbox (message_id, routing_key, queue, job_id, body)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bytea[])
        """,
        [row.message_id for row in rows],
        [row.routing_key for row in rows],
        [row.queue for row in rows],
        [row.job_id for row in rows],
        [row.body for row in rows],
    )
