"""Looking at images and their maps."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import AwareDatetime

from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import Json, image_files, image_reply, map_reply, page
from services.gateway.rules.cursors import parse_cursor
from services.gateway.store import images as store
from services.gateway.store.images import ImageFilter
from services.gateway.store.pages import next_cursor
from services.gateway.store.tenancy import as_tenant

routes = APIRouter(tags=["images"])


@routes.get("/images", summary="Images, the newest first")
async def get_images(
    request: Request,
    caller: Calling,
    job_id: Annotated[UUID | None, Query(description="stored by this job, or in the tree under it")] = None,
    mapped: Annotated[bool | None, Query(description="with, or without, depth and edge maps")] = None,
    described: bool | None = None,
    content_type: Annotated[str | None, Query(max_length=200)] = None,
    project_id: UUID | None = None,
    created_after: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    wanted = ImageFilter(
        job_id=job_id,
        mapped=mapped,
        described=described,
        content_type=content_type,
        created_after=created_after,
        created_before=created_before,
    )
    projects, links = caller.seeing(project_id), parts_of(request).links
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await store.select_images(connection, projects, wanted, parse_cursor(cursor), limit)
    return page([await image_reply(row, links) for row in rows[:limit]], next_cursor(rows, limit))


@routes.get("/images/{image_id}", summary="An image with the state of each step and URLs of its files")
async def get_image(request: Request, caller: Calling, image_id: UUID) -> Response:
    return Json(await image_reply(await _image(request, caller, image_id), parts_of(request).links))


@routes.get("/images/{image_id}/file", status_code=307, summary="Where a file of an image lies")
async def get_image_file(
    request: Request,
    caller: Calling,
    image_id: UUID,
    variant: Annotated[
        str, Query(max_length=40, description="`original`, a rendition, `depth`, `edges`, `depth_preview` ...")
    ] = "original",
) -> Response:
    files = image_files(await _image(request, caller, image_id))
    if variant not in files:
        sentence = f"This image has no such variant; it has {', '.join(files)}."
        raise Problem(404, "variant_not_found", sentence)
    link = await parts_of(request).links.to(files[variant])
    return RedirectResponse(link.url, status_code=307, headers={"Cache-Control": "private, max-age=60"})


@routes.get("/images/{image_id}/maps", summary="The depth and edge maps of an image")
async def get_image_maps(request: Request, caller: Calling, image_id: UUID) -> Response:
    image = await _image(request, caller, image_id)
    async with as_tenant(parts_of(request).pool, [image["project_id"]]) as connection:
        rows = await store.select_maps(connection, image_id)
    return page([await map_reply(row, parts_of(request).links) for row in rows], None)


async def _image(request: Request, caller: Caller, image_id: UUID) -> Mapping[str, Any]:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await store.select_image(connection, list(caller.memberships), image_id)
    if row is None:
        raise not_found("image")
    return row
