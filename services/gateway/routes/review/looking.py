"""Looking at maps that wait for a review, and at those that were reviewed."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.images import Review
from services.gateway.routes.documented.shapes.reviews import Queue
from services.gateway.routes.problems import not_found
from services.gateway.routes.replies import API, Json, map_reply, mapped_image_reply, review_reply
from services.gateway.routes.review.asked import QueuePage, RecipeInPath
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import etag_of
from services.gateway.rules.places import identifier, instant, microseconds, number, read_place, words, write_place
from services.gateway.store import reviews as store
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection

_ORDER: Final = "s"
_STATES: Final = ("unreviewed", "approved", "rejected")
routes = APIRouter(prefix=API, tags=["review"], route_class=SecondLook)


@routes.get(
    "/review/maps",
    summary="Maps to review, the most suspicious first, and how many are left",
    **told("list_maps_to_review", Queue, problems=("not_a_member", "cursor_invalid")),
)
async def get_queue(request: Request, caller: Calling, asked: Annotated[QueuePage, Query()]) -> Response:
    """Show maps in one state, the most suspicious first. Their order does not depend on what anybody decides.

    So a page's cursor leads on to those that were not shown yet, while others review, too. `counts` are of all maps
    that the filter finds, in every state.
    """
    projects, links = caller.seeing(asked.project_id), parts_of(request).links
    place = read_place(asked.cursor, _ORDER, number, instant, identifier, words)
    wanted = asked.conditions(state=asked.state)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await store.select_queue(connection, projects, wanted, place, asked.limit)
        counts = await store.select_state_counts(connection, projects, wanted)
    shown = rows[: asked.limit]
    items = [{"image": await mapped_image_reply(row, links), **await map_reply(row, links)} for row in shown]
    cursor = None
    if len(rows) > asked.limit:
        last = shown[-1]
        cursor = write_place(_ORDER, last["soundness"], microseconds(last["at"]), last["asset_id"].hex, last["recipe"])
    body = {"items": items, "next_cursor": cursor, "counts": {state: counts.get(state, 0) for state in _STATES}}
    return Json(body)


@routes.get(
    "/images/{image_id}/maps/{recipe}/review",
    summary="What was decided of maps",
    **told("get_review", Review, problems=("map_not_found",), tagged=True),
)
async def get_review(request: Request, caller: Calling, image_id: UUID, recipe: RecipeInPath) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await map_of(connection, caller, image_id, recipe)
    return shown_review(row)


def shown_review(row: Row) -> Response:
    return Json(review_reply(row), headers={"ETag": etag_of(row["version"])})


async def map_of(connection: Connection, caller: Caller, image_id: UUID, recipe: str) -> Row:
    row = await store.select_map(connection, list(caller.memberships), image_id, recipe)
    if row is None:
        raise not_found("map")
    return row
