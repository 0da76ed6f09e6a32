"""How much is done for whom."""

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.standing import UsagePage
from services.gateway.routes.models import Name
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API, Json
from services.gateway.routes.second_looks import SecondLook
from services.gateway.store import usage as store
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import answering, as_tenant
from services.gateway.store.usage import COUNTS, UsageFilter, count_usage

_LONGEST_DAYS: Final = 366
_USUAL_DAYS: Final = 30
_COUNT_SECONDS: Final = 10
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
routes = APIRouter(prefix=API, tags=["operators"], route_class=SecondLook)


def _written_out(day: Any) -> Any:
    """Refuse numbers, which would be read as seconds."""
    if not isinstance(day, date) and not (isinstance(day, str) and _DAY.fullmatch(day)):
        raise ValueError("it is not a day as in 2030-01-31")
    return day


Day = Annotated[date, BeforeValidator(_written_out)]
Group = Literal["day", "project", "user", "kind"]


class UsageAsked(BaseModel):
    """Whose usage is wanted, when, and how it is told apart."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    project_id: UUID | None = Field(default=None, description="default: all that you own; of an operator everybody's")
    user: Name | None = Field(default=None, description="as in `submitted_by`")
    kind: Name | None = None
    since: Day | None = Field(default=None, description="the first day, in UTC; default: 29 days before the last")
    until: Day | None = Field(default=None, description="the last day; default: today")
    group_by: Annotated[list[Group], Field(max_length=4)] = Field(
        default=["day", "project"], description="repeat it; of the others all are counted together"
    )
    limit: int = Field(default=500, ge=1, le=2000)


@routes.get(
    "/analytics/usage",
    summary="How much was done, by day, project, user and kind",
    **told("get_usage", UsagePage, problems=("not_a_member", "owner_only", "range_invalid")),
)
async def get_usage(request: Request, caller: Calling, asked: Annotated[UsageAsked, Query()]) -> Response:
    """Count jobs by how they ended, stored images and their bytes, and generations, day by day.

    Owners see the projects that they own, operators all. A day begins at midnight UTC; whatever has ended is counted
    at once. A range has at most 366 days. `paid_calls` counts pictures whose provider is known to be paid for each,
    also where none came of it; `cost_micros` what those cost whose price is known.
    """
    since, until = _range(asked)
    projects = _projects(caller, asked.project_id)
    wanted = UsageFilter(projects, since, until, user=asked.user, kind=asked.kind)
    parts = parts_of(request)
    async with answering(), asyncio.timeout(_COUNT_SECONDS):
        await count_usage(parts.bus.pool)
    async with as_tenant(parts.pool, caller.memberships, operator=caller.is_operator) as connection:
        rows = await store.select_usage(connection, wanted, asked.group_by, asked.limit)
        [total] = await store.select_usage(connection, wanted, (), 1)
    items = [_item(row, asked.group_by) for row in rows[: asked.limit]]
    body = {"items": items, "next_cursor": None, "more": len(rows) > asked.limit, "total": _counts(total)}
    return Json({**body, "since": since, "until": until})


def _projects(caller: Caller, project_id: UUID | None) -> list[UUID] | None:
    if caller.is_operator:
        return None if project_id is None else [project_id]
    return caller.owning(project_id)


def _range(asked: UsageAsked) -> tuple[date, date]:
    until = asked.until or datetime.now(UTC).date()
    since = asked.since or date.fromordinal(max(1, until.toordinal() - _USUAL_DAYS + 1))
    if since > until or (until - since).days >= _LONGEST_DAYS:
        sentence = f"`since` must not be later than `until`, and at most {_LONGEST_DAYS} days are told at once."
        raise Problem(422, "range_invalid", sentence)
    return since, until


def _item(row: Row, groups: Sequence[str]) -> dict[str, Any]:
    named = {"day": "day", "project_id": "project", "submitted_by": "user", "kind": "kind"}
    return {**{name: row[name] for name, group in named.items() if group in groups}, **_counts(row)}


def _counts(row: Row) -> dict[str, Any]:
    counts: dict[str, Any] = {name: max(0, int(row[name] or 0)) for name in COUNTS}
    counts["generation_seconds"] = round(float(row["generation_seconds"] or 0), 3)
    return counts
