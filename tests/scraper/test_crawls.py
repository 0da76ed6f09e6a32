"""A site is crawled within its scope, and every URL that was seen is accounted for."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import JobChildrenNamed, JobCompleted
from contracts.media import FetchMedia
from contracts.scraper import (
    ContinueCrawl,
    CrawlScope,
    CrawlSite,
    ImageFound,
    PageScraped,
    Seed,
    UrlsAccounted,
)
from services.scraper.handlers import continue_crawl, crawl_site
from services.scraper.sources import Harvester
from tests.living import House, lineage, until
from tests.scraper.large_site import LargeSite
from tests.scraper.site import Site, crawling

WORKS: Any = {CrawlSite: crawl_site, ContinueCrawl: continue_crawl}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


async def crawled(house: House, *sites: Any, seeds: list[Seed], **scope: Any) -> tuple[UUID, list[Any]]:
    """Crawl to the end; give the crawl and what was said."""
    command = CrawlSite(**lineage(), seeds=tuple(seeds), scope=CrawlScope(**scope))
    async with crawling(*sites) as crawler:
        crafts = {"harvester": Harvester(crawler)}
        async with house.worker("scraper", works=WORKS, crafts=crafts):
            await house.say(command)
            await until(lambda: has_ended(house, command.job_id))
    return command.job_id, await house.heard()


async def has_ended(house: House, crawl_id: UUID) -> bool:
    begun = await house.value("SELECT count(*) FROM scraper.crawls WHERE id = $1", crawl_id)
    open_tasks = await house.value("SELECT count(*) FROM scraper.tasks WHERE state IN ('pending', 'in_progress')")
    unsaid = await house.value("SELECT count(*) FROM scraper.outbox")
    return bool(begun and not open_tasks and not unsaid)


async def outcomes(house: House, crawl_id: UUID, kind: str) -> dict[str, tuple[str, str | None]]:
    rows = await house.rows(
        "SELECT url, outcome, code FROM scraper.crawl_urls WHERE crawl_id = $1 AND kind = $2", crawl_id, kind
    )
    return {row["url"]: (row["outcome"], row["code"]) for row in rows}


async def test_every_page_of_a_site_is_asked_once_and_every_image_found_once(house: House) -> None:
    async with LargeSite(30).opened() as site:
        crawl_id, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/page/0")], max_depth=10)
        assert site.answered == dict.fromkeys((f"/page/{number}" for number in range(30)), 1)
        found = [one for one in said if isinstance(one, ImageFound)]
        assert sorted(one.url for one in found) == sorted(site.image_urls)
        assert {one.url for one in said if isinstance(one, PageScraped)} == site.page_urls
        named = {
            child.job_id
            for one in said
            if isinstance(one, JobChildrenNamed)
            for child in one.children
            if child.kind == FetchMedia.wire_name
        }
        assert named == {one.fetch_job_id for one in found}
        steps = {child.job_id for one in said if isinstance(one, JobChildrenNamed) for child in one.children} - named
        assert {one.job_id for one in said if isinstance(one, JobCompleted)} == {crawl_id, *steps}
        told = [line for one in said if isinstance(one, UrlsAccounted) for line in one.lines]
        assert len({(line.kind, line.url) for line in told}) == len(told), "one line for each URL"
        closed = f"{site.origin}/closed/0"
        assert {line.url: line.code for line in told if line.outcome == "refused"} == {closed: "robots_disallowed"}
        kept = await house.rows("SELECT kind, url, outcome, code FROM scraper.crawl_urls")
        assert {(row["kind"], row["url"], row["outcome"], row["code"]) for row in kept} == {
            (line.kind, line.url, line.outcome, line.code) for line in told
        }


async def test_a_crawl_stays_within_its_scope_and_says_of_each_url_why_it_was_not_asked(
    house: House, site: Site
) -> None:
    async with Site() as elsewhere:
        anchors = "".join(
            f"<a href='{href}'>x</a>"
            for href in ("/keep/1", "/keep/private/2", "/other", f"{elsewhere.origin}/", "mailto:a@b.c", "/keep/1#top")
        )
        site.say("/", f"{anchors}<a rel=nofollow href=/keep/hidden>x</a>")
        site.say("/keep/1", "<a href=/keep/deep>x</a><img src=a.jpg>")
        crawl_id, _ = await crawled(
            house,
            site,
            elsewhere,
            seeds=[Seed(url=f"{site.origin}/")],
            max_depth=1,
            include=["/keep/*"],
            exclude=["*/private/*"],
        )
        assert sorted(site.asked) == ["/", "/keep/1", "/robots.txt"]
        assert elsewhere.asked == []
        out = ("skipped", "out_of_scope")
        assert await outcomes(house, crawl_id, "page") == {
            f"{site.origin}/": ("read", None),
            f"{site.origin}/keep/1": ("read", None),
            f"{site.origin}/keep/private/2": out,
            f"{site.origin}/other": out,
            f"{site.origin}/keep/deep": out,
            f"{elsewhere.origin}/": out,
        }


async def test_a_crawl_takes_no_more_pages_and_images_than_it_was_allowed(house: House) -> None:
    async with LargeSite(30).opened() as site:
        crawl_id, said = await crawled(
            house, site, seeds=[Seed(url=f"{site.origin}/page/0")], max_pages=7, max_images=25
        )
        assert site.answered.total() <= 7
        pages = await outcomes(house, crawl_id, "page")
        assert sum(outcome in {"read", "refused"} for outcome, _ in pages.values()) == 7
        assert ("skipped", "page_limit") in pages.values()
        assert len([one for one in said if isinstance(one, ImageFound)]) == 25
        images = await outcomes(house, crawl_id, "image")
        assert list(images.values()).count(("found", None)) == 25
        assert list(images.values()).count(("skipped", "image_limit")) == len(images) - 25


async def test_a_redirect_leads_to_one_page_only(house: House, site: Site) -> None:
    site.say("/", "<a href=/old>x</a><a href=/older>x</a>")
    for path in ("/old", "/older"):
        site.say(path, status=301, headers=[("Location", "/new")])
    site.say("/new", "<img src=a.jpg>")
    crawl_id, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    pages = await outcomes(house, crawl_id, "page")
    assert sorted(pages[f"{site.origin}{path}"] for path in ("/old", "/older")) == [
        ("duplicate", "duplicate_page"),
        ("read", None),
    ]
    assert pages[f"{site.origin}/new"] == ("read", None)
    assert len([one for one in said if isinstance(one, ImageFound)]) == 1


async def test_a_page_that_is_away_for_now_is_asked_again_and_its_neighbours_do_not_wait(
    house: House, site: Site
) -> None:
    site.say("/", "<a href=/away>x</a><a href=/there>x</a>")
    site.say("/away", status=503, headers=[("Retry-After", "1")])
    site.say("/there", "<img src=a.jpg>")
    crawl_id, _ = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    assert site.times_asked("/away") == 4
    assert site.times_asked("/there") == 1
    assert (await outcomes(house, crawl_id, "page"))[f"{site.origin}/away"] == ("refused", "http_503")


async def test_a_page_that_asks_not_to_be_followed_leads_nowhere(house: House, site: Site) -> None:
    site.say("/", "<meta name=robots content=nofollow><a href=/next>x</a><img src=a.jpg>")
    _, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    assert "/next" not in site.asked
    assert len([one for one in said if isinstance(one, ImageFound)]) == 1


async def test_a_crawl_tells_of_pages_and_images_all_that_the_pages_say(house: House, site: Site) -> None:
    site.say("/", "<title>East</title><meta name=author content='Ann Lee'><h1>The hall</h1><img src=a.jpg>")
    _, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    [image] = [one.context for one in said if isinstance(one, ImageFound)]
    assert (image.heading, image.page_title, image.page_author) == ("The hall", "East", "Ann Lee")
    [page] = [one for one in said if isinstance(one, PageScraped)]
    assert (page.title, page.author, page.images_found) == ("East", "Ann Lee", 1)


async def test_what_one_page_gives_no_reason_to_take_is_taken_where_another_one_does(house: House, site: Site) -> None:
    site.say("/", "<a href=/1>x</a><img src=/a.jpg width=1 height=1>")
    site.say("/1", "<img src=/a.jpg width=600 height=400>")
    crawl_id, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    assert [one.url for one in said if isinstance(one, ImageFound)] == [f"{site.origin}/a.jpg"]
    assert await outcomes(house, crawl_id, "image") == {f"{site.origin}/a.jpg": ("found", None)}


async def test_a_site_that_names_pages_without_end_fills_no_disk(house: House, site: Site) -> None:
    site.say("/", "".join(f"<a href=/{number}>x</a>" for number in range(1000)) + "<img src=a.jpg>")
    crawl_id, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")], max_pages=2, max_images=1)
    pages = await outcomes(house, crawl_id, "page")
    assert len(pages) == 1 + 50 * 2 + 2 - 1
    assert await outcomes(house, crawl_id, "image") == {f"{site.origin}/a.jpg": ("found", None)}
    assert ("skipped", "page_limit") in pages.values()
    results = [one.result for one in said if isinstance(one, JobCompleted) and one.kind == ContinueCrawl.wire_name]
    assert sum(result.get("urls_left_out", 0) for result in results) >= 1000 - 102
