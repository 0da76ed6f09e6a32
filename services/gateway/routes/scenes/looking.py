"""How the images of scenes are coming on, and the media that were stored for them."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from services.gateway.routes.callers import Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.images import Generation, SceneMedia
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.models import Cursor, Words
from services.gateway.routes.people.fields import ChapterId, SceneNumber
from services.gateway.routes.people.listing import place_behind
from services.gateway.routes.problems import not_found
from services.gateway.routes.replies import API, Json, generation_reply, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.rules.happenings import error_of
from services.gateway.rules.places import identifier, moment, number, read_place
from services.gateway.store.images import select_scene_media
from services.gateway.store.scenes import select_generation, select_generations
from services.gateway.store.tenancy import as_tenant

_ORDER: Final = "chapter_images"
_MEDIA_ORDER: Final = "scene_media"
_CHAPTER_LIMIT: Final = 1000
_MEDIA_LIMIT: Final = 500
routes = APIRouter(prefix=API, tags=["scenes"], route_class=SecondLook)


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
    projects = caller.seeing(project_id)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        row = await select_generation(connection, projects, chapter_id, scene_number)
    if row is None:
        raise not_found("scene_image")
    return Json(await generation_reply(row, parts_of(request).links))


@routes.get(
    "/chapters/{chapter_id}/images",
    summary="The images of a chapter, in the order of its scenes",
    **told("list_chapter_images", PageOf[Generation], problems=("not_a_member", "cursor_invalid")),
)
async def get_chapter_images(
    request: Request,
    caller: Calling,
    chapter_id: ChapterId,
    *,
    project_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=_CHAPTER_LIMIT, description="how many at most")] = _CHAPTER_LIMIT,
    cursor: Annotated[Cursor | None, Query(description="`next_cursor` of a page")] = None,
) -> Response:
    projects, place = caller.seeing(project_id), read_place(cursor, _ORDER, number, identifier)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await select_generations(connection, projects, chapter_id, place, limit)
    items = [await generation_reply(row, parts_of(request).links) for row in rows[:limit]]
    return page(items, place_behind(rows, limit, _ORDER, "scene_number", "record_id"))


@routes.get(
    "/scenes/{scene_id}/media",
    summary="The media that were stored for a scene, and their state",
    **told("list_scene_media", PageOf[SceneMedia], problems=("not_a_member", "cursor_invalid")),
)
async def get_scene_media(
    request: Request,
    caller: Calling,
    scene_id: Annotated[Words, Path(min_length=1, max_length=200)],
    *,
    project_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=_MEDIA_LIMIT, description="how many at most")] = _MEDIA_LIMIT,
    cursor: Annotated[Cursor | None, Query(description="`next_cursor` of a page")] = None,
) -> Response:
    projects, place = caller.seeing(project_id), read_place(cursor, _MEDIA_ORDER, moment, identifier, identifier)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await select_scene_media(connection, projects, scene_id, place, limit)
    items = [
        {
            "job_id": row["job_id"],
            "image_id": row["asset_id"],
            "url": row["url"],
            "state": row["state"],
            "error": error_of(row["error_code"], row["error_sentence"]),
            "created_at": row["created_at"],
        }
        for row in rows[:limit]
    ]
    return page(items, place_behind(rows, limit, _MEDIA_ORDER, "created_at", "job_id", "place_id"))
