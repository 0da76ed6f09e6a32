"""`python -m tests.reliability.figures.witnessed media`: the service, with a witness of all that it tries to write.

Whatever a job writes under its lease leaves a note in the log, with whether the lease still held. After a freeze the
first heartbeat waits until whatever ran has tried to write: otherwise it would mostly tell the process of its loss
first, and nobody would see whether its writes are refused. And while there is a file `hold` in its scratch folder, the
process waits with what it would write in the middle of its work, so that a freeze comes before that.
"""

import asyncio
import os
import runpy
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from shared import runner, tasks
from shared.jobs import Job, LostLease
from shared.outbox import Saying, Transaction
from shared.tasks import Lease, Pulse, Settlement

NOTE = "write_tried"
END, RECORD, START, RENEWAL = "end", "record", "start", "renewal"
"""What is written under a lease: how the attempt ended and what came of it, facts in the middle of the work, that the
work has begun, and that it goes on."""

HOLD = "hold"
_POLL_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 30.0

_log = structlog.get_logger(__name__)


class Witness:
    """Stands between the runtime and its statements."""

    def __init__(self, hold: Path) -> None:
        self._hold = hold
        self._settle = tasks.settle_tasks
        self._insert_started = tasks.insert_started
        self._renew = tasks.renew_leases
        self._recording = Job.recording
        self._tried: set[UUID] = set()
        self._ticked_at = time.monotonic()
        self._longest_still_seconds = 0.0

    def take_its_place(self) -> None:
        may_say_start = vars(runner._Running)["may_say_start"].fget

        def record(job: Job[Any]) -> AbstractAsyncContextManager[Transaction]:
            return self._record(job)

        def may_say_start_now(running: Any) -> bool:
            return not self._hold.exists() and may_say_start(running)

        replace(tasks, settle_tasks=self._settle_tasks, insert_started=self._say_starts)
        replace(tasks, renew_leases=self._renew_leases)
        replace(Job, recording=record)
        threading.Thread(target=self._tick, daemon=True).start()  # from the beginning, before there is a loop
        replace(runner._Running, may_say_start=property(may_say_start_now))

    async def _settle_tasks(self, connection: Any, settlements: Sequence[Settlement]) -> set[UUID]:
        settled = await self._settle(connection, settlements)
        for settlement in settlements:
            self._note(END, settlement.lease, held=settlement.lease.job_id in settled)
        return settled

    @asynccontextmanager
    async def _record(self, job: Job[Any]) -> AsyncIterator[Transaction]:
        while self._hold.exists():
            await asyncio.sleep(_POLL_SECONDS)
        try:
            async with self._recording(job) as tx:
                yield tx
        except LostLease:
            self._note(RECORD, job.lease, held=False)
            raise
        self._note(RECORD, job.lease, held=True)

    async def _say_starts(self, pool: Any, started: Sequence[tuple[Lease, Saying]]) -> None:
        await self._insert_started(pool, started)
        written = await pool.fetch(
            "SELECT message_id FROM outbox WHERE message_id = ANY ($1)"
            " UNION ALL SELECT message_id FROM said WHERE message_id = ANY ($1) AND job_id = ANY ($2)",
            [saying.message_id for _, saying in started],
            [lease.job_id for lease, _ in started],
        )
        held = {row["message_id"] for row in written}
        for lease, saying in started:
            self._note(START, lease, held=saying.message_id in held)

    async def _renew_leases(
        self, pool: Any, leases: Sequence[Lease], progress: Any, lease_seconds: float
    ) -> dict[UUID, Pulse]:
        thawed = self._still_seconds() > lease_seconds
        if thawed:
            await self._let_writes_go_first(leases)
        self._longest_still_seconds = 0.0
        held = await self._renew(pool, leases, progress, lease_seconds)
        if not thawed and self._still_seconds() > lease_seconds:  # it was on its way when all stood still
            thawed = True
            await self._let_writes_go_first(leases)
        if thawed:  # of the others there are too many
            for lease in leases:
                self._note(RENEWAL, lease, held=lease.job_id in held)
        return held

    def _note(self, what: str, lease: Lease, *, held: bool) -> None:
        _log.info(NOTE, what=what, about=str(lease.job_id), epoch=lease.epoch, held=held)
        if what == END or (what == RECORD and not held):
            self._tried.add(lease.token)

    def _tick(self) -> None:
        while True:
            time.sleep(_POLL_SECONDS)
            self._longest_still_seconds = self._still_seconds()
            self._ticked_at = time.monotonic()

    def _still_seconds(self) -> float:
        """Tell for how long the process has not moved at all, at the longest since the last heartbeat."""
        return max(self._longest_still_seconds, time.monotonic() - self._ticked_at)

    async def _let_writes_go_first(self, leases: Sequence[Lease]) -> None:
        until = time.monotonic() + _LONGEST_WAIT_SECONDS
        while not self._tried.issuperset(lease.token for lease in leases) and time.monotonic() < until:
            await asyncio.sleep(_POLL_SECONDS)


def replace(owner: Any, **parts: Any) -> None:
    for name, part in parts.items():
        assert hasattr(owner, name), f"{owner.__name__} has no {name} any more: this would witness nothing"
        setattr(owner, name, part)


def run(service: str) -> None:
    """Run a service with its witness."""
    Witness(Path(os.environ["SCRATCH_DIRECTORY"]) / HOLD).take_its_place()
    runpy.run_module(f"services.{service}", run_name="__main__")


if __name__ == "__main__":
    run(sys.argv[1])
