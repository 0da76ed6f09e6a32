"""Who did what."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.people.asking import AuditPage
from services.gateway.routes.people.listing import shown_page
from services.gateway.routes.people.showing import ActShown, PageOf
from services.gateway.routes.replies import API
from services.gateway.routes.second_looks import SecondLook
from services.gateway.rules.cursors import Cursor, parse_cursor
from services.gateway.store.audit import AuditFilter, select_audit
from services.gateway.store.tenancy import as_tenant

routes = APIRouter(prefix=API, tags=["people"], route_class=SecondLook)


@routes.get(
    "/audit",
    summary="Who did what, the latest first; for owners of projects and operators",
    **told("list_audit_entries", PageOf[ActShown], problems=("owner_only", "not_a_member", "cursor_invalid")),
)
async def get_audit(request: Request, caller: Calling, asked: Annotated[AuditPage, Query()]) -> Response:
    """Show what was done in the projects that you own; to operators also what was done everywhere else."""
    fields = asked.model_dump(exclude={"project_id", "cursor", "limit"})
    wanted = AuditFilter(projects=_projects(caller, asked.project_id), **fields)
    async with as_tenant(parts_of(request).pool, caller.memberships, operator=caller.is_operator) as connection:
        rows = await select_audit(connection, wanted, parse_cursor(asked.cursor), asked.limit)
    last = rows[asked.limit - 1] if len(rows) > asked.limit else None
    cursor = Cursor(last["at"], UUID(str(last["id"]))).encode() if last else None
    return shown_page(rows, asked.limit, ActShown.of, cursor)


def _projects(caller: Caller, project_id: UUID | None) -> list[UUID] | None:
    if caller.is_operator:
        return None if project_id is None else [project_id]
    return caller.owning(project_id)
