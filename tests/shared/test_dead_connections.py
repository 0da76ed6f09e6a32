"""A way to the database that has died without a word costs nobody more than the time in which it is noticed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared import database
from shared.database import DatabaseAway, Pool, open_pool
from shared.retry import ATTEMPTS, judge
from tests.living import House
from tests.shared.lines import Line

SIZE = 4
PATIENCE_SECONDS = 1
UNHURRIED_SECONDS = 5


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_COMMAND_SECONDS", PATIENCE_SECONDS)


@asynccontextmanager
async def a_used_pool(url: str) -> AsyncIterator[Pool]:
    """Give a pool all of whose connections are open."""
    pool = await open_pool(url, size=SIZE, application_name="tests")
    try:
        await asyncio.gather(*(pool.fetchval("SELECT pg_sleep(0.05)") for _ in range(SIZE)))
        yield pool
    finally:
        pool.terminate()


async def test_a_connection_that_died_is_the_databases_fault_and_uses_no_attempt(house: House) -> None:
    async with Line(house.servers.database_url("media")) as line, a_used_pool(line.url) as pool:
        assert line.die() == SIZE
        with pytest.raises(DatabaseAway) as told:
            await pool.fetchval("SELECT 1")
    verdict = judge(told.value, ATTEMPTS)
    assert (verdict.code, verdict.attempts_used) == ("database_away", ATTEMPTS - 1)


async def test_all_that_lead_to_the_same_place_are_given_up_with_the_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits as long once more; the wait is one in which a busy machine, too, connects anew."""
    monkeypatch.setattr(database, "_COMMAND_SECONDS", UNHURRIED_SECONDS)
    async with Line(house.servers.database_url("media")) as line, a_used_pool(line.url) as pool:
        line.die()
        with pytest.raises(DatabaseAway):
            await pool.fetchval("SELECT 1")
        async with asyncio.timeout(UNHURRIED_SECONDS):
            assert await asyncio.gather(*(pool.fetchval("SELECT 1") for _ in range(SIZE))) == [1] * SIZE


async def test_whoever_has_no_more_time_is_let_go_though_nobody_hears_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_COMMAND_SECONDS", 60)
    monkeypatch.setattr(database, "_LET_GO_SECONDS", 0.2)
    async with Line(house.servers.database_url("media")) as line, a_used_pool(line.url) as pool:
        line.die()
        async with asyncio.timeout(10):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await pool.fetchval("SELECT 1")


async def test_a_statement_that_only_takes_its_time_is_waited_for(house: House) -> None:
    async with a_used_pool(house.servers.database_url("media")) as pool:
        assert await pool.fetchval(f"SELECT 1 FROM pg_sleep({PATIENCE_SECONDS / 2})") == 1


async def test_a_pool_is_led_to_the_new_primary_where_the_old_one_takes_no_writes_any_more(house: House) -> None:
    """What leads to the old one reads as ever, so that nothing but a write tells of it."""
    write = "UPDATE bus_mark SET heard_until = heard_until"
    async with a_used_pool(house.servers.database_url("media")) as pool:
        held = [await pool.acquire() for _ in range(SIZE)]
        for connection in held:
            await connection.execute("SET default_transaction_read_only = on")
            await pool.release(connection)
        with pytest.raises(database.AWAY):
            await pool.execute(write)
        await asyncio.gather(*(pool.execute(write) for _ in range(SIZE)))
