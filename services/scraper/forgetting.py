"""What is idle is forgotten, so that no table grows for ever."""

import asyncio
from typing import Final

import structlog

from services.scraper.manners import SharedBooks
from services.scraper.store import forgetting as store
from shared.database import AWAY, Pool

KEEP_DAYS: Final = 60
"""After these nobody asks a crawl's failures once more; the gateway has its account all the same."""

_CLEAN_SECONDS: Final = 3600.0

_log = structlog.get_logger(__name__)


async def stay_small(pool: Pool, books: SharedBooks) -> None:
    """Forget what is idle again and again, until cancelled."""
    while True:
        try:
            await books.forget_idle()
            await forget_old(pool)
        except AWAY as error:
            _log.warning("housekeeping_paused", error=repr(error))
        await asyncio.sleep(_CLEAN_SECONDS)


async def forget_old(pool: Pool) -> None:
    """Forget pages and crawls that were read long ago, and images that wait since then, a part at a time."""
    while await store.delete_old_pages(pool, KEEP_DAYS):
        pass
    while await store.delete_old_untold(pool, KEEP_DAYS):
        pass
    for crawl_id in await store.select_old_crawls(pool, KEEP_DAYS):
        while await store.delete_lines(pool, crawl_id):
            pass
        await store.delete_crawl(pool, crawl_id)
