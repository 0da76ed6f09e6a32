"""Places are taken many at a time: what they cost is counted in statements for each download."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from services.media.manners import SharedDoors
from services.media.places import Places
from shared.addresses import parse_url
from shared.database import open_pool
from shared.errors import Refused
from tests.living import House
from tests.media.places.replicas import PATIENT

MOST = 6
AT_ONCE = 32
DOWNLOADS = 600
ONE_HOST = 5
"""For however many downloads: two to take the first place, and some for as many as there are."""


@dataclass
class Counting:
    """A pool that counts what it is asked."""

    pool: Any
    statements: int = 0

    async def fetch(self, *arguments: Any) -> Any:
        self.statements += 1
        return await self.pool.fetch(*arguments)


@dataclass
class Process:
    places: Places
    pool: Counting
    now: float = 1000.0

    async def fetch_all(self, hosts: list[str]) -> None:
        """Download once from each, so many at a time; nothing is slower than a few turns of the loop."""
        left = iter(hosts)

        async def fetch_some() -> None:
            for host in left:
                async with self.places.at(parse_url(f"http://{host}/")):
                    await asyncio.sleep(0)

        await asyncio.gather(*(fetch_some() for _ in range(AT_ONCE)))


@pytest.fixture
async def process(house: House) -> AsyncIterator[Process]:
    """A process for which no time passes, but when it is told."""
    async with opened(house) as process:
        yield process


@asynccontextmanager
async def opened(house: House) -> AsyncIterator[Process]:
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    counting = Counting(pool)
    doors: Any = SharedDoors(counting)  # type: ignore[arg-type]  # it counts, and passes on
    process = Process(Places(doors, PATIENT, most=MOST, clock=lambda: process.now), counting)
    try:
        yield process
    finally:
        await pool.close()


async def test_downloads_from_one_host_share_a_few_statements_however_many_they_are(process: Process) -> None:
    await process.fetch_all(["gallery.example"] * DOWNLOADS)
    assert process.pool.statements <= ONE_HOST
    process.now += 10
    before = process.pool.statements
    await process.fetch_all(["gallery.example"] * DOWNLOADS)
    assert process.pool.statements - before <= ONE_HOST, "each time that the agreement is renewed"


async def test_single_downloads_one_after_the_other_cost_nothing_while_the_agreement_is_fresh(process: Process) -> None:
    for _ in range(DOWNLOADS):
        async with process.places.at(parse_url("http://gallery.example/")):
            pass
    assert process.pool.statements == 2


async def test_hosts_that_are_asked_at_once_share_their_statements(process: Process) -> None:
    hosts = [f"number-{number}.example" for number in range(AT_ONCE)]
    await process.fetch_all(hosts)
    assert process.pool.statements == 2
    process.now += 2
    await process.places.look_after()
    assert process.pool.statements == 3, "all places are given back at once"


async def test_without_the_agreement_each_download_costs_a_statement(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""
    monkeypatch.setattr("services.media.places.here.FRESH_SECONDS", 0.0)
    await process.fetch_all(["gallery.example"] * DOWNLOADS)
    assert process.pool.statements >= DOWNLOADS


async def test_useless_answers_cost_nothing_either(process: Process) -> None:
    for _ in range(DOWNLOADS):
        with pytest.raises(Refused):
            async with process.places.at(parse_url("http://gallery.example/")):
                raise Refused("http_404", "Not there.")
    assert process.pool.statements == 2
