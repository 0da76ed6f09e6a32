"""Fanning the feed out to clients: one reader for the process, a bounded queue for each client."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, Protocol

import orjson
import structlog
from prometheus_client import Gauge

from services.gateway.rules.event_types import PROGRESS
from services.gateway.rules.feed import Extent, Start, start_behind

POLL_SECONDS: Final = 0.25
_DOUBT_SECONDS: Final = 2.0
_AWAY_SECONDS: Final = 1.0
_PAGE: Final = 500
_QUEUE_LIMIT: Final = 1000
"""A client that is further behind is let go; it resumes from the database with the last id that it saw."""

_FOLLOWERS: Final = Gauge("diorama_stream_followers", "Streams and subscriptions that follow the feed")
_log = structlog.get_logger(__name__)


class Item(Protocol):
    """What is streamed: it has a place in the order of all that happened."""

    body: bytes | None
    """How it is written; once for all who are told of it."""

    @property
    def sequence(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def job_id(self) -> Any: ...
    @property
    def at(self) -> Any: ...
    @property
    def data(self) -> dict[str, Any]: ...


Read = Callable[[int, int], Awaitable[Sequence[Item]]]


def written(item: Item) -> bytes:
    """Write an item as the JSON that clients get."""
    if item.body is None:
        told = {"sequence": item.sequence, "type": item.type, "at": item.at, **item.data}
        item.body = orjson.dumps(told, default=str)
    return item.body


def frame(item: Item) -> bytes:
    """Write an item as a server-sent event (HTML standard, §9.2) whose id a client resumes from."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (item.sequence, item.type.encode(), written(item))


class Subscription:
    """One client's place: what is for it and has not been sent yet.

    Of a job's progress only the newest waits, and progress never fills the place: of too many jobs the oldest goes.

    Attributes:
        since: everything behind this sequence is offered here.
        put_back: whether the feed ends before this place by now, where nothing would come for long.

    """

    def __init__(self, wants: Callable[[Any], bool], since: int = 0) -> None:
        self.since = since
        self._wants = wants
        self._waiting: dict[int, Any] = {}
        self._progress: dict[Any, int] = {}
        self._changed = asyncio.Event()
        self.closed = False
        self.overflowed = False
        self.put_back = False

    def offer(self, item: Any) -> None:
        """Keep an item that the client wants; close the place when it is full."""
        if self.closed or not self._wants(item):
            return
        if item.type == PROGRESS:
            self._forget_progress(item.job_id)
            self._progress[item.job_id] = item.sequence
        elif len(self._waiting) - len(self._progress) >= _QUEUE_LIMIT:
            self.overflowed = True
            self.close()
            return
        self._waiting[item.sequence] = item
        self._changed.set()

    def _forget_progress(self, job_id: Any) -> None:
        if job_id not in self._progress and len(self._progress) >= _QUEUE_LIMIT:
            job_id = next(iter(self._progress))
        if (sequence := self._progress.pop(job_id, None)) is not None:
            del self._waiting[sequence]

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
        taken = list(self._waiting.values())
        self._waiting.clear()
        self._progress.clear()
        self._changed.clear()
        return taken


class Stream:
    """Reads the feed while anybody follows it, and offers each item to whoever wants it.

    `read(after, limit)` gives the items behind a sequence in order; `extent()` tells how far they go. What was written
    in this process wakes the reader; what others wrote is found within `POLL_SECONDS`. That the database was put back
    to an earlier day is found within `doubt_seconds`.
    """

    def __init__(
        self,
        read: Read,
        extent: Callable[[], Awaitable[Extent]],
        *,
        away: tuple[type[Exception], ...] = (OSError,),
        doubt_seconds: float = _DOUBT_SECONDS,
    ) -> None:
        self._read = read
        self._extent = extent
        self._away = away
        self._doubt_seconds = doubt_seconds
        self._doubted_at = time.monotonic()
        self._places: set[Subscription] = set()
        self._position: int | None = None
        self._woken = asyncio.Event()
        self._followed = asyncio.Event()
        self._entering = asyncio.Lock()
        self._guests = 0
        self._left = asyncio.Event()
        self.closing = asyncio.Event()

    @property
    def followers(self) -> int:
        return len(self._places)

    async def position(self) -> int:
        """Give the sequence behind which everything new comes."""
        return (await self._extent()).last if self._position is None else self._position

    async def start_behind(self, position: int) -> Start:
        """Tell where to begin who has seen all up to a position."""
        return start_behind(await self._extent(), position)

    def wake(self) -> None:
        """Read now: something was written."""
        self._woken.set()

    def close(self) -> None:
        """Let every client go, for the process ends."""
        self.closing.set()
        for place in self._places:
            place.close()

    async def left(self, seconds: float) -> None:
        """Return when every client has heard its farewell, or after so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._guests:
                    self._left.clear()
                    await self._left.wait()

    @contextmanager
    def guest(self) -> Iterator[None]:
        """Count a client in whose farewell the end of the process waits for."""
        self._guests += 1
        try:
            yield
        finally:
            self._guests -= 1
            self._left.set()

    @asynccontextmanager
    async def follow(self, wants: Callable[[Any], bool]) -> AsyncIterator[Subscription]:
        """Follow the feed from here on: whatever is not yet visible when this is entered will be offered."""
        async with self._entering:
            if self._position is None:
                self._position = (await self._extent()).last
            place = Subscription(wants, self._position)
            self._places.add(place)
        if self.closing.is_set():
            place.close()
        self._followed.set()
        _FOLLOWERS.inc()
        try:
            yield place
        finally:
            _FOLLOWERS.dec()
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
        if time.monotonic() - self._doubted_at >= self._doubt_seconds:
            await self._doubt(self._position)
        while items := await self._read(self._position, _PAGE):
            for item in items:
                for place in tuple(self._places):
                    place.offer(item)
            self._position = items[-1].sequence

    async def _doubt(self, position: int) -> None:
        """Let everybody go where the feed has been put back: at what is written from then on nobody here would look."""
        extent = await self._extent()
        self._doubted_at = time.monotonic()
        if extent.given >= position:
            return
        _log.warning("feed_put_back", position=position, last=extent.last, followers=self.followers)
        self._position = extent.last
        for place in self._places:
            place.put_back = True
            place.close()
