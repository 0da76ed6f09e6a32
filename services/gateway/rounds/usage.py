"""Counting how much is done."""

import asyncio

import structlog

from services.gateway.store.tenancy import DatabaseAwayError
from services.gateway.store.usage import count_usage
from shared.database import Pool

_log = structlog.get_logger(__name__)


async def keep_usage(pool: Pool, *, pause_seconds: float) -> None:
    """Count what is done, now and again, until cancelled."""
    while True:
        try:
            await count_usage(pool)
        except DatabaseAwayError as error:
            _log.warning("usage_not_counted", error=repr(error))
        except Exception:  # noqa: BLE001 - the next round may fare better, and what was not counted waits for it
            _log.exception("usage_not_counted")
        await asyncio.sleep(pause_seconds)
