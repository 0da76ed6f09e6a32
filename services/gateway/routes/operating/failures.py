"""Failed jobs by their reason."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.standing import FailurePage
from services.gateway.routes.models import Moment, Name
from services.gateway.routes.replies import API, Json
from services.gateway.routes.second_looks import SecondLook
from services.gateway.rules.failing import may_help
from services.gateway.rules.retrying import COSTS_MONEY, NEVER_PAID_FOR
from services.gateway.store import failures as store
from services.gateway.store.failures import FailuresFilter
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant

_USUAL: Final = timedelta(days=30)
_NEWEST: Final = 5
routes = APIRouter(prefix=API, tags=["operators"], route_class=SecondLook)


class FailuresAsked(BaseModel):
    """Which failures are wanted."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    project_id: UUID | None = Field(default=None, description="default: all your projects; of an operator everybody's")
    kind: Name | None = None
    service: Name | None = None
    created_after: Moment | None = Field(default=None, description="default: thirty days ago")
    created_before: Moment | None = None
    limit: int = Field(default=50, ge=1, le=200, description="the most frequent reasons")


@routes.get(
    "/failures",
    summary="Why jobs fail: by reason, the most frequent first",
    **told("list_failures", FailurePage, problems=("not_a_member",)),
)
async def get_failures(request: Request, caller: Calling, asked: Annotated[FailuresAsked, Query()]) -> Response:
    """Show failed jobs that nobody has done again, by error code and kind.

    `retry` is what to send to `POST /jobs/retry` to do all of a group again, as far as can be, and as often as there
    are `more`: what fails again is not of the group. `retry_may_help` tells whether its reason is one that passes.
    """
    now = datetime.now(UTC)
    since = asked.created_after or now - _USUAL
    wanted = FailuresFilter(
        projects=_projects(caller, asked.project_id),
        created_after=since,
        created_before=asked.created_before,
        kind=asked.kind,
        service=asked.service,
    )
    async with as_tenant(parts_of(request).pool, caller.memberships, operator=caller.is_operator) as connection:
        rows = await store.select_failures(connection, wanted, asked.limit + 1, _NEWEST)
    created = {"created_after": since, "created_before": asked.created_before or now}
    items = [
        _failure(row, _retry(row, asked, created, everybody=wanted.projects is None)) for row in rows[: asked.limit]
    ]
    return Json({"items": items, "next_cursor": None, "more": len(rows) > asked.limit, "created_after": since})


def _projects(caller: Caller, project_id: UUID | None) -> list[UUID] | None:
    if caller.is_operator:
        return None if project_id is None else [project_id]
    return caller.seeing(project_id)


def _failure(row: Row, retry: dict[str, Any]) -> dict[str, Any]:
    code = row["error_code"]
    paid = row["kind"] == COSTS_MONEY and code not in NEVER_PAID_FOR
    return {
        "error_code": code,
        "kind": row["kind"],
        "service": row["service"],
        "jobs": row["jobs"],
        "projects": row["projects"],
        "first_at": row["first_at"],
        "last_at": row["last_at"],
        "sentence": row["sentence"],
        "newest_job_ids": row["ids"] or [],
        "retry_may_help": may_help(code),
        "may_have_been_paid_for": paid,
        "retry": retry,
    }


def _retry(row: Row, asked: FailuresAsked, created: Mapping[str, datetime], *, everybody: bool) -> dict[str, Any]:
    also = {"project_id": asked.project_id, "service": asked.service}
    given = {name: value for name, value in also.items() if value is not None}
    same = {"error_code": row["error_code"], "kind": row["kind"], **created, **given}
    return {"filter": {**same, "everybody": True} if everybody else same}
