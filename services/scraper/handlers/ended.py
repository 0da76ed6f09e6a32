"""Crawls that have ended before all of their URLs were asked: of these, too, it is said what became of them."""

import asyncio
from typing import Final
from uuid import UUID

import structlog

from contracts.envelope import Lineage
from contracts.scraper import ContinueCrawl
from services.scraper.handlers.accounts import account, line_of
from services.scraper.store import ended as store
from shared.bus import Bus
from shared.database import AWAY

_LOOK_SECONDS: Final = 5.0
_CRAWLS_AT_ONCE: Final = 20
_LINES_AT_ONCE: Final = 1000

_log = structlog.get_logger(__name__)


async def keep_accounts(bus: Bus) -> None:
    """Look for crawls that have ended early again and again, until cancelled."""
    while True:
        try:
            await account_for_ended(bus)
        except AWAY as error:
            _log.warning("accounts_paused", error=repr(error))
        await asyncio.sleep(_LOOK_SECONDS)


async def account_for_ended(bus: Bus) -> None:
    """Say of every URL that still waits in a crawl which has ended that it is not asked, a part at a time.

    Whoever dies in between has said what it has written down, and the next goes on with the rest.
    """
    for crawl_id in await store.select_ended_crawls(bus.pool, ContinueCrawl.wire_name, _CRAWLS_AT_ONCE):
        while await _account_for(bus, crawl_id) == _LINES_AT_ONCE:
            pass


async def _account_for(bus: Bus, crawl_id: UUID) -> int:
    """Give how many lines were written."""
    async with bus.transaction() as tx:
        command = await store.select_last_step(tx.connection, crawl_id, ContinueCrawl.wire_name)
        if command is None:  # it goes on: somebody has it asked once more
            return 0
        lines = await store.update_lines_unasked(tx.connection, crawl_id, _LINES_AT_ONCE)
        told = [line_of(**line, outcome="skipped") for line in lines]
        account(tx, Lineage.model_validate(command), crawl_id, told)
    return len(lines)
