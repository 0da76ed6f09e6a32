"""Sitemaps and feeds are read as a stream, within bounds, and never expanded."""

import gzip
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.scraper import ImageFound, Seed
from services.scraper.sources.documents import (
    DOCUMENT_LIMIT_BYTES,
    ENTRIES_LIMIT,
    Picture,
    read_feed,
    read_sitemap,
)
from shared.errors import Refused
from tests.living import House
from tests.scraper.site import Site
from tests.scraper.test_crawls import crawled, outcomes

SITEMAP = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url><loc> https://example.org/a?x=1&amp;y=2 </loc><lastmod>2024-01-01</lastmod>
    <image:image><image:loc>https://example.org/a.jpg</image:loc>
      <image:caption>A &lt;b&gt;</image:caption></image:image>
    <image:image><image:loc>https://example.org/b.jpg</image:loc></image:image>
  </url>
  <url><loc>https://example.org/ü</loc></url>
</urlset>"""

RSS = """<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>News</title>
  <link>https://example.org/</link><image><url>https://example.org/logo.png</url></image>
  <item><title>One</title><link>https://example.org/1</link>
    <media:title>Other</media:title>
    <media:content url="https://example.org/1.jpg" medium="image"/>
    <enclosure url="https://example.org/1.mp3" type="audio/mpeg"/></item>
  <item><guid>https://example.org/2</guid><enclosure url="https://example.org/2.jpg" type="image/jpeg"/></item>
</channel></rss>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><link href="https://example.org/"/>
  <entry><title>One</title><link rel="self" href="https://example.org/1.atom"/><link href="/1"/>
    <link rel="enclosure" type="image/png" href="/1.png"/></entry></feed>"""

LAUGHS = """<!DOCTYPE urlset [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<urlset><url><loc>https://example.org/&b;</loc></url></urlset>"""
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><urlset><url><loc>&a;</loc></url></urlset>'


def test_a_sitemap_names_its_pages_and_their_images() -> None:
    first, second = read_sitemap(SITEMAP.encode())
    assert (first.url, second.url) == ("https://example.org/a?x=1&y=2", "https://example.org/ü")
    assert first.pictures == [
        Picture("https://example.org/a.jpg", caption="A <b>"),
        Picture("https://example.org/b.jpg"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_sitemap_is_read_in_the_encoding_that_it_declares(encoding: str) -> None:
    text = SITEMAP.replace("UTF-8", encoding)
    assert [entry.url for entry in read_sitemap(text.encode(encoding))][1] == "https://example.org/ü"


def test_a_sitemap_may_be_gzipped_or_a_list_of_urls() -> None:
    assert len(list(read_sitemap(gzip.compress(SITEMAP.encode())))) == 2
    assert [entry.url for entry in read_sitemap(b"\xef\xbb\xbfhttps://a.org/1\r\n\r\nhttps://a.org/2")] == [
        "https://a.org/1",
        "https://a.org/2",
    ]


def test_an_index_names_further_sitemaps() -> None:
    index = "<sitemapindex><sitemap><loc>https://example.org/1.xml.gz</loc></sitemap></sitemapindex>"
    assert [(entry.url, entry.is_sitemap) for entry in read_sitemap(index.encode())] == [
        ("https://example.org/1.xml.gz", True)
    ]


def test_a_feed_names_its_entries_and_the_images_that_come_with_them() -> None:
    one, two = read_feed(RSS.encode())
    assert (one.url, one.title) == ("https://example.org/1", "One")
    assert one.pictures == [Picture("https://example.org/1.jpg", title="One")]
    assert (two.url, two.pictures) == ("https://example.org/2", [Picture("https://example.org/2.jpg")])
    [atom] = read_feed(ATOM.encode())
    assert (atom.url, atom.pictures) == ("/1", [Picture("/1.png", title="One")])


def test_the_name_of_a_feeds_entry_is_its_address_only_where_it_has_no_other_and_does_not_say_no() -> None:
    feed = b"""<rss><channel><item><guid>https://a.org/?p=1</guid><link>https://a.org/one</link></item>
      <item><guid isPermaLink="false">https://a.org/?p=2</guid></item>
      <item><guid isPermaLink="true">https://a.org/three</guid></item></channel></rss>"""
    assert [entry.url for entry in read_feed(feed)] == ["https://a.org/one", None, "https://a.org/three"]


def test_a_picture_of_a_sitemap_that_names_no_file_is_none() -> None:
    sitemap = SITEMAP.replace("<image:loc>https://example.org/a.jpg</image:loc>", "<image:loc> </image:loc>")
    first, _ = read_sitemap(sitemap.encode())
    assert first.pictures == [Picture("https://example.org/b.jpg")]


@pytest.mark.parametrize("document", [LAUGHS, OUTSIDE, "<!DOCTYPE urlset><urlset/>"])
@pytest.mark.parametrize("read", [read_sitemap, read_feed])
def test_a_document_that_declares_entities_is_refused_before_any_is_expanded(document: str, read: Any) -> None:
    with pytest.raises(Refused, match="xml_refused"):
        list(read(document.encode()))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"<urlset><url>", "sitemap_unreadable"),
        (b"<urlset></url></urlset>", "sitemap_unreadable"),
        (b"<urlset>\xff</urlset>", "sitemap_unreadable"),
        (b"<a>" * 1000, "xml_refused"),
        (gzip.compress(b"<urlset/>", mtime=0)[:-9], "body_undecodable"),
        (b"\x1f\x8bnonsense, and no gzip at all", "body_undecodable"),
    ],
)
def test_what_is_no_sitemap_is_refused_with_its_reason(document: bytes, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        list(read_sitemap(document))
    assert refusal.value.code == code


def test_a_bomb_is_refused_while_it_unpacks() -> None:
    bomb = gzip.compress(b"<urlset>" + b" " * (DOCUMENT_LIMIT_BYTES + 1))
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="document_too_large"):
            list(read_sitemap(bomb))
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_no_more_entries_are_taken_than_the_protocol_allows() -> None:
    many = b"<urlset>" + b"<url><loc>https://a.org/</loc></url>" * (ENTRIES_LIMIT + 10) + b"</urlset>"
    assert sum(1 for _ in read_sitemap(many)) == ENTRIES_LIMIT


def test_a_text_without_end_is_cut() -> None:
    [entry] = read_sitemap(b"<urlset><url><loc>" + b"a" * 1_000_000 + b"</loc></url></urlset>")
    assert len(entry.url or "") == 4096


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


async def test_a_crawl_reads_an_index_its_sitemaps_and_their_pages_each_once(house: House, site: Site) -> None:
    place = site.origin
    site.say(
        "/index.xml",
        f"<sitemapindex>{''.join(f'<sitemap><loc>{place}/{n}.xml.gz</loc></sitemap>' for n in 'aab')}"
        "<sitemap><loc>https://elsewhere.example/c.xml</loc></sitemap></sitemapindex>",
        content_type="text/xml",
    )
    for name, pages in (("a", (1, 2)), ("b", (2, 3))):
        urls = "".join(f"<url><loc>{place}/{page}</loc></url>" for page in pages)
        packed = gzip.compress(f"<urlset>{urls}</urlset>".encode())
        site.say(f"/{name}.xml.gz", packed, content_type="application/gzip")
    for page in (1, 2, 3):
        site.say(f"/{page}", f"<img src={page}.jpg><a href=/further>x</a>")
    crawl_id, said = await crawled(house, site, seeds=[Seed(url=f"{place}/index.xml", kind="sitemap")], max_depth=0)
    assert sorted(site.asked) == ["/1", "/2", "/3", "/a.xml.gz", "/b.xml.gz", "/index.xml", "/robots.txt"]
    found = [one.url for one in said if isinstance(one, ImageFound)]
    assert sorted(found) == [f"{place}/{page}.jpg" for page in (1, 2, 3)]
    sitemaps = await outcomes(house, crawl_id, "sitemap")
    assert sitemaps["https://elsewhere.example/c.xml"] == ("skipped", "out_of_scope")


async def test_a_crawl_of_a_feed_takes_the_images_of_entries_and_of_their_pages(house: House, site: Site) -> None:
    site.say("/feed", ATOM.replace("https://example.org", site.origin), content_type="application/atom+xml")
    site.say("/1", "<img src=/page.jpg>")
    _, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/feed", kind="feed")], max_depth=0)
    found = {one.url: one.found_in for one in said if isinstance(one, ImageFound)}
    assert found == {f"{site.origin}/1.png": "feed", f"{site.origin}/page.jpg": "img"}
