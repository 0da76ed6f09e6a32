"""PostgreSQL: pools, codecs, and which errors mean that the database is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson
import structlog
from asyncpg.pool import PoolConnectionProxy

if TYPE_CHECKING:  # only the stubs know these classes as generic
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy
    Pool: TypeAlias = asyncpg.Pool


class DatabaseAway(Exception):
    """The database cannot be reached, where nobody else may be blamed for that: see `blaming_the_database`."""


DATABASE_TROUBLE = (
    DatabaseAway,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's farewell has arrived on a connection, and not yet its end
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # deadlocks and serialisation: the next try finds another order
    asyncpg.ReadOnlySQLTransactionError,  # the old primary during a failover
    asyncpg.InvalidCachedStatementError,  # a table has a new column since it was asked for all it has
)
"""What PostgreSQL and asyncpg say when they cannot serve now."""

TOO_SLOW = asyncpg.QueryCanceledError
"""A statement that did not wait for a lock and took too long all the same. May be the database's trouble, a passing
one, or the statement's own fault, so nobody tries it again for ever."""

AWAY = (OSError, TimeoutError, *DATABASE_TROUBLE)
"""The database cannot answer now but may soon; the work stays as it is and is tried again."""

_IDLE_IN_TRANSACTION_SECONDS = 15
"""Longer than any transaction waits for something else, and not longer than the lease of a worker by default."""

_LOCK_SECONDS = 20
"""Longer than a frozen process can keep a lock, shorter than a statement may take: the two are told apart."""

_STATEMENT_SECONDS = 25
"""Shorter than the client's own patience, so that whoever has waited hears from the database for what."""

_COMMAND_SECONDS = 30

_LET_GO_SECONDS = 5

_EXPIRY_SECONDS = 5.0
"""Where the database takes no writes anywhere, its connections are opened anew no more often."""

_log = structlog.get_logger(__name__)


@contextmanager
def blaming_the_database(what: str) -> Iterator[None]:
    """Raise DatabaseAway where a connection cannot be opened or does not answer in time.

    Both are an OSError, as of any other connection: whoever asks the database while a stranger is asked, or within a
    deadline, would take it for the stranger's, or for the deadline's.

    Args:
        what: is looked for in the database, for whoever reads of it.

    """
    try:
        yield
    except OSError as error:  # a TimeoutError is one
        raise DatabaseAway(f"{what} cannot be had from the database: {error!r}") from error


class PatientConnection(asyncpg.Connection):
    """A connection that tells a database which takes its time from one that nobody will hear of any more.

    The database itself ends what takes too long, and says so. Where it does not even say that, the way to it has gone
    without a word, as behind a firewall or where another host has taken its place; and where it takes no writes it is
    no longer the primary. The other connections of a pool lead to the same place, so that all are opened anew.
    """

    expire_all: Callable[[], None] = staticmethod(lambda: None)
    """Has every connection of its pool be opened anew before it is used again."""

    async def execute(self, *given: Any, **options: Any) -> str:
        with self._judging():
            return await super().execute(*given, **options)

    async def executemany(self, *given: Any, **options: Any) -> None:
        with self._judging():
            await super().executemany(*given, **options)

    async def fetch(self, *given: Any, **options: Any) -> Any:
        with self._judging():
            return await super().fetch(*given, **options)

    async def fetchrow(self, *given: Any, **options: Any) -> Any:
        with self._judging():
            return await super().fetchrow(*given, **options)

    async def fetchval(self, *given: Any, **options: Any) -> Any:
        with self._judging():
            return await super().fetchval(*given, **options)

    @contextmanager
    def _judging(self) -> Iterator[None]:
        try:
            yield
        except asyncpg.ReadOnlySQLTransactionError:
            self.expire_all()
            raise
        except TimeoutError as error:
            self.expire_all()
            self.terminate()  # it would be asked to leave off, and waited for as long again
            raise DatabaseAway("The database has not answered, nor said that it takes too long.") from error
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(_LET_GO_SECONDS, self._leave_where_nobody_answers)
            raise

    def _leave_where_nobody_answers(self) -> None:
        """Let go whoever was cancelled and still waits for the database to leave off what it was asked."""
        connection: Any = self
        if connection._protocol is not None and connection._protocol._is_cancelling():  # noqa: SLF001 - nothing else tells
            self.terminate()


class _Expiry:
    """Opens the connections of a pool anew, now and then at most."""

    def __init__(self) -> None:
        self.expire: Callable[[], Awaitable[None]]
        self._again_at = float("-inf")
        self._task: asyncio.Future[None] | None = None

    def begin(self) -> None:
        now = time.monotonic()
        if now >= self._again_at:
            self._again_at = now + _EXPIRY_SECONDS
            self._task = asyncio.ensure_future(self.expire())
            _log.warning("database_connections_opened_anew")


async def open_pool(url: str, *, size: int, application_name: str, wait: bool = True) -> Pool:
    """Open a pool whose connections speak Python objects for jsonb.

    With `wait` it returns once the database answers, however long that takes; without, a pool that connects when
    it is first used, so that the caller can start while the database is away. Who takes a connection of it then
    hears DatabaseAway, and of no OSError.
    """
    expiry = _Expiry()

    async def prepare(connection: Any) -> None:
        await _speak_json(connection)
        connection.expire_all = expiry.begin

    pool = asyncpg.create_pool(
        url,
        min_size=0 if not wait else 1,
        max_size=size,
        connect=_connect,
        timeout=5,
        command_timeout=_COMMAND_SECONDS,
        init=prepare,
        connection_class=PatientConnection,
        reset=_keep_session,
        server_settings={
            "application_name": application_name,
            "jit": "off",
            # A process that is frozen in the middle of a transaction must not keep its locks: whoever takes over would
            # wait for them for as long as it is frozen. The second is for one frozen in the middle of a statement.
            "idle_in_transaction_session_timeout": f"{_IDLE_IN_TRANSACTION_SECONDS}s",
            "lock_timeout": f"{_LOCK_SECONDS}s",
            "statement_timeout": f"{_STATEMENT_SECONDS}s",
        },
    )
    expiry.expire = pool.expire_connections
    if wait:
        await until_answered(lambda: _open(pool), "connect to the database")
    else:
        await pool
    return pool


async def until_answered(attempt: Callable[[], Awaitable[object]], purpose: str) -> None:
    """Repeat an attempt, with growing pauses of at most 2 s, until the database is there to answer it.

    Raises:
        CancelledError: it was cancelled, also where a rollback that failed for it says something else.

    """
    pause_seconds = 0.1
    while True:
        try:
            await attempt()
        except AWAY as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from error
            _log.warning("database_away", purpose=purpose, error=repr(error))
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, 2)
        else:
            return


async def close_pool(pool: Pool, *, seconds: float = 3) -> None:
    """Close a pool in time, whatever its database and its borrowers do."""
    try:
        async with asyncio.timeout(seconds):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _open(pool: Pool) -> None:
    await pool


async def _connect(*arguments: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
    with blaming_the_database("A connection"):
        return await asyncpg.connect(*arguments, **options)


async def _keep_session(_connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Save the four statements that asyncpg spends on each release; nothing here changes a session's state.

    What is set is set with `SET LOCAL`, for one transaction; nobody listens, and advisory locks are transactional.
    """


async def _speak_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value, default=str),
        decoder=lambda data: orjson.loads(data[1:]),
        format="binary",
    )
