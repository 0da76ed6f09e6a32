"""Images of scenes: one record for each scene of a chapter, drawn anew on request."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from contracts.image_generation import GenerateImage
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.operations import SUBMITTING, TASK_LINKS
from services.gateway.routes.documented.shapes.images import Generation, SceneMedia, SceneTaken
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.drawing import check_drawable
from services.gateway.routes.models import SceneAsked, Words
from services.gateway.routes.people.fields import ChapterId, SceneNumber
from services.gateway.routes.people.homes import known_chapter
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json, generation_reply, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import hand_in, new_job
from services.gateway.rules.happenings import error_of
from services.gateway.rules.jobs import ENDED, JobRow
from services.gateway.rules.scenes import IMAGE_TYPE, UNMEASURED_SECONDS, drawing_of, priority_of
from services.gateway.store.images import ImageFilter, select_originals, select_scene_media
from services.gateway.store.reading import Row
from services.gateway.store.scenes import Prospect, select_description, select_generations, select_prospect
from services.gateway.store.submissions import SceneHeld, SceneWanted
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.identifiers import uuid7

_CHAPTER_LIMIT: Final = 1000
_MEDIA_LIMIT: Final = 500
routes = APIRouter(prefix=API, tags=["scenes"], route_class=SecondLook)


@routes.post(
    "/chapters/{chapter_id}/images/scenes/{scene_number}",
    status_code=202,
    summary="Draw a scene's image",
    **told(
        "draw_scene",
        SceneTaken,
        status=202,
        ended=Generation,
        problems=(*SUBMITTING, "chapter_ambiguous", "generation_in_progress", "beyond_provider", "image_not_found"),
        once=True,
        waits=True,
        links=TASK_LINKS,
    ),
)
async def post_scene(
    request: Request, caller: Calling, chapter_id: ChapterId, scene_number: SceneNumber, asked: SceneAsked
) -> Response:
    """Draw the image of a scene. A scene that has one is drawn anew and counts a retry.

    While a scene is being drawn, the same request is told of the same task, and another one is a 409.

    A chapter that is registered in one of your projects is meant where no project is named (409 `chapter_ambiguous`
    where several have one of this id); one that is not is registered in passing, in your personal project or the one
    that is named. A scene that is registered with a description need not be described again.
    """
    seen = await _look(request, caller, (chapter_id, scene_number), asked)
    description, prospect = seen.description, seen.prospect
    job = new_job(caller, seen.project_id, asked.pipeline)
    drawing = {**asked.drawing_of(description), "references": seen.references}
    command = GenerateImage(**job, **drawing, priority=priority_of(asked.user_tier))
    check_drawable(prospect.offers, command)
    scene = SceneWanted(
        record_id=uuid7(),
        project_id=command.project_id,
        task_id=command.job_id,
        chapter_id=chapter_id,
        scene_number=scene_number,
        script_id=asked.script_id,
        image_type=IMAGE_TYPE,
        scene_description=description,
        style=asked.style,
        aspect_ratio=asked.aspect_ratio,
        user_tier=asked.user_tier,
        created_at=datetime.now(UTC),
        drawing=drawing_of(command),
    )

    def tell(_jobs: Sequence[JobRow], held: SceneHeld | None) -> Answer:
        if held is None:
            raise TypeError("a scene that was placed has its record")
        return _tell_scene(scene, held, prospect.seconds or UNMEASURED_SECONDS)

    async def show(told: Mapping[str, Any], task: Row) -> dict[str, Any]:
        rows = await _generations(request, caller, chapter_id, scene_number, command.project_id)
        if task["state"] not in ENDED or not rows:
            return dict(told)
        return await generation_reply(rows[0], parts_of(request).links)

    return await hand_in(request, caller, [command], answer=tell, show=show, scene=scene)


def _tell_scene(scene: SceneWanted, held: SceneHeld, seconds: float) -> Answer:
    begun = held.task_id == scene.task_id
    body = {
        "task_id": held.task_id,
        "record_id": held.record_id,
        "status": "queued",
        "message": f"Scene {scene.scene_number} will be drawn." if begun else "This scene is being drawn already.",
        "estimated_time_seconds": round(seconds),
        "scene_number": scene.scene_number,
        "retry_count": held.retry_count,
    }
    chapter = quote(scene.chapter_id, safe="")
    return Answer(body, f"{API}/chapters/{chapter}/images/scenes/{scene.scene_number}/status")


class _Seen(NamedTuple):
    """What a scene is drawn from; `references` are keys of stored pictures."""

    project_id: UUID
    description: str
    prospect: Prospect
    references: tuple[str, ...]


async def _look(request: Request, caller: Caller, place: tuple[str, int], asked: SceneAsked) -> _Seen:
    """Find out in which project a scene is drawn, what it shall show, and what is known before."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        chapter = None if asked.project_id else await known_chapter(connection, caller, place[0], None)
        project_id = caller.writing(chapter["project_id"] if chapter else asked.project_id)
        description = asked.scene_description or await select_description(connection, project_id, *place)
        prospect = await select_prospect(connection, asked.provider, asked.aspect_ratio)
        references = await _references(connection, project_id, asked.references)
    if not description:
        sentence = "Describe the scene; it is not registered with a description."
        errors = [{"pointer": "/body/scene_description", "message": sentence}]
        raise Problem(422, "validation_failed", sentence, errors=errors)
    return _Seen(project_id, description, prospect, references)


async def _references(connection: Connection, project_id: UUID, ids: Sequence[UUID]) -> tuple[str, ...]:
    """Give the keys of images of a project, in the order in which they were named."""
    if not ids:
        return ()
    rows = await select_originals(connection, [project_id], ImageFilter(ids=list(ids)), len(ids))
    keys = {row["id"]: row["original_key"] for row in rows}
    if missing := [image_id for image_id in ids if image_id not in keys]:
        errors = [
            {"pointer": "/body/references", "message": f"there is no image {one} in the project"} for one in missing
        ]
        raise Problem(404, "image_not_found", "Some of the images to be shown are not in the project.", errors=errors)
    return tuple(keys[image_id] for image_id in ids)


@routes.get(
    "/chapters/{chapter_id}/images/scenes/{scene_number}/status",
    summary="How a scene's image is coming on",
    **told("get_scene_status", Generation, problems=("not_a_member", "scene_image_not_found")),
)
async def get_scene_status(
    request: Request,
    caller: Calling,
    chapter_id: ChapterId,
    scene_number: SceneNumber,
    project_id: UUID | None = None,
) -> Response:
    rows = await _generations(request, caller, chapter_id, scene_number, project_id)
    if not rows:
        raise not_found("scene_image")
    return Json(await generation_reply(rows[0], parts_of(request).links))


@routes.get(
    "/chapters/{chapter_id}/images",
    summary="The images of a chapter, in the order of its scenes",
    **told("list_chapter_images", PageOf[Generation], problems=("not_a_member",)),
)
async def get_chapter_images(
    request: Request, caller: Calling, chapter_id: ChapterId, project_id: UUID | None = None
) -> Response:
    rows = await _generations(request, caller, chapter_id, None, project_id)
    return page([await generation_reply(row, parts_of(request).links) for row in rows], None)


async def _generations(
    request: Request, caller: Caller, chapter_id: str, scene_number: int | None, project_id: UUID | None
) -> list[Row]:
    projects = caller.seeing(project_id)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        return await select_generations(connection, projects, chapter_id, scene_number, _CHAPTER_LIMIT)


@routes.get(
    "/scenes/{scene_id}/media",
    summary="The media that were stored for a scene, and their state",
    **told("list_scene_media", PageOf[SceneMedia], problems=("not_a_member",)),
)
async def get_scene_media(
    request: Request,
    caller: Calling,
    scene_id: Annotated[Words, Path(min_length=1, max_length=200)],
    project_id: UUID | None = None,
) -> Response:
    projects = caller.seeing(project_id)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await select_scene_media(connection, projects, scene_id, _MEDIA_LIMIT)
    items = [
        {
            "job_id": row["job_id"],
            "image_id": row["asset_id"],
            "url": row["url"],
            "state": row["state"],
            "error": error_of(row["error_code"], row["error_sentence"]),
            "created_at": row["created_at"],
        }
        for row in rows
    ]
    return page(items, None)
