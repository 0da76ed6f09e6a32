"""Pictures in any allowed size: where they are to be had, and the addresses at which they are."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from services.gateway.links import Drawing, File, Sized, SizedLinks
from services.gateway.routes.callers import Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.images import SizedFile
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.images import image_of
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.sizing import draw
from services.gateway.store.images import select_picture
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.object_keys import rendition_key
from shared.rendition_sizes import ALLOWED_SIDES_PX, allowed_side, rendition_size

PREFIX: Final = f"{API}/pictures"
"""Where signed addresses lead; they are known by their signature, and whoever calls shows nothing else."""

routes = APIRouter(prefix=API, tags=["images"], route_class=SecondLook)


@routes.get(
    "/images/{image_id}/sizes",
    summary="The sizes in which an image is to be had",
    **told("list_image_sizes", PageOf[SizedFile], problems=("image_not_found",)),
)
async def get_image_sizes(request: Request, caller: Calling, image_id: UUID) -> Response:
    """Give an address for each size; it needs no credential, and works for whoever knows it until it expires.

    The first to ask waits until the size is drawn, at most some seconds; from then on it lies there. An image is never
    enlarged, so that the largest size is its own.
    """
    row, links = await image_of(request, caller, image_id), parts_of(request).sized_links
    items = [_offered(row, side, links) for side in ALLOWED_SIDES_PX if side == _side(row, side)]
    return page(items, None)


def _offered(row: Row, side: int, links: SizedLinks) -> dict[str, object]:
    width_px, height_px = rendition_size(row["width_px"], row["height_px"], side)
    link = links.to(Sized(row["project_id"], row["id"], side))
    told_of = {"longest_px": side, "width_px": width_px, "height_px": height_px}
    return {**told_of, "url": link.url, "expires_at": link.expires_at}


@routes.get(
    "/pictures/{address}",
    status_code=307,
    summary="A picture in a size, for whoever has its signed address",
    **told(
        "get_picture",
        status=307,
        problems=(
            *("link_invalid", "image_not_found", "rendition_failed", "rendition_pending"),
            *("database_unavailable", "object_store_unavailable", "project_not_found"),
        ),
    ),
)
async def get_picture(request: Request, address: Annotated[str, Path(max_length=200)]) -> Response:
    """Lead to the file, which is drawn first where nobody has asked for this size of this image before."""
    parts = parts_of(request)
    sized = parts.sized_links.read(address)
    if sized is None:
        sentence = "This address has expired or is not one of ours; get another from `GET /images/{image_id}/sizes`."
        raise Problem(403, "link_invalid", sentence)
    async with as_tenant(parts.pool, [sized.project_id]) as connection:
        row = await select_picture(connection, sized.project_id, sized.image_id)
    if row is None:
        raise not_found("image")
    key = rendition_key(row["sha256"], str(_side(row, sized.longest_px)))
    drawing = Drawing(key, sized.image_id, row["stored_version"])
    await parts.drawings.have(drawing, lambda known: draw(request, sized, known))
    link = await parts.links.to(File(key, "image/webp"))
    return RedirectResponse(link.url, status_code=307, headers={"Cache-Control": "private, max-age=60"})


def _side(row: Row, longest_px: int) -> int:
    return allowed_side(longest_px, row["width_px"], row["height_px"])
