"""Fanning the feed out to clients: one reader for the process, a bounded queue for each client."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol

import orjson
import structlog

POLL_SECONDS: Final = 0.25
_AWAY_SECONDS: Final = 1.0
_PAGE: Final = 500
_QUEUE_LIMIT: Final = 1000
"""A client that is further behind is let go; it resumes from the database with the last id that it saw."""

_log = structlog.get_logger(__name__)


class Item(Protocol):
    """What is streamed: it has a place in the order of all that happened."""

    @property
    def sequence(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def at(self) -> Any: ...
    @property
    def data(self) -> dict[str, Any]: ...


Read = Callable[[int, int], Awaitable[Sequence[Item]]]


def frame(item: Item) -> bytes:
    """Write an item as a server-sent event (HTML standard, §9.2) whose id a client resumes from."""
    body = orjson.dumps({"sequence": item.sequence, "type": item.type, "at": item.at, **item.data}, default=str)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (item.sequence, item.type.encode(), body)


class Subscription:
    """One client's place: what is for it and has not been sent yet."""

    def __init__(self, wants: Callable[[Any], bool]) -> None:
        self._wants = wants
        self._waiting: deque[Any] = deque()
        self._changed = asyncio.Event()
        self.closed = False

    def offer(self, item: Any) -> None:
        """Keep an item that the client wants; close the place when it is full."""
        if self.closed or not self._wants(item):
            return
        if len(self._waiting) >= _QUEUE_LIMIT:
            self.close()
            return
        self._waiting.append(item)
        self._changed.set()

    def close(self) -> None:
        """Let the client go."""
        self.closed = True
        self._changed.set()

    async def take(self, seconds: float) -> list[Any]:
        """Give what is waiting, after at most so long; an empty list where nothing came."""
        if not self._waiting and not self.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
        taken = list(self._waiting)
        self._waiting.clear()
        self._changed.clear()
        return taken


class Stream:
    """Reads the feed while anybody follows it, and offers each item to whoever wants it.

    `read(after, limit)` gives the items behind a sequence in order; `end()` gives the last sequence. What was written
    in this process wakes the reader; what others wrote is found within `POLL_SECONDS`.
    """

    def __init__(
        self, read: Read, end: Callable[[], Awaitable[int]], *, away: tuple[type[Exception], ...] = (OSError,)
    ) -> None:
        self._read = read
        self._end = end
        self._away = away
        self._places: set[Subscription] = set()
        self._position: int | None = None
        self._woken = asyncio.Event()
        self._followed = asyncio.Event()
        self._entering = asyncio.Lock()
        self._closed = False

    @property
    def followers(self) -> int:
        return len(self._places)

    async def position(self) -> int:
        """Give the sequence behind which everything new comes."""
        return await self._end() if self._position is None else self._position

    def wake(self) -> None:
        """Read now: something was written."""
        self._woken.set()

    def close(self) -> None:
        """Let every client go, for the process ends."""
        self._closed = True
        for place in self._places:
            place.close()

    @asynccontextmanager
    async def follow(self, wants: Callable[[Any], bool]) -> AsyncIterator[Subscription]:
        """Follow the feed from here on: whatever is not yet visible when this is entered will be offered."""
        place = Subscription(wants)
        async with self._entering:
            if self._position is None:
                self._position = await self._end()
            self._places.add(place)
        if self._closed:
            place.close()
        self._followed.set()
        try:
            yield place
        finally:
            self._places.discard(place)

    async def run(self) -> None:
        """Read for the followers until cancelled; without any, rest."""
        while True:
            if not self._places:
                await self._rest()
                continue
            try:
                await self._offer_new()
            except self._away as error:
                _log.warning("stream_paused", error=repr(error), followers=self.followers)
                await asyncio.sleep(_AWAY_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def _rest(self) -> None:
        async with self._entering:
            if not self._places:
                self._position = None
                self._followed.clear()
        await self._followed.wait()

    async def _offer_new(self) -> None:
        self._woken.clear()
        assert self._position is not None  # noqa: S101 - whoever follows has set it
        while items := await self._read(self._position, _PAGE):
            for item in items:
                for place in tuple(self._places):
                    place.offer(item)
            self._position = items[-1].sequence
