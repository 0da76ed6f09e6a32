"""What the gateway does by the clock: it asks about silent jobs, and lets go of what nobody needs any more."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from contracts.jobs import ReportJobs
from services.gateway.store import expiry, silence
from services.gateway.store.tenancy import DatabaseAwayError, answering
from shared.bus import Bus
from shared.database import Pool

_LOOK_SECONDS: Final = 2.0
_LOOK_LIMIT: Final = 2000
_ASK_LIMIT: Final = 1000
_HOUSEKEEPING_SECONDS: Final = 3600.0
_PROGRESS_KEPT: Final = timedelta(hours=1)

_log = structlog.get_logger(__name__)


async def ask_about_silent_jobs(bus: Bus) -> int:
    """Ask each service about its jobs of which nothing was heard for too long; return how many were looked at."""
    async with answering(), bus.transaction() as tx:
        looked_at, silent = await silence.update_silent_jobs(tx.connection, _LOOK_LIMIT)
        for service, job_ids in silent.items():
            for page in _pages(job_ids):
                tx.say(ReportJobs(addressee=service, job_ids=tuple(page)))
    if silent:
        _log.info("asked_about_silent_jobs", jobs={service: len(job_ids) for service, job_ids in silent.items()})
    return looked_at


async def reconcile(bus: Bus) -> None:
    """Ask about silent jobs, until cancelled."""
    while True:
        try:
            while await ask_about_silent_jobs(bus) >= _LOOK_LIMIT:
                pass
        except DatabaseAwayError as error:
            _log.warning("reconcile_paused", error=repr(error))
        except Exception:  # noqa: BLE001 - jobs would wait for ever if nobody went the rounds any more
            _log.exception("reconcile_failed")
        await asyncio.sleep(_LOOK_SECONDS)


async def keep_house(pool: Pool, *, events_days: int, idempotency_hours: int) -> None:
    """Delete what has expired, until cancelled."""
    kept = {
        expiry.EVENTS: timedelta(days=events_days),
        expiry.PROGRESS: _PROGRESS_KEPT,
        expiry.IDEMPOTENCY_KEYS: timedelta(hours=idempotency_hours),
    }
    while True:
        pause_seconds = _HOUSEKEEPING_SECONDS
        try:
            await clean_up(pool, kept)
        except DatabaseAwayError as error:
            _log.warning("housekeeping_paused", error=repr(error))
            pause_seconds = _LOOK_SECONDS
        await asyncio.sleep(pause_seconds)


async def clean_up(pool: Pool, kept: Mapping[str, timedelta]) -> None:
    """Delete what each statement finds to be older than it is kept; raises DatabaseAwayError."""
    for statement, age in kept.items():
        try:
            await expiry.delete_expired(pool, statement, age)
        except DatabaseAwayError:
            raise
        except Exception:  # noqa: BLE001 - the others are not held up, and the next round may fare better
            _log.exception("housekeeping_failed", statement=statement)


def _pages(job_ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [job_ids[start : start + _ASK_LIMIT] for start in range(0, len(job_ids), _ASK_LIMIT)]
