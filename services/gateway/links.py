"""URLs of stored files that a browser may use for a while; made once and given out again while they last."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_REMEMBERED: Final = 20_000

Sign = Callable[[str, int], Awaitable[str]]
"""Signs a GET of an object's key for so many seconds."""


@dataclass(frozen=True, slots=True)
class Link:
    """A URL and the moment until which it works."""

    url: str
    expires_at: datetime


class Links:
    """Gives links; each works for at least half of `seconds` more when it is given."""

    def __init__(self, sign: Sign, *, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._sign = sign
        self._seconds = seconds
        self._clock = clock
        self._known: OrderedDict[str, Link] = OrderedDict()

    async def to(self, key: str) -> Link:
        """Give a link to an object."""
        now = self._clock()
        known = self._known.get(key)
        if known is not None and known.expires_at.timestamp() - now > self._seconds / 2:
            return known
        url = await self._sign(key, self._seconds)
        link = self._known[key] = Link(url, datetime.fromtimestamp(int(now) + self._seconds, UTC))
        self._known.move_to_end(key)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return link
