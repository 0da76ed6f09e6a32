"""What a site once told robots counts until it is asked again, and when it cannot tell it any more."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from services.scraper.crawler.robots import STALE_SECONDS
from services.scraper.manners import SharedBooks
from shared.errors import Refused, TryAgain
from tests.living import House
from tests.scraper.manners.processes import with_one_book
from tests.scraper.site import Site, crawling

DAY = 86400.0


class Robots:
    """A site, the scraper's books of it, and time that passes for them."""

    def __init__(self, house: House, site: Site, book: SharedBooks) -> None:
        self.house, self.site, self.book = house, site, book

    async def read(self, path: str = "/") -> str | None:
        """Read a page with a crawler that knows no more than the books, and give its title."""
        async with crawling(self.site, books=self.book) as crawler:
            return (await crawler.page(f"{self.site.origin}{path}")).title

    async def pass_seconds(self, seconds: float) -> None:
        """Let all that was noted down lie so much further back."""
        await self.house.admin.execute(
            """
            UPDATE scraper.robots SET told_at = told_at - make_interval(secs => $1),
                                      expires_at = expires_at - make_interval(secs => $1)
            """,
            seconds,
        )

    @property
    def asked(self) -> int:
        return self.site.times_asked("/robots.txt")


@pytest.fixture
async def robots(house: House) -> AsyncIterator[Robots]:
    async with Site() as site, with_one_book(house, 1) as (book,):
        site.say("/", "<title>Hall</title>")
        yield Robots(house, site, book)


async def test_robots_txt_is_fetched_once_an_hour_even_when_many_ask(robots: Robots) -> None:
    async with crawling(robots.site, books=robots.book) as crawler:
        await asyncio.gather(*(crawler.page(f"{robots.site.origin}/") for _ in range(5)))
        assert robots.asked == 1
    await robots.pass_seconds(3500)
    await robots.read()
    assert robots.asked == 1
    robots.site.say("/robots.txt", "User-agent: *\nDisallow: /")
    await robots.pass_seconds(100)
    with pytest.raises(Refused, match="robots_disallowed"):
        await robots.read()


async def test_the_rules_are_looked_up_once_a_minute_and_not_with_each_page(
    robots: Robots, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = 0
    told = robots.book.told

    async def counted(origin: str, known: bytes | None) -> object:
        nonlocal looked_up
        looked_up += 1
        return await told(origin, known)

    monkeypatch.setattr(robots.book, "told", counted)
    async with crawling(robots.site, books=robots.book) as crawler:
        for _ in range(4):
            await crawler.page(f"{robots.site.origin}/")
    assert looked_up == 1


async def test_a_failing_robots_txt_is_not_asked_for_again_at_once_but_soon(robots: Robots) -> None:
    robots.site.say("/robots.txt", status=500)
    for _ in range(3):
        with pytest.raises(TryAgain, match="robots_unavailable"):
            await robots.read()
    assert robots.asked == 1
    robots.site.say("/robots.txt", "")
    await robots.pass_seconds(30)
    assert await robots.read() == "Hall"


async def test_rules_count_on_while_a_site_cannot_tell_them(robots: Robots) -> None:
    robots.site.say("/robots.txt", "User-agent: *\nDisallow: /private")
    await robots.read()
    robots.site.say("/robots.txt", status=503)
    await robots.pass_seconds(2 * DAY)
    assert await robots.read() == "Hall"
    with pytest.raises(Refused, match="robots_disallowed"):
        await robots.read("/private")
    assert robots.asked == 2
    await robots.pass_seconds(STALE_SECONDS)
    with pytest.raises(TryAgain, match="robots_unavailable"):
        await robots.read()


async def test_a_robots_txt_that_outgrew_its_bounds_closes_its_site_for_an_hour(robots: Robots) -> None:
    robots.site.say("/robots.txt", "")
    await robots.read()
    robots.site.say("/robots.txt", b"#" * (500 * 1024 + 1))
    await robots.pass_seconds(3600)
    for _ in range(2):
        with pytest.raises(Refused, match="robots_too_large"):
            await robots.read()
    assert robots.asked == 2


@pytest.mark.parametrize(("redirects", "allowed"), [(5, False), (6, True)])
async def test_five_redirects_lead_to_the_rules_and_six_to_none(robots: Robots, redirects: int, allowed: bool) -> None:
    paths = ["/robots.txt", *(f"/rules/{number}" for number in range(redirects))]
    for path, next_path in pairwise(paths):
        robots.site.say(path, status=302, headers=[("Location", next_path)])
    robots.site.say(paths[-1], "User-agent: *\nDisallow: /")
    if allowed:
        assert await robots.read() == "Hall"
    else:
        with pytest.raises(Refused, match="robots_disallowed"):
            await robots.read()


async def test_rules_with_a_nul_are_written_down(robots: Robots) -> None:
    robots.site.say("/robots.txt", b"User-agent: *\x00\nDisallow: /\n")
    with pytest.raises(Refused, match="robots_disallowed"):
        await robots.read()


@pytest.mark.parametrize(("days", "left"), [(59, 1), (61, 0)])
async def test_what_nobody_asked_for_in_a_long_time_is_forgotten(robots: Robots, days: int, left: int) -> None:
    await robots.read()
    await robots.pass_seconds(days * DAY + 3600)
    await robots.house.admin.execute("UPDATE scraper.hosts SET changed_at = now() - make_interval(days => $1)", days)
    await robots.book.forget_idle()
    for table in ("robots", "hosts"):
        assert await robots.house.value(f"SELECT count(*) FROM scraper.{table}") == left
