"""Several processes of media that download, as far as a host can tell: each with a pool, and places, of its own."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.media.downloads import download
from services.media.manners import SharedDoors
from services.media.places import Door, Places
from shared.database import Pool, open_pool
from shared.errors import Failure
from shared.fetch import Outbound
from shared.manners import Book, Decide, Limits, T
from tests.living import House
from tests.shared.strangers import Stranger, StubResolver

NAMES = ("gallery.example", "other.example")
PATIENT = Limits(spacing_seconds=0, longest_delay_seconds=0, patience_seconds=60, blocks=3)
HASTY = Limits(spacing_seconds=0, longest_delay_seconds=0, patience_seconds=0.1, blocks=3)


@dataclass
class Notebook:
    """The book of a process that shares it with nobody: the negative control."""

    doors: dict[str, Door] = field(default_factory=dict)
    changes: int = 0
    now: Callable[[], float] = time.time

    async def change(self, name: str, decide: Decide[Door, T]) -> T:
        self.changes += 1
        self.doors[name], answer = decide(self.doors.get(name, Door()), self.now())
        return answer


@dataclass
class Ahead:
    """A clock that can be set forward."""

    by_seconds: float = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.by_seconds


@dataclass
class Replica:
    """One process, as far as it downloads."""

    places: Places
    outbound: Outbound
    folder: Path
    stranger: Stranger
    clock: Ahead

    async def fetch(self, path: str = "/a", host: str = NAMES[0]) -> str:
        """Download a file; give `here`, or the code of why it cannot be had."""
        url = f"http://{host}:{self.stranger.port}{path}"
        try:
            async with download(
                self.outbound, url, self.folder, max_bytes=1_000_000, deadline_seconds=90, gate=self.places.at
            ):
                return "here"
        except Failure as failure:
            return failure.code


Opened = Callable[[House, int], Any]


@asynccontextmanager
async def with_one_book(house: House, count: int) -> AsyncIterator[list[Book[Door]]]:
    """Open the books of so many processes as media opens them."""
    async with AsyncExitStack() as stack:
        pools: list[Pool] = []
        for number in range(count):
            url = house.servers.database_url("media")
            pools.append(await open_pool(url, size=4, application_name=f"process {number}"))
            stack.push_async_callback(pools[-1].close)
        yield [SharedDoors(pool) for pool in pools]


@asynccontextmanager
async def each_with_its_own(_: House, count: int) -> AsyncIterator[list[Book[Door]]]:
    """Open the books of processes that know nothing of each other."""
    yield [Notebook() for _ in range(count)]


@asynccontextmanager
async def replicas(
    books: list[Book[Door]], stranger: Stranger, folder: Path, *, most: int, limits: Limits = PATIENT
) -> AsyncIterator[list[Replica]]:
    """Have a process for each book, which asks the one host by all of its names."""
    resolver = StubResolver({name: ["127.0.0.1"] for name in NAMES})
    allow = frozenset({("127.0.0.1", stranger.port)})
    async with AsyncExitStack() as stack:
        made = []
        for book in books:
            way_out = Outbound(user_agent="diorama-tests", allow=allow, resolver=resolver, per_host=64)
            outbound = await stack.enter_async_context(way_out)
            clock = Ahead()
            made.append(Replica(Places(book, limits, most=most, clock=clock), outbound, folder, stranger, clock))
        yield made
