"""The images of a customer."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.images import Image
from services.gateway.routes.documented.shapes.shape import PageOf
from services.gateway.routes.people.asking import Slice
from services.gateway.routes.people.customers import changed_customer, customer_of
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, image_reply, page
from services.gateway.routes.second_looks import SecondLook
from services.gateway.rules.cursors import parse_cursor
from services.gateway.store import customers as store
from services.gateway.store.images import ImageFilter, select_image, select_images
from services.gateway.store.pages import next_cursor
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection

_CHANGING: Final = ("customer_not_found", "image_not_found", "viewer_only")
routes = APIRouter(prefix=f"{API}/customers/{{customer_id}}/images", tags=["customers"], route_class=SecondLook)


@routes.get(
    "",
    summary="A customer's images, as `GET /images` lists them",
    **told("list_customer_images", PageOf[Image], problems=("customer_not_found", "cursor_invalid")),
)
async def get_customer_images(
    request: Request, caller: Calling, customer_id: UUID, asked: Annotated[Slice, Query()]
) -> Response:
    after, links = parse_cursor(asked.cursor), parts_of(request).links
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        customer = await customer_of(connection, caller, customer_id)
        wanted = ImageFilter(customer_id=customer_id)
        rows = await select_images(connection, [customer["project_id"]], wanted, after, asked.limit)
    items = [await image_reply(row, links) for row in rows[: asked.limit]]
    return page(items, next_cursor(rows, asked.limit))


@routes.put(
    "/{image_id}",
    status_code=204,
    summary="Note that an image is a customer's",
    **told("add_customer_image", None, status=204, problems=(*_CHANGING, "image_in_another_project")),
)
async def put_customer_image(request: Request, caller: Calling, customer_id: UUID, image_id: UUID) -> Response:
    """Note that an image of the customer's project is his; again at will."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        customer = await changed_customer(connection, caller, customer_id)
        await _check_image(connection, caller, customer, image_id)
        home = customer["project_id"]
        if await store.insert_customer_image(connection, customer_id, image_id, home):
            await note(connection, caller, "customer.add_image", customer_id, home, image_id=image_id)
    return Response(status_code=204)


async def _check_image(connection: Connection, caller: Caller, customer: Row, image_id: UUID) -> None:
    image = await select_image(connection, list(caller.memberships), image_id)
    if image is None:
        raise not_found("image")
    if image["project_id"] != customer["project_id"]:
        sentence = "The image belongs to another project than the customer; store it in the customer's project first."
        raise Problem(409, "image_in_another_project", sentence)


@routes.delete(
    "/{image_id}",
    status_code=204,
    summary="Forget that an image is a customer's",
    **told("remove_customer_image", None, status=204, problems=(*_CHANGING,)),
)
async def delete_customer_image(request: Request, caller: Calling, customer_id: UUID, image_id: UUID) -> Response:
    """Take an image from a customer; it stays in the library."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        customer = await changed_customer(connection, caller, customer_id)
        if not await store.delete_customer_image(connection, customer_id, image_id):
            raise not_found("image")
        await note(connection, caller, "customer.remove_image", customer_id, customer["project_id"], image_id=image_id)
    return Response(status_code=204)
