"""Customers: for whom a project's images are made."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.gateway.routes.acting import create_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.people.asking import CustomerAsked, CustomerEdit, CustomersPage
from services.gateway.routes.people.listing import dumped, place_behind, shown_page
from services.gateway.routes.people.showing import CustomerShown, PageOf
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API
from services.gateway.routes.second_looks import SecondLook
from services.gateway.routes.versions import check_version, versioned
from services.gateway.rules.places import identifier, moment, read_place, words
from services.gateway.store import customers as store
from services.gateway.store.customers import CustomerFilter, ExternalIdTakenError
from services.gateway.store.projects import keep_project
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.identifiers import uuid7
from shared.outbox import Transaction

_EDITING: Final = ("customer_not_found", "viewer_only")
_READS: Final = {"created_at": moment, "name": words}
routes = APIRouter(prefix=f"{API}/customers", tags=["customers"], route_class=SecondLook)


@routes.post(
    "",
    status_code=201,
    summary="Note a customer",
    **told(
        "create_customer",
        CustomerShown,
        status=201,
        problems=("external_id_taken", "not_a_member", "viewer_only", "project_not_found"),
        tagged=True,
        once=True,
    ),
)
async def post_customer(request: Request, caller: Calling, asked: CustomerAsked) -> Response:
    """Note a customer of a project. With an `Idempotency-Key`, only once."""
    project_id = caller.writing(asked.project_id)

    async def act(tx: Transaction) -> Answer:
        customer_id = uuid7()
        if not await keep_project(tx.connection, project_id):
            raise not_found("project")
        row = await store.insert_customer(tx.connection, customer_id, project_id, asked.model_dump())
        if row is None:
            raise _taken()
        await note(tx.connection, caller, "customer.create", customer_id, project_id)
        return Answer(dumped(CustomerShown.of(row)), f"{API}/customers/{customer_id}", 201)

    return await create_once(request, caller, act)


def _taken() -> Problem:
    return Problem(409, "external_id_taken", "Another customer of the project has this external id.")


@routes.get(
    "",
    summary="Customers, searched and filtered",
    **told("list_customers", PageOf[CustomerShown], problems=("not_a_member", "cursor_invalid")),
)
async def get_customers(request: Request, caller: Calling, asked: Annotated[CustomersPage, Query()]) -> Response:
    """Show customers, the newest first unless `sort` says otherwise. A cursor goes on in the order it was made in."""
    projects = caller.seeing(asked.project_id)
    place = read_place(asked.cursor, f"customers {asked.sort}", _READS[asked.sort.lstrip("-")], identifier)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await store.select_customers(
            connection, projects, _wanted(asked), order=asked.sort, place=place, limit=asked.limit
        )
    cursor = place_behind(rows, asked.limit, f"customers {asked.sort}", "place", "id")
    return shown_page(rows, asked.limit, CustomerShown.of, cursor)


def _wanted(asked: CustomersPage) -> CustomerFilter:
    same: dict[str, Any] = asked.model_dump(include={"q", "external_id", "created_after", "created_before"})
    return CustomerFilter(tags=list(asked.tag) if asked.tag else None, **same)


@routes.get(
    "/{customer_id}",
    summary="A customer",
    **told("get_customer", CustomerShown, problems=("customer_not_found",), tagged=True),
)
async def get_customer(request: Request, caller: Calling, customer_id: UUID) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await customer_of(connection, caller, customer_id)
    return versioned(CustomerShown.of(row), row["version"])


@routes.patch(
    "/{customer_id}",
    summary="Change a customer",
    **told("update_customer", CustomerShown, problems=(*_EDITING, "external_id_taken"), tagged=True, edits=True),
)
async def patch_customer(request: Request, caller: Calling, customer_id: UUID, asked: CustomerEdit) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await changed_customer(connection, caller, customer_id)
        check_version(request, row["version"])
        if asked.changes:
            row = await _edit(connection, customer_id, asked.changes) or row
            fields = sorted(asked.changes)
            await note(connection, caller, "customer.update", customer_id, row["project_id"], fields=fields)
    return versioned(CustomerShown.of(row), row["version"])


async def _edit(connection: Connection, customer_id: UUID, changes: dict[str, Any]) -> Row | None:
    try:
        return await store.update_customer(connection, customer_id, changes)
    except ExternalIdTakenError:
        raise _taken() from None


@routes.delete(
    "/{customer_id}",
    status_code=204,
    summary="Delete a customer",
    **told("delete_customer", None, status=204, problems=(*_EDITING,), edits=True),
)
async def delete_customer(request: Request, caller: Calling, customer_id: UUID) -> Response:
    """Delete what is known of a customer; the images that were his stay in the library."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await changed_customer(connection, caller, customer_id)
        check_version(request, row["version"])
        await store.delete_customer(connection, customer_id)
        await note(connection, caller, "customer.delete", customer_id, row["project_id"])
    return Response(status_code=204)


async def customer_of(connection: Connection, caller: Caller, customer_id: UUID) -> Row:
    """Give a customer of one of the caller's projects; raises a 404 problem."""
    row = await store.select_customer(connection, list(caller.memberships), customer_id)
    if row is None:
        raise not_found("customer")
    return row


async def changed_customer(connection: Connection, caller: Caller, customer_id: UUID) -> Row:
    """Give a customer whom the caller may change, as he is once nobody else does; raises 404 and 403 problems."""
    row = await store.select_customer(connection, list(caller.memberships), customer_id, locked=True)
    if row is None:
        raise not_found("customer")
    caller.writing(row["project_id"])
    return row
