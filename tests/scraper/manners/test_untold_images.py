"""Images whose site cannot tell its rules now are not lost: it is asked again, and the page is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contracts.envelope import Command
from contracts.jobs import JobChildrenNamed, JobFailed
from contracts.media import FetchMedia
from contracts.scraper import (
    AskRobots,
    ContinueCrawl,
    CrawlScope,
    CrawlSite,
    ImageFound,
    ImportManifest,
    ManifestRow,
    PageScraped,
    RetryCrawl,
    ScrapePages,
    Seed,
    UrlsAccounted,
)
from services.scraper.handlers import (
    ask_robots,
    continue_crawl,
    crawl_site,
    import_manifest,
    permits,
    retry_crawl,
    scrape_pages,
)
from services.scraper.manners import SharedBooks
from services.scraper.sources import Harvester
from shared.identifiers import uuid7
from tests.living import House, lineage, until
from tests.scraper.manners.processes import with_one_book
from tests.scraper.site import Site, crawling
from tests.scraper.test_crawls import outcomes

WORKS: Any = {
    ScrapePages: scrape_pages,
    ImportManifest: import_manifest,
    CrawlSite: crawl_site,
    ContinueCrawl: continue_crawl,
    RetryCrawl: retry_crawl,
    AskRobots: ask_robots,
}
WAITS = ("refused", "robots_unavailable")
FOUND = ("found", None)
CLOSED = "User-agent: *\nDisallow: /closed/"


class Trial:
    """A site whose pages show images of a shelf, a site that cannot tell its rules at first."""

    def __init__(self, house: House, site: Site, shelf: Site) -> None:
        self.house, self.site, self.shelf = house, site, shelf
        self.said: list[Any] = []
        shelf.say("/robots.txt", status=503)

    def show(self, path: str, *images: str, **more: Any) -> None:
        sources = "".join(f"<img srcset='{image}'>" for image in images)
        self.site.say(path, f"<title>Hall</title>{sources}", **more)

    async def obey(self, command: Command) -> None:
        """Say a command, and wait until nothing is left to do but to wait."""
        await self.house.say(command)
        await until(lambda: self.house.value("SELECT count(*) FROM scraper.tasks WHERE id = $1", command.job_id))
        await self.rest()

    async def rest(self) -> None:
        await until(self._rests)
        self.said += await self.house.heard()

    async def _rests(self) -> bool:
        open_work = await self.house.value(
            """
            SELECT (SELECT count(*) FROM scraper.tasks
                    WHERE state = 'in_progress' OR (state = 'pending' AND run_at <= now() + interval '2 s'))
                 + (SELECT count(*) FROM scraper.outbox)
            """
        )
        return not open_work

    async def pass_time(self) -> None:
        """Let those that wait for the shelf ask it again now."""
        await self.house.admin.execute("UPDATE scraper.robots SET expires_at = now() WHERE failure IS NOT NULL")
        await self.house.admin.execute("UPDATE scraper.hosts SET open_until = NULL, blocks = 0, next_at = now()")
        await self.house.admin.execute("UPDATE scraper.tasks SET run_at = now() WHERE state = 'pending'")
        await self.rest()

    @property
    def found(self) -> list[str]:
        return [one.url for one in self.said if isinstance(one, ImageFound)]

    @property
    def lines(self) -> list[tuple[str, str, str | None]]:
        lines = (line for one in self.said if isinstance(one, UrlsAccounted) for line in one.lines)
        return [(line.url, line.outcome, line.code) for line in lines if line.kind == "image"]

    @property
    def waiting(self) -> Any:
        return self.house.value("SELECT count(*) FROM scraper.untold_images")


@asynccontextmanager
async def obeying(house: House, site: Site, shelf: Site, book: SharedBooks) -> AsyncIterator[None]:
    async with crawling(site, shelf, books=book) as crawler:
        crafts = {"crawler": crawler, "books": book, "harvester": Harvester(crawler)}
        async with house.worker("scraper", works=WORKS, crafts=crafts):
            yield


@pytest.fixture
async def trial(house: House) -> AsyncIterator[Trial]:
    async with Site() as site, Site() as shelf, with_one_book(house, 1) as (book,):
        trial = Trial(house, site, shelf)
        async with obeying(house, site, shelf, book):
            yield trial


async def test_images_of_a_page_are_found_once_their_site_has_told_and_the_page_is_asked_once(trial: Trial) -> None:
    a, closed = f"{trial.shelf.origin}/a.jpg", f"{trial.shelf.origin}/closed/b.jpg"
    trial.show("/", "/own.jpg", f"{a} 9w, /small.jpg 1w", closed)
    command = ScrapePages(**lineage(), urls=(f"{trial.site.origin}/",))
    await trial.obey(command)
    assert trial.found == [f"{trial.site.origin}/own.jpg"]
    [page] = [one for one in trial.said if isinstance(one, PageScraped)]
    assert (page.images_found, page.images_skipped) == (1, 2)
    assert {one.url: one.code for one in page.skipped} == dict.fromkeys((a, closed), "robots_unavailable")
    assert await trial.waiting == 2

    trial.shelf.say("/robots.txt", CLOSED)
    await trial.pass_time()
    assert trial.found == [f"{trial.site.origin}/own.jpg", a]
    assert trial.lines == [(a, *FOUND), (closed, "refused", "robots_disallowed")]
    assert (await trial.waiting, trial.site.times_asked("/")) == (0, 1)
    late = next(one for one in trial.said if isinstance(one, ImageFound) and one.url == a)
    assert (late.context.page_url, late.context.page_title) == (f"{trial.site.origin}/", "Hall")
    assert late.root_job_id == command.job_id
    assert late.alternatives == (f"{trial.site.origin}/small.jpg",)
    named = {
        child.job_id: child.kind for one in trial.said if isinstance(one, JobChildrenNamed) for child in one.children
    }
    fetches = {one.fetch_job_id: FetchMedia.wire_name for one in trial.said if isinstance(one, ImageFound)}
    assert named == {late.job_id: AskRobots.wire_name, **fetches}, "the tree is known to its end"


async def test_a_page_whose_images_wait_does_not_count_as_seen(trial: Trial) -> None:
    trial.show("/", f"{trial.shelf.origin}/a.jpg", headers=[("ETag", '"1"')])
    for _ in range(2):
        await trial.obey(ScrapePages(**lineage(), urls=(f"{trial.site.origin}/",), only_changed=True))
    assert trial.site.times_asked("/") == 2
    assert trial.site.conditions[-1] == {}


async def test_after_the_last_attempt_smaller_candidates_elsewhere_are_taken_and_the_others_are_refused(
    trial: Trial,
) -> None:
    large, lone, small = f"{trial.shelf.origin}/a.jpg", f"{trial.shelf.origin}/b.jpg", f"{trial.site.origin}/small.jpg"
    trial.show("/", f"{large} 9w, {small} 1w", lone)
    await trial.obey(ScrapePages(**lineage(), urls=(f"{trial.site.origin}/",)))
    for _ in range(3):
        assert trial.found == []
        await trial.pass_time()
    assert trial.found == [small]
    [failed] = [one for one in trial.said if isinstance(one, JobFailed)]
    assert (failed.kind, failed.code) == (AskRobots.wire_name, "robots_unavailable")
    assert trial.shelf.times_asked("/robots.txt") == 4
    assert await trial.waiting == 1, "whoever asks once more finds it"


@pytest.mark.parametrize("told_after", ["one attempt", "all attempts"])
async def test_each_image_of_a_crawl_has_one_line_that_is_true_in_the_end(trial: Trial, told_after: str) -> None:
    a, closed, own = f"{trial.shelf.origin}/a.jpg", f"{trial.shelf.origin}/closed/b.jpg", f"{trial.site.origin}/own.jpg"
    trial.show("/", "/own.jpg", a, closed)
    crawl = CrawlSite(**lineage(), seeds=(Seed(url=f"{trial.site.origin}/"),), scope=CrawlScope())
    await trial.obey(crawl)
    assert await outcomes(trial.house, crawl.job_id, "image") == {own: FOUND, a: WAITS, closed: WAITS}
    if told_after == "all attempts":
        for _ in range(3):
            await trial.pass_time()
        assert [one.code for one in trial.said if isinstance(one, JobFailed)] == ["robots_unavailable"]

    trial.shelf.say("/robots.txt", CLOSED)
    if told_after == "all attempts":
        await trial.house.admin.execute("UPDATE scraper.robots SET expires_at = now() WHERE failure IS NOT NULL")
        await trial.obey(RetryCrawl(**lineage(uuid7()), crawl_job_id=crawl.job_id))
    else:
        await trial.pass_time()
    assert await outcomes(trial.house, crawl.job_id, "image") == {
        own: FOUND,
        a: FOUND,
        closed: ("refused", "robots_disallowed"),
    }
    assert trial.found == [own, a]
    assert trial.site.times_asked("/") == 1
    counted = await trial.house.value("SELECT images_taken FROM scraper.crawls WHERE id = $1", crawl.job_id)
    assert counted == 2
    assert trial.lines[-2:] == [(a, *FOUND), (closed, "refused", "robots_disallowed")]


async def test_an_image_that_waits_is_found_once_also_where_a_later_page_shows_it(trial: Trial) -> None:
    image = f"{trial.shelf.origin}/a.jpg"
    trial.show("/", image)
    trial.show("/next", image)
    seeds = (Seed(url=f"{trial.site.origin}/"), Seed(url=f"{trial.site.origin}/next"))
    crawl = CrawlSite(**lineage(), seeds=seeds, scope=CrawlScope())
    await trial.obey(crawl)
    assert await outcomes(trial.house, crawl.job_id, "image") == {image: WAITS}
    trial.shelf.say("/robots.txt", CLOSED)
    await trial.pass_time()
    await trial.obey(RetryCrawl(**lineage(uuid7()), crawl_job_id=crawl.job_id))
    assert trial.found == [image]


async def test_a_crawl_takes_no_more_images_than_it_may_also_where_they_waited(trial: Trial) -> None:
    images = [f"{trial.shelf.origin}/{number}.jpg" for number in range(3)]
    trial.show("/", *images)
    seeds = (Seed(url=f"{trial.site.origin}/"),)
    crawl = CrawlSite(**lineage(), seeds=seeds, scope=CrawlScope(max_images=2))
    await trial.obey(crawl)
    trial.shelf.say("/robots.txt", CLOSED)
    await trial.pass_time()
    ends = list((await outcomes(trial.house, crawl.job_id, "image")).values())
    assert sorted(ends, key=str) == [FOUND, FOUND, ("refused", "image_limit")]
    assert len(trial.found) == 2


async def test_two_spellings_of_one_file_of_which_one_is_closed_are_one_image(trial: Trial) -> None:
    small = f"{trial.shelf.origin}/m/a.jpg"
    trial.show("/", f"{small}?utm_source=feed")
    trial.show("/next", f"{trial.shelf.origin}/orig/a.jpg 4000w, {small} 800w")
    seeds = (Seed(url=f"{trial.site.origin}/"), Seed(url=f"{trial.site.origin}/next"))
    crawl = CrawlSite(**lineage(), seeds=seeds, scope=CrawlScope())
    await trial.obey(crawl)
    trial.shelf.say("/robots.txt", "User-agent: *\nDisallow: /*?\nDisallow: /orig/")
    await trial.pass_time()
    assert trial.found == [small]
    assert (await outcomes(trial.house, crawl.job_id, "image"))[f"{small}?utm_source=feed"] == FOUND
    assert await trial.waiting == 0


async def test_however_many_images_wait_for_a_site_few_are_taken_at_a_time(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permits, "_IMAGES_AT_ONCE", 2)
    images = [f"{trial.shelf.origin}/{number}.jpg" for number in range(5)]
    trial.show("/", *images)
    crawl = CrawlSite(**lineage(), seeds=(Seed(url=f"{trial.site.origin}/"),), scope=CrawlScope())
    await trial.obey(crawl)
    trial.shelf.say("/robots.txt", CLOSED)
    await trial.pass_time()
    assert sorted(trial.found) == images
    assert await trial.waiting == 0
    asked = await trial.house.value("SELECT count(*) FROM scraper.tasks WHERE kind = $1", AskRobots.wire_name)
    assert asked == 3
    assert trial.shelf.times_asked("/robots.txt") == 2


async def test_an_image_that_waits_for_another_site_keeps_none_of_its_own(trial: Trial) -> None:
    """One candidate is closed here, and the next lies where nobody can tell."""
    a, closed = f"{trial.shelf.origin}/a.jpg", f"{trial.shelf.origin}/closed/b.jpg"
    trial.show("/", a, f"{closed} 4000w, {trial.site.origin.replace('http:', 'https:')}/b.jpg 800w")
    crawl = CrawlSite(**lineage(), seeds=(Seed(url=f"{trial.site.origin}/"),), scope=CrawlScope())
    await trial.obey(crawl)
    trial.shelf.say("/robots.txt", CLOSED)
    await trial.pass_time()
    assert trial.found == [a]
    assert await trial.waiting == 1


async def test_images_that_lists_name_are_asked_for_as_those_of_pages(trial: Trial) -> None:
    trial.shelf.say("/robots.txt", CLOSED)
    images = [f"{trial.shelf.origin}/{path}.jpg" for path in ("closed/a", "b")]
    entries = "".join(f"<image:image><image:loc>{image}</image:loc></image:image>" for image in images)
    names = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
    body = f"<urlset {names}><url><loc>{trial.site.origin}/</loc>{entries}</url></urlset>"
    trial.site.say("/map.xml", body, content_type="application/xml")
    crawl = CrawlSite(**lineage(), seeds=(Seed(url=f"{trial.site.origin}/map.xml", kind="sitemap"),))
    await trial.obey(crawl)
    assert trial.found == [images[1]]
    assert await outcomes(trial.house, crawl.job_id, "image") == {
        images[0]: ("skipped", "robots_disallowed"),
        images[1]: FOUND,
    }
    assert trial.shelf.asked == ["/robots.txt"]


async def test_rows_that_a_person_named_are_asked_of_nobody(trial: Trial) -> None:
    trial.shelf.say("/robots.txt", CLOSED)
    image = f"{trial.shelf.origin}/closed/a.jpg"
    await trial.obey(ImportManifest(**lineage(), rows=(ManifestRow(fetch_job_id=uuid7(), url=image),)))
    assert trial.found == [image]
    assert trial.shelf.asked == []
