"""Code and database agree, or the service does not start and says what is missing."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

import shared.schema
from deploy.database import SERVICES, WORKERS, as_role, prepare
from deploy.local.settings import REPOSITORY
from deploy.local.stack import Stack
from shared.schema import SchemaError, migrate, migrations_of, verify
from shared.settings import WorkSettings
from shared.worker import Worker

SCRATCH, WHOLE = "scratch", "whole"


@pytest.fixture
async def database_url(servers: Stack) -> AsyncIterator[str]:
    """An empty database on the same server, for an administrator."""
    async with made(servers, SCRATCH) as url:
        yield url


@pytest.fixture(scope="module")
async def whole(servers: Stack) -> AsyncIterator[None]:
    """A database with every schema in it, from which others are made."""
    async with made(servers, WHOLE) as url:
        await prepare(url, servers.passwords.roles)
        yield


@pytest.fixture
async def prepared(servers: Stack, whole: None) -> AsyncIterator[str]:
    """A database of a test's own, with every schema in it."""
    assert whole is None
    async with made(servers, SCRATCH, f"TEMPLATE {WHOLE}") as url:
        yield url


@asynccontextmanager
async def made(servers: Stack, name: str, how: str = "") -> AsyncIterator[str]:
    async with connected(servers.database_admin_url) as admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.execute(f"CREATE DATABASE {name} {how}")
        yield re.sub(r"/[^/?]+(\?|$)", rf"/{name}\1", servers.database_admin_url)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_fresh_database_is_as_the_code_expects_it(servers: Stack, prepared: str, service: str) -> None:
    role = "gateway_projection" if service == "gateway" else service
    async with connected(as_role(prepared, role, servers.passwords.roles)) as connection:
        await verify(connection, service, works=service in WORKERS)


async def test_a_column_that_was_dropped_by_hand_is_named_at_the_start_of_the_service(
    servers: Stack, prepared: str
) -> None:
    async with connected(prepared) as admin:
        await admin.execute("ALTER TABLE scraper.pages DROP COLUMN title")
    settings = WorkSettings(
        database_url=as_role(prepared, "scraper", servers.passwords.roles), rabbitmq_url=servers.rabbitmq_url
    )
    worker = Worker("scraper", settings, hears={}, works={})
    with pytest.raises(SystemExit, match=r"the column scraper\.pages\.title is missing from the database"):
        await worker.__aenter__()
    await worker.__aexit__(None, None, None)


async def test_every_column_of_every_table_is_looked_for(prepared: str) -> None:
    """What is read from the migrations is what PostgreSQL has made of them."""
    for service in SERVICES:
        expected = shared.schema._expected_columns(migrations_of(service, works=service in WORKERS))
        async with connected(prepared) as admin:
            rows = await admin.fetch(
                """
                SELECT relname, array_agg(attname::text) AS columns
                FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
                WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
                  AND relname <> 'schema_migrations'
                GROUP BY 1
                """,
                service,
            )
        assert expected == {row["relname"]: set(row["columns"]) for row in rows}


async def test_a_table_that_was_dropped_by_hand_is_named(prepared: str) -> None:
    async with connected(prepared) as admin:
        await admin.execute("SET search_path = media; DROP TABLE media.tombstones")
        with pytest.raises(SchemaError, match=r"the table media\.tombstones is missing"):
            await verify(admin, "media", works=True)


async def test_a_database_that_is_behind_is_refused_with_the_name_of_what_must_be_applied(prepared: str) -> None:
    async with connected(prepared) as admin:
        await admin.execute("SET search_path = media; DELETE FROM schema_migrations WHERE name = '0001_assets.sql'")
        with pytest.raises(SchemaError, match=r"is behind: 0001_assets\.sql must be applied first"):
            await verify(admin, "media", works=True)


async def test_code_that_is_older_than_the_database_still_starts_while_it_is_replaced(prepared: str) -> None:
    async with connected(prepared) as admin:
        await admin.execute("SET search_path = media; INSERT INTO schema_migrations VALUES ('0009_later.sql', 'x')")
        await admin.execute("ALTER TABLE media.assets ADD COLUMN later integer")
        await verify(admin, "media", works=True)


async def test_a_database_that_was_never_migrated_says_so(database_url: str) -> None:
    async with connected(database_url) as admin:
        with pytest.raises(SchemaError, match="was never migrated"):
            await verify(admin, "media", works=True)


@pytest.fixture
def own_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a service's migrations that a test may change."""
    copy = tmp_path / "scraper" / "migrations"
    shutil.copytree(REPOSITORY / "services" / "scraper" / "migrations", copy)
    monkeypatch.setattr(shared.schema, "_SERVICES", tmp_path)
    return copy


async def test_a_migration_that_was_changed_after_it_had_been_applied_is_refused(
    prepared: str, own_migrations: Path
) -> None:
    file = own_migrations / "0001_pages.sql"
    file.write_text(file.read_text() + "-- a word too much\n")
    async with connected(prepared) as admin:
        with pytest.raises(SchemaError, match=rf"{file.name} of scraper was changed after it had been applied"):
            await migrate(admin, "scraper", works=True)


async def test_a_migration_that_fails_leaves_nothing_behind(prepared: str, own_migrations: Path) -> None:
    (own_migrations / "0002_broken.sql").write_text("CREATE TABLE half (\n    one integer\n);\nSELECT 1 / 0;\n")
    async with connected(prepared) as admin:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrate(admin, "scraper", works=True)
        assert await admin.fetchval("SELECT to_regclass('scraper.half')") is None
        (own_migrations / "0002_broken.sql").write_text("CREATE TABLE whole (\n    one integer\n);\n")
        assert await migrate(admin, "scraper", works=True) == ["0002_broken.sql"]


async def test_two_that_migrate_at_once_wait_for_each_other(
    servers: Stack, prepared: str, own_migrations: Path
) -> None:
    for number in range(2, 7):
        (own_migrations / f"000{number}_more.sql").write_text(f"CREATE TABLE more_{number} (\n    one integer\n);\n")
    owner = as_role(prepared, "scraper_owner", servers.passwords.roles)
    async with connected(owner) as one, connected(owner) as other:
        applied = await asyncio.gather(*(migrate(connection, "scraper", works=True) for connection in (one, other)))

    assert sorted(map(len, applied)) == [0, 5]


async def test_two_processes_that_prepare_the_same_database_at_once_both_succeed(
    servers: Stack, database_url: str, tmp_path: Path
) -> None:
    passwords = tmp_path / "passwords.json"
    passwords.write_text(json.dumps(servers.passwords.roles))
    environment = {"DATABASE_ADMIN_URL": database_url, "DATABASE_PASSWORDS_FILE": str(passwords)}

    async def prepare_in_a_process() -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.database"),
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        return process.returncode, errors.decode()[-600:]

    ends = await asyncio.gather(*(prepare_in_a_process() for _ in range(4)))
    assert [status for status, _ in ends] == [0] * 4, ends
    async with connected(database_url) as admin:
        for service in SERVICES:
            await admin.execute(f"SET search_path = {service}")
            await verify(admin, service, works=service in WORKERS)
