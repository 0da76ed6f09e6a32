"""Turns that one process has taken in advance, so that it need not write down each of them. Times are its own clock's.

Whoever is alone with a host takes one turn, then two, then four, for no longer ahead than the limits say; as soon as
somebody else asks the same host, everybody takes one at a time.
"""

from dataclasses import dataclass, replace
from typing import Final

from shared.manners.hosts import Host, Limits

_ROUNDING_SECONDS: Final = 0.001


@dataclass(slots=True)
class Turns:
    """Turns at a host that are ours.

    Attributes:
        next_at: when the next of them may begin.
        until: when the turn of somebody else may begin.
        delay_seconds: between two of them.
        left: how many there are.
        count: how many there were, with the one that was taken at once.
        written_until: `until`, as it is written down for everybody.
        is_clear: the host refused nobody when they were taken.

    """

    next_at: float
    until: float
    delay_seconds: float
    left: int
    count: int
    written_until: float
    is_clear: bool

    def take(self, now: float, asked_seconds: float) -> float | None:
        """Take one of them; give how many seconds it has to be waited for, or None where there is none."""
        at = max(now, self.next_at)
        is_over = not self.left or at + self.delay_seconds > self.until + _ROUNDING_SECONDS
        if is_over or asked_seconds > self.delay_seconds:
            return None
        self.left -= 1
        self.next_at = at + self.delay_seconds
        return at - now

    def end(self) -> None:
        """Take no more of them, and begin with one again."""
        self.left = self.count = 0

    def are_last_of(self, host: Host) -> bool:
        """Tell whether nobody else has taken a turn since."""
        return abs(host.next_at - self.written_until) < _ROUNDING_SECONDS

    def given_back(self, host: Host) -> Host:
        """Give the host as it is without those that were not used."""
        unused_seconds = max(0.0, self.until - self.next_at)
        return replace(host, next_at=host.next_at - unused_seconds) if self.are_last_of(host) else host


def how_many(before: Turns | None, host: Host, now: float, delay_seconds: float, limits: Limits) -> int:
    """Tell how many turns may be taken at once, by whoever took some before."""
    if before is None or not before.are_last_of(host) or now - host.next_at > limits.ahead_seconds:
        return 1
    if delay_seconds <= 0:
        return 1
    return max(1, min(2 * before.count, int(limits.ahead_seconds / delay_seconds)))
