"""One client's way along the feed, however it is told: replay, follow, replay the gap, pass on what comes."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema

from services.gateway.routes.callers import Caller, still_sees
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import not_found
from services.gateway.rules.event_types import EVENT_TYPES, FAMILIES, check_event_type, types_meant
from services.gateway.rules.feed import Start
from services.gateway.rules.pacing import Throttle
from services.gateway.store.feed import FeedRow, select_job_feed, select_project_feed
from services.gateway.store.jobs import select_job
from services.gateway.store.tenancy import DatabaseAwayError, answering, as_tenant
from services.gateway.stream import Subscription

HEARTBEAT_SECONDS: Final = 15.0
LARGEST_SEQUENCE: Final = 2**63 - 1
_PAGE: Final = 500
_TYPES_LIMIT: Final = 50

EventType = Annotated[
    str,
    AfterValidator(check_event_type),
    WithJsonSchema({"type": "string", "enum": [*EVENT_TYPES, *sorted(FAMILIES)]}),
]
EventTypes = Annotated[list[EventType], Field(max_length=_TYPES_LIMIT)]


class Sign(Enum):
    """What a client hears where nothing has happened."""

    CAUGHT_UP = "caught up"
    STILL_HERE = "still here"


class End(Enum):
    """Why a journey is over."""

    SLOW = "It was read too slowly; resume behind the last event that you saw."
    LEAVING = "The gateway is stopping; resume at another one behind the last event that you saw."
    AWAY = "The database does not answer at the moment; resume behind the last event that you saw."
    PUT_BACK = "The database was put back to an earlier day; resume, and read anew what you know."
    EXPIRED = "The credential has expired; sign in again and resume behind the last event that you saw."
    WITHDRAWN = "You are no longer a member of a project that is followed."


Step: TypeAlias = Sequence[FeedRow] | Sign


@dataclass(frozen=True)
class Part:
    """The part of the feed that a client follows, and the projects that it lies in."""

    projects: frozenset[UUID]
    replay: Callable[[int], Awaitable[Sequence[FeedRow]]]
    wants: Callable[[Any], bool]


def part_of_projects(parts: Parts, projects: list[UUID], types: Sequence[str] | None = None) -> Part:
    """Give everything that happens in projects, or what is of certain types."""
    wanted, meant = frozenset(projects), sorted(types_meant(types)) if types else None

    async def replay(position: int) -> Sequence[FeedRow]:
        async with as_tenant(parts.pool, projects) as connection:
            return await select_project_feed(connection, projects, position, _PAGE, types=meant)

    def wants(row: FeedRow) -> bool:
        return row.project_id in wanted and (meant is None or row.type in meant)

    return Part(wanted, replay, wants)


async def part_of_job(parts: Parts, caller: Caller, job_id: UUID, types: Sequence[str] | None = None) -> Part:
    """Give what happens to a job and its children, to a root with its whole tree; raises a 404 problem."""
    async with as_tenant(parts.pool, caller.memberships, operator=caller.is_operator) as connection:
        job = await select_job(connection, caller.reach, job_id)
    if job is None:
        raise not_found("job")
    project, root, meant = job["project_id"], job["root_id"], sorted(types_meant(types)) if types else None

    async def replay(position: int) -> Sequence[FeedRow]:
        async with as_tenant(parts.pool, [project]) as connection:
            return await select_job_feed(connection, job_id, root, position, _PAGE, types=meant)

    def wants(row: FeedRow) -> bool:
        is_of_job = row.project_id == project and job_id in (row.job_id, row.parent_id, row.root_id)
        return is_of_job and (meant is None or row.type in meant)

    return Part(frozenset({project}), replay, wants)


async def end_of_feed(parts: Parts) -> int:
    """Give the sequence behind which everything new comes; raises DatabaseAwayError."""
    async with answering():
        return await parts.stream.position()


def gap_behind(position: int) -> dict[str, Any]:
    """Say what a client is told who left off at a position behind which not all can be told any more."""
    sentence = "Not all that happened since then can be told any more; read anew what you know."
    return {"type": "gap", "after": position, "detail": sentence}


async def start_behind(parts: Parts, position: int | None) -> Start:
    """Tell where to begin behind a position, or now; raises DatabaseAwayError."""
    if position is None:
        return Start(await end_of_feed(parts))
    async with answering():
        return await parts.stream.start_behind(position)


@dataclass
class Journey:
    """One client on its way along a part of the feed, from behind a position.

    Attributes:
        caller: may be replaced meanwhile by the same user with a credential that lasts longer.
        end: why it is over, once it is.

    """

    parts: Parts
    caller: Caller
    part: Part
    position: int
    end: End | None = field(default=None, init=False)
    _throttle: Throttle = field(default_factory=Throttle, init=False)
    _told_at: float = field(default_factory=time.monotonic, init=False)

    async def first(self) -> Sequence[FeedRow]:
        """Read the first page, so that a database that is away can still be told of; raises DatabaseAwayError."""
        return await self.part.replay(self.position)

    async def steps(self, first: Sequence[FeedRow]) -> AsyncGenerator[Step]:
        """Give what happens, each event once and in order, and signs in between; `end` tells why it ends."""
        try:
            async for rows in self._replay(first):
                yield rows
            if self.end is not None:
                return
            async with self.parts.stream.follow(self.part.wants) as place:
                async for step in self._follow(place):
                    yield step
        except DatabaseAwayError:
            self.end = End.AWAY

    async def _replay(self, page: Sequence[FeedRow]) -> AsyncGenerator[Sequence[FeedRow]]:
        """Tell what lies behind, until hardly anything is left."""
        while page:
            if rows := self._pass(page):
                yield rows
            if await self._has_ended():
                return
            page = await self.part.replay(self.position) if len(page) == _PAGE else ()

    async def _follow(self, place: Subscription) -> AsyncGenerator[Step]:
        """Tell what came in before the place was taken, then what comes."""
        while self.position < place.since and (page := await self.part.replay(self.position)):
            if rows := self._pass(page):
                yield rows
        yield Sign.CAUGHT_UP
        while True:
            rows = self._pass(await place.take(self._patience_seconds()))
            if await self._has_ended(place):
                return
            if rows:
                yield rows
            elif self._is_due():
                self._told_at = time.monotonic()
                yield Sign.STILL_HERE

    def _pass(self, rows: Sequence[FeedRow]) -> Sequence[FeedRow]:
        new = [row for row in rows if row.sequence > self.position]
        if new:
            self.position = new[-1].sequence
        now = time.monotonic()
        passed = self._throttle.sift(new, now)
        self._told_at = now if passed else self._told_at
        return passed

    def _patience_seconds(self) -> float:
        now = time.monotonic()
        left = self.caller.principal.expires_at - time.time()
        due = self._throttle.due_in(now)
        heartbeat = self._told_at + HEARTBEAT_SECONDS - now
        return max(0.0, min(heartbeat, left, heartbeat if due is None else due))

    def _is_due(self) -> bool:
        return time.monotonic() - self._told_at >= HEARTBEAT_SECONDS

    async def _has_ended(self, place: Subscription | None = None) -> bool:
        if place is not None and place.overflowed:
            self.end = End.SLOW
        elif place is not None and place.put_back:
            self.end = End.PUT_BACK
        elif self.parts.stream.closing.is_set():
            self.end = End.LEAVING
        elif self.caller.principal.expires_at <= time.time():
            self.end = End.EXPIRED
        elif not await self._may_look():
            self.end = End.WITHDRAWN
        return self.end is not None

    async def _may_look(self) -> bool:
        """Tell whether the user is still a member of all these projects, and his credential good."""
        with suppress(DatabaseAwayError):
            return await still_sees(self.parts, self.caller, self.part.projects)
        return True  # nothing new can be read meanwhile
