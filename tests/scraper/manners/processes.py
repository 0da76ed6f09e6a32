"""Several processes of the scraper, as far as hosts can tell: each has a pool of its own, or a notebook of its own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.scraper.manners import SharedBooks
from shared.database import open_pool
from tests.living import House
from tests.scraper.site import Clock, Notebook


@asynccontextmanager
async def with_one_book(house: House, count: int) -> AsyncIterator[list[SharedBooks]]:
    """Open the books of so many processes as the scraper opens them."""
    async with AsyncExitStack() as stack:
        books: list[SharedBooks] = []
        for number in range(count):
            url = house.servers.database_url("scraper")
            pool = await open_pool(url, size=4, application_name=f"process {number}")
            stack.push_async_callback(pool.close)
            books.append(SharedBooks(pool))
        yield books


@asynccontextmanager
async def each_with_its_own(_: House, count: int) -> AsyncIterator[list[Notebook]]:
    """Open the books of processes that know nothing of each other: the negative control."""
    yield [Notebook(Clock()) for _ in range(count)]
