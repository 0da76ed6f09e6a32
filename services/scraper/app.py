"""The scraper, put together."""

from contextlib import AsyncExitStack

from services.scraper.crawler import Crawler, extract_in
from services.scraper.forgetting import stay_small
from services.scraper.handlers import REACTIONS, WORK, keep_accounts, keep_schedules
from services.scraper.manners import SharedBooks
from services.scraper.rendering import renderer as rendering
from services.scraper.rendering.renderer import Renderer
from services.scraper.settings import Settings
from services.scraper.sources import PATIENCE_SECONDS, Harvester, Manifests, read_in
from shared.fetch import Outbound, Proxy
from shared.manners import Limits
from shared.objects import ObjectStore
from shared.sandbox import Sandbox
from shared.scratch import scratch_folder
from shared.worker import Worker


async def serve(settings: Settings) -> None:
    """Work until told to stop."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker("scraper", settings, hears=REACTIONS, works=WORK))
        outbound = await stack.enter_async_context(Outbound.of(settings))
        sandbox = await stack.enter_async_context(
            Sandbox(
                processes=settings.reader_processes,
                memory_bytes=settings.reader_memory_bytes,
                seconds=settings.reader_seconds,
                preload=("services.scraper.extraction", "services.scraper.sources.harvest"),
            )
        )
        books = SharedBooks(worker.pool)
        crawler = Crawler(
            outbound,
            settings.user_agent,
            books,
            limits=_limits_of(settings),
            deadline_seconds=settings.page_deadline_seconds,
            extract=extract_in(sandbox),
            renderer=_renderer(settings, outbound),
            honour_noai=settings.honour_noai,
        )
        worker.alongside(lambda: stay_small(worker.pool, books))
        objects = await stack.enter_async_context(ObjectStore.of(settings))
        manifests = Manifests(
            outbound,
            objects,
            stack.enter_context(scratch_folder("scraper", settings.scratch_directory)),
            memory_bytes=settings.reader_memory_bytes,
            seconds=settings.reader_seconds,
        )
        worker.alongside(lambda: keep_schedules(worker.bus))
        worker.alongside(lambda: keep_accounts(worker.bus))
        harvester = Harvester(
            crawler, read_in(sandbox), patience_seconds=min(PATIENCE_SECONDS, settings.job_deadline_hours * 3600 / 2)
        )
        await worker.run(crawler=crawler, books=books, harvester=harvester, manifests=manifests)


def _renderer(settings: Settings, outbound: Outbound) -> Renderer:
    def way_out(max_bytes: int, max_connections: int) -> Proxy:
        return Proxy(outbound.policy, max_bytes=max_bytes, max_connections=max_connections)

    limits = rendering.Limits(
        at_once=settings.renderer_processes,
        seconds=settings.renderer_seconds,
        settle_seconds=settings.renderer_seconds / 3,
        max_bytes=settings.renderer_max_bytes,
        memory_bytes=settings.renderer_memory_bytes,
    )
    scratch = settings.scratch_directory
    return Renderer(settings.chromium, settings.user_agent, way_out, scratch=scratch, limits=limits)


def _limits_of(settings: Settings) -> Limits:
    return Limits(
        spacing_seconds=settings.host_pause_seconds,
        longest_delay_seconds=max(settings.host_pause_seconds, settings.host_longest_pause_seconds),
        concurrency=settings.host_concurrency,
        blocks=settings.host_blocks,
        open_seconds=settings.host_blocked_seconds,
        longest_open_seconds=max(settings.host_blocked_seconds, settings.host_longest_blocked_seconds),
        probe_seconds=2 * settings.page_deadline_seconds + 60,
    )
