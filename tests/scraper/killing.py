"""A crawl of a large site by services that are killed in the middle, again and again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from contracts.scraper import CrawlScope, CrawlSite, Seed
from tests.living import House, lineage, until
from tests.scraper.large_site import LargeSite

ROOT = Path(__file__).resolve().parents[2]

_OPEN_WORK = """
    SELECT (SELECT count(*) FROM {0}.tasks WHERE state IN ('pending', 'in_progress'))
         + (SELECT count(*) FROM {0}.outbox)
"""
_ON_THE_WAY = """
    SELECT (SELECT count(*) FROM scraper.said WHERE routing_key = 'scraper.image_found')
         - (SELECT count(*) FROM media.tasks)
"""
_LET_LEASES_RUN_OUT = "UPDATE {0}.tasks SET lease_until = now() - interval '1 s' WHERE state = 'in_progress'"
_PAGES_READ = "SELECT count(*) FROM scraper.crawl_urls WHERE kind = 'page' AND outcome = 'read'"


@asynccontextmanager
async def process_of(service: str, house: House, site: LargeSite) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a service as a process of its own; it is killed at the end, if nobody has done so."""
    store = house.servers.object_store
    environment = {
        **os.environ,
        "DATABASE_URL": house.servers.database_url(service),
        "RABBITMQ_URL": house.servers.rabbitmq_url,
        "OUTBOUND_ALLOW": f"127.0.0.1:{site.port}",
        "S3_ENDPOINT_URL": store.endpoint_url,
        "S3_ACCESS_KEY_ID": store.access_key_id,
        "S3_SECRET_ACCESS_KEY": store.secret_access_key,
        "HOST_PAUSE_SECONDS": "0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", env=environment, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def crawl_and_kill(
    house: House, site: LargeSite, *, kills: int, services: Sequence[str] = ("scraper",), patience_seconds: float = 60
) -> None:
    """Crawl a site to its end; so many times all services are killed while pages that the scraper has asked for wait.

    They are killed when all pages that were answered are recorded: an answer that dies with who was given it has to be
    asked for again, by anybody. What media is at by then dies with it.
    """
    limits = CrawlScope(max_depth=100, max_pages=2 * site.pages)
    await house.say(CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/page/0"),), scope=limits))

    async def waits_with_all_recorded() -> bool:
        return site.waiting > 0 and await house.value(_PAGES_READ) == site.answered.total()

    async def all_have_left() -> bool:
        return site.still_there == 0

    async def nobody_waits() -> bool:
        return site.waiting == 0

    async def has_ended() -> bool:
        left = [await house.value(_OPEN_WORK.format(service)) for service in services]
        return not any(left) and ("media" not in services or await house.value(_ON_THE_WAY) == 0)

    for kill in range(kills):
        site.close_door_after(site.pages // (kills + 2) + kill)
        async with AsyncExitStack() as living:
            processes = [await living.enter_async_context(process_of(one, house, site)) for one in services]
            await until(waits_with_all_recorded, seconds=patience_seconds)
            for process in processes:
                process.send_signal(signal.SIGKILL)
        await until(all_have_left)  # otherwise it would answer, and count, who is dead and not yet missed
        for service in services:
            # Leases as short as this would need are lost by the living as well, where the machine is busy.
            await house.admin.execute(_LET_LEASES_RUN_OUT.format(service))
        site.open_door()
        await until(nobody_waits)
    async with AsyncExitStack() as living:
        for service in services:
            await living.enter_async_context(process_of(service, house, site))
        await until(has_ended, seconds=patience_seconds)
