"""What is known of the sizes that were drawn on demand, so that each is drawn once and looked for once a process."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

_REMEMBERED: Final = 50_000
_FAILED_SECONDS: Final = 60.0


class Drawing(NamedTuple):
    """Where a picture in a size lies once it is drawn, and for whom.

    What is drawn goes with the last image of its bytes; one that comes afterwards has another id, or version.
    """

    key: str
    image_id: UUID
    version: int


@dataclass(slots=True)
class Known:
    """What is known of a drawing: whether it lies there, and the job that draws it."""

    lies_there: bool = False
    job_id: UUID | None = None
    _failure: Callable[[], Exception] | None = None
    _failed_until: float = 0.0

    def is_there(self) -> bool:
        return self.lies_there

    def fail(self, failure: Callable[[], Exception]) -> Exception:
        """Note that it could not be drawn: whoever asks within a minute is told the same, and nothing is tried."""
        self._failure, self._failed_until = failure, time.monotonic() + _FAILED_SECONDS
        return failure()

    def put_off(self, failure: Callable[[], Exception]) -> Exception:
        """Note that it takes longer: whoever has waited meanwhile is told the same, and does not wait as long again."""
        self._failure, self._failed_until = failure, time.monotonic()
        return failure()

    def raise_for(self, asked_at: float) -> None:
        """Tell whoever asked then what became of it, if that is known."""
        if self._failure is not None and asked_at <= self._failed_until:
            raise self._failure()


@dataclass(slots=True)
class Drawings:
    """Knows what lies there.

    Args:
        exists: tells whether an object is stored.

    """

    exists: Callable[[str], Awaitable[bool]]
    _known: OrderedDict[Drawing, Known] = field(default_factory=OrderedDict)
    _locks: WeakValueDictionary[Drawing, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def have(self, drawing: Drawing, draw: Callable[[Known], Awaitable[None]]) -> None:
        """Return once a picture lies at its place; where it does not, one of all who ask has it drawn for all of them.

        Raises TryAgain, and what `draw` raises.
        """
        known, asked_at = self._remembered(drawing), time.monotonic()
        if known.is_there():
            return
        async with self._locks.setdefault(drawing, asyncio.Lock()):
            if known.is_there():  # by now
                return
            known.raise_for(asked_at)
            if not await self.exists(drawing.key):
                await draw(known)
            known.lies_there = True

    def _remembered(self, drawing: Drawing) -> Known:
        known = self._known.setdefault(drawing, Known())
        self._known.move_to_end(drawing)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known
