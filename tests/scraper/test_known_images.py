"""What a crawl has found none after it has fetched again, also where one in between could not read the site."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from contracts.scraper import CrawlSite, ImageFound, Seed
from services.scraper.handlers import steps
from services.scraper.sources import Harvester
from services.scraper.sources.scopes import key_of
from services.scraper.store import known
from shared.database import Connection
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


async def days_away(house: House, crawl_id: UUID, days: int) -> UUID:
    """Have as many crawls come after one, each after the other, that could not read the site; give the last."""
    for _ in range(days):
        crawl_id = await house.value(
            "INSERT INTO scraper.crawls (id, project_id, scope, seeds, previous_id)"
            " SELECT gen_random_uuid(), project_id, scope, seeds, id FROM scraper.crawls WHERE id = $1 RETURNING id",
            crawl_id,
        )
    return crawl_id


@pytest.mark.parametrize(("days", "found_again"), [(9, []), (10, ["a.jpg"])])
async def test_no_more_crawls_are_asked_than_ten(
    house: House, site: Site, days: int, found_again: Sequence[str]
) -> None:
    """Each that is asked costs a look for each image that is new."""
    site.say("/", "<img src=a.jpg>")
    crawl_id, _ = await crawled_after(house, site, None)
    last_id = await days_away(house, crawl_id, days)
    assert (await crawled_after(house, site, last_id))[1] == found_again


async def test_what_is_skipped_is_looked_for_in_no_crawl_before(
    house: House, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No crawl has ever found it, so that each of them would be asked, at every crawl."""
    looked_for: list[bytes] = []

    async def look(connection: Connection, crawl_id: UUID, keys: Sequence[bytes]) -> set[bytes]:
        looked_for.extend(keys)
        return await known.select_images_known(connection, crawl_id, keys)

    monkeypatch.setattr(steps, "select_images_known", look)
    site.say("/robots.txt", "User-agent: *\nDisallow: /no", content_type="text/plain")
    site.say("/", "<img src=a.jpg><img src=no.jpg>")
    crawl_id, _ = await crawled_after(house, site, None)
    crawl_id, found = await crawled_after(house, site, crawl_id)
    assert found == []
    images = await outcomes(house, crawl_id, "image")
    assert images[f"{site.origin}/no.jpg"][0] == "skipped"
    assert images[f"{site.origin}/a.jpg"][0] == "duplicate"
    assert looked_for == [key_of(f"{site.origin}/a.jpg")]
