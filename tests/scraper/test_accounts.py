"""For every URL that was seen it is known what became of it, and only what failed is asked again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.jobs import JobCancelled, JobCompleted, JobFailed
from contracts.media import FetchMedia, MediaRejected, MediaStored
from contracts.scraper import ContinueCrawl, CrawlSite, ImageFound, RetryCrawl, ScheduleCrawl, Seed
from services.scraper.handlers import (
    REACTIONS,
    continue_crawl,
    crawl_site,
    retry_crawl,
    schedule_crawl,
    schedules,
)
from services.scraper.handlers.accounts import account, line_of
from services.scraper.handlers.schedules import begin_due
from services.scraper.sources import Harvester
from services.scraper.store import crawls
from services.scraper.store.accounts import Fate, update_lines_of_fetches
from services.scraper.store.crawls import Line
from shared.database import Connection, open_pool
from tests.living import House, lineage, until
from tests.scraper.site import Site, crawling
from tests.scraper.test_crawls import crawled, outcomes

WORKS: Any = {
    CrawlSite: crawl_site,
    ContinueCrawl: continue_crawl,
    RetryCrawl: retry_crawl,
    ScheduleCrawl: schedule_crawl,
}
HEARS: Any = REACTIONS


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


def stored(found: ImageFound, **more: Any) -> MediaStored:
    sha256 = "a" * 64
    lineage = found.child_lineage(found.fetch_job_id)
    size: dict[str, Any] = {"size_bytes": 1, "width_px": 1, "height_px": 1, "content_type": "image/png"}
    return MediaStored(
        **lineage, **size, asset_id=uuid4(), subject_version=1, sha256=sha256, original_key="k", renditions=(), **more
    )


async def test_what_media_says_of_an_image_is_its_line(house: House, site: Site) -> None:
    site.say("/", "".join(f"<img src={name}.jpg>" for name in ("new", "known", "bad", "lost", "gone")))
    crawl_id, said = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    found = {one.url.rpartition("/")[2]: one for one in said if isinstance(one, ImageFound)}
    bad, lost, gone = found["bad.jpg"], found["lost.jpg"], found["gone.jpg"]
    news = {"kind": FetchMedia.wire_name, "service": "media", "lease_epoch": 1, "sequence": 2, "attempt": 4}
    now = datetime.now(UTC)
    async with house.worker("scraper", hears=HEARS):
        for fact in (
            stored(found["new.jpg"]),
            stored(found["known.jpg"], already_stored=True),
            MediaRejected(**bad.child_lineage(bad.fetch_job_id), url=bad.url, code="image_truncated", sentence="Half."),
            JobFailed(**lost.child_lineage(lost.fetch_job_id), **news, at=now, code="http_500", sentence="Away."),
            JobCancelled(**gone.child_lineage(gone.fetch_job_id), **news, at=now),
            # An attempt that was thought lost: the image is stored, and stays so.
            JobFailed(
                **found["new.jpg"].child_lineage(found["new.jpg"].fetch_job_id), **news, at=now, code="x1", sentence="X"
            ),
        ):
            await house.say(fact)

        async def heard() -> bool:
            return len(await house.rows("SELECT FROM scraper.inbox")) >= 6

        await until(heard)
    lines = await outcomes(house, crawl_id, "image")
    assert {url.rpartition("/")[2]: line for url, line in lines.items()} == {
        "new.jpg": ("stored", None),
        "known.jpg": ("duplicate", "duplicate_image"),
        "bad.jpg": ("refused", "image_truncated"),
        "lost.jpg": ("refused", "http_500"),
        "gone.jpg": ("refused", "cancelled"),
    }


async def test_what_media_says_of_other_sources_costs_the_scraper_nothing(house: House) -> None:
    size: dict[str, Any] = {"size_bytes": 1, "width_px": 1, "height_px": 1, "content_type": "image/png"}
    known: dict[str, Any] = {"subject_version": 1, "sha256": "a" * 64, "original_key": "k", "renditions": ()}
    upload = MediaStored(**lineage(), **size, **known, asset_id=uuid4())
    found = upload.model_copy(update={"parent_job_id": uuid4()})
    async with house.worker("scraper", hears=HEARS):
        await house.say(upload)
        message_id = await house.say(found)
        await until(lambda: house.value("SELECT count(*) FROM scraper.inbox WHERE message_id = $1", message_id))
    assert await house.value("SELECT count(*) FROM scraper.inbox") == 1


async def test_news_of_images_and_a_page_that_shows_them_again_do_not_wait_for_each_other(house: House) -> None:
    """Whoever notes what a page shows meets its images in the page's order, and media's news come in another."""
    async with two_connections(house) as (step, media):
        crawl_id = uuid4()
        await crawls.insert_crawl(step, crawl_id, uuid4(), scope={}, seeds=[])
        images = [
            Line("image", bytes([number]), f"https://example.org/{number}", 0, "found", fetch_job_id=uuid4())
            for number in range(9)
        ]
        await crawls.insert_lines(step, crawl_id, images, found_on=None, job_id=uuid4())
        fates = [Fate(one.fetch_job_id, "stored") for one in images if one.fetch_job_id]
        for first, then in ((images[0], images[-1]), (images[-1], images[0])):
            async with step.transaction():
                await crawls.select_crawl(step, crawl_id)
                await crawls.insert_lines(step, crawl_id, [first], found_on=None, job_id=uuid4())
                hearing = asyncio.create_task(update_lines_of_fetches(media, fates))
                await until(lambda: waits_for_a_lock(house))
                await crawls.insert_lines(step, crawl_id, [then], found_on=None, job_id=uuid4())
            await hearing
            await house.admin.execute("UPDATE scraper.crawl_urls SET outcome = 'found'")


@asynccontextmanager
async def two_connections(house: House) -> AsyncIterator[tuple[Connection, Connection]]:
    pool = await open_pool(house.servers.database_url("scraper"), size=2, application_name="two")
    try:
        async with pool.acquire() as one, pool.acquire() as other:
            yield one, other
    finally:
        await pool.close()


async def waits_for_a_lock(house: House) -> bool:
    return bool(
        await house.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'two' AND wait_event_type = 'Lock'"
        )
    )


async def test_only_what_failed_is_asked_again(house: House, site: Site) -> None:
    site.say("/", "<a href=/gone>x</a><a href=/there>x</a>")
    site.say("/there", "<img src=a.jpg>")
    crawl_id, _ = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    assert (await outcomes(house, crawl_id, "page"))[f"{site.origin}/gone"] == ("refused", "http_404")
    site.say("/gone", "<img src=a.jpg><img src=b.jpg>")
    said = await obeyed(house, site, RetryCrawl(**lineage(), crawl_job_id=crawl_id))
    assert [one.url for one in said if isinstance(one, ImageFound)] == [f"{site.origin}/b.jpg"]
    assert {path: site.times_asked(path) for path in ("/", "/gone", "/there")} == {"/": 1, "/gone": 2, "/there": 1}
    assert set((await outcomes(house, crawl_id, "page")).values()) == {("read", None)}


async def test_nobody_retries_the_crawl_of_another_project(house: House, site: Site) -> None:
    crawl_id, _ = await crawled(house, site, seeds=[Seed(url=f"{site.origin}/")])
    stranger = RetryCrawl(**lineage() | {"project_id": uuid4()}, crawl_job_id=crawl_id)
    await obeyed(house, site, stranger)
    assert await house.value("SELECT error_code FROM scraper.tasks WHERE id = $1", stranger.job_id) == "crawl_unknown"
    assert site.times_asked("/") == 1


async def obeyed(house: House, site: Site, command: Any) -> list[Any]:
    async with crawling(site) as crawler:
        crafts = {"harvester": Harvester(crawler)}
        async with house.worker("scraper", works=WORKS, crafts=crafts):
            await house.say(command)
            await until(lambda: was_taken(house, command.job_id))
            await until(lambda: has_ended_at_all(house))
    return await house.heard()


async def was_taken(house: House, job_id: UUID) -> bool:
    return bool(await house.value("SELECT count(*) FROM scraper.tasks WHERE id = $1", job_id))


async def has_ended_at_all(house: House) -> bool:
    return not await house.value(
        "SELECT (SELECT count(*) FROM scraper.tasks WHERE state IN ('pending', 'in_progress'))"
        "     + (SELECT count(*) FROM scraper.outbox)"
    )


async def test_a_schedule_crawls_again_and_finds_only_what_is_new(house: House, site: Site) -> None:
    site.say("/", "<img src=a.jpg>")
    seeds = (Seed(url=f"{site.origin}/"),)
    command = ScheduleCrawl(**lineage(), name="daily", every_minutes=60, seeds=seeds)
    async with crawling(site) as crawler:
        async with house.worker("scraper", works=WORKS, crafts={"harvester": Harvester(crawler)}) as worker:
            await house.say(command)
            await until(lambda: was_taken(house, command.job_id))
            await until(lambda: has_ended_at_all(house))
            for occurrence in (1, 2, 3):
                async with worker.bus.transaction() as tx:
                    await begin_due(tx)
                async with worker.bus.transaction() as tx:
                    await begin_due(tx)  # it is not due any more
                await until(lambda: has_ended_at_all(house))
                assert site.times_asked("/") == occurrence
                site.say("/", f"<img src=a.jpg><img src={occurrence}.jpg>")
                await house.admin.execute("UPDATE scraper.schedules SET next_at = next_at - interval '3 hours'")
            await house.say(ScheduleCrawl(**lineage(), name="daily", every_minutes=None, seeds=seeds))

            async def was_ended() -> bool:
                return not await house.value("SELECT count(*) FROM scraper.schedules")

            await until(was_ended)
            async with worker.bus.transaction() as tx:
                await begin_due(tx)
        said = await house.heard()
    assert site.times_asked("/") == 3
    found = [one.url.rpartition("/")[2] for one in said if isinstance(one, ImageFound)]
    assert sorted(found) == ["1.jpg", "2.jpg", "a.jpg"]
    roots = {one.root_job_id for one in said if isinstance(one, JobCompleted) and one.kind == CrawlSite.wire_name}
    assert len(roots) == 3, "each time is a job of its own"
    codes = await house.rows("SELECT code FROM scraper.crawl_urls WHERE outcome = 'duplicate'")
    assert {row["code"] for row in codes} == {"found_before"}


async def test_a_project_has_so_many_schedules_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "SCHEDULES_LIMIT", 1)
    about: dict[str, Any] = {"every_minutes": 60, "seeds": (Seed(url="https://example.org/"),)}
    project = lineage()["project_id"]
    asked = [ScheduleCrawl(**lineage() | {"project_id": project}, name=name, **about) for name in ("a", "a", "b")]
    async with house.worker("scraper", works={ScheduleCrawl: schedule_crawl}):
        for command in asked:
            await house.say(command)
            await until(partial(was_taken, house, command.job_id))
            await until(lambda: has_ended_at_all(house))
    ends = await house.rows("SELECT error_code FROM scraper.tasks ORDER BY created_at")
    assert [row["error_code"] for row in ends] == [None, None, "schedules_too_many"]


async def test_a_schedule_waits_for_the_crawl_that_it_began_before(house: House) -> None:
    command = ScheduleCrawl(**lineage(), name="daily", every_minutes=60, seeds=(Seed(url="https://example.org/"),))
    async with house.worker("scraper", works={ScheduleCrawl: schedule_crawl}) as worker:
        await house.say(command)
        await until(lambda: was_taken(house, command.job_id))
        await until(lambda: has_ended_at_all(house))
        for _ in range(2):
            async with worker.bus.transaction() as tx:
                await begin_due(tx)  # nobody here obeys it
            await house.admin.execute("UPDATE scraper.schedules SET next_at = now()")
        assert await house.value("SELECT count(*) FROM scraper.tasks WHERE state = 'pending'") == 1


def test_lines_are_told_in_messages_that_are_small_enough() -> None:
    said: list[Any] = []

    class Listening:
        def say(self, message: Any) -> None:
            said.append(message)

    url = "https://example.org/" + "a" * 4000
    lines = [line_of("page", f"{url}{number}", "read", found_on=url) for number in range(100)]
    lines += [line_of("page", f"https://example.org/{number}", "read") for number in range(450)]
    command = CrawlSite(**lineage(), seeds=(Seed(url="https://example.org/"),))
    account(Listening(), command, uuid4(), lines)  # type: ignore[arg-type]
    assert [line for one in said for line in one.lines] == lines
    assert max(len(one.model_dump_json()) for one in said) < 200 * 1024
    assert len(said) < 15
