"""`python -m tests.reliability.figures.witnessed media`: the service, with a witness of all that it tries to record.

Each settlement leaves a note in the log, with whether its lease still held. And after a freeze the first heartbeat
waits until whatever ran has tried to record its end: otherwise it would mostly tell the process of its loss first, and
nobody would see whether its writes are refused.
"""

import asyncio
import runpy
import sys
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog

from shared import tasks
from shared.tasks import Lease, Settlement

NOTE = "settlement_tried"
_POLL_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 30.0

_log = structlog.get_logger(__name__)


class Witness:
    """Stands between the runtime and its two statements."""

    def __init__(self) -> None:
        self._settle = tasks.settle_tasks
        self._renew = tasks.renew_leases
        self._tried: set[UUID] = set()
        self._ticking: asyncio.Task[None] | None = None
        self._ticked_at = time.monotonic()
        self._thawed = False

    async def settle_tasks(self, connection: Any, settlements: Sequence[Settlement]) -> set[UUID]:
        settled = await self._settle(connection, settlements)
        for settlement in settlements:
            lease = settlement.lease
            self._tried.add(lease.token)
            _log.info(NOTE, about=str(lease.job_id), epoch=lease.epoch, held=lease.job_id in settled)
        return settled

    async def renew_leases(self, pool: Any, leases: Sequence[Lease], progress: Any, lease_seconds: float) -> Any:
        self._ticking = self._ticking or asyncio.create_task(self._tick(lease_seconds))
        if self._thawed or time.monotonic() - self._ticked_at > lease_seconds:
            await self._let_writes_go_first(leases)
        self._thawed = False
        return await self._renew(pool, leases, progress, lease_seconds)

    async def _tick(self, lease_seconds: float) -> None:
        while True:
            self._ticked_at = time.monotonic()
            await asyncio.sleep(_POLL_SECONDS)
            self._thawed = self._thawed or time.monotonic() - self._ticked_at > lease_seconds

    async def _let_writes_go_first(self, leases: Sequence[Lease]) -> None:
        until = time.monotonic() + _LONGEST_WAIT_SECONDS
        while not self._tried.issuperset(lease.token for lease in leases) and time.monotonic() < until:
            await asyncio.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    witness = Witness()
    tasks.settle_tasks = witness.settle_tasks
    tasks.renew_leases = witness.renew_leases
    runpy.run_module(f"services.{sys.argv[1]}", run_name="__main__")
