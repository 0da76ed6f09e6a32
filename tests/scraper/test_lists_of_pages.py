"""Lists of pages lead to pages, and take the place of none."""

from collections.abc import AsyncIterator

import pytest

from contracts.scraper import ImageFound, Seed
from tests.living import House
from tests.scraper.site import Site
from tests.scraper.test_crawls import crawled, outcomes


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


def say_sitemaps(site: Site, sitemaps: int) -> None:
    """Have a site name its pages, each with an image, in an index of sitemaps of two pages each."""
    named = "".join(f"<sitemap><loc>{site.origin}/{number}.xml</loc></sitemap>" for number in range(sitemaps))
    site.say("/index.xml", f"<sitemapindex>{named}</sitemapindex>", content_type="text/xml")
    for number in range(sitemaps):
        pages = "".join(f"<url><loc>{site.origin}/{number}/{page}</loc></url>" for page in "ab")
        site.say(f"/{number}.xml", f"<urlset>{pages}</urlset>", content_type="text/xml")
        for page in "ab":
            site.say(f"/{number}/{page}", f"<img src={page}.jpg>")


async def test_an_index_of_more_sitemaps_than_pages_are_allowed_leads_to_pages(house: House, site: Site) -> None:
    say_sitemaps(site, 12)
    seed = Seed(url=f"{site.origin}/index.xml", kind="sitemap")
    crawl_id, said = await crawled(house, site, seeds=[seed], max_pages=5)
    pages, lists = await outcomes(house, crawl_id, "page"), await outcomes(house, crawl_id, "sitemap")
    assert len([one for one in said if isinstance(one, ImageFound)]) == 5
    assert [outcome for outcome, _ in pages.values()].count("read") == 5
    assert ("skipped", "page_limit") in pages.values()
    assert [outcome for outcome, _ in lists.values()].count("read") == 5
    assert list(lists.values()).count(("skipped", "page_limit")) == 13 - 5


async def test_an_index_within_an_index_without_end_ends(house: House, site: Site) -> None:
    for number in range(50):
        named = f"<sitemap><loc>{site.origin}/{number + 1}.xml</loc></sitemap>"
        site.say(f"/{number}.xml", f"<sitemapindex>{named}</sitemapindex>", content_type="text/xml")
    seed = Seed(url=f"{site.origin}/0.xml", kind="sitemap")
    await crawled(house, site, seeds=[seed], max_pages=3)
    assert sorted(site.asked) == ["/0.xml", "/1.xml", "/2.xml", "/robots.txt"]
