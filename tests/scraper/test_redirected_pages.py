"""Where a redirect leads is read once, is accounted for, and is lost to nobody for what it answered before."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.scraper import ImageFound, Seed, UrlsAccounted
from tests.living import House, until
from tests.scraper.site import Site
from tests.scraper.test_crawls import crawled, outcomes


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


LATER = [("Retry-After", "1")]


async def is_refused(house: House, url: str) -> bool:
    query = "SELECT count(*) FROM scraper.crawl_urls WHERE url = $1 AND outcome = 'refused'"
    return bool(await house.value(query, url))


async def test_a_page_that_was_refused_is_read_where_a_redirect_leads_to_it_after_all(house: House, site: Site) -> None:
    site.say("/", "<a href=/new>x</a><a href=/further>x</a>")
    site.say("/further", status=503, headers=LATER)
    site.say("/old", status=301, headers=[("Location", "/new")])
    crawl = asyncio.create_task(crawled(house, site, seeds=[Seed(url=f"{site.origin}/")]))
    await until(lambda: is_refused(house, f"{site.origin}/new"))
    site.say("/new", "<img src=a.jpg>")
    site.say("/further", "<a href=/old>x</a>")
    crawl_id, said = await crawl
    pages = await outcomes(house, crawl_id, "page")
    assert (pages[f"{site.origin}/old"], pages[f"{site.origin}/new"]) == (("read", None), ("read", None))
    assert [one.url for one in said if isinstance(one, ImageFound)] == [f"{site.origin}/a.jpg"]
    lines = [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines]
    assert [line.outcome for line in lines if line.url == f"{site.origin}/new"] == ["refused", "read"]


async def test_a_page_that_waits_and_is_read_by_a_redirect_has_its_line_and_is_done(house: House, site: Site) -> None:
    site.say("/", "<a href=/old>x</a>" + "".join(f"<a href=/{one}>x</a>" for one in range(25)) + "<a href=/new>x</a>")
    site.say("/old", status=301, headers=[("Location", "/new")])
    site.say("/new", "<img src=a.jpg>")
    crawl_id, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    assert site.times_asked("/new") == 1
    told = {line.url: line.outcome for one in said if isinstance(one, UrlsAccounted) for line in one.lines}
    kept = await house.rows("SELECT url, outcome FROM scraper.crawl_urls WHERE crawl_id = $1", crawl_id)
    assert told == {row["url"]: row["outcome"] for row in kept}
    assert await house.value("SELECT pages_done = pages_taken FROM scraper.crawls")
