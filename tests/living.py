"""Living in the house: an empty one for each test, with workers that the test fills."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import aio_pika
import asyncpg
import orjson
from aio_pika.abc import AbstractChannel, AbstractConnection

from contracts.catalogue import open_envelope, understand
from contracts.envelope import Command, Message
from contracts.jobs import JobCompleted, JobFailed
from deploy.database import SERVICES
from deploy.local.stack import Stack
from shared.broker import BROKER_AWAY, Publisher, channel_errors
from shared.database import Pool, open_pool
from shared.handling import Reactions, Works
from shared.identifiers import uuid7
from shared.objects import ObjectStore
from shared.outbox import Outbox
from shared.settings import WorkSettings
from shared.topology import MARKS, Topology, dead_queue_of, queue_of
from shared.worker import Worker

T = TypeVar("T")

PROJECT = UUID("00000000-0000-4000-8000-00000000aaaa")


def lineage(job_id: UUID | None = None, **more: Any) -> dict[str, Any]:
    """Give the fields that every message about a job has."""
    job_id = job_id or uuid7()
    return {"job_id": job_id, "root_job_id": job_id, "project_id": PROJECT, "submitted_by": "somebody", **more}


async def until(condition: Callable[[], Awaitable[T]], *, seconds: float = 20, every_seconds: float = 0.02) -> T:
    """Wait until a condition gives something true, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(every_seconds)
        return found


@asynccontextmanager
async def administrating(servers: Stack) -> AsyncIterator[Pool]:
    """Give connections of an administrator, who sees every schema."""
    pool = await open_pool(servers.database_admin_url, size=4, application_name="tests")
    try:
        yield pool
    finally:
        await pool.close()


class Post:
    """The way to the broker, which comes back by itself when a test has killed the broker.

    To connect, and to declare all that is there already, costs the broker more than most tests do.

    Attributes:
        publisher: what messages are published with.

    """

    publisher: Publisher

    def __init__(self, servers: Stack) -> None:
        self._url = servers.rabbitmq_url
        self._connection: AbstractConnection | None = None

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def renew(self) -> None:
        """Publish from now on through a channel that has never spoken to any queue."""
        await _end(self._publishing)
        self._begin()
        await self.publisher.up.wait()

    def _begin(self) -> None:
        self.publisher = Publisher(self._url, "tests", Topology.generated())
        self._publishing = asyncio.create_task(self.publisher.run())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _end(self._publishing)
        if self._connection is not None:
            with suppress(*BROKER_AWAY):
                await self._connection.close()

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """Give a channel of its own, so that nobody else suffers for what is refused."""
        async with await self._opened() as channel:
            yield channel

    async def _opened(self) -> AbstractChannel:
        if self._connection is not None:
            # Of a connection that is closed aio-pika says RuntimeError.
            with suppress(*BROKER_AWAY, RuntimeError):
                return await self._new_channel(self._connection)
        self._connection = await aio_pika.connect(self._url)
        return await self._new_channel(self._connection)

    async def _new_channel(self, connection: AbstractConnection) -> AbstractChannel:
        async with asyncio.timeout(5):
            return await connection.channel()


class House:
    """The servers, emptied; and what a test needs to speak and to look.

    `admin`: connections that were in use before, and so know all tables; default: its own.
    `post`: the way to the broker; default: its own.
    """

    admin: Pool
    post: Post

    def __init__(self, servers: Stack, admin: Pool | None = None, post: Post | None = None) -> None:
        self.servers = servers
        self._admin = admin
        self._post = post
        self._stack = AsyncExitStack()
        self.outbox = Outbox("gateway")

    @property
    def publisher(self) -> Publisher:
        return self.post.publisher

    async def __aenter__(self) -> Self:
        self.post = self._post or await self._stack.enter_async_context(Post(self.servers))
        self.admin = self._admin or await self._stack.enter_async_context(administrating(self.servers))
        await self._empty_tables()
        try:
            async with asyncio.timeout(20):
                await self._empty_queues()
        except BROKER_AWAY:
            # The test before may have killed the broker while it made its queues, which then neither give nor take.
            await self.servers.erase_broker()
            async with asyncio.timeout(60):  # all is declared anew
                await self._empty_queues()
        return self

    @asynccontextmanager
    async def objects(self) -> AsyncIterator[ObjectStore]:
        """The bucket, as a service opens it."""
        shelf = self.servers.object_store
        async with ObjectStore(
            endpoint_url=shelf.endpoint_url,
            bucket=shelf.bucket,
            access_key_id=shelf.access_key_id,
            secret_access_key=shelf.secret_access_key,
            region=shelf.region,
        ) as objects:
            await objects.ensure_bucket()
            yield objects

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def say(self, message: Message, *, message_id: UUID | None = None) -> UUID:
        """Publish a message as the gateway would."""
        saying = self.outbox.encode(message, message_id=message_id)
        await self.publisher.publish(
            saying.routing_key, saying.body, message_id=saying.message_id, type_=message.wire_name
        )
        return saying.message_id

    async def heard(self, service: str = "gateway") -> list[Message]:
        """Take everything that waits in a service's queue, each message once, however often it was published.

        What processes say of themselves by the clock is passed over, as marks are.
        """
        async with self.post.channel() as channel:
            queue = await channel.get_queue(queue_of(service), ensure=False)
            messages: dict[UUID, Message] = {}
            while (delivery := await queue.get(no_ack=True, fail=False)) is not None:
                if delivery.type != "diorama.mark":
                    envelope = open_envelope(orjson.loads(delivery.body))
                    message = understand(envelope)
                    if not message.fleeting:
                        messages[envelope.id] = message
            return list(messages.values())

    async def obeyed(self, command: Command) -> list[Message]:
        """Have a command obeyed by a worker that lives; give what the gateway heard, up to the end of the job."""
        await self.say(command)
        said: list[Message] = []

        async def ended() -> bool:
            said.extend(await self.heard())
            return any(isinstance(one, JobCompleted | JobFailed) and one.job_id == command.job_id for one in said)

        await until(ended)
        return said

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Read as an administrator, who sees every schema."""
        return list(await self.admin.fetch(sql, *arguments))

    async def value(self, sql: str, *arguments: Any) -> Any:
        """Read one value as an administrator."""
        return await self.admin.fetchval(sql, *arguments)

    def settings(self, service: str, **changes: Any) -> WorkSettings:
        """Give a worker's settings."""
        values = {
            "database_url": self.servers.database_url(service),
            "rabbitmq_url": self.servers.rabbitmq_url,
            "grace_seconds": 4,
            **changes,
        }
        return WorkSettings(**values)

    @asynccontextmanager
    async def worker(
        self,
        service: str,
        *,
        hears: Reactions | None = None,
        works: Works | None = None,
        crafts: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> AsyncIterator[Worker]:
        """Run a real worker of a service, with handlers of the test's own, until the context is left."""
        stop = asyncio.Event()
        async with Worker(service, self.settings(service, **settings), hears=hears or {}, works=works or {}) as worker:
            running = asyncio.create_task(worker.run(stop, **(crafts or {})))
            try:
                await until(lambda: _ready(worker, running), seconds=60)
                yield worker
            finally:
                stop.set()
                await running

    async def _empty_tables(self) -> None:
        tables = await self.admin.fetch(
            """
            SELECT schemaname, tablename FROM pg_tables
            WHERE schemaname = ANY ($1) AND tablename NOT IN ('schema_migrations', 'bus_mark')
            """,
            list(SERVICES),
        )
        # Of tables that hold little this takes an eighth of the time that TRUNCATE takes for new files.
        statements = [f'DELETE FROM "{row["schemaname"]}"."{row["tablename"]}"' for row in tables]
        statements += [f'UPDATE "{service}".bus_mark SET heard_until = now()' for service in SERVICES]
        await self.admin.execute(";".join(statements))

    async def _empty_queues(self) -> None:
        await self.publisher.up.wait()  # and so all was declared since the broker has begun
        tokens = [f"SELECT '{service}', token::text FROM \"{service}\".bus_mark" for service in SERVICES]
        marks = [(service, token) for service, token in await self.admin.fetch(" UNION ALL ".join(tokens))]
        try:
            await self._purge(marks)
        except BROKER_AWAY:  # or a queue is, which the test before has deleted
            await self.publisher.declare()
            await self._purge(marks)

    async def _purge(self, marks: list[tuple[str, str]]) -> None:
        async with self.post.channel() as channel:
            underlay = await channel.get_underlay_channel()
            for service, token in marks:
                for name in (queue_of(service), dead_queue_of(service)):
                    await underlay.queue_purge(name, nowait=True)
                # The queues are as old as the marks say, so that nobody asks for what was never missed.
                await underlay.queue_bind(queue_of(service), MARKS, token, nowait=True)
            with channel_errors():
                await channel.get_exchange(MARKS)  # a channel works in order, and tells by then of what was refused


async def _ready(worker: Worker, running: "asyncio.Task[None]") -> bool:
    if running.done():
        running.result()
    return not await worker.health.problems()


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def works_on(*commands: type[Command], handler: Any) -> Works:
    """Give a table in which one handler works on several commands."""
    return dict.fromkeys(commands, handler)
