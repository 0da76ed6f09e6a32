"""The scraper, put together."""

from contextlib import AsyncExitStack

from services.scraper.crawler import Crawler, extract_in
from services.scraper.handlers import REACTIONS, WORK, keep_schedules
from services.scraper.settings import Settings
from services.scraper.sources import Harvester, Manifests, read_in
from shared.fetch import Outbound
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from shared.worker import Worker


async def serve(settings: Settings) -> None:
    """Work until told to stop."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker("scraper", settings, hears=REACTIONS, works=WORK))
        outbound = await stack.enter_async_context(
            Outbound(user_agent=settings.user_agent, allow=settings.outbound_allow)
        )
        sandbox = await stack.enter_async_context(
            Sandbox(
                processes=settings.reader_processes,
                memory_bytes=settings.reader_memory_bytes,
                seconds=settings.reader_seconds,
                preload=("services.scraper.extraction", "services.scraper.sources.harvest"),
            )
        )
        crawler = Crawler(
            outbound,
            settings.user_agent,
            deadline_seconds=settings.page_deadline_seconds,
            spacing_seconds=settings.host_pause_seconds,
            extract=extract_in(sandbox),
        )
        objects = await stack.enter_async_context(ObjectStore.of(settings))
        manifests = Manifests(outbound, objects, settings.scratch_directory)
        worker.alongside(lambda: keep_schedules(worker.bus))
        await worker.run(crawler=crawler, harvester=Harvester(crawler, read_in(sandbox)), manifests=manifests)
