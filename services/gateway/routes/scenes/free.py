"""Drawing pictures that belong to no scene."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.image_generation import GenerateImage
from services.gateway.routes.acting import act_once, begin
from services.gateway.routes.callers import Caller, Calling
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told as documented
from services.gateway.routes.documented.operations import SUBMITTING
from services.gateway.routes.documented.shapes.versions import FreeTaken
from services.gateway.routes.drawing import check_drawable
from services.gateway.routes.problems import not_found
from services.gateway.routes.replies import API, job_location, job_reply, plain, submitted_job
from services.gateway.routes.scenes.asked import GenerationAsked
from services.gateway.routes.scenes.wanted import references_of, told, with_seed
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import check_sizes, new_job
from services.gateway.rules.scenes import UNMEASURED_SECONDS, drawing_of, seed_in_family
from services.gateway.store.images import select_shown_anew
from services.gateway.store.jobs import select_job
from services.gateway.store.reading import Row
from services.gateway.store.scenes import select_prospect
from services.gateway.store.submissions import insert_drawing
from shared.database import Connection
from shared.outbox import Transaction

_LOOK: Final[tuple[str, ...]] = ("style", "aspect_ratio", "negative_prompt", "provider")
routes = APIRouter(prefix=API, tags=["work"], route_class=SecondLook)


class _Origin(NamedTuple):
    """What a job drew before."""

    project_id: UUID
    request: Mapping[str, Any]


@routes.post(
    "/images/generate",
    status_code=202,
    summary="Draw pictures that belong to no scene",
    **documented(
        "generate_images",
        FreeTaken,
        status=202,
        problems=(*SUBMITTING, "beyond_provider", "image_not_found", "job_not_found"),
        once=True,
        waits=True,
    ),
)
async def post_generation(request: Request, caller: Calling, asked: GenerationAsked) -> Response:
    """Have up to eight pictures drawn at once, each from a seed of its own; each becomes an image of the project.

    `from_job_id` draws anew what another job drew: with what is said here instead, and from another seed.
    """

    async def act(tx: Transaction) -> Answer:
        origin = await _origin(tx.connection, caller, asked.from_job_id)
        project_id = caller.writing(asked.project_id or (origin.project_id if origin else None))
        before = dict(origin.request) if origin else {}
        references: tuple[str, ...] = ()
        if "references" in asked.model_fields_set:
            references = await references_of(tx.connection, project_id, asked.references)
        elif origin is not None:
            references = await select_shown_anew(tx.connection, origin.project_id, before.get("references", ()))
        look = {name: before[name] for name in _LOOK if name in before}
        wanted = asked.after(before)
        job = new_job(caller, project_id, wanted.pipeline)
        command = told(job, asked.description or before.get("description", ""), look, wanted, references)
        if asked.user_tier is None and "priority" in before:
            command = command.model_copy(update={"priority": before["priority"]})
        prospect = await select_prospect(tx.connection, None, command.provider, command.aspect_ratio, command.samples)
        if command.seed is None and before.get("seed") is not None:
            command = with_seed(command, _another_seed(before["seed"], command.job_id), prospect.offers)
        check_sizes([command])
        check_drawable(prospect.offers, command)
        [taken] = await begin(tx, [command])
        if asked.from_job_id is not None:
            await insert_drawing(tx.connection, _drawing(command, asked.from_job_id))
        seconds = round(prospect.seconds or UNMEASURED_SECONDS)
        body = {"job": submitted_job(taken), "estimated_time_seconds": seconds, "from_job_id": asked.from_job_id}
        return Answer(plain(body), job_location(taken.id))

    return await act_once(request, caller, act, show=_show)


async def _show(told: Mapping[str, Any], job: Row) -> dict[str, Any]:
    return {**told, "job": job_reply(job)}


async def _origin(connection: Connection, caller: Caller, job_id: UUID | None) -> _Origin | None:
    if job_id is None:
        return None
    row = await select_job(connection, list(caller.memberships), job_id)
    if row is None or row["kind"] != GenerateImage.wire_name or row["request"] is None:
        raise not_found("job")
    return _Origin(row["project_id"], row["request"])


def _another_seed(before: int, job_id: UUID) -> int:
    return seed_in_family(before, 0, job_id.int)


def _drawing(command: GenerateImage, from_job_id: UUID) -> dict[str, Any]:
    digest = drawing_of(command)
    return {
        "task_id": command.job_id,
        "project_id": command.project_id,
        "from_task_id": from_job_id,
        "from_sample": 0,
        "drawing": digest,
        "recipe": digest,
    }
