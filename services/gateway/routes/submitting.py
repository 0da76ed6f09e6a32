"""What every request that hands work in has in common."""

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import structlog
from fastapi import Request, Response

from contracts.envelope import MAXIMUM_BODY_BYTES, Command
from services.gateway.routes.callers import Caller, parts_of
from services.gateway.routes.desk import Answer, Submission
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import job_location, submitted_job
from services.gateway.routes.waiting import Shown, accepted_or_ended, show_job
from services.gateway.rules.jobs import JobRow
from services.gateway.store.submissions import Remembered, SceneHeld, SceneWanted
from shared.identifiers import uuid7

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEY_HEADER: Final = "idempotency-key"
_ENVELOPE_BYTES: Final = 2048

Tell = Callable[[Sequence[JobRow], SceneHeld | None], Answer]


def new_job(caller: Caller, project_id: UUID, pipeline: Sequence[str] = ()) -> dict[str, Any]:
    """Give the lineage of a job that a user submits: it is the root of its tree."""
    job_id = uuid7()
    return {
        "job_id": job_id,
        "root_job_id": job_id,
        "project_id": project_id,
        "submitted_by": caller.user_id,
        "pipeline": tuple(pipeline),
    }


async def hand_in(
    request: Request,
    caller: Caller,
    commands: Sequence[Command],
    *,
    answer: Tell | None = None,
    show: Shown = show_job,
    scene: SceneWanted | None = None,
    scene_media: dict[str, Any] | None = None,
    refusal: Problem | None = None,
) -> Response:
    """Hand commands in, and answer once they are written: 202 with where to look and when to look first.

    Where the client would rather wait, `show` tells what became of the job: 200 if it has ended by then. What there is
    a `refusal` of is answered so, but for whoever asks again by an Idempotency-Key what was taken in before.
    """
    check_sizes(commands)
    if refusal is not None and _KEY_HEADER not in request.headers:
        raise refusal
    submission = Submission(
        commands=commands,
        answer=answer or _tell_job,
        traceparent=structlog.contextvars.get_contextvars().get("traceparent"),
        remember=await remembered(request, caller),
        scene=scene,
        scene_media=scene_media,
        refusal=refusal,
    )
    told = await parts_of(request).desk.hand_in(submission)
    return await accepted_or_ended(request, caller, told, show=show)


def check_sizes(commands: Sequence[Command]) -> None:
    """Refuse what no message can carry."""
    limit_bytes = MAXIMUM_BODY_BYTES - _ENVELOPE_BYTES
    if any(len(command.model_dump_json(exclude_none=True).encode()) > limit_bytes for command in commands):
        sentence = f"One job may be asked for with at most {limit_bytes} bytes; please divide it into several requests."
        raise Problem(413, "request_too_large", sentence)


def _tell_job(jobs: Sequence[JobRow], _held: SceneHeld | None) -> Answer:
    return Answer(submitted_job(jobs[0]), job_location(jobs[0].id))


async def remembered(request: Request, caller: Caller, said: bytes | None = None) -> Remembered | None:
    """Give what is remembered of a request with an Idempotency-Key: all but its answer.

    `said` stands for the body where that was read as it came.
    """
    key = request.headers.get(_KEY_HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise Problem(400, "idempotency_key_invalid", "An Idempotency-Key has 1 to 255 visible ASCII characters.")
    place = request.method.encode() + request.url.path.rstrip("/").encode()
    body = await request.body() if said is None else said
    return Remembered(caller.personal_project, key, sha256(place + b"\x00" + body).hexdigest(), {})
