"""A backup, which reads all tables for as long as it takes, keeps nobody from working, publishing or migrating."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from contracts.media import FetchMedia
from shared import schema
from shared.database import Connection
from shared.schema import Migration
from tests.living import House, until
from tests.shared.chores import all_said, do_nothing, fetch, is_in

PART = "to_char(now() AT TIME ZONE 'UTC' + interval '2 days', '\"said_\"YYYYMMDD')"
STALE = "said_20200101"
SOON_SECONDS = 10


@asynccontextmanager
async def a_backup(house: House) -> AsyncIterator[None]:
    """Hold the locks that pg_dump holds from its beginning to its end."""
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        tables = await connection.fetch(
            "SELECT quote_ident(relname) AS name FROM pg_class"
            " WHERE relnamespace = 'media'::regnamespace AND relkind IN ('r', 'p')"
        )
        names = ", ".join(f"media.{row['name']}" for row in tables)
        await connection.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
        yield


async def parts(house: House) -> set[str]:
    rows = await house.rows(
        "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'media.said'::regclass"
    )
    return {row["relname"] for row in rows}


async def jobs_come_and_go(house: House, *, seconds: float) -> None:
    command = fetch()
    await house.say(command)
    await until(lambda: is_in(house, "completed", command), seconds=seconds)
    await until(lambda: all_said(house), seconds=seconds)


async def test_a_new_day_begins_while_a_backup_reads(house: House) -> None:
    name = await house.value(f"SELECT {PART}")
    await house.admin.execute(f"DROP TABLE media.{name}")
    async with a_backup(house), house.worker("media", works={FetchMedia: do_nothing}):
        await jobs_come_and_go(house, seconds=SOON_SECONDS)
        assert name in await parts(house)
    # As the others are: found by job and by time, and none may read past the whole.
    indexes = await house.value("SELECT count(*) FROM pg_indexes WHERE schemaname = 'media' AND tablename = $1", name)
    assert indexes == 2
    async with await asyncpg.create_pool(house.servers.database_url("media"), min_size=1, max_size=1) as pool:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.fetch(f"SELECT * FROM {name}")


async def test_an_old_day_is_dropped_once_the_backup_has_ended(house: House) -> None:
    async with house.worker("media", works={FetchMedia: do_nothing}) as worker:
        await house.admin.execute(
            f"CREATE TABLE media.{STALE} PARTITION OF media.said FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');"
            f"ALTER TABLE media.{STALE} OWNER TO media_owner"
        )
        async with a_backup(house):
            keeping = asyncio.create_task(worker.bus._housekeeping.prepare())
            await jobs_come_and_go(house, seconds=SOON_SECONDS)
            await asyncio.wait_for(keeping, SOON_SECONDS)
            assert STALE in await parts(house)
        await worker.bus._housekeeping.prepare()
    assert STALE not in await parts(house)


ADDED = "ALTER TABLE tasks ADD COLUMN tried_out integer"


async def test_a_migration_that_waits_for_a_backup_lets_everybody_past(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [*schema.migrations_of("media", works=True), Migration("9999_tried_out.sql", ADDED)]
    owner: Connection = await asyncpg.connect(house.servers.database_admin_url)
    migrating = None
    try:
        async with house.worker("media", works={FetchMedia: do_nothing}):
            monkeypatch.setattr(schema, "migrations_of", lambda *_, **__: known)
            async with a_backup(house):
                migrating = asyncio.create_task(schema.migrate(owner, "media", works=True))
                await until(lambda: _waits(house))
                for _ in range(2):
                    await jobs_come_and_go(house, seconds=SOON_SECONDS)
            assert await asyncio.wait_for(migrating, 30) == ["9999_tried_out.sql"]
    finally:
        if migrating is not None:
            migrating.cancel()
            await asyncio.gather(migrating, return_exceptions=True)
        await owner.close()
        await house.admin.execute(
            "ALTER TABLE media.tasks DROP COLUMN IF EXISTS tried_out;"
            "DELETE FROM media.schema_migrations WHERE name = '9999_tried_out.sql'"
        )


async def _waits(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM pg_locks WHERE NOT granted"))
