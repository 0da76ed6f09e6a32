"""Members of projects: who may look, who may change something, and who owns it."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.routes.auditing import note
from services.gateway.routes.callers import CallingNow, not_an_owner, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.people.asking import MemberAsked, Slice
from services.gateway.routes.people.fields import UserId
from services.gateway.routes.people.listing import place_behind, shown_page
from services.gateway.routes.people.projects import check_room, owned_project, project_of
from services.gateway.routes.people.showing import MemberShown, PageOf
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import check_version, versioned
from services.gateway.rules.people import OWNER
from services.gateway.rules.places import moment, read_place, words
from services.gateway.store import members as store
from services.gateway.store.projects import lock_project
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection

_ORDER: Final = "members"
_REFUSALS: Final = (
    *("project_not_found", "owner_only", "last_owner", "personal_project"),
    *("version_stale", "if_match_invalid"),
)
routes = APIRouter(prefix=f"{API}/projects/{{project_id}}/members", tags=["people"], route_class=SecondLook)


@routes.get(
    "",
    summary="A project's members, in the order in which they came",
    **told("list_members", PageOf[MemberShown], problems=("project_not_found", "cursor_invalid")),
)
async def get_members(
    request: Request, caller: CallingNow, project_id: UUID, asked: Annotated[Slice, Query()]
) -> Response:
    place = read_place(asked.cursor, _ORDER, moment, words)
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        await project_of(connection, caller, project_id)
        rows = await store.select_members(connection, project_id, place, asked.limit)
    cursor = place_behind(rows, asked.limit, _ORDER, "created_at", "user_id")
    return shown_page(rows, asked.limit, MemberShown.of, cursor)


@routes.put(
    "/{user_id}",
    summary="Let a user into a project, or change what he is in it; for its owners",
    **told("set_member", MemberShown, problems=(*_REFUSALS, "too_many_projects"), tagged=True, edits=True),
)
async def put_member(
    request: Request, caller: CallingNow, *, project_id: UUID, user_id: UserId, asked: MemberAsked
) -> Response:
    """Owners manage the project and its members, editors change what is in it, viewers look. One owner always stays."""
    parts = parts_of(request)
    async with as_tenant(parts.pool, caller.memberships) as connection:
        project = await owned_project(connection, caller, project_id)
        held = await store.select_member(connection, project_id, user_id)
        check_version(request, held["version"] if held else None)
        if held is None:
            await check_room(connection, user_id)
        elif asked.role != OWNER:
            await _check_owned_without(connection, project, held)
        row = held if held and held["role"] == asked.role else await _put(connection, project_id, user_id, asked.role)
        if row is not held:
            act, was = ("member.update", held["role"]) if held else ("member.add", None)
            await note(connection, caller, act, user_id, project_id, role=asked.role, was=was)
    parts.memberships.forget(user_id)
    return versioned(MemberShown.of(row), row["version"])


async def _put(connection: Connection, project_id: UUID, user_id: str, role: str) -> Row:
    return await store.upsert_member(connection, project_id, user_id, role) or {}


@routes.delete(
    "/{user_id}",
    status_code=204,
    summary="Leave a project, or send somebody out of it",
    **told("remove_member", None, status=204, problems=(*_REFUSALS, "member_not_found"), edits=True),
)
async def delete_member(request: Request, caller: CallingNow, project_id: UUID, user_id: UserId) -> Response:
    """Everybody may leave; owners may send others out. The last owner stays: make somebody else one first."""
    parts = parts_of(request)
    async with as_tenant(parts.pool, caller.memberships) as connection:
        await lock_project(connection, project_id)
        project = await project_of(connection, caller, project_id)
        if user_id != caller.user_id:
            caller.needs("manage")
            if project["role"] != OWNER:
                raise not_an_owner()
        held = await store.select_member(connection, project_id, user_id)
        if held is None:
            raise not_found("member")
        check_version(request, held["version"])
        await _check_owned_without(connection, project, held)
        await store.delete_member(connection, project_id, user_id)
        await note(connection, caller, "member.remove", user_id, project_id, was=held["role"])
    parts.memberships.forget(user_id)
    return Response(status_code=204)


async def _check_owned_without(connection: Connection, project: Row, member: Row) -> None:
    """Raise a 409 problem where the project cannot do without this owner. The project is locked."""
    if member["user_id"] == project["personal_of"]:
        sentence = "A personal project is its user's for good; he stays its owner."
        raise Problem(409, "personal_project", sentence)
    if member["role"] == OWNER and await store.select_other_owner(connection, project["id"], member["user_id"]) is None:
        sentence = "He is the last owner of the project; make somebody else an owner first, or delete the project."
        raise Problem(409, "last_owner", sentence)
