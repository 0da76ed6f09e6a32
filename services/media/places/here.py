"""What one process knows of a host, and what it has open there. Times are its own clock's, in seconds."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from services.media.places.sharing import LEASE_SECONDS
from shared.errors import TryAgain
from shared.manners import Host, Turns

FRESH_SECONDS: Final = 2.0
"""For so long what was agreed on is used without another look."""

POLL_SECONDS: Final = 0.5
"""Who has no place at all looks so often whether there is one."""

_LONGEST_PUT_OFF_SECONDS: Final = 300.0
"""A host that has become faster, or that refuses nobody any more, is not idle for longer than this."""

_LATEST: Final = 0.3  # what the latest download counts for in how long one takes


@dataclass(frozen=True, slots=True)
class Grant:
    """What was agreed on.

    Attributes:
        allowed: downloads that may be open when another one is begun.
        held: places that are ours in the book.
        host: as it is written down now.
        wait_seconds: until the download that it was asked for may begin; None where there is no place for it.
        turns: when the ones after it may; None where no time lies between them.
        probe: `probe_until` of the host, where that one alone may begin, to try whether it answers again.

    """

    allowed: int
    held: int
    host: Host
    wait_seconds: float | None = None
    turns: Turns | None = None
    probe: float | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A place that was taken: in how many seconds the download may begin, and whether it is the probe, as above."""

    wait_seconds: float
    probe: float | None = None


@dataclass(eq=False, slots=True)
class Here:
    """One host, as this process sees it.

    Attributes:
        line: held by whoever is the next to begin; the others wait behind it, in their order.
        agreeing: held while the book is looked into, when nothing may begin.
        freed: set when a download has ended.
        is_spaced: time lies between two downloads, so that each needs a turn.
        answered: the host has answered since the book was told last.

    """

    is_spaced: bool
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    agreeing: asyncio.Lock = field(default_factory=asyncio.Lock)
    freed: asyncio.Event = field(default_factory=asyncio.Event)
    used: int = 0
    waiting: int = 0
    answered: bool = False
    is_troubled: bool = False
    turns: Turns | None = None
    used_at: float = 0.0
    _allowed: int = 0
    _held: int = 0
    _asked_for: int = 0
    _agreed_at: float = 0.0
    _fresh_until: float = 0.0
    _ready_at: float = 0.0
    _put_off_until: float = 0.0
    _refusal: TryAgain | None = None
    _refused_at: float = 0.0
    _hold_seconds: float = 0.0

    @property
    def is_idle(self) -> bool:
        return not self.used and not self.waiting

    @property
    def holds_more_than_due(self) -> bool:
        """Tell whether others wait for places that are ours and that we do not use any more."""
        return self._held > max(self._allowed, self.used)

    @property
    def is_in_book(self) -> bool:
        return self._held > 0

    def wanted(self, most: int) -> int:
        """Give how many places could be used, rounded up to a power of two so that few steps lead there."""
        return _in_steps(self.used + self.waiting, most) if self.waiting else self.used

    def distrust(self, wanted: int) -> None:
        """Begin nothing until something is agreed on once more, whatever becomes of asking for it."""
        self._fresh_until = 0.0
        self._asked_for = wanted

    def agree(self, grant: Grant, asked_at: float, now: float) -> None:
        """Go by what was agreed on, from the moment on when it was asked for."""
        self.hold(grant, asked_at)
        self._fresh_until = asked_at + FRESH_SECONDS if grant.probe is None else 0.0
        self._ready_at = now + (grant.wait_seconds or 0.0)
        self.turns = grant.turns
        if grant.wait_seconds is not None:
            self.used += 1
            self.used_at = now

    def hold(self, grant: Grant, asked_at: float) -> None:
        """Remember what is ours, and begin nothing by that."""
        self._allowed, self._held, self._agreed_at = grant.allowed, grant.held, asked_at
        self.is_troubled = grant.host.open_until is not None or grant.host.blocks > 0
        self._refusal = None

    def doubt(self) -> None:
        """Have it told soon what is used: whoever asked for a place went away, and it may be ours all the same."""
        self._held = max(self._held, self.used + 1)

    def refuse(self, refusal: TryAgain, now: float) -> None:
        """Remember that the book lets nobody in."""
        self._refusal, self._refused_at, self._held = refusal, now, self.used

    def refusal(self, now: float) -> TryAgain | None:
        """Say the same as the book said a moment ago."""
        told, passed_seconds = self._refusal, now - self._refused_at
        if told is None or passed_seconds >= FRESH_SECONDS:
            return None
        left_seconds = max(0.0, (told.retry_after_seconds or 0.0) - passed_seconds)
        return TryAgain(told.code, told.sentence, retry_after_seconds=left_seconds, rate_limited=True)

    def begin(self, now: float) -> Admission | None:
        """Take a place, or give None where the book has to be asked."""
        if now >= self._fresh_until or self.used >= self._allowed:
            return None
        wait_seconds = self._turn(now)
        if wait_seconds is None:
            return None
        self.used += 1
        self.used_at = now
        return Admission(wait_seconds)

    def _turn(self, now: float) -> float | None:
        if self.is_spaced:
            return self.turns.take(now, 0.0) if self.turns else None
        return max(0.0, self._ready_at - now)

    def end(self, now: float, seconds: float = 0.0, *, by_itself: bool = False) -> None:
        """Give a place back; one that was broken off, as by its deadline, tells at least how long it was held."""
        self.used -= 1
        self.used_at = now
        if by_itself or seconds > self._hold_seconds:
            latest = _LATEST if self._hold_seconds else 1.0
            self._hold_seconds += latest * (seconds - self._hold_seconds)
        self.freed.set()

    def ask_at(self, most: int) -> float:
        """Tell when it makes sense to ask the book for a place, while none is free here."""
        if self.used < self._allowed or self.wanted(most) > self._asked_for:
            return 0.0  # its time is over, or there is more to ask for
        if self._allowed >= most:
            return float("inf")
        return self._agreed_at + (FRESH_SECONDS if self._allowed else POLL_SECONDS)

    def is_due(self, now: float) -> bool:
        """Tell whether the lease has to be renewed."""
        return self.used > 0 and now - self._agreed_at > LEASE_SECONDS / 3

    def expected_wait_seconds(self, most: int) -> float:
        """Tell how long whoever joins the line will wait, as downloads were of late; 0 where nobody knows."""
        places = self._allowed or most
        if self.used + self.waiting < places or _in_steps(self.used + self.waiting + 1, most) > self._asked_for:
            return 0.0  # also where nobody has asked whether there are more
        return (self.waiting + 1) * self._hold_seconds / places

    def put_off(self, now: float, most: int, spacing_seconds: float, asked_seconds: float) -> float:
        """Give in how many seconds one who does not wait shall come again, each a bit later than the one before.

        Those who are too many for that come in between the first ones.

        Args:
            now: by the clock of all times here.
            most: places at the host.
            spacing_seconds: the least between two downloads.
            asked_seconds: for so long nobody is let in.

        """
        first = now + max(min(self.expected_wait_seconds(most), _LONGEST_PUT_OFF_SECONDS), asked_seconds)
        each = max((self._hold_seconds or 1.0) / (self._allowed or most), spacing_seconds)
        self.used_at = max(self.used_at, now)  # not forgotten as long as anybody is put off
        at = max(first, self._put_off_until) + each
        self._put_off_until = at if at <= now + asked_seconds + _LONGEST_PUT_OFF_SECONDS else first
        return self._put_off_until - now


def _in_steps(wanted: int, most: int) -> int:
    return min(most, 1 << (wanted - 1).bit_length())
