"""What the gateway does by the clock: it asks about silent jobs, and lets go of what nobody needs any more."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from contracts.jobs import CancelJob, ReportJobs
from services.gateway.rules.silence import LAST_ASK_SECONDS
from services.gateway.store import expiry, projection, silence
from services.gateway.store.tenancy import DatabaseAwayError, answering
from shared.bus import Bus
from shared.database import Pool

_NAME: Final = "gateway"
_LOOK_SECONDS: Final = 2.0
_LOOK_LIMIT: Final = 2000
_ASK_LIMIT: Final = 1000
_HOUSEKEEPING_SECONDS: Final = 3600.0
_PROGRESS_KEPT: Final = timedelta(hours=1)
_REVOKED_KEYS_KEPT: Final = timedelta(days=90)  # whoever asks under which key something was submitted finds it
_DELIVERIES_KEPT: Final = timedelta(days=30)
_RECEIVED_KEPT: Final = timedelta(days=30)  # of what others said, and of tags whose images were never fetched
_WINDOWS_KEPT: Final = timedelta(minutes=5)
_WORKERS_KEPT: Final = timedelta(hours=1)

_log = structlog.get_logger(__name__)


async def ask_about_silent_jobs(bus: Bus, patience_hours: float = 24) -> silence.Look:
    """Ask each service about its jobs of which nothing was heard for too long."""
    async with answering(), bus.transaction() as tx:
        look = await silence.update_silent_jobs(tx.connection, _LOOK_LIMIT, patience_hours)
        for service, job_ids in look.silent.items():
            for page in _pages(job_ids):
                tx.say(ReportJobs(addressee=service, job_ids=tuple(page)))
    if look.silent:
        _log.info("asked_about_silent_jobs", jobs={service: len(ids) for service, ids in look.silent.items()})
    return look


async def end_abandoned_jobs(bus: Bus, job_ids: Sequence[UUID], patience_hours: float) -> list[UUID]:
    """End the jobs that nobody answers for; a worker that comes back all the same is told not to do them."""
    async with answering(), bus.transaction() as tx:
        await projection.lock_writers(tx.connection)
        ended = await silence.update_abandoned_jobs(tx.connection, job_ids, patience_hours)
        for job in await projection.tell_jobs(tx.connection, "job.failed", ended):
            tx.say(CancelJob(addressee=job.service, job_id=job.id, cancelled_by=_NAME))
        if ended:
            _log.error("abandoned_jobs_ended", jobs=len(ended))
    return ended


async def reconcile(bus: Bus, *, patience_hours: float) -> None:
    """Ask about silent jobs, and end those that nobody answers for, until cancelled.

    Only who has heard for longer than the longest pause between two questions can tell that nobody answers.
    """
    hears_since: float | None = None
    while True:
        hears_since = (hears_since or time.monotonic()) if await bus.hears() else None
        heard_seconds = 0.0 if hears_since is None else time.monotonic() - hears_since
        try:
            look = await ask_about_silent_jobs(bus, patience_hours)
            if look.abandoned and heard_seconds > min(2 * LAST_ASK_SECONDS, patience_hours * 3600):
                await end_abandoned_jobs(bus, look.abandoned, patience_hours)
            if look.count >= _LOOK_LIMIT:
                continue
        except DatabaseAwayError as error:
            _log.warning("reconcile_paused", error=repr(error))
        except Exception:  # noqa: BLE001 - jobs would wait for ever if nobody went the rounds any more
            _log.exception("reconcile_failed")
        await asyncio.sleep(_LOOK_SECONDS)


async def keep_house(
    pool: Pool, *, events_days: int, idempotency_hours: int, letters_days: int, audit_days: int, url_lines_days: int
) -> None:
    """Delete what has expired, until cancelled."""
    kept = {
        expiry.EVENTS: timedelta(days=events_days),
        expiry.PROGRESS: _PROGRESS_KEPT,
        expiry.IDEMPOTENCY_KEYS: timedelta(hours=idempotency_hours),
        expiry.LETTERS: timedelta(days=letters_days),
        expiry.AUDIT: timedelta(days=audit_days),
        expiry.URL_LINES: timedelta(days=url_lines_days),
        expiry.TICKETS: timedelta(0),
        expiry.REVOKED_KEYS: _REVOKED_KEYS_KEPT,
        expiry.DELIVERIES: _DELIVERIES_KEPT,
        expiry.IMPORTED_TAGS: _RECEIVED_KEPT,
        expiry.RECEIVED_EVENTS: _RECEIVED_KEPT,
        expiry.TOLD_REQUESTS: _RECEIVED_KEPT,
        expiry.RATE_LIMITS: _WINDOWS_KEPT,
        expiry.WORKERS: _WORKERS_KEPT,
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
