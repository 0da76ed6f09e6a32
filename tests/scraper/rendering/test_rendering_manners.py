"""What a page that is shown may ask its hosts for, and what it costs them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from services.scraper.crawler import Crawler
from services.scraper.rendering.loading import Load, MayAsk
from services.scraper.rendering.tab import Shown
from shared.errors import TryAgain
from shared.fetch import Outbound
from shared.manners import Limits
from tests.scraper.site import USER_AGENT, Clock, Notebook, Site

RULES = "User-agent: *\nDisallow: /closed"
LIMITS = Limits(spacing_seconds=0.5, longest_delay_seconds=6, patience_seconds=30)


@dataclass
class Asker:
    """Stands in for a browser: fetches the document, and asks for each of these."""

    wanted: list[str]
    fails: bool = False
    allowed: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Be there."""

    async def show(self, url: str, load: Load, may_ask: MayAsk) -> Shown:
        fetched = await load(url)
        self.allowed = [one for one in self.wanted if await may_ask(one)]
        if self.fails:
            raise TryAgain("render_timeout", "It takes too long.")
        return Shown("<img src=/a.png>", fetched.final_url, fetched)


@asynccontextmanager
async def asking(site: Site, asker: Any, clock: Clock) -> AsyncIterator[Crawler]:
    site.say("/robots.txt", RULES, content_type="text/plain")
    site.say("/", "<p>")
    async with Outbound(user_agent=USER_AGENT, allow=frozenset({("127.0.0.1", site.port)})) as outbound:
        books = Notebook(clock)
        yield Crawler(outbound, USER_AGENT, books, limits=LIMITS, renderer=asker, clock=clock, sleep=clock.sleep)


async def test_a_script_is_asked_for_as_robots_txt_allows_where_its_page_lies_and_as_by_any_visitor_elsewhere() -> None:
    async with Site() as site:
        own, elsewhere = f"{site.origin}/own.js", "https://cdn.example/closed.js"
        asker = Asker([own, f"{site.origin}/closed/data.json", elsewhere, "http://[broken"])
        async with asking(site, asker, Clock()) as crawler:
            await crawler.page(f"{site.origin}/", rendered=True)
        assert asker.allowed == [own, elsewhere]
        assert site.asked == ["/robots.txt", "/"]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(("scripts", "rest_seconds"), [(0, 0.5), (4, 2.5), (1000, 6.5)])
async def test_a_host_that_was_asked_for_many_scripts_at_once_has_its_rest_afterwards(
    scripts: int, rest_seconds: float, *, fails: bool
) -> None:
    clock = Clock()
    async with Site() as site:
        asker = Asker([f"{site.origin}/{number}.js" for number in range(scripts)], fails)
        async with asking(site, asker, clock) as crawler:
            try:
                await crawler.page(f"{site.origin}/", rendered=True)
            except TryAgain:
                assert fails
            began_at = clock.now
            await crawler.page(f"{site.origin}/")
            assert clock.now - began_at == pytest.approx(rest_seconds, abs=0.01)
