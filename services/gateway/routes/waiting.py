"""`Prefer: wait=n` (RFC 7240 §4.3): the reply comes once the job has ended, or after so many seconds."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response

from contracts.scraper import ImportManifest, ScrapePages
from services.gateway.routes.callers import Caller, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.replies import accepted, job_reply, tree_reply
from services.gateway.rules.jobs import ENDED
from services.gateway.rules.scenes import BATCH_KIND
from services.gateway.store.feed import FeedRow
from services.gateway.store.jobs import select_job, select_tree_counts
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import DatabaseAwayError, as_tenant
from services.gateway.stream import Subscription

LONGEST_SECONDS: Final = 60
_WISH: Final = re.compile(r'\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(;.*)?', re.IGNORECASE)
_END_EVENTS: Final = frozenset(f"job.{state}" for state in ENDED)
_TREES: Final = frozenset({ScrapePages.wire_name, ImportManifest.wire_name, BATCH_KIND})
"""Work whose end is that of all that follows from it."""

_LOOK_SECONDS: Final = 0.25
_CLIENT_SECONDS: Final = 1.0

Shown = Callable[[Mapping[str, Any], Row], Awaitable[dict[str, Any]]]
"""Tells what became of a job: from what was told when it was taken in, and its row."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The job after the wait."""

    job: Row
    ended: bool


async def show_job(_told: Mapping[str, Any], job: Row) -> dict[str, Any]:
    """Show the job as every list and page does."""
    return job_reply(job)


def wished_seconds(request: Request) -> int | None:
    """Give how long the client would wait, at most a minute; None where it does not say so, or not well."""
    wishes = ",".join(request.headers.getlist("prefer")).split(",")
    found = next((match for wish in wishes if (match := _WISH.fullmatch(wish))), None)
    return None if found is None else min(int(found[1]), LONGEST_SECONDS)


async def accepted_or_ended(request: Request, caller: Caller, told: Answer, *, show: Shown = show_job) -> Response:
    """Answer what was handed in: at once, or, where the client would wait and it is one job, once that has ended."""
    seconds, job_id = wished_seconds(request), _only_job(told.body)
    outcome = None if seconds is None or job_id is None else await wait_for_end(request, caller, job_id, seconds)
    if outcome is None:
        return accepted(told.body, told.location, status=told.status, replayed=told.replayed)
    body = await show(told.body, outcome.job)
    status = 200 if outcome.ended else told.status
    return accepted(body, told.location, status=status, replayed=told.replayed, waited_seconds=seconds)


def _only_job(body: Mapping[str, Any]) -> UUID | None:
    """Find the one job that a reply is about: itself, the task of a scene, or that of the only item of a list."""
    match body:
        case {"items": [{"job": {"id": job_id}}]} | {"items": [{"id": job_id}]}:
            return UUID(str(job_id))
        case {"task_id": job_id} | {"job": {"id": job_id}} | {"id": job_id}:
            return UUID(str(job_id))
    return None


async def wait_for_end(request: Request, caller: Caller, job_id: UUID, seconds: float) -> Outcome | None:
    """Wait until a job has ended, a scrape with its tree; None where it cannot be waited for here and now."""
    parts = parts_of(request)
    if parts.waiters.locked():
        return None
    try:
        async with parts.waiters, parts.stream.follow(lambda row: _is_an_end_near(row, job_id)) as place:
            return await _wait(request, caller, job_id, place, seconds)
    except DatabaseAwayError:
        return None


def _is_an_end_near(row: FeedRow, job_id: UUID) -> bool:
    return row.type in _END_EVENTS and job_id in (row.job_id, row.parent_id, row.root_id)


async def _wait(request: Request, caller: Caller, job_id: UUID, place: Subscription, seconds: float) -> Outcome | None:
    """Look once now; then only when an end was heard of, for a tree at a measured pace; and once at the end."""
    deadline = time.monotonic() + seconds
    outcome, looked_at, heard = await _look(request, caller, job_id), time.monotonic(), False
    while outcome is not None and not outcome.ended and not place.closed:
        if (left := deadline - time.monotonic()) <= 0 or await request.is_disconnected():
            return await _look(request, caller, job_id)
        rows = await place.take(min(left, _LOOK_SECONDS if heard else _CLIENT_SECONDS))
        is_tree = outcome.job["kind"] in _TREES
        heard |= any(is_tree or row.job_id == job_id for row in rows)
        if heard and time.monotonic() - looked_at >= is_tree * _LOOK_SECONDS:
            outcome, looked_at, heard = await _look(request, caller, job_id), time.monotonic(), False
    return outcome


async def _look(request: Request, caller: Caller, job_id: UUID) -> Outcome | None:
    pool = parts_of(request).pool
    async with as_tenant(pool, caller.memberships, operator=caller.is_operator) as connection:
        job = await select_job(connection, caller.reach, job_id)
        if job is None:
            return None
        if job["state"] in ENDED and job["kind"] in _TREES:
            counts = await select_tree_counts(connection, job_id)
            return Outcome(job, bool(tree_reply(job["state"], counts)["ended"]))
    return Outcome(job, job["state"] in ENDED)
