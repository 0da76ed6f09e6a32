"""Judging requests by their limits."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from limits import RateLimitItem, WindowStats
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from services.gateway.limiting.leases import Leases, Take
from services.gateway.settings import RateLimits, Settings

ANONYMOUS: Final = "anonymous"
_ALONE_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands after a request; `limit` names the limit, and units are left until it begins anew."""

    allowed: bool
    limit: str
    quota: int
    window_seconds: int
    left: int
    reset_seconds: int


class Window(Protocol):
    """Counts what is asked for within a window of time, as a strategy of `limits` does."""

    async def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool: ...

    async def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats: ...


class Limiter:
    """Counts requests of users together with the other gateways, and those of strangers alone.

    While the others cannot be asked, each gateway counts for itself: nobody is kept out by an outage. A flood of
    strangers must cost the database nothing, so that it is never asked about them.
    """

    def __init__(self, limits: RateLimits, shared: Window, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._shared = shared
        self._alone = Leases()
        self._clock = clock
        self._alone_until = 0.0

    async def count(self, route_class: str, user_id: str, cost: int = 1) -> Standing | None:
        """Count a request of a user; None where its class has no limit."""
        item = self._limits.get(route_class)
        if item is None:
            return None
        if self._clock() >= self._alone_until:
            try:
                return await _hit(self._shared, item, route_class, user_id, cost)
            except Exception as error:  # noqa: BLE001 - whatever is wrong, it must not keep anybody out
                _log.warning("rate_limits_counted_alone", error=repr(error))
                self._alone_until = self._clock() + _ALONE_SECONDS
        return await _hit(self._alone, item, route_class, user_id, cost)

    async def count_stranger(self, address: str) -> Standing | None:
        """Count a request that nobody has signed."""
        item = self._limits.get(ANONYMOUS)
        return None if item is None else await _hit(self._alone, item, ANONYMOUS, address, 1)


async def _hit(window: Window, item: RateLimitItem, name: str, who: str, cost: int) -> Standing:
    allowed = await window.hit(item, name, who, cost=min(cost, item.amount))
    reset_at, left = await window.get_window_stats(item, name, who)
    reset_seconds = max(0, math.ceil(reset_at - time.time()))
    return Standing(allowed, name, item.amount, item.get_expiry(), left, reset_seconds)


def limiter_of(settings: Settings, take: Take) -> Limiter:
    """Give what the settings ask for; raises SystemExit where that is Redis and its client is not installed."""
    url = settings.rate_limit_redis_url
    if url is None:
        return Limiter(settings.rate_limits, Leases(take))
    try:
        storage = storage_from_string(f"async+{url}", implementation="redispy")
    except ConfigurationError as error:
        raise SystemExit(
            "RATE_LIMIT_REDIS_URL is set, but the package `redis` is not installed:"
            " install it, or unset the variable to count in PostgreSQL."
        ) from error
    assert isinstance(storage, Storage)  # noqa: S101 - what `async+` names
    return Limiter(settings.rate_limits, FixedWindowRateLimiter(storage))
