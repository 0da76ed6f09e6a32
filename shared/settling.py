"""Records how attempts ended, however long the database is away."""

import asyncio
from typing import Any

import structlog

from shared import metrics, tasks
from shared.batching import Batcher
from shared.database import AWAY
from shared.jobs import Bench, Job
from shared.tasks import Settlement

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class Settling:
    """Settles what ends at the same time with one statement."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._batches: Batcher[Settlement, bool] = Batcher(self._settle)

    async def settle(self, job: Job[Any], settlement: Settlement) -> None:
        """Record the end of an attempt; where its lease was lost meanwhile, only tell that it was."""
        pause_seconds, is_repeated = _FIRST_PAUSE_SECONDS, False
        while True:
            try:
                is_held = await self._batches.submit(settlement)
            except AWAY as error:
                _log.warning("settling_paused", job_id=str(job.id), error=repr(error))
                await asyncio.sleep(pause_seconds)
                pause_seconds, is_repeated = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS), True
                continue
            if not is_held and not is_repeated:  # otherwise it may have been recorded before the line broke
                tell_lost(job)
            outcome = settlement.state if is_held else "lost"
            metrics.JOBS_ENDED.labels(job.command.wire_name, outcome).inc()
            return

    async def _settle(self, settlements: list[Settlement]) -> list[bool | Exception]:
        settled = await tasks.settle_tasks(self._bench.pool, settlements)
        if any(settlement.sayings for settlement in settlements):
            self._bench.outbox.wake.set()
        return [settlement.lease.job_id in settled for settlement in settlements]


def tell_lost(job: Job[Any]) -> None:
    """Tell that a lease was lost, so that whatever came of this attempt counts for nothing."""
    metrics.LEASES_LOST.inc()
    _log.warning("lease_lost", job_id=str(job.id), kind=job.command.wire_name)
