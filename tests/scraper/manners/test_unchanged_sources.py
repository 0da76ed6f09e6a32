"""A crawl that comes again is sent nothing that it has read before, and knows of it all the same."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from contracts.scraper import CrawlScope, CrawlSite, ImageFound, PageScraped, Seed, UrlsAccounted
from services.scraper.crawler import NO_VALIDATORS, Validators
from services.scraper.sources import Harvester
from services.scraper.sources.memory import Memory, memory_of
from shared.identifiers import uuid7
from tests.living import House, lineage, until
from tests.scraper.site import Site, crawling
from tests.scraper.test_crawls import WORKS, has_ended, outcomes

UNCHANGED = ("duplicate", "unchanged")
READ = ("read", None)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Give a site of three pages that name their versions, of which two lead to the third."""
    async with Site() as site:
        page(site, "/", "<a href=/a>x</a><a href=/b>x</a><img src=0.jpg>")
        page(site, "/a", "<a href=/c>x</a><img src=1.jpg>")
        page(site, "/b", "<a href=/c>x</a><img src=2.jpg>")
        page(site, "/c", "<img src=3.jpg alt=Three>")
        yield site


def page(site: Site, path: str, body: str, version: str = "1", **more: Any) -> None:
    site.say(path, body, headers=[("ETag", f'"{version}"')], **more)


class Visitor:
    """Crawls a site again and again, for one project."""

    def __init__(self, house: House, site: Site, project_id: UUID | None = None) -> None:
        self.house, self.site = house, site
        self.project_id = project_id
        self.crawl_id: UUID | None = None
        self.said: list[Any] = []

    async def crawl(self, path: str = "/", kind: Any = "page", *, previous_id: UUID | None = None) -> None:
        """Crawl to the end, and keep what was said of it."""
        seeds = (Seed(url=f"{self.site.origin}{path}", kind=kind),)
        of = lineage(uuid7()) | ({"project_id": self.project_id} if self.project_id else {})
        command = CrawlSite(**of, seeds=seeds, scope=CrawlScope(), previous_crawl_id=previous_id)
        self.crawl_id, self.site.asked, self.site.conditions = command.job_id, [], []
        async with crawling(self.site) as crawler:
            crafts = {"harvester": Harvester(crawler)}
            async with self.house.worker("scraper", works=WORKS, crafts=crafts):
                await self.house.say(command)
                await until(lambda: has_ended(self.house, command.job_id))
        self.said = await self.house.heard()

    async def crawl_again(self, path: str = "/", kind: Any = "page") -> None:
        await self.crawl(path, kind, previous_id=self.crawl_id)

    async def pages(self, kind: str = "page") -> dict[str, tuple[str, str | None]]:
        assert self.crawl_id
        told = await outcomes(self.house, self.crawl_id, kind)
        return {url.removeprefix(self.site.origin): outcome for url, outcome in told.items()}

    @property
    def found(self) -> list[str]:
        return sorted(one.url.removeprefix(self.site.origin) for one in self.said if isinstance(one, ImageFound))


async def test_what_has_not_changed_is_not_sent_again_and_what_it_leads_to_is_asked(house: House, site: Site) -> None:
    visitor = Visitor(house, site)
    await visitor.crawl()
    assert visitor.found == ["/0.jpg", "/1.jpg", "/2.jpg", "/3.jpg"]
    assert all(condition == {} for condition in site.conditions)
    page(site, "/c", "<img src=3.jpg><img src=4.jpg>", "2")
    await visitor.crawl_again()
    assert await visitor.pages() == {"/": UNCHANGED, "/a": UNCHANGED, "/b": UNCHANGED, "/c": READ}
    assert visitor.found == ["/4.jpg"]
    assert site.conditions.count({"If-None-Match": '"1"'}) == 4
    assert [one.url for one in visitor.said if isinstance(one, PageScraped)] == [f"{site.origin}/c"]
    lines = [line for one in visitor.said if isinstance(one, UrlsAccounted) for line in one.lines]
    assert sorted((line.url.removeprefix(site.origin), line.code) for line in lines if line.kind == "page") == [
        ("/", "unchanged"),
        ("/a", "unchanged"),
        ("/b", "unchanged"),
        ("/c", None),
    ]
    await visitor.crawl_again()
    assert set((await visitor.pages()).values()) == {UNCHANGED}
    assert visitor.found == []


async def test_a_page_that_two_have_shown_is_asked_while_one_of_them_shows_it(house: House, site: Site) -> None:
    visitor = Visitor(house, site)
    await visitor.crawl()
    page(site, "/a", "<img src=1.jpg>", "2")
    await visitor.crawl_again()
    assert (await visitor.pages())["/c"] == UNCHANGED
    page(site, "/b", "<img src=2.jpg>", "2")
    await visitor.crawl_again()
    assert "/c" not in await visitor.pages()


async def test_an_image_that_was_refused_is_tried_again_though_its_page_has_not_changed(
    house: House, site: Site
) -> None:
    visitor = Visitor(house, site)
    await visitor.crawl()
    await house.admin.execute("UPDATE scraper.crawl_urls SET outcome = 'refused' WHERE url LIKE '%/3.jpg'")
    await visitor.crawl_again()
    [again] = [one for one in visitor.said if isinstance(one, ImageFound)]
    assert (again.url, again.context.alt) == (f"{site.origin}/3.jpg", "Three")


async def test_lists_are_remembered_as_pages_are(house: House, site: Site) -> None:
    urls = "".join(f"<url><loc>{site.origin}{path}</loc></url>" for path in ("/c", "/a"))
    page(site, "/map.xml", f"<urlset>{urls}</urlset>", content_type="application/xml")
    visitor = Visitor(house, site)
    await visitor.crawl("/map.xml", "sitemap")
    await visitor.crawl_again("/map.xml", "sitemap")
    assert await visitor.pages("sitemap") == {"/map.xml": UNCHANGED}
    assert await visitor.pages() == {"/a": UNCHANGED, "/c": UNCHANGED}


async def test_whoever_crawls_for_the_first_time_and_other_projects_are_sent_all(house: House, site: Site) -> None:
    visitor = Visitor(house, site)
    await visitor.crawl()
    first = visitor.crawl_id
    await visitor.crawl()
    assert set((await visitor.pages()).values()) == {READ}
    stranger = Visitor(house, site, UUID(int=7))
    await stranger.crawl(previous_id=first)
    assert set((await stranger.pages()).values()) == {READ}
    assert stranger.found == ["/0.jpg", "/1.jpg", "/2.jpg", "/3.jpg"]
    assert all(condition == {} for condition in site.conditions)


@pytest.mark.parametrize("harm", ["gave = '\\x00'", "gave = substr(gave, 1, 20)", "recipe = 'harvest.0'"])
async def test_what_is_kept_and_cannot_be_read_is_asked_for_anew(house: House, site: Site, harm: str) -> None:
    visitor = Visitor(house, site)
    await visitor.crawl("/a")
    await house.admin.execute(f"UPDATE scraper.memories SET {harm}")
    await visitor.crawl_again("/a")
    assert await visitor.pages() == {"/a": READ, "/c": READ}


async def test_an_unasked_for_word_that_nothing_has_changed_is_not_believed(house: House, site: Site) -> None:
    site.say("/", status=304)
    visitor = Visitor(house, site)
    await visitor.crawl()
    assert await visitor.pages() == {"/": ("refused", "http_304")}


def test_only_so_much_is_kept_and_only_of_what_has_a_version() -> None:
    assert memory_of(NO_VALIDATORS, b"page") is None
    kept = memory_of(Validators('"1"'), b"page" * 100_000)
    assert kept
    assert kept.unpacked() == b"page" * 100_000
    assert memory_of(Validators('"1"'), UUID(int=1).bytes * 5_000_000) is None, "too much when it is unpacked"
    with pytest.raises(ValueError, match="damaged"):
        Memory(Validators('"1"'), b"nothing that was packed").unpacked()


async def test_a_page_whose_headers_ask_not_to_be_followed_leads_nowhere(house: House, site: Site) -> None:
    site.say("/", "<a href=/a>x</a><img src=0.jpg>", headers=[("X-Robots-Tag", "nofollow")])
    visitor = Visitor(house, site)
    await visitor.crawl()
    assert await visitor.pages() == {"/": READ}
    assert visitor.found == ["/0.jpg"]
