"""The scraper, put together."""

from contextlib import AsyncExitStack

from services.scraper.crawler import Crawler
from services.scraper.handlers import REACTIONS, WORK
from services.scraper.settings import Settings
from shared.fetch import Outbound
from shared.worker import Worker


async def serve(settings: Settings) -> None:
    """Work until told to stop."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(Worker("scraper", settings, hears=REACTIONS, works=WORK))
        outbound = await stack.enter_async_context(
            Outbound(user_agent=settings.user_agent, allow=settings.outbound_allow)
        )
        await worker.run(crawler=Crawler(outbound, settings.user_agent))
