"""Pictures in sizes that nobody has asked for before: media draws them, and whoever asked waits for that, not long."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Final, NoReturn
from uuid import UUID

import structlog
from fastapi import Request

from contracts.media import DrawRendition
from services.gateway.identity import Principal
from services.gateway.links import Known, Sized
from services.gateway.routes.callers import Caller, parts_of
from services.gateway.routes.desk import Answer, Submission
from services.gateway.routes.problems import Problem, passing
from services.gateway.routes.replies import job_location, submitted_job
from services.gateway.routes.submitting import new_job
from services.gateway.routes.waiting import wait_for_end
from services.gateway.rules.jobs import JobRow
from services.gateway.store.submissions import SceneHeld

SUBMITTER: Final = "signed-link"
"""In whose name sizes are drawn: whoever holds a link has shown no other."""

_PATIENCE_SECONDS: Final = 20.0
_URGENT: Final = 50


async def draw(request: Request, sized: Sized, known: Known) -> None:
    """Have a picture drawn in a size, and wait until it is; raises Problem and DatabaseAwayError.

    Whoever comes while its job is still under way waits for that one.
    """
    caller = _holder_of(sized)
    if known.job_id is None:
        if parts_of(request).waiters.locked():  # each who came would ask for the same anew
            raise _pending("Too many wait at this moment")
        known.job_id = await _hand_in(request, caller, sized)
    outcome = await wait_for_end(request, caller, known.job_id, _PATIENCE_SECONDS)
    if outcome is None:
        known.job_id = None
        raise _pending("This size will be drawn")
    if not outcome.ended:
        await _put_off(request, known)
    known.job_id = None
    if outcome.job["state"] != "completed":
        raise known.fail(partial(_failure, outcome.job["error_sentence"]))


async def _put_off(request: Request, known: Known) -> NoReturn:
    still_drawn = partial(_pending, "This size is being drawn")
    if await request.is_disconnected():  # the others have not waited for as long
        raise still_drawn()
    raise known.put_off(still_drawn)


def _pending(why: str) -> Problem:
    return passing("rendition_pending", f"{why}: come back in a moment.")


def _holder_of(sized: Sized) -> Caller:
    """Give whoever holds a link the eyes of a viewer of its project, for the one job that draws for him."""
    return Caller(Principal(SUBMITTER, frozenset(), math.inf), {sized.project_id: "viewer"})


async def _hand_in(request: Request, caller: Caller, sized: Sized) -> UUID:
    job = new_job(caller, sized.project_id)
    command = DrawRendition(**job, asset_id=sized.image_id, longest_px=sized.longest_px, priority=_URGENT)
    traceparent = structlog.contextvars.get_contextvars().get("traceparent")
    await parts_of(request).desk.hand_in(Submission([command], _tell, traceparent=traceparent))
    return command.job_id


def _tell(jobs: Sequence[JobRow], _held: SceneHeld | None) -> Answer:
    return Answer(submitted_job(jobs[0]), job_location(jobs[0].id))


def _failure(said: str | None) -> Problem:
    why = said or "Its job was cancelled."
    return Problem(409, "rendition_failed", f"This size cannot be drawn. {why} Ask again in a minute.")
