"""When a host may be asked: one budget for everybody who asks it."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

import structlog

from shared.errors import Failure, Refused, TryAgain
from shared.manners import (
    Book,
    Host,
    Limits,
    Outcome,
    Turns,
    breaker,
    host_blocked,
    host_busy,
    how_many,
    moment,
    noted,
    throttle,
)

_HOSTS_LIMIT: Final = 10_000

_log = structlog.get_logger(__name__)


class Politeness:
    """Spaces the requests to each host, slows down where a host struggles, and stops where it blocks us.

    Args:
        book: shared by all who ask the same hosts.
        limits: within which they are asked.
        clock: seconds that never go back; only differences count.
        sleep: waits that many seconds.

    """

    def __init__(
        self,
        book: Book[Host],
        limits: Limits,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._limits = limits
        self._clock = clock
        self._sleep = sleep
        self._turns: dict[str, Turns] = {}
        self._untold: dict[str, list[Outcome]] = {}
        self._taking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def turn(self, name: str, asked_seconds: float = 0.0) -> float | None:
        """Wait until a host may be asked, and take that turn.

        Args:
            name: of the host.
            asked_seconds: the spacing that the host itself asks for, where it is longer than ours.

        Returns: `probe_until` of the host, where this turn is for the one that tries whether it answers again.

        Raises:
            TryAgain: `host_busy`, where the turn would come too late, or `host_blocked`, while the host refuses us. No
                turn is taken then, and no attempt is used up.

        """
        probe = None
        async with self._taking.setdefault(name, asyncio.Lock()):
            asked = min(asked_seconds, self._limits.longest_delay_seconds)
            turns = self._turns.get(name)
            wait_seconds = turns.take(self._clock(), asked) if turns else None
            if wait_seconds is None:
                wait_seconds, probe = await self._take_turns(name, asked)
        if wait_seconds > 0:
            await self._sleep(wait_seconds)
        return probe

    async def _take_turns(self, name: str, asked_seconds: float) -> tuple[float, float | None]:
        """Take the next turns together with what is to be told of the host; give the wait for the first, as `turn`."""
        before, untold = self._turns.pop(name, None), self._untold.pop(name, [])

        def decide(host: Host, now: float) -> tuple[Host, tuple[Turns, float, float | None] | TryAgain]:
            told = self._with_told(before.given_back(host) if before else host, now, untold)
            entered, again_at = breaker.enter(told, now, self._limits)
            if again_at is not None:
                return told, host_blocked(name, told, again_at, now)
            is_clear = entered.open_until is None and not entered.blocks
            delay = throttle.delay_between(entered, asked_seconds, self._limits)
            count = how_many(before, host, now, delay, self._limits) if is_clear else 1
            taken, wait_seconds = throttle.take_turns(entered, now, asked_seconds, self._limits, count)
            if wait_seconds > self._limits.patience_seconds:
                return told, host_busy(name, wait_seconds, "page")
            begin = self._clock() + wait_seconds
            rest = Turns(begin + delay, begin + count * delay, delay, count - 1, count, taken.next_at, is_clear)
            return taken, (rest, wait_seconds, None if entered.open_until is None else entered.probe_until)

        outcome = await self._book.change(name, decide)
        if isinstance(outcome, TryAgain):
            raise outcome
        turns, wait_seconds, probe = outcome
        self._remember(name, turns)
        return wait_seconds, probe

    def _with_told(self, host: Host, now: float, untold: Sequence[Outcome]) -> Host:
        """Note outcomes late; meanwhile others may have opened the breaker, and these were asked before."""
        for outcome in untold:
            if host.open_until is None:
                host = noted(host, now, outcome, self._limits)
        return host

    def _remember(self, name: str, turns: Turns) -> None:
        if len(self._turns) >= _HOSTS_LIMIT:
            self._turns.clear()
            self._untold.clear()
        self._turns[name] = turns

    async def count(self, name: str, requests: int) -> None:
        """Note that a host was asked so often without turns, by a browser that shows one of its pages."""
        async with self._taking.setdefault(name, asyncio.Lock()):
            before = self._turns.pop(name, None)

            def decide(host: Host, now: float) -> tuple[Host, None]:
                told = before.given_back(host) if before else host
                return throttle.note_requests(told, now, requests, self._limits), None

            await self._book.change(name, decide)

    @asynccontextmanager
    async def noting(
        self, name: str, excused: re.Pattern[str] | None = None, *, probe: float | None = None
    ) -> AsyncIterator[None]:
        """Learn from what a host answers to the one request that is made in here.

        Args:
            name: of the host.
            excused: the codes of refusals that are sound answers; one that blocks tells nothing of us then.
            probe: as its turn gave it.

        """
        began_at = self._clock()
        try:
            yield
        except Failure as failure:
            is_excused = isinstance(failure, Refused) and excused is not None and bool(excused.fullmatch(failure.code))
            await self._note(name, Outcome(self._clock() - began_at, failure, is_excused, probe))
            raise
        await self._note(name, Outcome(self._clock() - began_at, probe=probe))

    async def _note(self, name: str, outcome: Outcome) -> None:
        """Tell of a host at once what all have to know, and with the next turn what may wait for it."""
        turns = self._turns.get(name)
        if turns and turns.is_clear and outcome.may_wait:
            self._untold.setdefault(name, []).append(outcome)
            if outcome.latency_seconds / self._limits.concurrency > turns.delay_seconds:
                turns.end()
            return
        async with self._taking.setdefault(name, asyncio.Lock()):
            await self._note_at_once(name, outcome)

    async def _note_at_once(self, name: str, outcome: Outcome) -> None:
        before, untold = self._turns.pop(name, None), self._untold.pop(name, [])

        def decide(host: Host, now: float) -> tuple[Host, Host | None]:
            told = self._with_told(before.given_back(host) if before else host, now, untold)
            after = noted(told, now, outcome, self._limits)
            opened = after.open_until is not None and after.open_until != host.open_until
            return after, after if opened else None

        opened = await self._book.change(name, decide)
        if opened:
            until = moment(opened.open_until or 0.0)
            _log.warning("host_blocked", host=name, code=opened.blocked_by, blocks=opened.blocks, until=until)
