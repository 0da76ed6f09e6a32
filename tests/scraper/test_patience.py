"""A host that asks for patience again and again is not waited for without end, and its URLs say what it answered."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from contracts.jobs import JobCompleted
from contracts.scraper import ContinueCrawl, CrawlScope, CrawlSite, RetryCrawl, Seed, UrlsAccounted
from services.scraper.handlers import continue_crawl, crawl_site, retry_crawl
from services.scraper.sources import Harvest, Harvester
from services.scraper.sources.scopes import key_of
from services.scraper.store import crawls as store
from services.scraper.store.crawls import Line
from shared.database import open_pool
from shared.errors import TryAgain
from tests.living import PROJECT, House, lineage, until
from tests.scraper.site import Clock, Site, crawling
from tests.scraper.test_accounts import has_ended_at_all, was_taken
from tests.scraper.test_crawls import outcomes

WORKS: Any = {CrawlSite: crawl_site, ContinueCrawl: continue_crawl, RetryCrawl: retry_crawl}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        site.say("/", "<a href=/busy>x</a><a href=/there>x</a>")
        site.say("/there", "<img src=a.jpg>")
        yield site


async def obeyed(house: House, site: Site, command: Any, *, patience_seconds: float) -> list[Any]:
    async with crawling(site, clock=Clock()) as crawler:
        crafts = {"harvester": Harvester(crawler, patience_seconds=patience_seconds)}
        async with house.worker("scraper", works=WORKS, crafts=crafts):
            await house.say(command)
            await until(lambda: was_taken(house, command.job_id))
            await until(lambda: has_ended_at_all(house))
    return await house.heard()


def crawling_all(site: Site) -> CrawlSite:
    return CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/"),), scope=CrawlScope())


async def test_a_page_that_is_always_too_much_for_its_host_ends_with_what_that_answers(
    house: House, site: Site
) -> None:
    site.say("/busy", status=429, headers=[("Retry-After", "1")])
    command = crawling_all(site)
    said = await obeyed(house, site, command, patience_seconds=2.5)
    pages = await outcomes(house, command.job_id, "page")
    assert pages[f"{site.origin}/busy"] == ("refused", "http_429")
    assert pages[f"{site.origin}/there"] == ("read", None)
    assert site.times_asked("/busy") == 3
    lines = [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines]
    [line] = [line for line in lines if line.url == f"{site.origin}/busy"]
    assert line.sentence is not None
    assert "429" in line.sentence
    assert "waits no longer" in line.sentence
    assert {one.kind for one in said if isinstance(one, JobCompleted)} == {CrawlSite.wire_name, ContinueCrawl.wire_name}


async def test_a_host_that_wants_more_patience_than_a_crawl_has_is_not_waited_for(house: House, site: Site) -> None:
    site.say("/busy", status=429, headers=[("Retry-After", "86400")])
    command = crawling_all(site)
    await obeyed(house, site, command, patience_seconds=3600)
    assert (await outcomes(house, command.job_id, "page"))[f"{site.origin}/busy"] == ("refused", "http_429")
    assert site.times_asked("/busy") == 1


async def test_a_host_that_answers_before_that_is_heard(house: House, site: Site) -> None:
    """The control: who asks for patience once is asked again, and its page is read."""
    site.say("/busy", status=429, headers=[("Retry-After", "1")])
    command = crawling_all(site)
    crawl = asyncio.create_task(obeyed(house, site, command, patience_seconds=3600))
    await until(lambda: was_asked(site, "/busy"))
    site.say("/busy", "<title>There</title>")
    await crawl
    assert (await outcomes(house, command.job_id, "page"))[f"{site.origin}/busy"] == ("read", None)


async def was_asked(site: Site, path: str) -> bool:
    return site.times_asked(path) > 0


async def test_who_has_a_crawl_retried_has_all_patience_anew(house: House, site: Site) -> None:
    site.say("/busy", status=429, headers=[("Retry-After", "1")])
    command = crawling_all(site)
    await obeyed(house, site, command, patience_seconds=1.5)
    assert site.times_asked("/busy") == 2
    await obeyed(house, site, RetryCrawl(**lineage(), crawl_job_id=command.job_id), patience_seconds=1.5)
    assert site.times_asked("/busy") == 4


async def test_pages_that_only_wait_for_a_browser_of_ours_use_up_no_patience(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = TryAgain("renderers_busy", "Other pages are being shown.", retry_after_seconds=1, rate_limited=True)
    left, harvest = [busy], Harvester.harvest

    async def harvest_later(harvester: Harvester, kind: str, url: str, *more: Any, **named: Any) -> Harvest:
        if left and url.endswith("/there"):
            raise left.pop()
        return await harvest(harvester, kind, url, *more, **named)

    monkeypatch.setattr(Harvester, "harvest", harvest_later)
    command = crawling_all(site)
    await obeyed(house, site, command, patience_seconds=0.5)
    assert (await outcomes(house, command.job_id, "page"))[f"{site.origin}/there"] == ("read", None)
    assert left == []


@pytest.mark.parametrize(("late_minutes", "begins_anew"), [(61, True), (59, False)])
async def test_a_url_that_nobody_has_asked_for_long_after_its_time_has_all_patience_anew(
    house: House, late_minutes: int, *, begins_anew: bool
) -> None:
    """As where the kind was paused; with its control, where all that time its host has asked for patience."""
    crawl_id, job_id = uuid4(), uuid4()
    pool = await open_pool(house.servers.database_url("scraper"), size=1, application_name="tests")
    async with pool.acquire() as connection:
        await store.insert_crawl(connection, crawl_id, PROJECT, scope={}, seeds=["http://a.example/"])
        line = Line("page", key_of("http://a.example/"), "http://a.example/", 0, "waiting")
        await store.insert_lines(connection, crawl_id, [line], found_on=None, job_id=job_id)
        [claimed] = await store.claim_lines(connection, crawl_id, job_id, 10)
        await store.update_line_postponed(connection, crawl_id, claimed, seconds=0, counts=False, put_off=True)
        await connection.execute(
            "UPDATE crawl_urls SET put_off_at = now() - interval '5 hours', not_before = now() - $1 * interval '1 min'",
            late_minutes,
        )
        [claimed] = await store.claim_lines(connection, crawl_id, job_id, 10)
        assert (claimed.put_off_seconds == 0) is begins_anew
        await store.update_line_postponed(connection, crawl_id, claimed, seconds=0, counts=False, put_off=True)
        [claimed] = await store.claim_lines(connection, crawl_id, job_id, 10)
        assert (claimed.put_off_seconds < 60) is begins_anew
    await pool.close()
