"""Whoever a redirect sends us to is asked as any host: in its turn, and for what its robots.txt allows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from services.scraper.crawler import Crawler, Validators
from services.scraper.crawler.pages import Visit
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from shared.manners import Limits
from tests.scraper.site import AT_ONCE, USER_AGENT, Clock, Notebook, Site
from tests.shared.strangers import StubResolver

SPACED = Limits(spacing_seconds=2, longest_delay_seconds=30, patience_seconds=60)
HALL = "<title>Hall</title>"


@dataclass
class Town:
    """Two hosts, of which one sends visitors on to the other, and who visits them."""

    old: Site
    new: Site
    crawler: Crawler
    clock: Clock
    notebook: Notebook

    async def visit(self, path: str = "/", known: Validators | None = None) -> Visit:
        return await self.crawler.visit(f"http://old.example:{self.old.port}{path}", known or Validators())

    @property
    def new_origin(self) -> str:
        return f"http://new.example:{self.new.port}"


@asynccontextmanager
async def town(limits: Limits = AT_ONCE) -> AsyncIterator[Town]:
    clock = Clock()
    notebook = Notebook(clock)
    names = StubResolver({"old.example": ["127.0.0.1"], "new.example": ["127.0.0.1"]})
    async with Site() as old, Site() as new:
        allow = frozenset({("127.0.0.1", old.port), ("127.0.0.1", new.port)})
        async with Outbound(user_agent=USER_AGENT, allow=allow, resolver=names) as outbound:
            crawler = Crawler(outbound, USER_AGENT, notebook, limits=limits, clock=clock, sleep=clock.sleep)
            moved = Town(old, new, crawler, clock, notebook)
            old.say("/", status=301, headers=[("Location", f"{moved.new_origin}/")])
            new.say("/", HALL)
            yield moved


async def test_the_host_that_a_redirect_leads_to_is_asked_in_its_turn() -> None:
    async with town(SPACED) as moved:
        visit = await moved.visit()
        assert visit.page
        assert visit.page.url == f"{moved.new_origin}/"
        assert moved.clock.slept == [2, 2], "each page comes two seconds after the robots.txt of its host"
        assert moved.notebook.hosts["new.example"].next_at == moved.clock.now + 2
        assert (moved.old.asked, moved.new.asked) == (["/robots.txt", "/"], ["/robots.txt", "/"])


async def test_the_host_that_a_redirect_leads_to_is_not_asked_for_what_it_closes() -> None:
    async with town() as moved:
        moved.new.say("/robots.txt", "User-agent: *\nDisallow: /")
        with pytest.raises(Refused, match="robots_disallowed"):
            await moved.visit()
        assert moved.new.asked == ["/robots.txt"]


async def test_a_host_that_is_busy_is_not_asked_because_another_one_sends_us_there() -> None:
    async with town(Limits(spacing_seconds=2, longest_delay_seconds=30, patience_seconds=5)) as moved:
        await moved.crawler.page(f"{moved.new_origin}/")
        moved.clock.now -= 60
        with pytest.raises(TryAgain) as failure:
            await moved.visit()
        assert failure.value.code == "host_busy"
        assert moved.new.times_asked("/") == 1


async def test_a_host_that_blocks_us_is_not_asked_for_the_robots_txt_of_another_one() -> None:
    limits = Limits(spacing_seconds=0, longest_delay_seconds=0, blocks=1, open_seconds=600)
    async with town(limits) as moved:
        moved.new.say("/", status=403)
        with pytest.raises(Refused, match="http_403"):
            await moved.crawler.page(f"{moved.new_origin}/")
        moved.old.say("/robots.txt", status=301, headers=[("Location", f"{moved.new_origin}/robots.txt")])
        for _ in range(2):
            with pytest.raises(TryAgain) as failure:
                await moved.visit()
            assert failure.value.code == "host_blocked"
        assert (moved.old.times_asked("/"), moved.new.asked) == (0, ["/robots.txt", "/"])


async def test_a_condition_is_about_the_page_that_was_asked_for_and_no_other() -> None:
    async with town() as moved:
        moved.old.say("/there", status=302, headers=[("Location", "/here")])
        moved.old.say("/here", HALL, headers=[("ETag", '"1"')])
        visit = await moved.visit("/there", Validators('"1"'))
        assert visit.page
        assert not visit.validators
        assert moved.old.conditions[-2:] == [{"If-None-Match": '"1"'}, {}]


async def test_what_leads_around_in_circles_or_to_where_we_do_not_follow_is_refused() -> None:
    async with town() as moved:
        moved.old.say("/", status=302, headers=[("Location", "/")])
        with pytest.raises(Refused, match="too_many_redirects"):
            await moved.visit()
        assert moved.old.times_asked("/") == 6
        moved.old.say("/", status=302, headers=[("Location", "http://127.0.0.1:9/")])
        with pytest.raises(Refused, match="url_"):
            await moved.visit()


async def test_where_nobody_could_be_told_of_a_redirect_is_not_followed() -> None:
    async with town() as moved:
        moved.old.say("/", status=301, headers=[("Location", f"{moved.new_origin}/{'a' * 5000}")])
        with pytest.raises(Refused, match="url_too_long"):
            await moved.visit()
        assert moved.new.asked == []


async def test_a_url_that_grows_too_long_where_it_is_encoded_is_not_asked() -> None:
    async with town() as moved:
        with pytest.raises(Refused, match="url_too_long"):
            await moved.visit("/" + "ü" * 1000)
        assert moved.old.asked == []
