"""Of a sitemap or a feed that breaks in the middle, what stands before that is taken, and the rest is not hidden."""

import gzip
from collections.abc import AsyncIterator

import pytest

from contracts.scraper import ImageFound, Seed, UrlsAccounted
from services.scraper.sources.harvest import read_in
from shared.errors import Refused
from shared.sandbox import Sandbox
from tests.living import House
from tests.scraper.site import Site
from tests.scraper.test_crawls import crawled, outcomes

BROKEN = "<url><loc>https://example.org/?a=1&b=2</loc></url></urlset>"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


def sitemap(site: Site, pages: int, end: str) -> str:
    named = "".join(f"<url><loc>{site.origin}/{number}</loc></url>\n" for number in range(pages))
    return f"<urlset>\n{named}{end}"


async def test_pages_before_a_break_are_crawled_and_the_sitemap_says_where_it_broke(house: House, site: Site) -> None:
    site.say("/sitemap.xml", sitemap(site, 3, BROKEN), content_type="text/xml")
    for number in range(3):
        site.say(f"/{number}", f"<img src={number}.jpg>")
    seed = Seed(url=f"{site.origin}/sitemap.xml", kind="sitemap")
    crawl_id, said = await crawled(house, site, seeds=[seed])
    found = sorted(one.url for one in said if isinstance(one, ImageFound))
    assert found == [f"{site.origin}/{number}.jpg" for number in range(3)]
    assert await outcomes(house, crawl_id, "sitemap") == {seed.url: ("refused", "sitemap_unreadable")}
    [line] = [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines if line.kind == "sitemap"]
    assert line.sentence == (
        "It is no well-formed XML: not well-formed (invalid token) in line 5. What stands before that is taken."
    )


async def test_a_sitemap_whose_end_is_missing_loses_nothing_else(house: House, site: Site) -> None:
    packed = gzip.compress(sitemap(site, 20_000, "</urlset>").encode())
    site.say("/sitemap.xml.gz", packed[: len(packed) // 2], content_type="application/gzip")
    seed = Seed(url=f"{site.origin}/sitemap.xml.gz", kind="sitemap")
    crawl_id, _ = await crawled(house, site, seeds=[seed], max_pages=2)
    assert await outcomes(house, crawl_id, "sitemap") == {seed.url: ("refused", "body_undecodable")}
    assert len(await outcomes(house, crawl_id, "page")) > 100


async def test_a_feed_that_breaks_off_gives_the_images_before(house: House, site: Site) -> None:
    item = f"<item><link>{site.origin}/1</link><enclosure url='{site.origin}/1.jpg' type='image/jpeg'/></item>"
    site.say("/feed", f"<rss><channel>{item}<item><title>&nbsp;</title>", content_type="application/rss+xml")
    seed = Seed(url=f"{site.origin}/feed", kind="feed")
    _, said = await crawled(house, site, seeds=[seed])
    assert [one.url for one in said if isinstance(one, ImageFound)] == [f"{site.origin}/1.jpg"]


async def test_a_sitemap_that_breaks_at_once_is_refused_as_a_whole(house: House, site: Site) -> None:
    """The control."""
    site.say("/sitemap.xml", sitemap(site, 0, BROKEN), content_type="text/xml")
    seed = Seed(url=f"{site.origin}/sitemap.xml", kind="sitemap")
    crawl_id, said = await crawled(house, site, seeds=[seed])
    assert await outcomes(house, crawl_id, "sitemap") == {seed.url: ("refused", "sitemap_unreadable")}
    assert not [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines if line.kind == "page"]
    [line] = [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines]
    assert "taken" not in (line.sentence or "")


async def test_the_confined_process_tells_of_a_break_too() -> None:
    document = b"<urlset><url><loc>https://example.org/1</loc></url><url>&"
    async with Sandbox(processes=1, memory_bytes=256 * 1024 * 1024, seconds=20) as sandbox:
        listing = await read_in(sandbox)(document, "sitemap")
        assert [entry.url for entry in listing.entries] == ["https://example.org/1"]
        assert listing.broken is not None
        assert listing.broken.code == "sitemap_unreadable"
        with pytest.raises(Refused, match="sitemap_unreadable"):
            await read_in(sandbox)(b"<urlset><url>&", "sitemap")
