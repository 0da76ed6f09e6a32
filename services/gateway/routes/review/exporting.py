"""The training data that was approved, as lines of JSON: a manifest of any length in little memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from services.gateway.links import File, Links
from services.gateway.routes.callers import Caller, Calling, parts_of, still_sees
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.examples import EXPORT
from services.gateway.routes.documented.shapes.reviews import ExportTotals
from services.gateway.routes.parts import Parts
from services.gateway.routes.replies import API, Json
from services.gateway.routes.review.asked import ExportAsked
from services.gateway.routes.second_looks import SecondLook
from services.gateway.rules.places import identifier, instant, microseconds, read_place, words, write_place
from services.gateway.store import reviews as store
from services.gateway.store.reading import Row
from services.gateway.store.reviews import MapFilter
from services.gateway.store.tenancy import as_tenant

PAGE: Final = 200
_LINES: Final = "application/x-ndjson"
_ORDER: Final = "a"
routes = APIRouter(prefix=API, tags=["review"], route_class=SecondLook)


class _PutOut(Exception):
    """The caller is no longer a member of a project whose maps are being exported."""


@dataclass(frozen=True)
class _Export:
    """An export under way.

    Attributes:
        place: behind which it goes on.
        links: None where no addresses are asked for.

    """

    parts: Parts
    caller: Caller
    projects: Sequence[UUID]
    wanted: MapFilter
    place: tuple[Any, ...] | None
    links: Links | None

    async def totals(self) -> Row:
        async with as_tenant(self.parts.pool, self.projects) as connection:
            return await store.select_approved_totals(connection, self.projects, self.wanted, self.place)

    async def page(self) -> list[Row]:
        async with as_tenant(self.parts.pool, self.projects) as connection:
            return await store.select_approved(connection, self.projects, self.wanted, self.place, PAGE)


@routes.get(
    "/maps/export",
    summary="The approved maps with their images, as a manifest of training data",
    **told(
        "export_maps",
        ExportTotals,
        content=_LINES,
        example="".join(orjson.dumps(line).decode() + "\n" for line in EXPORT),
        problems=("not_a_member", "cursor_invalid"),
    ),
)
async def get_export(request: Request, caller: Calling, asked: Annotated[ExportAsked, Query()]) -> Response:
    """Stream the approved maps as lines of JSON, in the order in which they were approved.

    The first line, a `manifest`, says how many maps are to come. Each `map` says all that is known of one, with keys
    and digests of its files. The last line, `end`, says how many came: where it is missing the stream was cut off, and
    the `cursor` of the last line goes on behind it. Kept, the last cursor leads on to what is approved later.

    With `layout=dataset` every line is a row, flat, with the same columns and types: what tools for data sets read as
    `metadata.jsonl`. `file_name`, `depth_file_name` and `edges_file_name` are keys in the store, so beside a copy of it
    the files are found; without one, `url`, `depth_url` and `edges_url` lead to them for a while. An image has no `url`
    until a copy was made of it that may be handed out. Normals of surfaces are not drawn of every image: `normals_key`
    and `normals_url` are empty where there are none. Images are in the format that they came in, for which readers may
    need help, as Pillow does for HEIC. Such a stream that is cut off ends in an error of the connection.
    """
    parts, projects = parts_of(request), caller.seeing(asked.project_id)
    place = read_place(asked.cursor, _ORDER, instant, identifier, words)
    links = parts.links if asked.urls else None
    export = _Export(parts, caller, projects, asked.conditions(), place, links)
    totals = await export.totals()
    if asked.dry_run:
        return Json({**totals, "dry_run": True})
    if asked.layout == "dataset":
        return StreamingResponse(_rows(export, await export.page()), media_type=_LINES)
    head = {"type": "manifest", **totals, "made_at": datetime.now(UTC), "behind": asked.cursor}
    # Whatever is wrong before the first line is a problem; afterwards it could only be a stream that is cut off.
    return StreamingResponse(_lines(export, head, await export.page()), media_type=_LINES)


async def _lines(export: _Export, head: Mapping[str, Any], rows: list[Row]) -> AsyncIterator[bytes]:
    yield _line(head)
    count, cursor = 0, head["behind"]
    try:
        async for row in _approved(export, rows):
            cursor = write_place(_ORDER, microseconds(row["reviewed_at"]), row["asset_id"].hex, row["recipe"])
            yield _line({"type": "map", "cursor": cursor, **await _map(row, export.links)})
            count += 1
    except _PutOut:
        return
    yield _line({"type": "end", "maps": count, "cursor": cursor})


async def _rows(export: _Export, rows: list[Row]) -> AsyncIterator[bytes]:
    """Give the rows of a data set; raises _PutOut, so that nobody takes half of it for the whole."""
    async for row in _approved(export, rows):
        yield _line(_flat(await _map(row, export.links)))


async def _approved(export: _Export, rows: list[Row]) -> AsyncIterator[Row]:
    """Give row after row, page by page; raises _PutOut for whoever may no longer see them."""
    while rows:
        for row in rows:
            yield row
            await asyncio.sleep(0)  # others wait, and signing addresses is work
        if len(rows) < PAGE:
            return
        if not await still_sees(export.parts, export.caller, export.projects):
            raise _PutOut
        last = rows[-1]
        export = replace(export, place=(last["reviewed_at"], last["asset_id"], last["recipe"]))
        rows = await export.page()


def _line(told_of: Mapping[str, Any]) -> bytes:
    return orjson.dumps(told_of, default=str, option=orjson.OPT_APPEND_NEWLINE)


async def _map(row: Row, links: Links | None) -> dict[str, Any]:
    shapes = ("sha256", "size_bytes", "width_px", "height_px")
    copy = row["clean_copy"]
    image = copy or {"key": row["original_key"], **{name: row[name] for name in (*shapes, "content_type")}}
    drawn = [name for name in ("depth", "edges", "normals") if row[name] is not None]
    files = {
        "image": File(image["key"], image["content_type"]),
        **{name: File(row[name]["key"], "image/png") for name in drawn},
        "sidecar": File(row["sidecar_key"], "application/json"),
    }
    # An original of which there is no copy is not handed out: it may tell where it was taken.
    handed_out = dict.fromkeys(files, links) | ({} if copy else {"image": None})
    addressed = {name: await _addressed(file, handed_out[name]) for name, file in files.items()}
    shaped = {name: {shape: row[name][shape] for shape in shapes} for name in drawn}
    pictured = {name: image[name] for name in (*shapes, "content_type")}
    shaped |= {"image": {**pictured, "original_sha256": row["sha256"], **_said(row)}, "sidecar": {}}
    return {
        "image_id": row["asset_id"],
        "project_id": row["project_id"],
        **{name: row[name] for name in ("recipe", "kind", "estimator", "quality")},
        "map_version": row["subject_version"],
        **{name: {**addressed[name], **shaped[name]} for name in files},
        "review": {name: row[name] for name in ("reviewed_by", "reviewed_at", "note")},
    }


async def _addressed(file: File, links: Links | None) -> dict[str, Any]:
    if links is None:
        return {"key": file.key}
    link = await links.to(file)
    return {"key": file.key, "url": link.url, "expires_at": link.expires_at}


def _said(row: Row) -> dict[str, Any]:
    """Give what is known of an image beside its bytes, and where it comes from."""
    found = row["context"] or {}
    words_of = {
        name: found.get(name) if row[f"edited_{name}"] is None else row[f"edited_{name}"]
        for name in ("title", "alt", "caption")
    }
    origin = {name: found.get(name) for name in ("credit", "licence", "page_url")}
    same = {name: row[name] for name in ("tags", "source_url", "created_at")}
    return {**words_of, **origin, **same}


def _flat(told_of: Mapping[str, Any]) -> dict[str, Any]:
    """Make a row of a data set of what is told of a map: the same columns of the same types, whatever is known."""
    image, files = told_of["image"], (("", "image"), ("depth_", "depth"), ("edges_", "edges"))
    words_of = {name: image[name] or "" for name in ("title", "alt", "caption", "credit", "licence", "page_url")}
    # Readers of data sets take every `file_name` for a file that is there.
    normals = told_of.get("normals", {})
    columns = ("key", "sha256", "url") if "url" in told_of["depth"] else ("key", "sha256")
    return {
        **{f"{prefix}file_name": told_of[name]["key"] for prefix, name in files},
        **{f"{prefix}sha256": told_of[name]["sha256"] for prefix, name in files},
        **{f"{prefix}url": told_of[name].get("url", "") for prefix, name in files if "url" in columns},
        **{f"normals_{name}": normals.get(name, "") for name in columns},
        "text": words_of["caption"] or words_of["alt"] or words_of["title"],
        **words_of,
        "tags": image["tags"],
        "source_url": image["source_url"] or "",
        "width_px": image["width_px"],
        "height_px": image["height_px"],
        "image_id": told_of["image_id"],
        "project_id": told_of["project_id"],
        **{name: told_of[name] for name in ("recipe", "kind", "estimator", "map_version")},
        **{name: told_of["review"][name] for name in ("reviewed_by", "reviewed_at")},
    }
