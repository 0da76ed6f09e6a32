"""When a host may be asked again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from shared.errors import TryAgain

_SLOWEST: Final = 32
_HOSTS_LIMIT: Final = 10_000


@dataclass(slots=True)
class _Host:
    free_at: float = 0.0
    slowness: int = 1


class Politeness:
    """Spaces the requests that one process makes to each host, and slows down where a host struggles.

    Args:
        spacing_seconds: between two requests to a host.
        patience_seconds: a longer wait is not slept through but handed back.
        clock: seconds that never go back.
        sleep: waits that many seconds.

    """

    def __init__(
        self,
        *,
        spacing_seconds: float,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._spacing_seconds = spacing_seconds
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}

    async def turn(self, name: str, delay_seconds: float = 0.0) -> None:
        """Wait until a host may be asked, and take that turn.

        Args:
            name: of the host.
            delay_seconds: the spacing that the host itself asks for, where it is longer than ours.

        Raises:
            TryAgain: `host_busy`, where the turn would come too late; no turn is taken then.

        """
        host, now = self._host(name), self._clock()
        wait_seconds = max(0.0, host.free_at - now)
        if wait_seconds > self._patience_seconds:
            raise TryAgain(
                "host_busy",
                f"{name} is asked no more than it can bear; the page waits for its turn.",
                retry_after_seconds=wait_seconds,
                rate_limited=True,
            )
        host.free_at = now + wait_seconds + max(self._spacing_seconds, delay_seconds) * host.slowness
        if wait_seconds:
            await self._sleep(wait_seconds)

    def note_success(self, name: str) -> None:
        host = self._host(name)
        host.slowness = max(1, host.slowness // 2)

    def note_struggle(self, name: str, failure: TryAgain) -> None:
        """Ask a host half as often after a passing failure, and not at all before the time that it named."""
        host = self._host(name)
        host.slowness = min(_SLOWEST, host.slowness * 2)
        host.free_at = max(host.free_at, self._clock() + (failure.retry_after_seconds or 0.0))

    def _host(self, name: str) -> _Host:
        if name not in self._hosts and len(self._hosts) >= _HOSTS_LIMIT:
            now = self._clock()
            self._hosts = {known: host for known, host in self._hosts.items() if host.free_at > now}
        return self._hosts.setdefault(name, _Host())
