"""Slices of windows: a gateway takes many requests' worth at once, and counts them off by itself."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItem, WindowStats

from services.gateway.rules.limits import Ask, Slice, slice_of
from shared.batching import Batcher

_REMEMBERED: Final = 50_000


Take = Callable[[Sequence[Ask]], Awaitable[Sequence[Slice]]]
"""Gives a slice for each wish; each key is asked for once. All slices of a window together are within its quota."""


@dataclass(slots=True)
class _Lease:
    left: int
    rest: int
    ends_at: float


class Leases:
    """Counts as the strategies of `limits` do, and seldom asks anybody.

    A slice ends with its window, whether it was used up or not. Without `take` every window is given out whole: then
    this process counts alone.
    """

    def __init__(self, take: Take | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._batcher = Batcher(take) if take else None
        self._clock = clock
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """Count a request off; tell whether it is within the limit. Raises what `take` raises."""
        key = item.key_for(*identifiers)
        while True:
            lease = self._lease(key)
            if lease is not None:
                if lease.left >= cost:
                    lease.left -= cost
                    return True
                if lease.rest <= 0:
                    return False
            await self._ask(key, item.amount, item.get_expiry(), cost)

    async def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """Give when the window ends and how much of it is left, as far as is known here."""
        lease = self._lease(item.key_for(*identifiers))
        if lease is None:
            return WindowStats(time.time() + item.get_expiry(), item.amount)
        return WindowStats(time.time() + lease.ends_at - self._clock(), lease.left + lease.rest)

    def _lease(self, key: str) -> _Lease | None:
        lease = self._leases.get(key)
        return lease if lease is not None and lease.ends_at > self._clock() else None

    async def _ask(self, key: str, limit: int, expiry: int, amount: int) -> None:
        """Take a slice; whoever comes meanwhile waits for the same one."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._take(key, limit, expiry, amount))
            asking.add_done_callback(lambda done: self._asked(key, done))
        await asyncio.shield(asking)

    def _asked(self, key: str, done: "asyncio.Task[None]") -> None:
        self._asking.pop(key, None)
        if not done.cancelled():
            done.exception()  # also where nobody waits any more to be told

    async def _take(self, key: str, limit: int, expiry: int, amount: int) -> None:
        asked_at = self._clock()
        held = self._lease(key)
        if self._batcher is None:
            slice_ = Slice(limit, 0, expiry)
        else:
            size = slice_of(limit, held.rest if held else limit, amount)
            slice_ = await self._batcher.submit(Ask(key, limit, expiry, size))
        # Counted from before the question, so that no slice is used after its window.
        ends_at = asked_at + min(slice_.seconds_left, expiry)
        left = slice_.size + (held.left if (held := self._lease(key)) else 0)
        self._leases[key] = _Lease(left, slice_.rest, ends_at)
        self._leases.move_to_end(key)
        if len(self._leases) > _REMEMBERED:
            self._leases.popitem(last=False)
