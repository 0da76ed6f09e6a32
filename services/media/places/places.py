"""A place at a host for each download, leased many at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import structlog
from prometheus_client import Counter, Gauge

from services.media.places.here import FRESH_SECONDS, Admission, Grant, Here
from services.media.places.sharing import Door, claim
from shared.addresses import Url
from shared.database import AWAY
from shared.errors import Failure, TryAgain
from shared.manners import Book, Host, Limits, Outcome, Turns, breaker, how_many, moment, noted, throttle
from shared.manners import host_blocked as blocked
from shared.manners import host_busy as busy

_FORGET_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 1.0
_PROBED_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 3.0
_BROKEN_OFF: Final = TryAgain("download_broken_off", "The download was broken off here.")

OPEN = Gauge("diorama_media_downloads_open", "Downloads that this process has open at hosts of strangers")
PUT_OFF = Counter(
    "diorama_media_downloads_put_off_total", "Downloads that come again when their host is ready", ["code"]
)
BLOCKED = Counter("diorama_media_hosts_blocked_total", "Times that a host was left alone since it refused us", ["code"])

_log = structlog.get_logger(__name__)


class Places:
    """Has no more downloads open at a host than there are places, in all processes together.

    A host's time is its own: none is asked before it wants to be (Retry-After), more often than its spacing, or while
    it refuses us (the breaker). What would have to be waited for for long is handed back, with the time at which it
    shall come again. That a host is slow needs no further throttle, for a place is held until the download has ended.

    Args:
        book: shared by all who download.
        limits: within which hosts are asked. The longest delay has to be the spacing.
        most: places at each host.
        ours: hosts and ports that are our own, which nobody has to spare.
        clock: seconds that never go back; only differences count.
        sleep: waits that many seconds.

    """

    def __init__(
        self,
        book: Book[Door],
        limits: Limits,
        *,
        most: int,
        ours: Collection[tuple[str, int]] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._limits = limits
        self._most = most
        self._ours = frozenset(ours)
        self._clock = clock
        self._sleep = sleep
        self._name = uuid4().hex[:12]
        self._hosts: dict[str, Here] = {}

    @asynccontextmanager
    async def at(self, place: Url) -> AsyncIterator[None]:
        """Hold a place at a host for one download, and learn from what the host answers.

        Raises:
            TryAgain: `host_busy`, where the turn would come too late, or `host_blocked`, while the host refuses us.
                Nobody was asked then, and no attempt is used up.

        """
        if (place.host, place.port) in self._ours:
            yield
            return
        here = self._hosts.setdefault(place.host, Here(is_spaced=self._limits.spacing_seconds > 0))
        probe = await self._enter(place.host, here)
        began_at = self._clock()
        OPEN.inc()
        outcome = None
        try:
            yield
            outcome = Outcome(self._clock() - began_at, probe=probe)
        except Failure as failure:
            outcome = Outcome(self._clock() - began_at, failure, probe=probe)
            raise
        finally:
            OPEN.dec()
            here.end(self._clock(), self._clock() - began_at, by_itself=outcome is not None)
            try:
                if outcome is not None:
                    await self._note(place.host, here, outcome)
                elif probe is not None:  # it was broken off, and others need not wait for what comes of it
                    await self._tell(place.host, here, Outcome(self._clock() - began_at, _BROKEN_OFF, probe=probe))
            except AWAY as error:  # what came of the download stands, and so does a cancel
                _log.warning("host_not_told", host=place.host, error=repr(error))

    async def run(self) -> None:
        """Renew what is held and give back what is not used any more, again and again, until cancelled."""
        while True:
            await self._sleep(_LOOK_SECONDS)
            try:
                await self.look_after()
            except AWAY as error:
                _log.warning("places_not_renewed", error=repr(error))

    async def look_after(self) -> None:
        """Renew once, and give back once: with one statement for all hosts."""
        now = self._clock()
        idle = {
            name: here for name, here in self._hosts.items() if here.is_idle and now - here.used_at >= FRESH_SECONDS
        }
        due = {name: here for name, here in self._hosts.items() if here.is_due(now) or here.holds_more_than_due}
        due |= {name: here for name, here in idle.items() if here.is_in_book}
        await asyncio.gather(*(self._tell(name, here) for name, here in due.items()))
        for name, here in idle.items():
            if here.is_idle and now - here.used_at > _FORGET_SECONDS:
                del self._hosts[name]

    async def leave(self) -> None:
        """Give everything back at once."""
        held = [(name, here) for name, here in self._hosts.items() if here.is_in_book]
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await asyncio.gather(*(self._tell(name, here) for name, here in held))
        except AWAY as error:
            _log.warning("places_not_given_back", error=repr(error))

    async def _enter(self, name: str, here: Here) -> float | None:
        """Take a place, and wait for its turn; give `probe_until` of the host where that is to be the probe."""
        taken = None
        if here.expected_wait_seconds(self._most) <= self._limits.patience_seconds:
            here.waiting += 1
            try:
                taken = await self._in_line(name, here)
            except TryAgain as patience:
                PUT_OFF.labels(patience.code).inc()
                later = self._put_off(here, patience.retry_after_seconds or 0.0)
                raise TryAgain(patience.code, patience.sentence, retry_after_seconds=later, rate_limited=True) from None
            finally:
                here.waiting -= 1
        if taken is None:
            late = busy(name, self._put_off(here), "download")
            PUT_OFF.labels(late.code).inc()
            raise late
        if taken.wait_seconds > 0:
            try:
                await self._sleep(taken.wait_seconds)
            except BaseException:
                here.end(self._clock())
                raise
        return taken.probe

    def _put_off(self, here: Here, asked_seconds: float = 0.0) -> float:
        return here.put_off(self._clock(), self._most, self._limits.spacing_seconds, asked_seconds)

    async def _in_line(self, name: str, here: Here) -> Admission | None:
        """Wait for a place; None where that takes too long."""
        give_up_at = asyncio.get_running_loop().time() + self._limits.patience_seconds
        try:
            async with asyncio.timeout_at(give_up_at):
                await here.line.acquire()
        except TimeoutError:
            return None
        try:
            while True:
                here.freed.clear()
                taken = await self._take(name, here)
                if taken is not None or not await self._until_freed(here, give_up_at):
                    return taken
        finally:
            here.line.release()

    async def _take(self, name: str, here: Here) -> Admission | None:
        async with here.agreeing:
            now = self._clock()
            if (refusal := here.refusal(now)) is not None:
                raise refusal
            taken = here.begin(now)
            if taken is None and now >= here.ask_at(self._most):
                return await self._ask(name, here)
            return taken

    async def _until_freed(self, here: Here, give_up_at: float) -> bool:
        """Wait until a download has ended, or until the book may tell of a place; False: it is too late for either."""
        loop = asyncio.get_running_loop()
        again_at = loop.time() + max(0.0, here.ask_at(self._most) - self._clock())
        try:
            async with asyncio.timeout_at(min(again_at, give_up_at)):
                await here.freed.wait()
        except TimeoutError:
            return again_at < give_up_at
        return True

    async def _ask(self, name: str, here: Here) -> Admission | None:
        """Ask the book for places, and take one if there is one."""
        before, answered, asked_at = here.turns, here.answered, self._clock()
        here.turns, here.answered = None, False
        here.distrust(here.wanted(self._most))

        def decide(door: Door, now: float) -> tuple[Door, Grant | TryAgain]:
            host = self._known(door.host, before, now, answered=answered)
            entered, again_at = breaker.enter(host, now, self._limits)
            if again_at is not None:
                if host.open_until is None or now >= host.open_until:  # somebody probes, and mostly tells soon
                    again_at = min(again_at, now + _PROBED_SECONDS)
                return self._claimed(door, host, here, now, here.used)[0], blocked(name, host, again_at, now)
            wait_seconds = max(0.0, host.next_at - now)
            if wait_seconds > self._limits.patience_seconds:
                return self._claimed(door, host, here, now, here.used)[0], busy(name, wait_seconds, "download")
            changed, grant = self._claimed(door, entered, here, now, here.wanted(self._most))
            if grant.allowed <= here.used:
                return self._claimed(door, host, here, now, here.wanted(self._most))
            return self._with_turns(changed, grant, before, host, now)

        try:
            grant = await self._book.change(name, decide)
        except BaseException:
            here.doubt()
            raise
        if isinstance(grant, TryAgain):
            here.refuse(grant, self._clock())
            raise grant
        here.agree(grant, asked_at, self._clock())
        return None if grant.wait_seconds is None else Admission(grant.wait_seconds, grant.probe)

    def _known(self, host: Host, before: Turns | None, now: float, *, answered: bool) -> Host:
        """Give a host with what it answered since, and without the turns that nobody needed."""
        host = before.given_back(host) if before else host
        # While the breaker is open, whatever is answered was asked before.
        return breaker.note_answer(host, now, probe=None) if answered and host.open_until is None else host

    def _claimed(self, door: Door, host: Host, here: Here, now: float, wanted: int) -> tuple[Door, Grant]:
        shares, allowed = claim(door, self._name, here.used, wanted, now=now, most=self._most)
        mine = shares.shares.get(self._name)
        return Door(host, shares.shares), Grant(allowed, mine.places if mine else 0, host)

    def _with_turns(self, door: Door, grant: Grant, before: Turns | None, host: Host, now: float) -> tuple[Door, Grant]:
        """Take the next turn, and some of those behind it where time has to lie between them."""
        entered, limits = door.host, self._limits
        probe = None if entered.open_until is None else entered.probe_until
        delay = throttle.delay_between(entered, 0.0, limits)
        count = how_many(before, host, now, delay, limits) if probe is None else 1
        taken, wait_seconds = throttle.take_turns(entered, now, 0.0, limits, count)
        begin = self._clock() + wait_seconds
        rest = Turns(begin + delay, begin + count * delay, delay, count - 1, count, taken.next_at, probe is None)
        turns = rest if delay > 0 else None
        granted = Grant(grant.allowed, grant.held, taken, wait_seconds, turns, probe)
        return Door(taken, door.shares), granted

    async def _note(self, name: str, here: Here, outcome: Outcome) -> None:
        """Tell the book at once what all have to know, and with the next look what may wait."""
        if outcome.may_wait and not here.is_troubled:
            here.answered = here.answered or outcome.is_answer
            if not here.holds_more_than_due:
                return
        await self._tell(name, here, outcome)

    async def _tell(self, name: str, here: Here, outcome: Outcome | None = None) -> None:
        """Renew what is used, give back what is not, and tell what came of a download."""
        async with here.agreeing:
            before = here.turns if here.is_idle else None
            answered, asked_at = here.answered, self._clock()
            here.answered = False
            wanted = here.wanted(self._most)
            here.distrust(wanted)

            def decide(door: Door, now: float) -> tuple[Door, tuple[Grant, bool]]:
                host = self._known(door.host, before, now, answered=answered)
                after = noted(host, now, outcome, self._limits) if outcome else host
                changed, grant = self._claimed(door, after, here, now, wanted)
                has_opened = after.open_until is not None and after.open_until != host.open_until
                return changed, (grant, has_opened)

            grant, has_opened = await self._book.change(name, decide)
            here.turns = here.turns if before is None else None
            here.hold(grant, asked_at)
        if has_opened:
            host = grant.host
            BLOCKED.labels(host.blocked_by).inc()
            until = moment(host.open_until or 0.0)
            _log.warning("host_blocked", host=name, code=host.blocked_by, blocks=host.blocks, until=until)
