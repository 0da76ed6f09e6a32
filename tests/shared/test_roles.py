"""Each role of the database reaches the tables of its own service and no others."""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from deploy.database import PROJECTION_ROLE, ROLES, SERVICES
from deploy.local.stack import Stack

ATTEMPTS = (
    "SELECT FROM {table} LIMIT 0",
    "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE {table} SET {column} = {column} WHERE false",
    "DELETE FROM {table} WHERE false",
    "TRUNCATE {table}",
)
HIDDEN_FROM_REQUESTS = (
    *("outbox", "said", "replays", "inbox", "dead_letters", "bus_mark", "schema_migrations"),
    "rate_limits",
)
"""Messages hold rows of every tenant: the role that serves requests may say, and never read what was said. Nor does it
read how much others have asked for."""


def house_of(role: str) -> str:
    return "gateway" if role == PROJECTION_ROLE else role.removesuffix("_owner")


@asynccontextmanager
async def connected(servers: Stack, role: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(servers.database_url(role))
    try:
        yield connection
    finally:
        await connection.close()


async def tables_of(servers: Stack, schema: str) -> dict[str, str]:
    """Give each table, partitions too, with one of its columns that may be written."""
    admin = await asyncpg.connect(servers.database_admin_url)
    try:
        rows = await admin.fetch(
            """
            SELECT format('%I.%I', $1::text, relname) AS name, format('%I', max(attname)) AS column
            FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND attidentity = ''
            WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p')
            GROUP BY relname
            """,
            schema,
        )
    finally:
        await admin.close()
    return {row["name"]: row["column"] for row in rows}


async def allowed(connection: "asyncpg.Connection[asyncpg.Record]", tables: dict[str, str]) -> list[str]:
    """Try everything on every table, and give what was not forbidden."""
    passed = []
    for table, column in tables.items():
        for attempt in ATTEMPTS:
            statement = attempt.format(table=table, column=column)
            if await _is_allowed(connection, statement):
                passed.append(statement)
    return passed


async def _is_allowed(connection: "asyncpg.Connection[asyncpg.Record]", statement: str) -> bool:
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return False
    except asyncpg.PostgresError:
        return True  # it was let in and failed later
    else:
        return True
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reaches_no_table_of_another_service(servers: Stack, role: str) -> None:
    others = [service for service in SERVICES if service != house_of(role)]
    async with connected(servers, role) as connection:
        for service in others:
            tables = await tables_of(servers, service)
            assert len(tables) > 5, service
            assert await allowed(connection, tables) == [], service


@pytest.mark.parametrize("role", [role for role in ROLES if role != "gateway"])
async def test_a_role_reads_every_table_of_its_own_service(servers: Stack, role: str) -> None:
    tables = await tables_of(servers, house_of(role))

    assert await readable(servers, role, tables) >= {table for table in tables if not is_partition(table)}


async def test_a_request_reads_what_clients_see_and_never_what_was_said_or_heard(servers: Stack) -> None:
    tables = await tables_of(servers, "gateway")
    hidden = {f"gateway.{name}" for name in HIDDEN_FROM_REQUESTS} | {table for table in tables if is_partition(table)}
    assert hidden < tables.keys()

    assert await readable(servers, "gateway", tables) == tables.keys() - hidden


async def readable(servers: Stack, role: str, tables: Iterable[str]) -> set[str]:
    async with connected(servers, role) as connection:
        return {table for table in tables if await _is_allowed(connection, f"SELECT FROM {table} LIMIT 0")}


def is_partition(table: str) -> bool:
    """What was said lies in partitions, which are reached through the whole of it."""
    return re.search(r"\.said_\d+$", table) is not None


@pytest.mark.parametrize("role", [*SERVICES, PROJECTION_ROLE])
async def test_a_running_role_makes_no_tables(servers: Stack, role: str) -> None:
    async with connected(servers, role) as connection:
        for schema in (house_of(role), "public"):
            assert not await _is_allowed(connection, f"CREATE TABLE {schema}.made_here (one integer)")


async def test_a_table_that_was_opened_to_a_stranger_is_noticed(servers: Stack) -> None:
    tables = await tables_of(servers, "scraper")
    admin: Any = await asyncpg.connect(servers.database_admin_url)
    try:
        await admin.execute("GRANT USAGE ON SCHEMA scraper TO media; GRANT SELECT ON scraper.pages TO media")
        async with connected(servers, "media") as connection:
            assert await allowed(connection, tables) == ["SELECT FROM scraper.pages LIMIT 0"]
    finally:
        await admin.execute("REVOKE ALL ON SCHEMA scraper FROM media; REVOKE ALL ON scraper.pages FROM media")
        await admin.close()
