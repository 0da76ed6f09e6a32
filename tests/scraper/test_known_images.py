"""What a crawl has found none after it has fetched again, also where one in between could not read the site."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from contracts.scraper import CrawlSite, ImageFound, Seed
from services.scraper.sources import Harvester
from services.scraper.store import known
from tests.living import House, lineage, until
from tests.scraper.site import Site, crawling
from tests.scraper.test_crawls import WORKS, has_ended, outcomes


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


async def crawled_after(house: House, site: Site, previous_id: UUID | None) -> tuple[UUID, list[str]]:
    """Crawl; give the crawl, and the images that it has fetched."""
    command = CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/"),), previous_crawl_id=previous_id)
    async with (
        crawling(site) as crawler,
        house.worker("scraper", works=WORKS, crafts={"harvester": Harvester(crawler)}),
    ):
        await house.say(command)
        await until(lambda: has_ended(house, command.job_id))
    found = sorted(one.url for one in await house.heard() if isinstance(one, ImageFound))
    return command.job_id, [url.rpartition("/")[2] for url in found]


async def test_a_day_on_which_the_site_is_away_has_nothing_fetched_again(house: House, site: Site) -> None:
    site.say("/", "<img src=a.jpg><img src=b.jpg>")
    crawl_id, found = await crawled_after(house, site, None)
    assert found == ["a.jpg", "b.jpg"]
    for status in (404, 410):
        site.say("/", status=status)
        crawl_id, found = await crawled_after(house, site, crawl_id)
        assert found == []
    site.say("/", "<img src=a.jpg><img src=b.jpg><img src=c.jpg>")
    crawl_id, found = await crawled_after(house, site, crawl_id)
    assert found == ["c.jpg"]
    assert (await outcomes(house, crawl_id, "image"))[f"{site.origin}/a.jpg"] == ("duplicate", "found_before")


async def test_what_was_refused_by_all_of_them_is_fetched_again(house: House, site: Site) -> None:
    """The control."""
    site.say("/", "<img src=a.jpg>")
    crawl_id, _ = await crawled_after(house, site, None)
    await house.admin.execute("UPDATE scraper.crawl_urls SET outcome = 'refused' WHERE kind = 'image'")
    _, found = await crawled_after(house, site, crawl_id)
    assert found == ["a.jpg"]


async def test_no_more_crawls_are_asked_than_so_many(house: House, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_LOOKED_BACK", 2)
    site.say("/", "<img src=a.jpg>")
    crawl_id, _ = await crawled_after(house, site, None)
    site.say("/", status=404)
    for _ in range(2):
        crawl_id, _ = await crawled_after(house, site, crawl_id)
    site.say("/", "<img src=a.jpg>")
    assert (await crawled_after(house, site, crawl_id))[1] == ["a.jpg"]
