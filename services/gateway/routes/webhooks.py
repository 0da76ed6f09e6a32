"""Webhooks: who is told what happens (Standard Webhooks)."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.gateway.routes.acting import act_once
from services.gateway.routes.auditing import note
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.documented.operations import URL_PROBLEMS
from services.gateway.routes.journeys import EventTypes
from services.gateway.routes.models import Asked, Page, WebUrl, Words
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import API, Json, page, plain
from services.gateway.routes.versions import check_version, with_etag
from services.gateway.rules.cursors import parse_cursor
from services.gateway.rules.webhooks import SECRET_BYTES, SECRET_OVERLAP_HOURS, check_url, new_secret
from services.gateway.store import webhooks as store
from services.gateway.store.deliveries import update_waiting
from services.gateway.store.pages import next_cursor
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.identifiers import uuid7
from shared.outbox import Transaction

WEBHOOKS: Final = f"{API}/webhooks"
_IN_A_PROJECT: Final = 50
_LONGEST_OVERLAP_HOURS: Final = 7 * 24
_ABOUT: Final = """
Each event of the project is sent once as `POST` with the body `{"type", "timestamp", "data"}`, signed as Standard
Webhooks says: headers `webhook-id` (the same for each attempt: absorb repeats by it), `webhook-timestamp` and
`webhook-signature`. `data` is what streams tell, with `sequence` and `project_id`. A body is smaller than 20 kB: of
what would be larger only ids are sent, with `truncated`. Progress is never sent.

Any 2xx within 15 s will do. Redirects are not followed. Whatever else is answered is tried again after 5 s, 5 min,
30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, or later where `Retry-After` asks for it. `410` switches the webhook off,
and so do five days of failures; `webhook.disabled` tells of it.

The `secret` is shown here and never again.
"""
_CHANGING: Final = ("webhook_not_found", "viewer_only")
routes = APIRouter(prefix=WEBHOOKS, tags=["webhooks"])
sent = APIRouter(tags=["webhooks"])
"""What receivers are sent: described, never called."""

Description = Annotated[Words, StringConstraints(max_length=500)]


class WebhookAsked(Asked):
    """A receiver that is to be told."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "https://example.org/hooks", "event_types": ["job.completed", "image.*"]}]
        }
    )

    url: WebUrl = Field(description="public; https in production")
    event_types: EventTypes = Field(default=[], description="types and families such as `job.*`; none means all")
    description: Description = ""
    active: bool = True


class WebhookChanged(BaseModel):
    """What is to be different; what is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"active": True}]})

    url: WebUrl | None = None
    event_types: EventTypes | None = None
    description: Description | None = None
    active: bool | None = Field(default=None, description="true switches it on again, also after it was disabled")


class RotateAsked(BaseModel):
    """For how long the last secret signs too."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"keep_previous_hours": 24}]}
    )

    keep_previous_hours: int = Field(
        default=SECRET_OVERLAP_HOURS, ge=0, le=_LONGEST_OVERLAP_HOURS, description="0 where it has leaked"
    )


class WebhooksPage(Page):
    """A page of webhooks."""

    active: bool | None = None


class WebhookReply(BaseModel):
    """A webhook."""

    id: UUID
    project_id: UUID
    url: str
    event_types: list[str]
    description: str
    active: bool
    disabled_reason: Literal["by_request", "gone", "failing"] | None
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="the first failure after the last success")
    previous_secret_expires_at: datetime | None = Field(description="until then an older secret signs too")
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    links: dict[str, str]


class WebhookWithSecret(WebhookReply):
    """A webhook with the secret that signs from now on."""

    secret: str = Field(description="shown this once", examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"])


class WebhookList(BaseModel):
    """A page of webhooks."""

    items: list[WebhookReply]
    next_cursor: str | None


class Told(BaseModel):
    """What a receiver is sent."""

    type: str = Field(examples=["job.completed"])
    timestamp: datetime = Field(description="when it happened")
    data: dict[str, Any] = Field(description="what streams tell of it, with `sequence` and `project_id`")


@sent.post("event", status_code=204, operation_id="receive_event", summary="Something has happened in a project")
def receive_event(
    _told: Told,
    _id: Annotated[str, Header(alias="webhook-id", description="the same each time that it is sent")],
    _timestamp: Annotated[int, Header(alias="webhook-timestamp", description="seconds since 1970; refuse old ones")],
    _signature: Annotated[str, Header(alias="webhook-signature", description="`v1,` and a signature, for each secret")],
) -> None:
    """Verify the signature, answer any 2xx within 15 s, and absorb what you have had already by its `webhook-id`."""


@routes.get(
    "",
    summary="Webhooks, the newest first",
    **told("list_webhooks", WebhookList, problems=("cursor_invalid", "not_a_member")),
)
async def get_webhooks(request: Request, caller: Calling, asked: Annotated[WebhooksPage, Query()]) -> Response:
    projects = caller.seeing(asked.project_id)
    async with as_tenant(parts_of(request).pool, projects) as connection:
        after = parse_cursor(asked.cursor)
        rows = await store.select_webhooks(connection, projects, asked.active, after, asked.limit)
    return page([webhook_reply(row) for row in rows[: asked.limit]], next_cursor(rows, asked.limit))


@routes.post(
    "",
    status_code=201,
    summary="Have another system told what happens",
    description=_ABOUT,
    **told(
        "create_webhook",
        WebhookWithSecret,
        status=201,
        problems=(*URL_PROBLEMS, "not_a_member", "viewer_only", "too_many_webhooks"),
        once=True,
        tagged=True,
    ),
)
async def post_webhook(request: Request, caller: Calling, asked: WebhookAsked) -> Response:
    project_id = caller.writing(asked.project_id)
    _check_url(parts_of(request), asked.url)
    webhook_id, secret = uuid7(), _secret()
    wanted = asked.model_dump(include={"url", "event_types", "description", "active"})

    async def act(tx: Transaction) -> Answer:
        if await store.select_webhook_count(tx.connection, project_id) >= _IN_A_PROJECT:
            raise Problem(
                409, "too_many_webhooks", f"A project has at most {_IN_A_PROJECT} webhooks; delete one first."
            )
        owned = {"id": webhook_id, "project_id": project_id, "created_by": caller.user_id}
        await store.insert_webhook(tx.connection, {**wanted, **owned})
        await store.insert_secret(tx.connection, webhook_id, project_id, secret)
        await note(tx.connection, caller, "webhook.create", webhook_id, project_id)
        made = await store.select_webhook(tx.connection, [project_id], webhook_id)
        return _with_secret(made or {}, secret, status=201)

    return with_etag(await act_once(request, caller, act), 1)


@routes.get(
    "/{webhook_id}",
    summary="A webhook",
    **told("get_webhook", WebhookReply, problems=("webhook_not_found",), tagged=True),
)
async def get_webhook(request: Request, caller: Calling, webhook_id: UUID) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await seen_webhook(connection, caller, webhook_id)
    return with_etag(Json(webhook_reply(row)), row["version"])


@routes.patch(
    "/{webhook_id}",
    summary="Change a webhook",
    **told("update_webhook", WebhookReply, problems=(*URL_PROBLEMS, *_CHANGING), tagged=True, edits=True),
)
async def patch_webhook(request: Request, caller: Calling, webhook_id: UUID, asked: WebhookChanged) -> Response:
    """Change where a webhook leads, what it is told, or whether.

    While it is switched off nothing new is kept for it; what waited already is sent once it is switched on again, and
    so is what waits for its next attempt when the webhook is led elsewhere.
    """
    changes = asked.model_dump(exclude_none=True)
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await _changing(request, connection, caller, webhook_id)
        if "url" in changes:
            _check_url(parts_of(request), changes["url"])
        await store.update_webhook(connection, webhook_id, {**row, **changes})
        if changes:
            await note(connection, caller, "webhook.update", webhook_id, row["project_id"], fields=sorted(changes))
        before, row = row, await seen_webhook(connection, caller, webhook_id)
        if row["active"] and (row["url"] != before["url"] or not before["active"]):
            await update_waiting(connection, webhook_id)
    return with_etag(Json(webhook_reply(row)), row["version"])


@routes.delete(
    "/{webhook_id}",
    status_code=204,
    summary="Delete a webhook and its log",
    **told("delete_webhook", status=204, problems=_CHANGING, edits=True),
)
async def delete_webhook(request: Request, caller: Calling, webhook_id: UUID) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await _changing(request, connection, caller, webhook_id)
        await store.delete_webhook(connection, webhook_id)
        await note(connection, caller, "webhook.delete", webhook_id, row["project_id"])
    return Response(status_code=204)


@routes.post(
    "/{webhook_id}/rotate",
    summary="Sign with a new secret",
    **told("rotate_webhook_secret", WebhookWithSecret, problems=_CHANGING, once=True, edits=True),
)
async def post_rotate(
    request: Request, caller: Calling, webhook_id: UUID, asked: RotateAsked | None = None
) -> Response:
    """Make a new secret, shown in this reply only.

    For 24 h, or as long as you say, each request is signed with the last secret as well, so that receivers can change
    over: both signatures are in `webhook-signature`.
    """
    secret, hours = _secret(), (asked or RotateAsked()).keep_previous_hours

    async def act(tx: Transaction) -> Answer:
        row = await _changing(request, tx.connection, caller, webhook_id)
        await store.update_rotated(tx.connection, webhook_id, row["project_id"], secret, hours)
        await note(tx.connection, caller, "webhook.rotate", webhook_id, row["project_id"], keep_previous_hours=hours)
        return _with_secret(await seen_webhook(tx.connection, caller, webhook_id), secret, status=200)

    return await act_once(request, caller, act)


def webhook_reply(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a webhook as every list and page shows it."""
    location = f"{WEBHOOKS}/{row['id']}"
    links = {"self": location, **{name: f"{location}/{name}" for name in ("deliveries", "test", "rotate")}}
    return {**{name: row[name] for name in WebhookReply.model_fields if name != "links"}, "links": links}


def _with_secret(row: Mapping[str, Any], secret: str, *, status: int) -> Answer:
    return Answer(plain({**webhook_reply(row), "secret": secret}), f"{WEBHOOKS}/{row['id']}", status)


async def seen_webhook(connection: Connection, caller: Caller, webhook_id: UUID) -> Row:
    """Give a webhook of the caller's projects; raises a 404 problem."""
    row = await store.select_webhook(connection, list(caller.memberships), webhook_id)
    if row is None:
        raise not_found("webhook")
    return row


async def _changing(request: Request, connection: Connection, caller: Caller, webhook_id: UUID) -> Row:
    """Give a webhook that the caller may change, as he knows it; raises a 404, 403 or 412 problem."""
    row = await store.lock_webhook(connection, list(caller.memberships), webhook_id)
    if row is None:
        raise not_found("webhook")
    caller.writing(row["project_id"])
    check_version(request, row["version"])
    return row


def _check_url(parts: Parts, url: str) -> None:
    check_url(url, parts.outbound.policy, https_only=parts.settings.environment == "production")


def _secret() -> str:
    return new_secret(os.urandom(SECRET_BYTES))
