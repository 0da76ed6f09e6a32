"""Server-sent events: what happens, as it happens, and what was missed meanwhile from the database."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from services.gateway.routes.callers import Caller, Streaming, parts_of, still_sees
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API
from services.gateway.routes.second_looks import SecondLook
from services.gateway.store.feed import FeedRow, select_job_feed, select_project_feed
from services.gateway.store.jobs import select_job
from services.gateway.store.tenancy import DatabaseAwayError, answering, as_tenant
from services.gateway.stream import frame

HEARTBEAT_SECONDS: Final = 15.0
_PAGE: Final = 500
_LARGEST: Final = 2**63 - 1
_DIGITS: Final = len(str(_LARGEST))
routes = APIRouter(prefix=API, tags=["streams"], route_class=SecondLook)

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="resume behind this event")]
Replay = Callable[[int], Awaitable[Sequence[FeedRow]]]


@routes.get("/events", summary="Everything that happens in your projects (server-sent events)")
async def get_events(
    request: Request,
    caller: Streaming,
    project_id: UUID | None = None,
    last_event_id: LastEventId = None,
    after: Annotated[str | None, Query(description="the same, where no header can be sent")] = None,
) -> StreamingResponse:
    """Follow from now on, or from behind `Last-Event-ID`; `0` replays all that is kept."""
    parts, projects = parts_of(request), caller.seeing(project_id)

    async def replay(position: int) -> Sequence[FeedRow]:
        async with as_tenant(parts.pool, projects) as connection:
            return await select_project_feed(connection, projects, position, _PAGE)

    position = _position(last_event_id or after)
    wanted = frozenset(projects)
    return await _stream(parts, caller, _Part(wanted, replay, lambda row: row.project_id in wanted), position)


@routes.get("/jobs/{job_id}/events", summary="What happens to a job and its children (server-sent events)")
async def get_job_events(
    request: Request,
    caller: Streaming,
    job_id: UUID,
    last_event_id: LastEventId = None,
    after: Annotated[str | None, Query(description="the same, where no header can be sent")] = None,
) -> StreamingResponse:
    """Follow a job from its beginning, or from behind `Last-Event-ID`; a root with its whole tree."""
    parts = parts_of(request)
    async with as_tenant(parts.pool, caller.memberships, operator=caller.is_operator) as connection:
        job = await select_job(connection, caller.reach, job_id)
    if job is None:
        raise not_found("job")

    async def replay(position: int) -> Sequence[FeedRow]:
        async with as_tenant(parts.pool, [job["project_id"]]) as connection:
            return await select_job_feed(connection, job_id, job["root_id"], position, _PAGE)

    def wants(row: FeedRow) -> bool:
        return row.project_id == job["project_id"] and job_id in (row.job_id, row.parent_id, row.root_id)

    part = _Part(frozenset({job["project_id"]}), replay, wants)
    return await _stream(parts, caller, part, _position(last_event_id or after) or 0)


def _position(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > _LARGEST:
        raise Problem(400, "last_event_id_invalid", "Last-Event-ID is the id of an event that you have seen.")
    return int(text)


@dataclass(frozen=True)
class _Part:
    """The part of the feed that a client follows, and the projects that it lies in."""

    projects: frozenset[UUID]
    replay: Replay
    wants: Callable[[Any], bool]


async def _stream(parts: Parts, caller: Caller, part: _Part, position: int | None) -> StreamingResponse:
    start = await _end_of(parts) if position is None else position
    journey = _Journey(parts, caller, part, start)
    # The first answer of the database comes before the first byte, so that a problem can still be told.
    events = journey.events(await part.replay(start))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _end_of(parts: Parts) -> int:
    async with answering():
        return await parts.stream.position()


@dataclass
class _Journey:
    """One client on its way along the feed."""

    parts: Parts
    caller: Caller
    part: _Part
    position: int

    async def events(self, first: Sequence[FeedRow]) -> AsyncIterator[bytes]:
        """Replay until nothing is left, begin to follow, replay what came in between, then pass on what comes."""
        yield b"retry: 1000\n\n"
        try:
            page = first
            while page:
                yield self._pass(page)
                page = await self.part.replay(self.position) if len(page) == _PAGE else ()
            async with self.parts.stream.follow(self.part.wants) as place:
                while page := await self.part.replay(self.position):
                    yield self._pass(page)
                while not place.closed and (left := self.caller.principal.expires_at - time.time()) > 0:
                    rows = await place.take(min(HEARTBEAT_SECONDS, left))
                    if not await self._may_look():
                        return
                    yield self._pass(rows)
        except DatabaseAwayError:
            return  # the client comes back with the last id that it saw

    async def _may_look(self) -> bool:
        """Tell whether the user is still a member of all these projects, and his credential good."""
        with suppress(DatabaseAwayError):
            return await still_sees(self.parts, self.caller, self.part.projects)
        return True  # nothing new can be read meanwhile

    def _pass(self, rows: Sequence[FeedRow]) -> bytes:
        new = [row for row in rows if row.sequence > self.position]
        if not new:
            return b": still here\n\n"
        self.position = new[-1].sequence
        return b"".join(map(frame, new))
