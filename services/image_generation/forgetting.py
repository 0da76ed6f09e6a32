"""What was drawn long ago is forgotten, so that no table grows for ever."""

import asyncio
from typing import Final

import structlog

from services.image_generation import store
from shared.database import AWAY, Pool

_CLEAN_SECONDS: Final = 3600.0

_log = structlog.get_logger(__name__)


async def stay_small(pool: Pool, days: int) -> None:
    """Forget what is older than so many days again and again, until cancelled."""
    while True:
        try:
            await forget_old(pool, days)
        except AWAY as error:
            _log.warning("housekeeping_paused", error=repr(error))
        await asyncio.sleep(_CLEAN_SECONDS)


async def forget_old(pool: Pool, days: int) -> None:
    """Forget what was asked for so many days ago, a part at a time."""
    while await store.delete_old_generations(pool, days):
        pass
