"""Projects: what belongs together, and may be seen by the same people."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.routes.acting import create_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, CallingNow, not_an_owner, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.people.asking import ProjectAsked, ProjectEdit, Slice
from services.gateway.routes.people.listing import dumped, shown_page
from services.gateway.routes.people.showing import PageOf, ProjectShown
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import check_version, versioned
from services.gateway.rules.cursors import parse_cursor
from services.gateway.rules.people import MEMBERSHIPS_LIMIT, OWNER, in_the_way
from services.gateway.store import members as member_store
from services.gateway.store import projects as store
from services.gateway.store.access import select_membership_count
from services.gateway.store.pages import next_cursor
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant, name_projects
from shared.database import Connection
from shared.identifiers import uuid7
from shared.outbox import Transaction

_COUNTED: Final = 1000
_EDITING: Final = ("project_not_found", "owner_only")
_PROJECTS: Final = f"{API}/projects"
routes = APIRouter(prefix=_PROJECTS, tags=["people"], route_class=SecondLook)


@routes.post(
    "",
    status_code=201,
    summary="Make a project",
    **told("create_project", ProjectShown, status=201, problems=("too_many_projects",), tagged=True, once=True),
)
async def post_project(request: Request, caller: CallingNow, asked: ProjectAsked) -> Response:
    """Make a project of which you are the owner. With an `Idempotency-Key`, only once."""
    caller.signed_in()
    parts = parts_of(request)

    async def act(tx: Transaction) -> Answer:
        project_id = uuid7()
        await check_room(tx.connection, caller.user_id)
        await name_projects(tx.connection, [*caller.memberships, project_id], operator=caller.is_operator)
        row = await store.insert_project(tx.connection, project_id, asked.name, asked.description)
        await member_store.upsert_member(tx.connection, project_id, caller.user_id, OWNER)
        await note(tx.connection, caller, "project.create", project_id, project_id)
        tx.after_commit(lambda: parts.memberships.forget(caller.user_id))
        return Answer(dumped(ProjectShown.of(row or {}, role=OWNER)), f"{_PROJECTS}/{project_id}", 201)

    return await create_once(request, caller, act)


async def check_room(connection: Connection, user_id: str) -> None:
    """Raise a 409 problem where a user belongs to as many projects as one may."""
    if await select_membership_count(connection, user_id, MEMBERSHIPS_LIMIT) >= MEMBERSHIPS_LIMIT:
        sentence = f"A user belongs to at most {MEMBERSHIPS_LIMIT} projects; leave or delete one first."
        raise Problem(409, "too_many_projects", sentence)


@routes.get(
    "",
    summary="Your projects, the newest first",
    **told("list_projects", PageOf[ProjectShown], problems=("cursor_invalid",)),
)
async def get_projects(request: Request, caller: CallingNow, asked: Annotated[Slice, Query()]) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        rows = await store.select_projects(
            connection, caller.person_id, list(caller.memberships), parse_cursor(asked.cursor), asked.limit
        )
    return shown_page(rows, asked.limit, ProjectShown.of, next_cursor(rows, asked.limit))


@routes.get(
    "/{project_id}",
    summary="A project, and what you are in it",
    **told("get_project", ProjectShown, problems=("project_not_found",), tagged=True),
)
async def get_project(request: Request, caller: CallingNow, project_id: UUID) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await project_of(connection, caller, project_id)
    return _shown(row)


@routes.patch(
    "/{project_id}",
    summary="Change a project's name or description; for its owners",
    **told("update_project", ProjectShown, problems=(*_EDITING,), tagged=True, edits=True),
)
async def patch_project(request: Request, caller: CallingNow, project_id: UUID, asked: ProjectEdit) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await owned_project(connection, caller, project_id)
        check_version(request, row["version"])
        if asked.changes:
            row |= await store.update_project(connection, project_id, asked.changes) or {}
            await note(connection, caller, "project.update", project_id, project_id, fields=sorted(asked.changes))
    return _shown(row)


@routes.delete(
    "/{project_id}",
    status_code=204,
    summary="Delete an empty project; for its owners",
    **told(
        "delete_project", None, status=204, problems=(*_EDITING, "personal_project", "project_not_empty"), edits=True
    ),
)
async def delete_project(request: Request, caller: CallingNow, project_id: UUID) -> Response:
    """Delete a project with its members, chapters, scenes and customers.

    One that still holds images, or in which jobs have not ended, is not deleted: the answer says what is in the way.
    """
    parts = parts_of(request)
    async with as_tenant(parts.pool, caller.memberships) as connection:
        await store.lock_project_with_work(connection, project_id)
        row = await owned_project(connection, caller, project_id)
        check_version(request, row["version"])
        await _check_empty(connection, row)
        members = await member_store.select_member_ids(connection, project_id)
        await note(connection, caller, "project.delete", project_id, project_id, members=len(members))
        await store.delete_project(connection, project_id)
    for user_id in members:
        parts.memberships.forget(user_id)
    return Response(status_code=204)


async def _check_empty(connection: Connection, project: Row) -> None:
    if project["personal_of"] is not None:
        raise Problem(409, "personal_project", "A personal project is its user's for good; it cannot be deleted.")
    found = in_the_way(*await store.select_contents(connection, project["id"], _COUNTED), _COUNTED)
    if found is not None:
        sentence = f"The project still holds {found}. Delete its images and cancel its jobs first."
        raise Problem(409, "project_not_empty", sentence)


async def project_of(connection: Connection, caller: Caller, project_id: UUID) -> Row:
    """Give a project of which the caller is a member at this moment; raises a 404 problem."""
    row = await store.select_project(connection, caller.person_id, project_id)
    if row is None or project_id not in caller.memberships:
        raise not_found("project")
    return row


async def owned_project(connection: Connection, caller: Caller, project_id: UUID) -> Row:
    """Give a project that the caller owns, once nobody else changes it or its members; raises 404 and 403 problems."""
    caller.needs("manage")
    await store.lock_project(connection, project_id)
    row = await project_of(connection, caller, project_id)
    if row["role"] != OWNER:
        raise not_an_owner()
    return row


def _shown(row: Row) -> Response:
    return versioned(ProjectShown.of(row), row["version"], alone=False)
