"""A process that is frozen in the middle of a transaction keeps nobody from going on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared import database
from shared.database import DATABASE_TROUBLE, TOO_SLOW, Connection, Pool, close_pool, open_pool
from tests.living import House

FROZEN_SECONDS = 1
GOES_ON_SECONDS = 10.0
STANDS_STILL_SECONDS = 3.0


@asynccontextmanager
async def a_pool(house: House) -> AsyncIterator[Pool]:
    pool = await open_pool(house.servers.database_url("media"), size=2, application_name="tests")
    try:
        yield pool
    finally:
        await close_pool(pool)


async def write(connection: Connection) -> None:
    await connection.execute("UPDATE bus_mark SET heard_until = heard_until")


async def write_within(pool: Pool, seconds: float) -> None:
    async with asyncio.timeout(seconds), pool.acquire() as connection:
        await write(connection)


async def change_before_and_after(frozen: Pool, other: Pool) -> None:
    """Write, freeze until somebody else has written the same, and write again."""
    async with frozen.acquire() as connection, connection.transaction():
        await write(connection)
        await write_within(other, GOES_ON_SECONDS)
        await write(connection)


async def test_whoever_waits_for_a_frozen_process_gets_its_locks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_IDLE_IN_TRANSACTION_SECONDS", FROZEN_SECONDS)
    async with a_pool(house) as frozen, a_pool(house) as other:
        with pytest.raises(DATABASE_TROUBLE):
            await change_before_and_after(frozen, other)


async def test_without_an_end_to_its_patience_the_database_would_keep_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_IDLE_IN_TRANSACTION_SECONDS", 0)
    async with a_pool(house) as frozen, a_pool(house) as other, frozen.acquire() as held, held.transaction():
        await write(held)
        with pytest.raises(TimeoutError):
            await write_within(other, STANDS_STILL_SECONDS)


async def test_who_waits_for_a_lock_for_too_long_hears_it_from_the_database(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the database's trouble then, and not the fault of a job that would use up its attempts."""
    monkeypatch.setattr(database, "_LOCK_SECONDS", FROZEN_SECONDS)
    async with a_pool(house) as holder, a_pool(house) as other, holder.acquire() as held, held.transaction():
        await write(held)
        with pytest.raises(DATABASE_TROUBLE) as trouble:
            await write_within(other, GOES_ON_SECONDS)
    assert not isinstance(trouble.value, TOO_SLOW)
