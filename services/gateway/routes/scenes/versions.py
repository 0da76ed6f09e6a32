"""The versions of a scene: all that were drawn, and which of them it shows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from services.gateway.links import File, Links
from services.gateway.routes.acting import acting
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.versions import Choice, ImageDrawing, SceneVersions
from services.gateway.routes.people.asking import Slice
from services.gateway.routes.people.fields import ChapterId, SceneNumber
from services.gateway.routes.people.homes import ambiguous
from services.gateway.routes.people.listing import place_behind
from services.gateway.routes.people.scenes import smallest_of
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import check_version, with_etag
from services.gateway.rules.happenings import Happening
from services.gateway.rules.places import number as whole
from services.gateway.rules.places import read_place
from services.gateway.store import projection
from services.gateway.store import scene_versions as store
from services.gateway.store.images import ImageFilter, select_originals
from services.gateway.store.pictures import update_shown_pictures
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.outbox import Transaction

_ORDER: Final = "versions"
_VERSIONS_OF_IMAGE: Final = 50
_PICTURE: Final = (
    *("sample", "number", "image_id", "width_px", "height_px", "service", "model_used", "seed", "paid"),
    "cost_micros",
)
_PATH: Final = "/chapters/{chapter_id}/images/scenes/{scene_number}/versions"
_WHICH: Final = ("not_a_member", "chapter_ambiguous", "scene_image_not_found")
_CHOOSING: Final[Any] = {"tagged": True, "edits": True}
Number = Annotated[int, Path(ge=1, lt=2**31, description="of the version")]
routes = APIRouter(prefix=API, tags=["scenes"], route_class=SecondLook)


async def record_of(
    connection: Connection, caller: Caller, place: tuple[str, int], project_id: UUID | None, *, locked: bool = False
) -> Row:
    """Give the record of a scene that the caller may see, by chapter and number; raises 404 and 409 problems."""
    found = await store.select_records(connection, caller.seeing(project_id), *place, locked=locked)
    if len(found) > 1:
        raise ambiguous([record["project_id"] for record in found])
    if not found:
        raise not_found("scene_image")
    return found[0]


@routes.get(
    _PATH,
    summary="All versions of a scene's image, the newest first",
    **told("list_scene_versions", SceneVersions, problems=(*_WHICH, "cursor_invalid"), tagged=True),
)
async def get_versions(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    scene_number: SceneNumber,
    asked: Annotated[Slice, Query()],
    project_id: UUID | None = None,
) -> Response:
    """Show what was drawn for a scene, and which version it shows: the one that was chosen, or else the newest.

    A version whose image was deleted stays in the list, and cannot be chosen.
    """
    parts, place = parts_of(request), read_place(asked.cursor, _ORDER, whole)
    async with as_tenant(parts.pool, caller.memberships) as connection:
        record = await record_of(connection, caller, (chapter_id, scene_number), project_id)
        rows = await store.select_versions(connection, record["record_id"], place, asked.limit)
    items = [await _version(row, parts.links) for row in rows[: asked.limit]]
    cursor = place_behind(rows, asked.limit, _ORDER, "number")
    return with_etag(Json({**_choice(record), "items": items, "next_cursor": cursor}), record["choices"])


@routes.post(
    _PATH + "/{number}/choose",
    summary="Have a scene show this version",
    **told(
        "choose_scene_version",
        Choice,
        problems=(*_WHICH, "viewer_only", "version_not_found", "version_deleted"),
        **_CHOOSING,
    ),
)
async def post_choice(
    request: Request,
    caller: Calling,
    *,
    chapter_id: ChapterId,
    scene_number: SceneNumber,
    number: Number,
    project_id: UUID | None = None,
) -> Response:
    """Have a scene show this version from now on, whatever is drawn after it. Choosing it once more changes nothing."""
    async with acting(request, caller) as tx:
        record = await _to_change(tx, caller, (chapter_id, scene_number), project_id)
        version = await store.select_version(tx.connection, record["record_id"], number)
        if version is None:
            raise not_found("version")
        if version["deleted"]:
            raise Problem(409, "version_deleted", "The image of this version was deleted; choose another one.")
        if record["chosen"] != number:
            check_version(request, record["choices"])
            await store.insert_choice(tx.connection, record["record_id"], record["project_id"], number, caller.user_id)
            record = await _changed(tx, caller, record, "scene.choose")
    return with_etag(Json(_choice(record)), record["choices"])


@routes.post(
    _PATH + "/undo",
    summary="Take back which version was chosen",
    **told("undo_scene_choice", Choice, problems=(*_WHICH, "viewer_only"), **_CHOOSING),
)
async def post_undo(
    request: Request,
    caller: Calling,
    chapter_id: ChapterId,
    scene_number: SceneNumber,
    project_id: UUID | None = None,
) -> Response:
    """Have what was chosen before hold again, or the newest version. Send `If-Match`, and it is taken back once."""
    async with acting(request, caller) as tx:
        record = await _to_change(tx, caller, (chapter_id, scene_number), project_id)
        check_version(request, record["choices"])
        if record["chosen"] is not None:
            await store.update_choice_undone(tx.connection, record["record_id"])
            record = await _changed(tx, caller, record, "scene.undo")
    return with_etag(Json(_choice(record)), record["choices"])


@routes.get(
    "/images/{image_id}/drawing",
    summary="What an image was drawn by, and the other versions of its scene",
    **told("get_image_drawing", ImageDrawing, problems=("image_not_found",)),
)
async def get_drawing(request: Request, caller: Calling, image_id: UUID) -> Response:
    """Show which job drew an image, what it cost, and for which scene; of what was not drawn here all is null."""
    parts, projects = parts_of(request), list(caller.memberships)
    async with as_tenant(parts.pool, projects) as connection:
        if not await select_originals(connection, projects, ImageFilter(ids=[image_id]), 1):
            raise not_found("image")
        origin = await store.select_origin(connection, projects, image_id)
        scene, rows = await _siblings(connection, origin)
    if origin is None:
        return Json(dict.fromkeys(("picture", "task_id", "scene")))
    picture = {name: origin[name] for name in _PICTURE}
    items = [await _version(row, parts.links) for row in rows[:_VERSIONS_OF_IMAGE]]
    cursor = place_behind(rows, _VERSIONS_OF_IMAGE, _ORDER, "number")
    shown = None if scene is None else {**_choice(scene), "items": items, "next_cursor": cursor}
    return Json({"picture": picture, "task_id": origin["task_id"], "scene": shown})


async def _siblings(connection: Connection, origin: Row | None) -> tuple[Row | None, list[Row]]:
    if origin is None or origin["chapter_id"] is None:
        return None, []
    place = (origin["chapter_id"], origin["scene_number"])
    [scene] = await store.select_records(connection, [origin["project_id"]], *place)
    return scene, await store.select_versions(connection, scene["record_id"], None, _VERSIONS_OF_IMAGE)


async def _to_change(tx: Transaction, caller: Caller, place: tuple[str, int], project_id: UUID | None) -> Row:
    record = await record_of(tx.connection, caller, place, project_id, locked=True)
    caller.writing(record["project_id"])
    return record


async def _changed(tx: Transaction, caller: Caller, before: Row, action: str) -> Row:
    """Have the scene show what holds now, tell of it, and note who did it; the writers' lock is held."""
    home, place = before["project_id"], (before["chapter_id"], before["scene_number"])
    await update_shown_pictures(tx.connection, [before["record_id"]])
    [record] = await store.select_records(tx.connection, [home], *place)
    await projection.insert_events(tx.connection, [_happening(caller, record)])
    subject = f"{place[0]}/{place[1]}"
    await note(tx.connection, caller, action, subject, home, shown=record["shown"], before=before["shown"])
    return record


def _happening(caller: Caller, record: Row) -> Happening:
    names = ("record_id", "chapter_id", "scene_number", "shown", "chosen")
    data = {**{name: record[name] for name in names}, "image_id": record["asset_id"], "chosen_by": caller.user_id}
    return Happening(record["project_id"], "image.chosen", datetime.now(UTC), data, job_id=record["task_id"])


def _choice(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("record_id", "project_id", "chapter_id", "scene_number", "shown", "chosen")
    return {**{name: record[name] for name in names}, "image_id": record["asset_id"], "version": record["choices"]}


async def _version(row: Row, links: Links) -> dict[str, Any]:
    request = row["request"] or {}
    key = None if row["deleted"] else row["copy_key"] or row["object_key"]
    small = None if row["deleted"] else smallest_of(row)
    return {
        "number": row["number"],
        "shown": bool(row["shown"]),
        "deleted": row["deleted"],
        "task_id": row["task_id"],
        "sample": row["sample"],
        "from_version": row["from_number"],
        "from_task_id": row["from_task_id"],
        "image_id": row["asset_id"],
        "image_url": (await links.to(File(key, None))).url if key else None,
        "thumb_url": (await links.to(small)).url if small else None,
        "width_px": row["width_px"],
        "height_px": row["height_px"],
        "scene_description": request.get("description"),
        "style": request.get("style", ""),
        "aspect_ratio": request.get("aspect_ratio"),
        "negative_prompt": request.get("negative_prompt"),
        "seed": row["seed"],
        "service": row["provider"],
        "model_used": row["model"],
        "paid": row["paid"],
        "cost_micros": row["cost_micros"],
        "generation_time_seconds": row["generation_seconds"],
        "submitted_by": row["submitted_by"],
        "requested_at": row["requested_at"],
        "created_at": row["generated_at"],
    }
