"""How deep the queues are, and whether they become deeper: measured now and again, and when somebody asks."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from shared.broker import BROKER_AWAY, Depth
from shared.topology import Topology, dead_queue_of, queue_of

_PAUSE_SECONDS: Final = 10.0
_REMEMBERED: Final = 6
_FRESH_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 3.0

Measure = Callable[[Sequence[str]], Awaitable[dict[str, Depth | None]]]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the queue of a service stands.

    Attributes:
        depth: None: there is no such queue.
        dead: messages that the broker gave up delivering and that nobody has taken over yet.
        growth_per_second: of what waits, over the last minute at most; None where it was measured only once.
        waiting_seconds: for how long something has been waiting without a break, as far as was seen.

    """

    depth: Depth | None
    dead: int
    growth_per_second: float | None
    waiting_seconds: float


@dataclass(slots=True)
class _Look:
    at: float
    depths: dict[str, Depth | None]


class Queues:
    """Remembers how deep the queues of all services were.

    Args:
        measure: counts what waits in queues; raises what BROKER_AWAY holds.

    """

    def __init__(self, measure: Measure, services: Sequence[str] | None = None) -> None:
        self.services = tuple(services or Topology.generated().hears)
        self._measure = measure
        self._looks: deque[_Look] = deque(maxlen=_REMEMBERED)
        self._waiting_since: dict[str, float] = {}
        self._looking = asyncio.Lock()

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def look(self) -> dict[str, Standing] | None:
        """Tell how the queue of each service stands now; None while the broker does not answer."""
        async with self._looking:
            if not self._looks or time.monotonic() - self._looks[-1].at > _FRESH_SECONDS:
                try:
                    await self._look()
                except BROKER_AWAY as error:
                    _log.debug("queues_not_measured", error=repr(error))
                    self._looks.clear()
                    self._waiting_since.clear()
                    return None
            return {service: self._standing(service) for service in self.services}

    async def _look(self) -> None:
        names = [name for service in self.services for name in (queue_of(service), dead_queue_of(service))]
        async with asyncio.timeout(_ANSWER_SECONDS):
            look = _Look(time.monotonic(), await self._measure(names))
        if len(self._looks) > 1 and look.at - self._looks[-2].at < _PAUSE_SECONDS:
            self._looks.pop()  # looks that lie close together would leave no room for a minute
        self._looks.append(look)
        for name, depth in look.depths.items():
            if depth is None or not depth.ready:
                self._waiting_since.pop(name, None)
            else:
                self._waiting_since.setdefault(name, look.at)

    def _standing(self, service: str) -> Standing:
        name, newest = queue_of(service), self._looks[-1]
        dead = newest.depths[dead_queue_of(service)]
        since = self._waiting_since.get(name)
        return Standing(
            depth=newest.depths[name],
            dead=dead.ready if dead else 0,
            growth_per_second=self._growth(name),
            waiting_seconds=0.0 if since is None else newest.at - since,
        )

    def _growth(self, name: str) -> float | None:
        eldest, newest = self._looks[0], self._looks[-1]
        before, now = eldest.depths[name], newest.depths[name]
        if before is None or now is None or newest.at <= eldest.at:
            return None
        return (now.ready - before.ready) / (newest.at - eldest.at)
