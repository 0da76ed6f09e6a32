"""The scenes of a chapter: what each is called and shall show, and how its image is coming on."""

from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.links import File, Links
from services.gateway.routes.acting import create_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.people.asking import ChapterSceneAsked, ChapterSceneEdit, Slice
from services.gateway.routes.people.fields import ChapterId, SceneNumber
from services.gateway.routes.people.homes import chapter_of
from services.gateway.routes.people.listing import dumped, place_behind, shown_page
from services.gateway.routes.people.showing import GridCell, PageOf, SceneShown
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import check_version, versioned
from services.gateway.rules import places
from services.gateway.store import chapter_scenes as store
from services.gateway.store.chapters import select_locked_chapter
from services.gateway.store.projection import lock_writers
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.outbox import Transaction

SCENES_ORDER: Final = "scenes"
_WHICH: Final = ("chapter_not_found", "chapter_ambiguous", "not_a_member")
_EDITING: Final = ("scene_not_found", "viewer_only")
routes = APIRouter(prefix=f"{API}/chapters/{{chapter_id}}/scenes", tags=["chapters"], route_class=SecondLook)


@routes.post(
    "",
    status_code=201,
    summary="Register a scene",
    **told(
        "create_scene",
        SceneShown,
        status=201,
        problems=(*_WHICH, "viewer_only", "scene_exists"),
        tagged=True,
        once=True,
    ),
)
async def post_chapter_scene(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    asked: ChapterSceneAsked,
    project_id: UUID | None = None,
) -> Response:
    """Register a scene of a chapter. Registering is optional: drawing a scene registers it in passing."""

    async def act(tx: Transaction) -> Answer:
        home = await _home(tx.connection, caller, chapter_id, project_id)
        number = await store.insert_chapter_scene(
            tx.connection, home, chapter_id, asked.number, asked.model_dump(exclude={"number"})
        )
        if number is None:
            raise Problem(409, "scene_exists", "The chapter has a scene of this number; choose another.")
        await note(tx.connection, caller, "scene.create", f"{chapter_id}/{number}", home)
        row = await _scene(tx.connection, home, chapter_id, number)
        location = f"{API}/chapters/{quote(chapter_id, safe='')}/scenes/{number}?project_id={home}"
        return Answer(dumped(SceneShown.of(row)), location, 201)

    return await create_once(request, caller, act)


async def _home(connection: Connection, caller: Caller, chapter_id: str, project_id: UUID | None) -> UUID:
    """Give the project of a chapter that the caller may change, and lock the chapter."""
    chapter = await chapter_of(connection, caller, chapter_id, project_id)
    home = caller.writing(chapter["project_id"])
    if await select_locked_chapter(connection, home, chapter_id) is None:
        raise not_found("chapter")
    return home


async def _scene(
    connection: Connection, project_id: UUID, chapter_id: str, number: int, *, locked: bool = False
) -> Row:
    row = await store.select_chapter_scene(connection, project_id, chapter_id, number, locked=locked)
    if row is None:
        raise not_found("scene")
    return row


@routes.get(
    "",
    summary="The scenes of a chapter, in their order",
    **told("list_scenes", PageOf[SceneShown], problems=(*_WHICH, "cursor_invalid")),
)
async def get_chapter_scenes(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    asked: Annotated[Slice, Query()],
    project_id: UUID | None = None,
) -> Response:
    place = places.read_place(asked.cursor, SCENES_ORDER, places.number, places.number)
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        chapter = await chapter_of(connection, caller, chapter_id, project_id)
        rows = await store.select_chapter_scenes(connection, chapter["project_id"], chapter_id, place, asked.limit)
    cursor = place_behind(rows, asked.limit, SCENES_ORDER, "position", "number")
    return shown_page(rows, asked.limit, SceneShown.of, cursor)


@routes.get(
    "/{number}",
    summary="A scene, and how its image is coming on",
    **told("get_scene", SceneShown, problems=(*_WHICH, "scene_not_found"), tagged=True),
)
async def get_chapter_scene(
    request: Request, caller: Calling, chapter_id: ChapterId, number: SceneNumber, project_id: UUID | None = None
) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        chapter = await chapter_of(connection, caller, chapter_id, project_id)
        row = await _scene(connection, chapter["project_id"], chapter_id, number)
    return _shown(row)


@routes.patch(
    "/{number}",
    summary="Change a scene",
    **told("update_scene", SceneShown, problems=(*_WHICH, *_EDITING), tagged=True, edits=True),
)
async def patch_chapter_scene(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    number: SceneNumber,
    asked: ChapterSceneEdit,
    project_id: UUID | None = None,
) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        home = await _home(connection, caller, chapter_id, project_id)
        row = await _scene(connection, home, chapter_id, number, locked=True)
        check_version(request, row["version"])
        if asked.changes:
            await store.update_chapter_scene(connection, home, chapter_id, number, asked.changes)
            subject = f"{chapter_id}/{number}"
            await note(connection, caller, "scene.update", subject, home, fields=sorted(asked.changes))
            row = await _scene(connection, home, chapter_id, number)
    return _shown(row)


@routes.delete(
    "/{number}",
    status_code=204,
    summary="Delete a scene",
    **told("delete_scene", None, status=204, problems=(*_WHICH, *_EDITING, "scene_in_use"), edits=True),
)
async def delete_chapter_scene(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    number: SceneNumber,
    project_id: UUID | None = None,
) -> Response:
    """Delete a scene with the record of its image; the image stays in the library."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        await lock_writers(connection)  # nobody begins to draw it meanwhile
        home = await _home(connection, caller, chapter_id, project_id)
        row = await _scene(connection, home, chapter_id, number, locked=True)
        check_version(request, row["version"])
        if await store.select_drawings_under_way(connection, home, chapter_id, number):
            raise Problem(409, "scene_in_use", "Its image is being drawn; wait for it or cancel its job first.")
        await store.delete_chapter_scene(connection, home, chapter_id, number)
        await note(connection, caller, "scene.delete", f"{chapter_id}/{number}", home)
    return Response(status_code=204)


def _shown(row: Row) -> Response:
    return versioned(SceneShown.of(row), row["version"], alone=False)


async def grid_cell(row: Mapping[str, Any], links: Links) -> GridCell:
    """Give a scene as the grid of its chapter shows it."""
    picture = smallest_of(row)
    link = await links.to(picture) if picture else None
    return GridCell.of(
        row,
        status=row["status"] or "not_requested",
        thumb_url=link and link.url,
        thumb_expires_at=link and link.expires_at,
        retry_count=row["retry_count"] or 0,
        error=row["error_sentence"],
    )


def smallest_of(row: Mapping[str, Any]) -> File | None:
    """Give the smallest picture there is of what was drawn, by `renditions` and `object_key`; None: there is none."""
    if row["renditions"]:
        smallest = min(row["renditions"], key=lambda rendition: rendition["width_px"])
        return File(smallest["key"], smallest["content_type"])
    return File(row["object_key"], None) if row["object_key"] else None
