"""One budget for each host, however many processes ask it."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import pairwise
from typing import Any

import pytest

from services.scraper.crawler import Books
from services.scraper.crawler.politeness import Politeness
from services.scraper.manners import SharedBooks
from services.scraper.store import manners as store
from shared.database import DatabaseAway, Pool
from shared.errors import Refused, TryAgain
from shared.manners import Limits
from tests.living import House
from tests.scraper.manners.processes import each_with_its_own, with_one_book
from tests.scraper.site import Site, crawling

HOST = "gallery.example"
SPACING_SECONDS = 1000.0
"""So long that what a busy machine adds to it does not count."""

LIMITS = Limits(spacing_seconds=SPACING_SECONDS, longest_delay_seconds=2000, patience_seconds=1e6)


async def waits_of(books: Sequence[Books], turns: int) -> list[float]:
    """Have each process take its turns, all at once, and give how long each of them had to wait."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    processes = [Politeness(book, LIMITS, sleep=note) for book in books]
    await asyncio.gather(*(process.turn(HOST) for process in processes for _ in range(turns)))
    at_once = turns * len(books) - len(waits)
    return [0.0] * at_once + sorted(waits)


def are_spaced(waits: list[float]) -> bool:
    return all(later - earlier > SPACING_SECONDS / 2 for earlier, later in pairwise(waits))


async def test_two_processes_share_the_turns_of_a_host(house: House) -> None:
    async with with_one_book(house, 2) as books:
        waits = await waits_of(books, 12)
    assert len(waits) == 24
    assert are_spaced(waits)


async def test_processes_with_budgets_of_their_own_ask_twice_as_often(house: House) -> None:
    async with each_with_its_own(house, 2) as books:
        waits = await waits_of(books, 12)
    assert len(waits) == 24
    assert not are_spaced(waits)


async def test_a_turn_that_two_take_at_once_is_given_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: writing without a look at what others wrote gives one turn to several."""
    written = store.upsert_host
    both_have_decided = asyncio.Barrier(2)
    first = set[int]()

    async def heedless(pool: Pool, host: str, version: int, facts: dict[str, object]) -> float | None:
        # However the machine shares its time out, the first turn of each is decided on before either is written.
        if id(pool) not in first:
            first.add(id(pool))
            await both_have_decided.wait()
        while (at := await written(pool, host, version, facts)) is None:
            version = (await store.select_host(pool, host)).version
        return at

    monkeypatch.setattr(store, "upsert_host", heedless)
    async with with_one_book(house, 2) as books:
        assert not are_spaced(await waits_of(books, 12))


async def test_hosts_do_not_wait_for_each_other(house: House) -> None:
    async with with_one_book(house, 1) as (book,):
        slept: list[float] = []

        async def note(seconds: float) -> None:
            slept.append(seconds)

        politeness = Politeness(book, LIMITS, sleep=note)
        for name in ("one.example", "two.example", "three.example"):
            await politeness.turn(name)
    assert slept == []


Opened = Callable[[House, int], AbstractAsyncContextManager[Sequence[Books]]]


@pytest.mark.parametrize(("opened", "asked"), [(with_one_book, 3), (each_with_its_own, 6)])
async def test_a_host_that_blocks_one_process_is_left_alone_by_all(house: House, opened: Opened, asked: int) -> None:
    limits = Limits(spacing_seconds=0, longest_delay_seconds=0, blocks=3)
    async with Site() as site, opened(house, 2) as books:
        site.say("/", status=403)
        codes = []
        for book in books:
            async with crawling(site, limits=limits, books=book) as crawler:
                for _ in range(5):
                    with pytest.raises((Refused, TryAgain)) as failure:
                        await crawler.page(f"{site.origin}/")
                    codes.append(failure.value.code)
        assert site.times_asked("/") == asked
        assert codes.count("http_403") == asked
        assert codes.count("host_blocked") == 10 - asked


@pytest.mark.parametrize(("opened", "asked"), [(with_one_book, 1), (each_with_its_own, 2)])
async def test_what_one_process_read_in_robots_txt_all_know(house: House, opened: Opened, asked: int) -> None:
    async with Site() as site, opened(house, 2) as books:
        site.say("/robots.txt", "User-agent: *\nDisallow: /private\n")
        site.say("/", "<title>Hall</title>")
        for book in books:
            async with crawling(site, books=book) as crawler:
                await crawler.page(f"{site.origin}/")
                with pytest.raises(Refused, match="robots_disallowed"):
                    await crawler.page(f"{site.origin}/private")
        assert site.times_asked("/robots.txt") == asked


class Unreachable:
    """A pool whose database does not answer in time."""

    async def _fail(self, *_: object) -> object:
        raise TimeoutError("nobody answers")

    fetchrow = fetchval = execute = _fail


async def test_books_that_cannot_be_reached_are_not_taken_for_the_deadline_of_a_page() -> None:
    pool: Any = Unreachable()
    books = SharedBooks(pool)
    asked = [
        lambda: books.change(HOST, lambda host, _: (host, None)),
        lambda: books.told(HOST, None),
        lambda: books.tell(HOST, b"", "", 1.0),
        lambda: books.fail(HOST, "http_503", 1.0),
    ]
    for ask in asked:
        with pytest.raises(DatabaseAway):
            await ask()
