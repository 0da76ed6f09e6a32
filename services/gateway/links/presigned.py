"""URLs of stored files that a browser may use for a while; made once and given out again while they last."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

_REMEMBERED: Final = 20_000


class Sign(Protocol):
    """Signs a GET of an object for so many seconds; the object is served as the content type says."""

    async def __call__(self, key: str, *, expires_seconds: int, content_type: str | None = None) -> str: ...


class File(NamedTuple):
    """A stored object and what it is."""

    key: str
    content_type: str | None


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
        self._known: OrderedDict[File, Link] = OrderedDict()

    @property
    def era(self) -> int:
        """A number that changes while the links given before still work, for as long as a quarter of `seconds`."""
        return int(self._clock() / (self._seconds / 4))

    def earliest_end(self, links: Iterable[Link]) -> datetime:
        """Say until when all of these work; of none that is when one would end that was made now."""
        none = datetime.fromtimestamp(int(self._clock()) + self._seconds, UTC)
        return min((link.expires_at for link in links), default=none)

    async def to(self, file: File) -> Link:
        """Give a link to a file."""
        now = self._clock()
        known = self._known.get(file)
        if known is not None and known.expires_at.timestamp() - now > self._seconds / 2:
            return known
        url = await self._sign(file.key, expires_seconds=self._seconds, content_type=file.content_type)
        link = self._known[file] = Link(url, datetime.fromtimestamp(int(now) + self._seconds, UTC))
        self._known.move_to_end(file)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return link
