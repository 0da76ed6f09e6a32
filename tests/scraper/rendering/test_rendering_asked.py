"""Who asks for rendered pages, and what they hear where there is no browser."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.jobs import JobFailed
from contracts.scraper import ContinueCrawl, CrawlSite, PageScraped, ScheduleCrawl, ScrapePages, Seed
from services.scraper.handlers import continue_crawl, crawl_site, schedule_crawl, scrape_pages
from services.scraper.handlers.schedules import begin_due
from services.scraper.rendering.browser import find_browser
from services.scraper.sources import Harvester
from shared.errors import Refused
from shared.worker import Worker
from tests.living import House, lineage, until
from tests.scraper.manners.processes import with_one_book
from tests.scraper.rendering.windows import needs_chromium, window
from tests.scraper.site import Site

NOWHERE = Path("/nowhere/chromium")
WORKS: Any = {
    ScrapePages: scrape_pages,
    CrawlSite: crawl_site,
    ContinueCrawl: continue_crawl,
    ScheduleCrawl: schedule_crawl,
}
DRAWS = "<title>Hall</title><script>document.write('<img src=/a.png>')</script>"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        site.say("/", DRAWS)
        yield site


def test_a_browser_is_the_one_that_is_named_or_else_the_one_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"rendering_unavailable: .* install Chromium, or set CHROMIUM"):
        find_browser(None)
    browser = tmp_path / "chromium"
    browser.write_text("#!/bin/sh\n")
    with pytest.raises(Refused, match="CHROMIUM names no program"):
        find_browser(browser)
    browser.chmod(0o755)
    assert find_browser(None) == find_browser(browser) == browser


@asynccontextmanager
async def at_work(house: House, site: Site, program: Path | None) -> AsyncIterator[Worker]:
    """Run a scraper that renders with this browser."""
    async with with_one_book(house, 1) as (books,), window(site, program=program) as shown:
        crafts = {"crawler": shown.crawler, "books": books, "harvester": Harvester(shown.crawler)}
        async with house.worker("scraper", works=WORKS, crafts=crafts) as worker:
            yield worker


async def all_done(house: House, at_least: int) -> bool:
    done = "count(*) >= $1 AND bool_and(state NOT IN ('pending', 'in_progress'))"
    tasks = await house.value(f"SELECT {done} FROM scraper.tasks", at_least)
    return bool(tasks and not await house.value("SELECT count(*) FROM scraper.outbox"))


async def done(house: House, site: Site, *commands: Any, program: Path | None) -> list[Any]:
    """Have commands obeyed to their end, also of what follows; give what was said."""
    async with at_work(house, site, program):
        for command in commands:
            await house.say(command)
        await until(lambda: all_done(house, len(commands)))
    return await house.heard()


async def test_without_a_browser_a_page_and_a_crawl_fail_with_what_to_do_and_no_host_is_asked(
    house: House, site: Site
) -> None:
    page = ScrapePages(**lineage(), urls=(f"{site.origin}/",), rendered=True)
    crawl = CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/"),), rendered=True)
    said = await done(house, site, page, crawl, program=NOWHERE)

    failed = {one.job_id: one for one in said if isinstance(one, JobFailed)}
    assert {failed[command.job_id].code for command in (page, crawl)} == {"rendering_unavailable"}
    assert "set CHROMIUM" in failed[page.job_id].sentence
    assert site.asked == []


@needs_chromium
async def test_pages_and_crawls_are_rendered_where_that_is_asked_for(house: House, site: Site) -> None:
    urls = (f"{site.origin}/", f"{site.origin}/?plain")
    pages = ScrapePages(**lineage(), urls=urls, rendered=True, only_changed=True)
    crawl = CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/"),), rendered=True)
    plain = ScrapePages(**lineage(), urls=urls[:1])
    said = await done(house, site, pages, crawl, plain, program=None)

    scraped = [one for one in said if isinstance(one, PageScraped)]
    assert sorted(one.images_found for one in scraped if one.root_job_id != plain.job_id) == [1, 1, 1]
    assert [one.images_found for one in scraped if one.root_job_id == plain.job_id] == [0]


async def test_a_schedule_has_each_of_its_crawls_rendered(house: House, site: Site) -> None:
    seeds = (Seed(url=f"{site.origin}/"),)
    async with at_work(house, site, NOWHERE) as worker:
        await house.say(ScheduleCrawl(**lineage(), name="daily", every_minutes=60, seeds=seeds, rendered=True))
        await until(lambda: all_done(house, 1))
        async with worker.bus.transaction() as tx:
            await begin_due(tx)
        await until(lambda: all_done(house, 2))
    failed = [(one.kind, one.code) for one in await house.heard() if isinstance(one, JobFailed)]
    assert failed == [(CrawlSite.wire_name, "rendering_unavailable")]
