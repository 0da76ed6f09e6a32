"""Looking at images and their maps."""

from dataclasses import fields
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.gateway.links import Links, Sized
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.images import Image, Maps
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.models import ImagesPage, Words
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json, image_files, image_reply, map_reply, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import etag_of
from services.gateway.rules.cursors import parse_cursor
from services.gateway.store import images as store
from services.gateway.store.images import ImageFilter
from services.gateway.store.pages import next_cursor
from services.gateway.store.reading import Row
from services.gateway.store.reviews import select_maps
from services.gateway.store.tenancy import as_tenant
from shared.rendition_sizes import ALLOWED_SIDES_PX

_SIDES: Final = {str(side): side for side in ALLOWED_SIDES_PX}
routes = APIRouter(prefix=API, tags=["images"], route_class=SecondLook)


@routes.get(
    "/images",
    summary="Images, the newest first",
    **told(
        "list_images",
        PageOf[Image],
        problems=("cursor_invalid", "not_a_member"),
        links={
            name: {"operationId": name, "parameters": {"image_id": "$response.body#/items/0/id"}}
            for name in ("get_image", "get_image_file", "list_image_maps")
        },
    ),
)
async def get_images(request: Request, caller: Calling, asked: Annotated[ImagesPage, Query()]) -> Response:
    wanted = ImageFilter(**asked.model_dump(include={field.name for field in fields(ImageFilter)}))
    projects, links = caller.seeing(asked.project_id), parts_of(request).links
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await store.select_images(connection, projects, wanted, parse_cursor(asked.cursor), asked.limit)
    items = [await image_reply(row, links) for row in rows[: asked.limit]]
    return page(items, next_cursor(rows, asked.limit))


@routes.get(
    "/images/{image_id}",
    summary="An image with the state of each step and URLs of its files",
    **told("get_image", Image, problems=("image_not_found",), tagged=True),
)
async def get_image(request: Request, caller: Calling, image_id: UUID) -> Response:
    row, links = await image_of(request, caller, image_id), parts_of(request).links
    return await shown_image(row, links)


async def shown_image(row: Row, links: Links) -> Response:
    """Answer with an image under a tag that stays while nothing of it has changed and its URLs work."""
    tag = etag_of(row["version"], {**row, "era": links.era})
    return Json(await image_reply(row, links), headers={"ETag": tag})


@routes.get(
    "/images/{image_id}/file",
    status_code=307,
    summary="Where a file of an image lies",
    **told("get_image_file", status=307, problems=("image_not_found", "variant_not_found")),
)
async def get_image_file(
    request: Request,
    caller: Calling,
    image_id: UUID,
    variant: Annotated[
        Words, Query(max_length=40, description="`original`, a size such as `640`, `depth`, `edges`, `normals` ...")
    ] = "original",
) -> Response:
    row, parts = await image_of(request, caller, image_id), parts_of(request)
    files = image_files(row)
    if variant in files:
        link = await parts.links.to(files[variant])
    elif variant in _SIDES:
        link = parts.sized_links.to(Sized(row["project_id"], image_id, _SIDES[variant]))
    else:
        sentence = f"This image has no such variant; it has {', '.join(files)}, and the sizes {', '.join(_SIDES)}."
        raise Problem(404, "variant_not_found", sentence)
    return RedirectResponse(link.url, status_code=307, headers={"Cache-Control": "private, max-age=60"})


@routes.get(
    "/images/{image_id}/maps",
    summary="The depth and edge maps of an image, and what was decided of them",
    **told("list_image_maps", PageOf[Maps], problems=("image_not_found",)),
)
async def get_image_maps(request: Request, caller: Calling, image_id: UUID) -> Response:
    image = await image_of(request, caller, image_id)
    async with as_tenant(parts_of(request).pool, [image["project_id"]]) as connection:
        rows = await select_maps(connection, image_id)
    return page([await map_reply(row, parts_of(request).links) for row in rows], None)


async def image_of(request: Request, caller: Caller, image_id: UUID) -> Row:
    """Give an image that the caller may see; raises a 404 problem."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await store.select_image(connection, list(caller.memberships), image_id)
    if row is None:
        raise not_found("image")
    return row
