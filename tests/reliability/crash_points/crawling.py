"""What the scraper reads beside single pages: a crawl and its retry, a manifest, and a schedule that is ended again."""

from typing import Final
from uuid import UUID

from contracts.scraper import (
    CrawlScope,
    CrawlSite,
    ReadManifest,
    RetryCrawl,
    ScheduleCrawl,
    ScrapePages,
    Seed,
)
from tests.reliability.crash_points.hands import Hands, lineage
from tests.reliability.crash_points.site import DESK, GUARDED, HALL, HALL_PAGES, NOWHERE, ROOM
from tests.reliability.crash_points.voice import same_id

_EVERY_MINUTES: Final = 60  # the next time is after the end of any round
_ENDED: Final = "SELECT count(*) > 0 AND bool_and(state = 'completed') FROM scraper.tasks WHERE root_job_id = $1"


async def crawl_a_hall_and_ask_again(hands: Hands) -> None:
    """Meet all that a crawl can meet: a redirect, a page that is away at first, one that is gone, and its limits."""
    crawl = CrawlSite(
        **lineage("crawl"),
        seeds=(Seed(url=hands.site.url_of(HALL)),),
        scope=CrawlScope(max_pages=HALL_PAGES, max_images=1),
    )
    await hands.voice.say(crawl)
    await hands.until(_ENDED, crawl.job_id)
    again = RetryCrawl(**lineage("crawl again"), crawl_job_id=crawl.job_id)
    await hands.voice.say(again)
    await hands.until(_ENDED, again.job_id)


async def read_a_manifest(hands: Hands) -> None:
    key = f"uploads/{same_id('manifest')}"
    body = f"url,caption\n{hands.site.url_of(NOWHERE)}/listed.jpg,Nowhere\nno link,None\n"
    await hands.s3.put_object(Bucket=hands.bucket, Key=key, Body=body.encode())
    await hands.voice.say(ReadManifest(**lineage("manifest"), object_key=key))


async def read_a_manifest_that_breaks_off(hands: Hands) -> None:
    """Find an image in what stands before a row without end."""
    key = f"uploads/{same_id('broken manifest')}"
    body = f"url\n{hands.site.url_of(NOWHERE)}/before.jpg\n" + '"' + "never closed\n" * 100_000
    await hands.s3.put_object(Bucket=hands.bucket, Key=key, Body=body.encode())
    broken = ReadManifest(**lineage("broken manifest"), object_key=key)
    await hands.voice.say(broken)
    await hands.until("SELECT count(*) > 0 FROM scraper.tasks WHERE id = $1 AND state = 'failed'", broken.job_id)


async def crawl_by_schedule_and_end_it(hands: Hands) -> None:
    seeds = (Seed(url=hands.site.url_of(ROOM)),)
    await hands.voice.say(ScheduleCrawl(**lineage("schedule"), name="often", every_minutes=_EVERY_MINUTES, seeds=seeds))
    begun = "SELECT (SELECT last_crawl_id FROM scraper.schedules WHERE name = 'often')"
    crawl_id: UUID = await hands.until(begun)
    await hands.until(_ENDED, crawl_id)
    await hands.voice.say(ScheduleCrawl(**lineage("schedule no more"), name="often", seeds=seeds))
    await hands.until("SELECT NOT EXISTS (SELECT FROM scraper.schedules)")


async def look_twice_at_a_page_that_does_not_change(hands: Hands) -> None:
    """Ask for it by itself, and then in a crawl and in the one that follows it."""
    desk = hands.site.url_of(DESK)
    for time in ("first", "second"):
        looked = ScrapePages(**lineage(f"{time} look"), urls=(desk,), only_changed=True)
        await hands.voice.say(looked)
        await hands.until(_ENDED, looked.job_id)
    before: UUID | None = None
    for time in ("first", "second"):
        walked = CrawlSite(**lineage(f"{time} walk"), seeds=(Seed(url=desk),), previous_crawl_id=before)
        await hands.voice.say(walked)
        await hands.until(_ENDED, walked.job_id)
        before = walked.job_id


async def crawl_what_has_to_be_asked_for_again(hands: Hands) -> None:
    """Find an image whose site can never tell its rules; after the last attempt a smaller file takes its place."""
    crawl = CrawlSite(**lineage("guarded"), seeds=(Seed(url=hands.site.url_of(GUARDED)),))
    await hands.voice.say(crawl)
    hurried = """
        WITH hurried AS (
            UPDATE scraper.tasks SET run_at = now()
            WHERE root_job_id = $1 AND state = 'pending' AND error_code = 'robots_unavailable' AND run_at > now()
        )
    """
    await hands.until(f"{hurried} {_ENDED}", crawl.job_id)


async def cancel_a_page_whose_site_cannot_tell_its_rules(hands: Hands) -> None:
    """Ask over TLS who speaks none: whether robots are welcome there nobody knows."""
    url = hands.site.url_of(ROOM).replace("http://", "https://")
    job_id = UUID((await hands.gateway.post("/scrapes", {"url": url}))["id"])
    told = "SELECT count(*) FROM scraper.tasks WHERE id = $1 AND error_code = 'robots_unavailable'"
    await hands.until(told, job_id)
    await hands.gateway.post(f"/jobs/{job_id}/cancel", {})
    await hands.until("SELECT state = 'cancelled' FROM scraper.tasks WHERE id = $1", job_id)
