"""The wall around a request: its transaction names the projects it may see, and row-level security holds it to them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from shared.database import AWAY, Connection, Pool

_READ_SECONDS = 10


class DatabaseAwayError(ConnectionError):
    """The database does not answer now; the request may be repeated in a moment."""


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Tell a database that is away, in whatever words, from a statement that is wrong."""
    try:
        yield
    except DatabaseAwayError:
        raise
    except asyncpg.DataError:  # an interface error by inheritance, and ours by fault
        raise
    except AWAY as error:
        raise DatabaseAwayError(f"the database does not answer: {error!r}") from error


@asynccontextmanager
async def as_tenant(pool: Pool, projects: Iterable[UUID], *, operator: bool = False) -> AsyncIterator[Connection]:
    """Open a transaction that sees these projects and nothing else; raises DatabaseAwayError.

    `operator`: and the jobs, dead letters and pauses of everybody.
    """
    async with answering(), asyncio.timeout(_READ_SECONDS), pool.acquire() as connection, connection.transaction():
        await name_projects(connection, projects, operator=operator)
        yield connection


async def name_projects(connection: Connection, projects: Iterable[UUID], *, operator: bool = False) -> None:
    """Name the projects that the rest of the transaction may see, and whether an operator looks."""
    await connection.execute(
        "SELECT set_config('diorama.projects', $1, true), set_config('diorama.operator', $2, true)",
        ",".join(map(str, projects)),
        "on" if operator else "",
    )
