"""How much of what comes fast is passed on: progress to clients, and the words of clients to us."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeVar

from services.gateway.rules.event_types import PROGRESS

PROGRESS_SECONDS: Final = 0.5


class Told(Protocol):
    """What a client may be told: it has its place in the order, and is about a job, or about none."""

    @property
    def sequence(self) -> int: ...
    @property
    def type(self) -> str: ...
    @property
    def job_id(self) -> Any: ...


T = TypeVar("T", bound=Told)


class Throttle:
    """Passes everything on in its order, and of a job's progress at most one each `seconds`.

    Progress that comes too early is held while nothing comes after it, and passed on once it is due; overtaken by
    anything else it is left out, so that what is passed on is never out of order.
    """

    def __init__(self, seconds: float = PROGRESS_SECONDS) -> None:
        self._seconds = seconds
        self._passed_at: dict[Any, float] = {}
        self._held: list[Any] = []

    def sift(self, new: Iterable[T], now: float) -> list[T]:
        """Give what is to be passed on now, of what was held and what is new."""
        self._passed_at = {job: at for job, at in self._passed_at.items() if now - at < self._seconds}
        waiting: list[T] = _newest([*self._held, *new])
        early = [one.type == PROGRESS and one.job_id in self._passed_at for one in waiting]
        end = max((place for place, is_early in enumerate(early, start=1) if not is_early), default=0)
        self._held = waiting[end:]
        passed = [one for one, is_early in zip(waiting[:end], early, strict=False) if not is_early]
        self._passed_at |= {one.job_id: now for one in passed if one.type == PROGRESS}
        return passed

    def due_in(self, now: float) -> float | None:
        """Tell in how many seconds something that is held will be due."""
        waits = [self._passed_at.get(one.job_id, now) + self._seconds - now for one in self._held]
        return max(0.0, min(waits)) if waits else None


def _newest(told: Sequence[T]) -> list[T]:
    """Leave out progress of a job that something newer is told of."""
    kept: list[T] = []
    known = set()
    for one in reversed(told):
        if one.type != PROGRESS or one.job_id not in known:
            kept.append(one)
        known.add(one.job_id)
    return kept[::-1]


class Allowance:
    """So many at once, and so many each second in the long run."""

    def __init__(self, *, at_once: float, each_second: float) -> None:
        self._most = self._left = at_once
        self._each_second = each_second
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one; tell whether there was one left."""
        self._left = min(self._most, self._left + self._each_second * (now - (now if self._at is None else self._at)))
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
