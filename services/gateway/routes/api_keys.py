"""API keys: how machines sign in."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.identity import new_api_key
from services.gateway.routes.acting import act_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.models import Asked, Moment, Name, Page
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json, page, plain
from services.gateway.rules.cursors import parse_cursor
from services.gateway.rules.people import KeyOf, Scope
from services.gateway.store import api_keys as store
from services.gateway.store.pages import next_cursor
from services.gateway.store.presenting import digest_of
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.identifiers import uuid7
from shared.outbox import Transaction

_KEYS: Final = f"{API}/api-keys"
_MANY: Final = 100
_LONGEST_OPERATION: Final = timedelta(days=90)
_MAKING: Final = ("not_a_member", "viewer_only", "users_only")
routes = APIRouter(prefix=_KEYS, tags=["people"])


class KeyAsked(Asked):
    """An API key to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "nightly import", "scopes": ["read", "write"]}]})

    name: Name = Field(description="what it is for; you will look for it when it leaks")
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=10)] = Field(
        description="what it is good for: `read` to look and follow, `write` to submit and change, `manage` to change"
        " the project itself, `operate` to do what operators do"
    )
    expires_at: Moment | None = Field(default=None, description="default: never; with `operate` within 90 days")


class KeysPage(Page):
    """A page of API keys."""

    revoked: bool = Field(default=False, description="also those that were revoked, for 90 days")


class ApiKey(BaseModel):
    """An API key, without its secret."""

    id: UUID = Field(description="the key itself begins with `dio_` and this id; it submits as `key:` and this id")
    project_id: UUID
    name: str
    scopes: list[Scope]
    state: Literal["active", "expired", "revoked"]
    created_by: str = Field(description="whose rights it has, and never more than those he has at the moment")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="to the minute")
    revoked_at: datetime | None
    revoked_by: str | None = Field(description="null also where it ended with its maker's membership")


class ApiKeyMade(ApiKey):
    """An API key with its secret."""

    key: str | None = Field(description="shown this once; null where an Idempotency-Key brings the answer back")


class ApiKeysListed(BaseModel):
    """A page of API keys."""

    items: list[ApiKey]
    next_cursor: str | None


class _ShownOnce(Answer):
    """An answer of which the secret is not kept."""

    @property
    def stored(self) -> dict[str, Any]:
        return {"body": {**self.body, "key": None}, "location": self.location, "status": self.status}


@routes.post(
    "",
    status_code=201,
    summary="Make an API key",
    **told(
        "create_api_key",
        ApiKeyMade,
        status=201,
        problems=(*_MAKING, "owner_only", "operator_only", "too_many_api_keys", "expiry_invalid"),
        once=True,
    ),
)
async def post_api_key(request: Request, caller: Calling, asked: KeyAsked) -> Response:
    """Make a key for a machine that works in one project. Owners and editors may; keys may not.

    It never has more rights than you have at the moment of its use, and ends when you leave the project. With the same
    `Idempotency-Key` the same key is told of again, without its secret.
    """
    caller.signed_in()
    project_id = caller.writing(asked.project_id)
    _check_scopes(caller, project_id, asked)
    key = KeyOf(uuid7(), project_id, caller.user_id)

    async def act(tx: Transaction) -> Answer:
        if await store.select_working_key_count(tx.connection, project_id) >= _MANY:
            raise Problem(409, "too_many_api_keys", f"A project has at most {_MANY} API keys; revoke one of them.")
        secret = new_api_key(key.id)
        wanted = {"name": asked.name, "scopes": sorted(set(asked.scopes)), "expires_at": asked.expires_at}
        row = await store.insert_api_key(tx.connection, key, digest_of(secret), wanted)
        await note(tx.connection, caller, "api_key.create", key.id, project_id, scopes=wanted["scopes"])
        return _ShownOnce({**plain(_reply(row)), "key": secret}, f"{_KEYS}/{key.id}", 201)

    return await act_once(request, caller, act)


def _check_scopes(caller: Caller, project_id: UUID, asked: KeyAsked) -> None:
    """Refuse to give away what the caller does not have himself, and what has an end already."""
    now = datetime.now(UTC)
    if asked.expires_at is not None and asked.expires_at <= now:
        raise Problem(422, "expiry_invalid", "`expires_at` is over; give a later time, or none.")
    if "manage" in asked.scopes:
        caller.owning(project_id)
    if "operate" not in asked.scopes:
        return
    caller.operating()
    # Who operates is written in tokens alone, so that a key cannot be held to what its maker is later.
    if asked.expires_at is None or asked.expires_at > now + _LONGEST_OPERATION:
        raise Problem(422, "expiry_invalid", "A key with the scope `operate` ends within 90 days: give `expires_at`.")


@routes.get(
    "",
    summary="API keys, the newest first",
    **told("list_api_keys", ApiKeysListed, problems=("cursor_invalid", "not_a_member")),
)
async def get_api_keys(request: Request, caller: Calling, asked: Annotated[KeysPage, Query()]) -> Response:
    """List the keys of your projects. No secret is told: none is kept."""
    projects = caller.seeing(asked.project_id)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        rows = await store.select_api_keys(
            connection, projects, parse_cursor(asked.cursor), asked.limit, revoked=asked.revoked
        )
    return page([_reply(row) for row in rows[: asked.limit]], next_cursor(rows, asked.limit))


@routes.get("/{key_id}", summary="An API key", **told("get_api_key", ApiKey, problems=("api_key_not_found",)))
async def get_api_key(request: Request, caller: Calling, key_id: UUID) -> Response:
    projects = caller.seeing(None)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        return Json(_reply(_found(await store.select_api_key(connection, projects, key_id))))


@routes.delete(
    "/{key_id}",
    status_code=204,
    summary="Revoke an API key",
    **told("revoke_api_key", status=204, problems=("api_key_not_found", "owner_only", "users_only")),
)
async def delete_api_key(request: Request, caller: Calling, key_id: UUID) -> Response:
    """Revoke a key; whoever made it may, and the owners of its project. It works nowhere a few seconds later.

    Streams that it opened end as well. What it has submitted stays.
    """
    caller.signed_in()
    parts, projects = parts_of(request), caller.seeing(None)
    async with as_tenant(parts.pool, projects) as connection:
        row = _found(await store.select_api_key(connection, projects, key_id))
        if row["created_by"] != caller.user_id:
            caller.owning(row["project_id"])
        if not await store.update_revoked(connection, key_id, caller.user_id):
            raise not_found("api_key")
        await note(connection, caller, "api_key.revoke", key_id, row["project_id"])
    parts.api_keys.forget(key_id)
    return Response(status_code=204)


def _found(row: Row | None) -> Row:
    if row is None:
        raise not_found("api_key")
    return row


def _reply(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "state": _state(row)}


def _state(row: Mapping[str, Any]) -> str:
    if row["revoked_at"] is not None:
        return "revoked"
    ended = row["expires_at"] is not None and row["expires_at"] <= datetime.now(UTC)
    return "expired" if ended else "active"
