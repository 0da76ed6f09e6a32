"""What each process says of itself: that it is there, what it does, and how far it is behind."""

import asyncio
import os
import random
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from contracts.envelope import Report
from contracts.jobs import WaitingWork, WorkerReported
from shared.broker import BROKER_AWAY, Publisher, Unroutable
from shared.health import Health
from shared.housekeeping import Housekeeping
from shared.identifiers import uuid7
from shared.intake import Intake
from shared.outbox import Outbox
from shared.settings import VERSION

_FAREWELL_SECONDS = 1.0
_WORKING = "working"
_MEMORY_PAGES = Path("/proc/self/statm")  # proc(5): the second number

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Doing:
    """What a worker can do and does, and what its whole service has to do; nothing of one that does no work."""

    kinds: tuple[str, ...] = ()
    capacity: int = 0
    running: int = 0
    work: tuple[WaitingWork, ...] = ()


class Reporting:
    """Reports of one process on the bus, published as they are: the next one takes the place of one that is lost."""

    def __init__(
        self,
        outbox: Outbox,
        publisher: Publisher,
        *,
        intake: Intake,
        housekeeping: Housekeeping,
        health: Health,
        pause_seconds: float,
    ) -> None:
        self.look: Callable[[], Awaitable[Doing]] = _nothing
        """How to find out what the process does; a worker sets it."""
        self.clock: Callable[[], datetime] = _now
        """What time it is once it was looked; a worker sets that of its database, for its own may be wrong."""
        self.also: Callable[[], Report | None] = _nothing_more
        """What else is said of a process that works, each time."""
        self._outbox = outbox
        self._publisher = publisher
        self._intake = intake
        self._housekeeping = housekeeping
        self._health = health
        self._pause_seconds = pause_seconds
        self._started_at = datetime.now(UTC)
        self._counted = (time.monotonic(), 0, 0)
        self._left = False

    async def run(self) -> None:
        """Report now and again, until cancelled."""
        while True:
            await self._publisher.up.wait()
            if not self._left:
                await self._say("stopping" if self._health.stopping else _WORKING)
            await asyncio.sleep(self._pause_seconds * random.uniform(0.9, 1.1))  # noqa: S311 - jitter is no secret

    async def leave(self) -> None:
        """Say that the process ends in order, where somebody can be told at once."""
        self._left = True
        if self._publisher.up.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_SECONDS):
                    await self._say("stopped")

    async def _say(self, state: str) -> None:
        await self._publish(self._report(state, await self.look()))
        if state == _WORKING and (more := self.also()) is not None:
            await self._publish(more)

    async def _publish(self, report: Report) -> None:
        saying = self._outbox.encode(report)
        try:
            await self._publisher.publish(
                saying.routing_key, saying.body, message_id=saying.message_id, type_=saying.routing_key
            )
        except (*BROKER_AWAY, Unroutable) as error:
            _log.debug("report_not_said", error=repr(error))

    def _report(self, state: str, doing: Doing) -> WorkerReported:
        heard_per_second, said_per_second = self._rates()
        return WorkerReported(
            service=self._outbox.service,
            worker=name_worker(),
            version=VERSION,
            started_at=self._started_at,
            at=self.clock(),
            state=state,
            kinds=doing.kinds,
            capacity=doing.capacity,
            running=doing.running,
            unacknowledged=self._intake.unacknowledged,
            heard_per_second=heard_per_second,
            said_per_second=said_per_second,
            oldest_unacknowledged_at=self._intake.oldest_at,
            unsaid=self._housekeeping.unsaid,
            memory_bytes=_memory_bytes(),
            work=doing.work,
        )

    def _rates(self) -> tuple[float, float]:
        now = (time.monotonic(), self._intake.taken_in, self._publisher.published)
        seconds = max(0.1, now[0] - self._counted[0])
        heard, said = ((after - before) / seconds for before, after in zip(self._counted[1:], now[1:], strict=True))
        self._counted = now
        return round(heard, 3), round(said, 3)


def _memory_bytes() -> int | None:
    """Read how much memory this process holds; None where the system does not tell."""
    try:
        return int(_MEMORY_PAGES.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


async def _nothing() -> Doing:
    return Doing()


def _nothing_more() -> None:
    return None


def _now() -> datetime:
    return datetime.now(UTC)


_BORN = uuid7()


def name_worker() -> str:
    """Name this process: host, process id, and what tells it from an earlier one with the same id."""
    return f"{socket.gethostname()}/{os.getpid()}/{_BORN.hex[-8:]}"
