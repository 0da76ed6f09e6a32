"""Chapters: registered by hand, or in passing where a scene of theirs is drawn."""

from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.routes.acting import create_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.people.asking import ChapterAsked, ChapterEdit, ChaptersPage, Slice
from services.gateway.routes.people.fields import ChapterId
from services.gateway.routes.people.homes import chapter_of
from services.gateway.routes.people.listing import dumped, place_behind, shown_page
from services.gateway.routes.people.scenes import SCENES_ORDER, grid_cell
from services.gateway.routes.people.showing import ChapterDetail, ChapterShown, Grid, PageOf, SceneCounts
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import check_version, versioned
from services.gateway.rules.places import identifier, number, read_place, words
from services.gateway.store import chapters as store
from services.gateway.store.chapter_scenes import select_chapter_scenes, select_drawings_under_way
from services.gateway.store.projection import lock_writers
from services.gateway.store.projects import keep_project
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.identifiers import uuid7
from shared.outbox import Transaction

_ORDER: Final = "chapters"
_WHICH: Final = ("chapter_not_found", "chapter_ambiguous", "not_a_member")
_EDITING: Final = ("viewer_only",)
routes = APIRouter(prefix=f"{API}/chapters", tags=["chapters"], route_class=SecondLook)


@routes.post(
    "",
    status_code=201,
    summary="Register a chapter",
    **told(
        "create_chapter",
        ChapterShown,
        status=201,
        problems=("chapter_exists", "not_a_member", "viewer_only", "project_not_found"),
        tagged=True,
        once=True,
    ),
)
async def post_chapter(request: Request, caller: Calling, asked: ChapterAsked) -> Response:
    """Register a chapter in a project. Registering is optional: drawing a scene registers its chapter in passing.

    Whoever draws scenes of a chapter that only one of his projects has need not name the project.
    """
    project_id = caller.writing(asked.project_id)

    async def act(tx: Transaction) -> Answer:
        chapter_id = asked.id or str(uuid7())
        if not await keep_project(tx.connection, project_id):
            raise not_found("project")
        row = await store.insert_chapter(tx.connection, project_id, chapter_id, asked.model_dump(), asked.position)
        if row is None:
            raise Problem(409, "chapter_exists", "The project has a chapter of this id; choose another.")
        await note(tx.connection, caller, "chapter.create", chapter_id, project_id)
        location = f"{API}/chapters/{quote(chapter_id, safe='')}?project_id={project_id}"
        return Answer(dumped(ChapterShown.of(row)), location, 201)

    return await create_once(request, caller, act)


@routes.get(
    "",
    summary="Chapters, in their order",
    **told("list_chapters", PageOf[ChapterShown], problems=("not_a_member", "cursor_invalid")),
)
async def get_chapters(request: Request, caller: Calling, asked: Annotated[ChaptersPage, Query()]) -> Response:
    projects = caller.seeing(asked.project_id)
    place = read_place(asked.cursor, _ORDER, number, words, identifier)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await store.select_chapters(connection, projects, asked.script_id, place, asked.limit)
    cursor = place_behind(rows, asked.limit, _ORDER, "position", "id", "project_id")
    return shown_page(rows, asked.limit, ChapterShown.of, cursor)


@routes.get(
    "/{chapter_id}",
    summary="A chapter, and how many of its scenes have which state",
    **told("get_chapter", ChapterDetail, problems=(*_WHICH,), tagged=True),
)
async def get_chapter(
    request: Request, caller: Calling, chapter_id: ChapterId, project_id: UUID | None = None
) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await chapter_of(connection, caller, chapter_id, project_id)
        return versioned(await _detail(connection, row), row["version"], alone=False)


@routes.patch(
    "/{chapter_id}",
    summary="Change a chapter",
    **told("update_chapter", ChapterDetail, problems=(*_WHICH, *_EDITING), tagged=True, edits=True),
)
async def patch_chapter(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    asked: ChapterEdit,
    project_id: UUID | None = None,
) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await locked_chapter(connection, caller, chapter_id, project_id)
        check_version(request, row["version"])
        if asked.changes:
            home = row["project_id"]
            row = await store.update_chapter(connection, home, chapter_id, asked.changes) or row
            await note(connection, caller, "chapter.update", chapter_id, home, fields=sorted(asked.changes))
        return versioned(await _detail(connection, row), row["version"], alone=False)


@routes.delete(
    "/{chapter_id}",
    status_code=204,
    summary="Delete a chapter and its scenes",
    **told("delete_chapter", None, status=204, problems=(*_WHICH, *_EDITING, "chapter_in_use"), edits=True),
)
async def delete_chapter(
    request: Request, caller: Calling, chapter_id: ChapterId, project_id: UUID | None = None
) -> Response:
    """Delete a chapter with its scenes and the records of their images; the images stay in the library."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        await lock_writers(connection)  # nobody begins to draw a scene of it meanwhile
        row = await locked_chapter(connection, caller, chapter_id, project_id)
        check_version(request, row["version"])
        home = row["project_id"]
        if drawings := await select_drawings_under_way(connection, home, chapter_id):
            sentence = f"{drawings} images of its scenes are being drawn; wait for them or cancel their jobs first."
            raise Problem(409, "chapter_in_use", sentence)
        await store.delete_chapter(connection, home, chapter_id)
        await note(connection, caller, "chapter.delete", chapter_id, home)
    return Response(status_code=204)


@routes.get(
    "/{chapter_id}/grid",
    summary="A chapter's scenes and their images at a glance",
    **told("get_chapter_grid", Grid, problems=(*_WHICH, "cursor_invalid")),
)
async def get_grid(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    asked: Annotated[Slice, Query()],
    project_id: UUID | None = None,
) -> Response:
    parts, place = parts_of(request), read_place(asked.cursor, SCENES_ORDER, number, number)
    async with as_tenant(parts.pool, caller.memberships) as connection:
        row = await chapter_of(connection, caller, chapter_id, project_id)
        detail = await _detail(connection, row)
        scenes = await select_chapter_scenes(connection, row["project_id"], chapter_id, place, asked.limit)
    cells = [dumped(await grid_cell(scene, parts.links)) for scene in scenes[: asked.limit]]
    cursor = place_behind(scenes, asked.limit, SCENES_ORDER, "position", "number")
    return Json({"chapter": dumped(detail), "items": cells, "next_cursor": cursor})


async def locked_chapter(connection: Connection, caller: Caller, chapter_id: str, project_id: UUID | None) -> Row:
    """Give a chapter that the caller may change, as it is once nobody else edits it."""
    found = await chapter_of(connection, caller, chapter_id, project_id)
    caller.writing(found["project_id"])
    locked = await store.select_locked_chapter(connection, found["project_id"], chapter_id)
    if locked is None:
        raise not_found("chapter")
    return locked


async def _detail(connection: Connection, chapter: Row) -> ChapterDetail:
    counts = await store.select_scene_counts(connection, chapter["project_id"], chapter["id"])
    return ChapterDetail.of(chapter, scenes=SceneCounts(total=sum(counts.values()), **counts))
