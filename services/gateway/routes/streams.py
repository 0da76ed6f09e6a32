"""Server-sent events: what happens, as it happens, and what was missed meanwhile from the database."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from random import uniform
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Message, Send

from services.gateway.routes.callers import Caller, Streaming, caller_of, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.journeys import (
    LARGEST_SEQUENCE,
    End,
    EventTypes,
    Journey,
    Part,
    Sign,
    gap_behind,
    part_of_job,
    part_of_projects,
    start_behind,
)
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.sockets.manual import MANUAL
from services.gateway.rules.event_types import EVENT_TYPES
from services.gateway.store.feed import FeedRow
from services.gateway.stream import frame

_DIGITS: Final = len(str(LARGEST_SEQUENCE))
_SEND_SECONDS: Final = 60
"""A client that takes in nothing for so long is let go; it resumes from the database."""
_RETRY_SECONDS: Final = (1.0, 2.0)
_RETRY_SECONDS_AFTER_FAREWELL: Final = (1.0, 5.0)
"""Between which seconds a client comes back: not all at once."""
_EXAMPLE: Final = (
    "retry: 1402\nid: 4710\n\n"
    "id: 4711\nevent: job.completed\n"
    'data: {"sequence":4711,"type":"job.completed","at":"2026-01-31T12:00:00Z","job":{"state":"completed"}}\n\n'
    ": still here\n\n"
)
_ABOUT: Final = f"""
Follow from now on, or from behind `Last-Event-ID`; `0` replays all that is kept.

Each event has its `sequence` as `id`, and the stream begins with the `id` that it follows: whoever comes back with the
last id that he saw misses nothing and gets nothing twice, at this gateway or at another one. Where that cannot be kept,
since what followed was let go after `EVENTS_RETENTION_DAYS` or the database was put back to an earlier day, an event
`gap` without an `id` comes first: read anew what you know. Progress is told at most twice a second for each job, and a
client that reads slowly gets only the newest. A comment comes at least every 15 s. A stream ends with its credential,
when a membership is withdrawn, when it is read too slowly, and when the gateway stops; `retry` says when to come back.

`types` leaves out all others; `GET /events/types` tells what there is, and `job.*` means a whole family.

{MANUAL}
"""

routes = APIRouter(prefix=API, tags=["streams"], route_class=SecondLook)

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", description="resume behind this event")]


class PartAsked(BaseModel):
    """Which part of what happens is wanted."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    types: EventTypes | None = Field(
        default=None, description="only these: `job.failed`, or a family such as `image.*`; repeat it for several"
    )
    after: str | None = Field(default=None, description="the same as `Last-Event-ID`, where no header can be sent")


class PartOfProjectsAsked(PartAsked):
    """The same, of projects."""

    project_id: UUID | None = Field(default=None, description="default: all your projects")


class EventStream(StreamingResponse):
    """A response that ends by itself and not by its length; a client that stops reading is not waited for for ever."""

    media_type = "text/event-stream"

    async def stream_response(self, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(_SEND_SECONDS):
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(send_in_time)


@routes.get(
    "/events",
    summary="Everything that happens in your projects (server-sent events)",
    description=_ABOUT,
    **told(
        "follow_events",
        content="text/event-stream",
        example=_EXAMPLE,
        problems=("last_event_id_invalid", "two_credentials", "not_a_member"),
    ),
)
async def get_events(
    request: Request,
    caller: Streaming,
    asked: Annotated[PartOfProjectsAsked, Query()],
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    parts = parts_of(request)
    part = part_of_projects(parts, caller.seeing(asked.project_id), asked.types)
    return await _stream(parts, caller, part, _position(last_event_id or asked.after))


@routes.get(
    "/jobs/{job_id}/events",
    summary="What happens to a job and its children (server-sent events)",
    **told(
        "follow_job",
        content="text/event-stream",
        example=_EXAMPLE,
        problems=("last_event_id_invalid", "two_credentials", "job_not_found"),
    ),
)
async def get_job_events(
    request: Request,
    caller: Streaming,
    job_id: UUID,
    asked: Annotated[PartAsked, Query()],
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """Follow a job from its beginning, or from behind `Last-Event-ID`; a root with its whole tree."""
    parts = parts_of(request)
    part = await part_of_job(parts, caller, job_id, asked.types)
    return await _stream(parts, caller, part, _position(last_event_id or asked.after) or 0)


class EventTypeReply(BaseModel):
    """Something that is told."""

    type: str
    told: str = Field(description="when, and of what")


class EventTypeList(BaseModel):
    """All that is told."""

    items: list[EventTypeReply]
    next_cursor: None


@routes.get(
    "/events/types",
    summary="What is told",
    **told("list_event_types", EventTypeList),
    dependencies=[Depends(caller_of)],
)
async def get_event_types() -> Response:
    """Give every type of event that streams and webhooks tell of."""
    return page([{"type": type_, "told": told} for type_, told in EVENT_TYPES.items()], None)


def _position(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > LARGEST_SEQUENCE:
        raise Problem(400, "last_event_id_invalid", "Last-Event-ID is the id of an event that you have seen.")
    return int(text)


async def _stream(parts: Parts, caller: Caller, part: Part, left_off: int | None) -> StreamingResponse:
    start = await start_behind(parts, left_off)
    journey = Journey(parts, caller, part, start.position)
    gap = gap_behind(left_off) if left_off is not None and start.gap else None
    # The first answer of the database comes before the first byte, so that a problem can still be told.
    frames = _frames(journey, await journey.first(), gap)
    return EventStream(frames, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


async def _frames(journey: Journey, first: Sequence[FeedRow], gap: Mapping[str, Any] | None) -> AsyncGenerator[bytes]:
    with journey.parts.stream.guest():
        # Without data: no event, but a browser that falls off before the first one resumes from here (HTML, §9.2.6).
        yield _retry(_RETRY_SECONDS) + b"id: %d\n\n" % journey.position
        if gap is not None:
            yield b"event: gap\ndata: %s\n\n" % orjson.dumps(gap)
        async with aclosing(journey.steps(first)) as steps:
            async for step in steps:
                yield f": {step.value}\n\n".encode() if isinstance(step, Sign) else b"".join(map(frame, step))
        if journey.end in {End.LEAVING, End.SLOW, End.AWAY, End.PUT_BACK}:
            yield _retry(_RETRY_SECONDS_AFTER_FAREWELL) + b"\n"


def _retry(between_seconds: tuple[float, float]) -> bytes:
    return b"retry: %d\n" % round(1000 * uniform(*between_seconds))  # noqa: S311 - it spreads, and hides nothing
