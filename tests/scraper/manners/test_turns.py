"""Each request to a host waits for its turn, and what the host answers decides on the next ones."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from services.scraper.crawler import Crawler
from shared.errors import Refused, TryAgain
from shared.manners import Limits
from tests.scraper.site import Clock, Notebook, Site, crawling

HALL = "<title>Hall</title>"


async def outcome(crawler: Crawler, site: Site, path: str = "/") -> str:
    """Give a page's title, or the code of why it cannot be had."""
    try:
        return (await crawler.page(f"{site.origin}{path}")).title or ""
    except (Refused, TryAgain) as failure:
        return failure.code


async def test_all_requests_to_a_host_are_spaced() -> None:
    clock = Clock()
    limits = Limits(spacing_seconds=2, patience_seconds=60)
    async with Site() as site, crawling(site, clock=clock, limits=limits) as crawler:
        site.say("/", HALL)
        for _ in range(3):
            await outcome(crawler, site)
        assert site.asked == ["/robots.txt", "/", "/", "/"]
        assert clock.slept == [2, 2, 2]
        clock.now += 100
        await outcome(crawler, site)
        assert clock.slept == [2, 2, 2]


@pytest.mark.parametrize(
    ("asked_for", "slept"),
    [("5", 5), ("0.5", 2), ("3600", 30), ("-1", 2), ("soon", 2)],
)
async def test_a_crawl_delay_is_respected_within_bounds(asked_for: str, slept: float) -> None:
    clock = Clock()
    limits = Limits(spacing_seconds=2, longest_delay_seconds=30, patience_seconds=60)
    async with Site() as site, crawling(site, clock=clock, limits=limits) as crawler:
        site.say("/robots.txt", f"User-agent: *\nCrawl-delay: {asked_for}\n")
        site.say("/", HALL)
        for _ in range(2):
            await outcome(crawler, site)
    assert clock.slept == [2, slept]


async def test_a_turn_that_would_come_too_late_is_handed_back() -> None:
    clock = Clock()
    limits = Limits(spacing_seconds=10, patience_seconds=10)
    async with Site() as site, crawling(site, clock=clock, limits=limits) as crawler:
        site.say("/", HALL)
        await outcome(crawler, site)
        clock.now -= 5
        with pytest.raises(TryAgain) as failure:
            await crawler.page(f"{site.origin}/")
        assert failure.value.code == "host_busy"
        assert failure.value.rate_limited
        assert 15 <= (failure.value.retry_after_seconds or 0) <= 15 * 1.1
        assert site.times_asked("/") == 1
        clock.now += 15
        assert await outcome(crawler, site) == "Hall"


def _in_a_minute() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=61), usegmt=True)


@pytest.mark.parametrize(("status", "code"), [(429, "http_429"), (503, "http_503")])
@pytest.mark.parametrize("by_date", [False, True])
async def test_a_host_that_asks_for_patience_is_left_alone_until_then(status: int, code: str, by_date: bool) -> None:
    clock = Clock()
    limits = Limits(spacing_seconds=0, patience_seconds=100)
    async with Site() as site, crawling(site, clock=clock, limits=limits) as crawler:
        site.say("/robots.txt", "")
        site.say("/", status=status, headers=[("Retry-After", _in_a_minute() if by_date else "60")])
        assert await outcome(crawler, site) == code
        site.say("/", HALL)
        assert await outcome(crawler, site) == "Hall"
    assert 55 < clock.slept[-1] < 61


async def test_a_host_that_struggles_is_asked_less_often_until_it_recovers() -> None:
    clock = Clock()
    limits = Limits(spacing_seconds=1, patience_seconds=60)
    async with Site() as site, crawling(site, clock=clock, limits=limits) as crawler:
        site.say("/", status=500)
        for _ in range(3):
            assert await outcome(crawler, site) == "http_500"
        site.say("/", HALL)
        for _ in range(5):
            assert await outcome(crawler, site) == "Hall"
    assert [round(seconds) for seconds in clock.slept] == [1, 1, 2, 4, 8, 4, 2, 1]


async def blocked_codes(clock: Clock, statuses: Sequence[int], limits: Limits) -> list[str]:
    """Have a site answer with these statuses, one after the other, and give what came of each page."""
    codes = []
    async with Site() as site, crawling(site, clock=clock, limits=limits) as crawler:
        for status in statuses:
            site.say("/", HALL, status=status)
            codes.append(await outcome(crawler, site))
    return codes


BREAKER = Limits(spacing_seconds=0, longest_delay_seconds=0, blocks=3, open_seconds=60)


async def test_only_blocks_in_a_row_close_a_host() -> None:
    mixed = [403, 503, 404, 403, 429, 200, 403, 403]
    assert "host_blocked" not in await blocked_codes(Clock(), [*mixed, 200], BREAKER)
    assert await blocked_codes(Clock(), [403, 429, 503, 200], BREAKER) == [
        "http_403",
        "http_429",
        "http_503",
        "host_blocked",
    ]


async def test_one_page_tries_whether_the_host_answers_again() -> None:
    clock = Clock()
    async with Site() as site, crawling(site, clock=clock, limits=BREAKER) as crawler:
        site.say("/", status=403)
        assert [await outcome(crawler, site) for _ in range(4)] == ["http_403"] * 3 + ["host_blocked"]
        clock.now += 60
        assert [await outcome(crawler, site) for _ in range(2)] == ["http_403", "host_blocked"]
        clock.now += 60
        assert await outcome(crawler, site) == "host_blocked"
        clock.now += 60
        site.say("/", HALL)
        assert [await outcome(crawler, site) for _ in range(2)] == ["Hall", "Hall"]


async def test_a_robots_txt_that_is_forbidden_neither_blocks_nor_welcomes_us() -> None:
    clock = Clock()
    books = Notebook(clock)
    async with Site() as site:
        site.say("/robots.txt", status=403)
        site.say("/", status=403)
        async with crawling(site, clock=clock, limits=BREAKER, books=books) as crawler:
            assert [await outcome(crawler, site) for _ in range(4)] == ["http_403"] * 3 + ["host_blocked"]
        clock.now += 4000  # by then robots.txt is asked again first, and closes no breaker
        async with crawling(site, clock=clock, limits=BREAKER, books=books) as crawler:
            assert await outcome(crawler, site) == "host_blocked"
            assert site.asked[-1] == "/robots.txt"
            clock.now += 60
            assert [await outcome(crawler, site) for _ in range(2)] == ["http_403", "host_blocked"]


async def test_the_sentence_of_a_blocked_host_says_how_it_refuses_and_when_it_is_asked_again() -> None:
    clock = Clock(now=datetime(2026, 11, 28, 23, 59, tzinfo=UTC).timestamp())
    async with Site() as site, crawling(site, clock=clock, limits=BREAKER) as crawler:
        site.say("/", status=429)
        for _ in range(3):
            await outcome(crawler, site)
        with pytest.raises(TryAgain) as failure:
            await crawler.page(f"{site.origin}/")
    assert failure.value.sentence == (
        "127.0.0.1 has refused us 3 times in a row (429 Too Many Requests); it is asked again at "
        "2026-11-29 00:00:00 UTC."
    )
