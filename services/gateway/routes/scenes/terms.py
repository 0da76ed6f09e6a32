"""Who draws, what each can do, and what is left of today's budget."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from contracts.image_generation import GenerateImage, ProvidersReported
from services.gateway.routes.callers import Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.drawings import Providers
from services.gateway.routes.replies import API, Json
from services.gateway.routes.second_looks import SecondLook
from services.gateway.store.offers import select_offers
from services.gateway.store.payments import select_reserved, select_spending
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import answering, as_tenant
from shared.database import Connection

_COUNT_SECONDS: Final = 10
routes = APIRouter(prefix=API, tags=["work"], route_class=SecondLook)


@routes.get(
    "/images/providers",
    summary="Who draws pictures, and what is left of today's budget",
    **told("list_providers", Providers),
)
async def get_providers(request: Request, caller: Calling) -> Response:
    """Tell who draws, what each can do and what it costs, and what you may still spend today (UTC).

    `spent_micros` is for all that was paid for or may have been, whether a picture came of it or not, in whichever
    project. `reserved_micros` is for what is being drawn, and for what nobody knows whether it was paid for; where no
    price is known it is not counted. Operators are told of everybody's budget as well.
    """
    parts, day = parts_of(request), datetime.now(UTC).date()
    async with as_tenant(parts.pool, caller.memberships, operator=caller.is_operator) as connection:
        report = await select_offers(connection)
    # Who has spent something has done so also where he is no member any more: sums alone are told.
    async with answering(), asyncio.timeout(_COUNT_SECONDS), parts.bus.pool.acquire() as connection:
        own = await _budget(connection, report, day, caller.user_id)
        of_all = await _budget(connection, report, day, None) if caller.is_operator else None
    offers = [] if report is None else [offer.model_dump(mode="json") for offer in report.offers]
    names = {"default": report and report.default, "fallbacks": report.fallbacks if report else []}
    return Json({**names, "offers": offers, "budget": own, "budget_of_all": of_all})


async def _budget(
    connection: Connection, report: ProvidersReported | None, day: date, user: str | None
) -> dict[str, Any]:
    spending = await select_spending(connection, day, user)
    spent = spending.spent_micros
    reserved = spending.reserved_micros + _prices(report, await select_reserved(connection, day, user))
    limit = None if report is None else report.budget_micros if user is None else report.owner_budget_micros
    left = None if limit is None else max(0, limit - spent - reserved)
    return {"day": day, "limit_micros": limit, "spent_micros": spent, "reserved_micros": reserved, "left_micros": left}


def _prices(report: ProvidersReported | None, rows: Iterable[Row]) -> int:
    if report is None:
        return 0
    return sum(report.price_of(GenerateImage.model_validate(row["request"])) or 0 for row in rows)
