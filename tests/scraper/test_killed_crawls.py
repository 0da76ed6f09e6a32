"""A scraper is killed in the middle of a crawl, again and again: no page is fetched twice, no image found twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from contracts.scraper import CrawlScope, CrawlSite, ImageFound, Seed
from tests.living import House, lineage, until
from tests.scraper.large_site import LargeSite

PAGES, KILLS = 60, 3
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def scraper(house: House, site: LargeSite) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the service as a process of its own; it is killed at the end, if nobody has done so."""
    store = house.servers.object_store
    environment = {
        **os.environ,
        "DATABASE_URL": house.servers.database_url("scraper"),
        "RABBITMQ_URL": house.servers.rabbitmq_url,
        "OUTBOUND_ALLOW": f"127.0.0.1:{site.port}",
        "S3_ENDPOINT_URL": store.endpoint_url,
        "S3_ACCESS_KEY_ID": store.access_key_id,
        "S3_SECRET_ACCESS_KEY": store.secret_access_key,
        "HOST_PAUSE_SECONDS": "0",
        "LEASE_SECONDS": "2",
        "HEARTBEAT_SECONDS": "0.5",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.scraper", env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_no_page_is_fetched_twice_and_every_image_is_found_once_however_often_the_scraper_dies(
    house: House,
) -> None:
    async with LargeSite(PAGES).opened() as site:
        command = CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/page/0"),), scope=CrawlScope(max_depth=20))
        await house.say(command)

        async def all_that_was_answered_is_recorded() -> bool:
            read = await house.value("SELECT count(*) FROM scraper.crawl_urls WHERE kind = 'page' AND outcome = 'read'")
            return site.waiting > 0 and read == site.answered.total()

        for kill in range(KILLS):
            site.close_door_after(13 + 5 * kill)
            async with scraper(house, site) as process:
                await until(all_that_was_answered_is_recorded, seconds=30)
                process.send_signal(signal.SIGKILL)
                await process.wait()
            site.open_door()
            await until(lambda: _nobody_waits(site))

        async def has_ended() -> bool:
            return not await house.value(
                "SELECT (SELECT count(*) FROM scraper.tasks WHERE state IN ('pending', 'in_progress'))"
                "     + (SELECT count(*) FROM scraper.outbox)"
            )

        async with scraper(house, site):
            await until(has_ended, seconds=60)
        assert site.answered == dict.fromkeys((f"/page/{number}" for number in range(PAGES)), 1)
        found = [one for one in await house.heard() if isinstance(one, ImageFound)]
        assert sorted(one.url for one in found) == sorted(site.image_urls)
        failed = await house.rows("SELECT kind, error_code FROM scraper.tasks WHERE state <> 'completed'")
        assert failed == [], "no step used up its attempts"


async def _nobody_waits(site: LargeSite) -> bool:
    return site.waiting == 0
