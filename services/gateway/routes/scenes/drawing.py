"""Drawing the image of one scene: for the first time, anew, or from one of its versions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request, Response

from contracts.image_generation import GenerateImage
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told as documented
from services.gateway.routes.documented.operations import SUBMITTING, TASK_LINKS
from services.gateway.routes.documented.shapes.images import Generation, SceneTaken
from services.gateway.routes.drawing import beyond_provider
from services.gateway.routes.people.fields import ChapterId, SceneNumber
from services.gateway.routes.people.homes import known_chapter
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, generation_reply
from services.gateway.routes.scenes.asked import RegenerationAsked, SceneAsked
from services.gateway.routes.scenes.versions import Number, record_of
from services.gateway.routes.scenes.wanted import Meant, Place, of_family, references_of, told, with_seed
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.submitting import hand_in, new_job
from services.gateway.rules.jobs import ENDED, JobRow
from services.gateway.rules.scenes import UNMEASURED_SECONDS, priority_of, says_something, seed_in_family
from services.gateway.store.images import select_shown_anew
from services.gateway.store.reading import Row
from services.gateway.store.scene_versions import select_version
from services.gateway.store.scenes import Prospect, select_generation, select_prospect
from services.gateway.store.submissions import SceneHeld, SceneWanted
from services.gateway.store.tenancy import as_tenant

_DRAWING: Final = (*SUBMITTING, "chapter_ambiguous", "generation_in_progress", "beyond_provider", "image_not_found")
_TAKEN: Final[Any] = {
    "status": 202,
    "ended": Generation,
    "once": True,
    "waits": True,
    "links": TASK_LINKS,
}
routes = APIRouter(prefix=API, tags=["scenes"], route_class=SecondLook)


@routes.post(
    "/chapters/{chapter_id}/images/scenes/{scene_number}",
    status_code=202,
    summary="Draw a scene's image",
    **documented("draw_scene", SceneTaken, problems=_DRAWING, **_TAKEN),
)
async def post_scene(
    request: Request, caller: Calling, chapter_id: ChapterId, scene_number: SceneNumber, asked: SceneAsked
) -> Response:
    """Draw the image of a scene. A scene that has one is drawn anew and counts a retry.

    While a scene is being drawn, the same request is told of the same task, and another one is a 409; the scene shows
    what it has shown before. What was drawn before stays, as a version of it.

    A chapter that is registered in one of your projects is meant where no project is named (409 `chapter_ambiguous`
    where several have one of this id); one that is not is registered in passing, in your personal project or the one
    that is named. A scene that is registered with a description need not be described again, and what is not said of
    how it looks is as the chapter looks.
    """
    seen = await _look(request, caller, (chapter_id, scene_number), asked)
    prospect = seen.prospect
    place = Place(seen.project_id, chapter_id, scene_number, prospect.take)
    job = new_job(caller, seen.project_id, asked.pipeline)
    command = told(job, asked.scene_description or prospect.description, prospect.look, asked, seen.references)
    meant = of_family(command, prospect.look, place, prospect.offers) if prospect.look else Meant(command)
    scene = meant.at(place, script_id=asked.script_id, user_tier=asked.user_tier)
    return await _hand_in(request, caller, meant.command, scene, prospect)


class _Seen(NamedTuple):
    """What a scene is drawn from; `references` are keys of stored pictures."""

    project_id: UUID
    prospect: Prospect
    references: tuple[str, ...]


async def _look(request: Request, caller: Caller, place: tuple[str, int], asked: SceneAsked) -> _Seen:
    """Find out in which project a scene is drawn, what it shall show, and what is known before."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        chapter = None if asked.project_id else await known_chapter(connection, caller, place[0], None)
        project_id = caller.writing(chapter["project_id"] if chapter else asked.project_id)
        prospect = await select_prospect(
            connection, (project_id, *place), asked.provider, asked.aspect_ratio, asked.samples
        )
        references = await references_of(connection, project_id, asked.references)
    if not asked.scene_description and not says_something(prospect.description):
        sentence = "Describe the scene; it is not registered with a description."
        errors = [{"pointer": "/body/scene_description", "message": sentence}]
        raise Problem(422, "validation_failed", sentence, errors=errors)
    return _Seen(project_id, prospect, references)


@routes.post(
    "/chapters/{chapter_id}/images/scenes/{scene_number}/versions/{number}/regenerate",
    status_code=202,
    summary="Draw a scene anew, from one of its versions",
    **documented(
        "regenerate_scene",
        SceneTaken,
        problems=(*_DRAWING, "scene_image_not_found", "version_not_found"),
        **_TAKEN,
    ),
)
async def post_regeneration(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    scene_number: SceneNumber,
    number: Number,
    asked: RegenerationAsked | None = None,
    project_id: UUID | None = None,
) -> Response:
    """Draw another version by what one of them was drawn by, but for what is said here, and from another seed.

    The new version tells which one it goes back to. Its seed follows from that one's and from how often the scene was
    drawn, where the provider heeds seeds.
    """
    changes = dict((asked or RegenerationAsked()).changes)
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        record = await record_of(connection, caller, (chapter_id, scene_number), project_id)
        home = caller.writing(record["project_id"])
        version = await select_version(connection, record["record_id"], number)
        if version is None or version["request"] is None:
            raise not_found("version")
        before = _request_of(version)
        if "references" in changes:
            changes["references"] = await references_of(connection, home, changes["references"])
        else:
            before["references"] = await select_shown_anew(connection, home, before["references"])
        if "scene_description" in changes:
            changes["description"] = changes.pop("scene_description")
        wished = {**before, "samples": 1, **changes}
        about = (home, chapter_id, scene_number)
        prospect = await select_prospect(
            connection, about, wished.get("provider"), wished["aspect_ratio"], wished["samples"]
        )
    tier = wished.pop("user_tier", record["user_tier"])
    job = new_job(caller, home, wished.pop("pipeline", ()))
    drawn = {**wished, "seed": changes.get("seed"), "priority": priority_of(tier)}
    command = GenerateImage(**{**job, **drawn})
    if command.seed is None and before.get("seed") is not None:
        command = with_seed(command, seed_in_family(before["seed"], scene_number, record["take"]), prospect.offers)
    scene = Meant(command).at(
        Place(home, chapter_id, scene_number),
        script_id=record["script_id"],
        user_tier=tier,
        from_task_id=version["task_id"],
        from_sample=version["sample"],
    )
    return await _hand_in(request, caller, command, scene, prospect)


def _request_of(version: Row) -> dict[str, Any]:
    """Give what a version was drawn by, without whose job it was."""
    command = GenerateImage.model_validate(version["request"])
    names = {"style", "aspect_ratio", "negative_prompt", "seed", "provider", "references", "pipeline", "description"}
    said = command.model_dump(include=names)
    if version["seed"] is not None:  # each sample grew from its own
        said["seed"] = version["seed"]
    return said


async def _hand_in(
    request: Request, caller: Caller, command: GenerateImage, scene: SceneWanted, prospect: Prospect
) -> Response:
    def tell(_jobs: Sequence[JobRow], held: SceneHeld | None) -> Answer:
        if held is None:
            raise TypeError("a scene that was placed has its record")
        return _tell_scene(scene, held, prospect.seconds or UNMEASURED_SECONDS)

    async def show(told: Mapping[str, Any], task: Row) -> dict[str, Any]:
        projects = [command.project_id]
        async with as_tenant(parts_of(request).pool, projects) as connection:
            row = await select_generation(connection, projects, scene.chapter_id, scene.scene_number)
        if task["state"] not in ENDED or row is None:
            return dict(told)
        return await generation_reply(row, parts_of(request).links)

    refusal = beyond_provider(prospect.offers, command)
    return await hand_in(request, caller, [command], answer=tell, show=show, scene=scene, refusal=refusal)


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
