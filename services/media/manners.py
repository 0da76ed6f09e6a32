"""What all processes know together of hosts that files are downloaded from, kept in the database."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import structlog

from services.media.places import Door, Share
from services.media.store import hosts as store
from services.media.store.hosts import HostRow
from shared.batching import Batcher
from shared.database import AWAY, Pool, blaming_the_database
from shared.manners import Decide, Host

T = TypeVar("T")

_KEEP_DAYS: Final = 7
"""Longer than any host is left alone."""

_TRUSTED_SECONDS: Final = 60.0
"""What was seen longer ago is looked up anew; its host may have been forgotten meanwhile."""

_KNOWN_LIMIT: Final = 10_000
_CLEAN_SECONDS: Final = 3600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    version: int
    door: Door
    seen_at: float


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    decide: Decide[Door, Any]


class SharedDoors:
    """One book for all processes of media; time is the database's.

    What is changed at the same time, of however many hosts, is one statement. No lock is held between two of them, so
    that a frozen process keeps nobody from a host: a change names the version that it has seen, and is decided on anew
    where somebody else was faster.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[str, _Known] = {}
        self._ahead_seconds = 0.0  # of the database's clock
        self._changing: Batcher[_Change, Any] = Batcher(self._change_batch)

    async def change(self, name: str, decide: Decide[Door, T]) -> T:
        """Decide on what is written of a host, and write it unless nothing is changed; raises as the database does."""
        with blaming_the_database("The book of hosts"):
            answer: T = await self._changing.submit(_Change(name, decide))
        return answer

    async def run(self) -> None:
        """Forget hosts that nobody asks for, again and again, until cancelled."""
        while True:
            await asyncio.sleep(_CLEAN_SECONDS)
            try:
                await store.delete_idle_hosts(self._pool, _KEEP_DAYS)
            except AWAY as error:
                _log.warning("housekeeping_paused", error=repr(error))

    async def _change_batch(self, changes: list[_Change]) -> Sequence[Any]:
        answers: dict[int, Any] = {}
        left = list(enumerate(changes))
        while left:
            now_due = {change.name: (number, change) for number, change in reversed(left)}  # the first of each host
            fresh = await self._look_up([name for name in now_due if not self._trusts(name)])
            answers |= await self._decide_all(dict(now_due.values()), fresh)
            left = [(number, change) for number, change in left if number not in answers]
        return [answers[number] for number in range(len(changes))]

    async def _decide_all(self, changes: dict[int, _Change], fresh: frozenset[str]) -> dict[int, Any]:
        """Decide on each, and write what is changed; give the answers of those that stand."""
        answers: dict[int, Any] = {}
        written: dict[int, tuple[_Known, Any]] = {}
        for number, change in changes.items():
            known = self._known.pop(change.name)
            try:
                door, answer = change.decide(known.door, self._now())
            except Exception as error:  # noqa: BLE001 - who has asked is told
                answers[number] = error
                continue
            if door != known.door:
                written[number] = (_Known(known.version, door, time.monotonic()), answer)
            elif change.name in fresh:  # otherwise it is decided again, on what is written by now
                self._known[change.name] = known
                answers[number] = answer
        return answers | await self._write(changes, written)

    async def _write(self, changes: dict[int, _Change], written: dict[int, tuple[_Known, Any]]) -> dict[int, Any]:
        if not written:
            return {}
        rows = [_row_of(changes[number].name, known) for number, (known, _) in written.items()]
        done = await store.upsert_hosts(self._pool, rows)
        for now in done.values():
            self._ahead_seconds = now - time.monotonic()
        answers = {}
        for number, (known, answer) in written.items():
            if (name := changes[number].name) in done:
                self._known[name] = _Known(known.version + 1, known.door, known.seen_at)
                answers[number] = answer
        return answers

    async def _look_up(self, names: Sequence[str]) -> frozenset[str]:
        if not names:
            return frozenset()
        if len(self._known) >= _KNOWN_LIMIT:
            self._known = {name: known for name, known in self._known.items() if self._trusts(name)}
        for row in await store.select_hosts(self._pool, names):
            self._ahead_seconds = row.now - time.monotonic()
            self._known[row.host] = _Known(row.version, _door_of(row), time.monotonic())
        return frozenset(names)

    def _trusts(self, name: str) -> bool:
        known = self._known.get(name)
        return known is not None and time.monotonic() - known.seen_at < _TRUSTED_SECONDS

    def _now(self) -> float:
        """Give the time by the database's clock, read now and then and carried on in between; never ahead of it."""
        return self._ahead_seconds + time.monotonic()


def _door_of(row: HostRow) -> Door:
    facts = dict(row.facts)
    shares = facts.pop("shares", {})
    return Door(Host(**facts), {name: Share(*share) for name, share in shares.items()})


def _row_of(name: str, known: _Known) -> HostRow:
    shares = {name: [share.places, share.wanted, share.until, share.since] for name, share in known.door.shares.items()}
    return HostRow(name, known.version, 0.0, {**asdict(known.door.host), "shares": shares})
