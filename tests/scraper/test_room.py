"""What a site only names takes the room of no page and no image that a crawl may still have."""

from collections.abc import AsyncIterator

import pytest

from contracts.jobs import JobCompleted
from contracts.scraper import ContinueCrawl, ImageFound, Seed
from tests.living import House
from tests.scraper.site import Site
from tests.scraper.test_crawls import crawled, outcomes

PAGES = 6


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A chain of pages, each with an image, that leads to the next only behind many links to elsewhere."""
    async with Site() as site:
        for number in range(PAGES):
            elsewhere = "".join(f"<a href=https://{number}.example/{one}>x</a>" for one in range(300))
            site.say(f"/{number}", f"{elsewhere}<a href=/{number + 1}>next</a><img src=/{number}.jpg>")
        yield site


async def test_links_to_elsewhere_keep_no_page_and_no_image_out(house: House, site: Site) -> None:
    crawl_id, said = await crawled(
        house, site, seeds=[Seed(url=f"{site.origin}/0")], max_pages=PAGES, max_images=PAGES, max_depth=100
    )
    found = sorted(one.url for one in said if isinstance(one, ImageFound))
    assert found == [f"{site.origin}/{number}.jpg" for number in range(PAGES)]
    pages = await outcomes(house, crawl_id, "page")
    assert sorted(url for url, (outcome, _) in pages.items() if outcome == "read") == [
        f"{site.origin}/{number}" for number in range(PAGES)
    ]


async def test_what_is_only_named_still_fills_no_disk_and_is_counted(house: House, site: Site) -> None:
    crawl_id, said = await crawled(
        house, site, seeds=[Seed(url=f"{site.origin}/0")], max_pages=PAGES, max_images=PAGES, max_depth=100
    )
    lines = await house.value("SELECT count(*) FROM scraper.crawl_urls WHERE crawl_id = $1", crawl_id)
    assert lines <= 1 + 50 * PAGES + 2 * PAGES
    results = [one.result for one in said if isinstance(one, JobCompleted) and one.kind == ContinueCrawl.wire_name]
    assert sum(result.get("urls_left_out", 0) for result in results) == PAGES * 302 + 1 - lines


async def test_a_link_that_was_left_out_before_is_taken_once_it_may_be(house: House) -> None:
    """A page that is within the scope has room also where the first page names nothing but others."""
    async with Site() as site:
        site.say(
            "/", "".join(f"<a href=https://elsewhere.example/{one}>x</a>" for one in range(500)) + "<a href=/a>x</a>"
        )
        site.say("/a", "".join(f"<img src=/{one}.jpg>" for one in range(30)))
        _, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")], max_pages=2, max_images=30)
        assert len([one for one in said if isinstance(one, ImageFound)]) == 30
