"""The log of what webhooks were told, and telling them again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.routes.acting import act_once
from services.gateway.routes.callers import Caller, Calling, parts_of
from services.gateway.routes.desk import Answer
from services.gateway.routes.documented import told
from services.gateway.routes.problems import Problem, not_found
from services.gateway.routes.replies import Json, page, plain
from services.gateway.routes.webhooks import WEBHOOKS, seen_webhook
from services.gateway.rules.cursors import parse_cursor
from services.gateway.rules.happenings import error_of
from services.gateway.rules.webhooks import PING, body_of, message_id
from services.gateway.store import deliveries as store
from services.gateway.store.deliveries import told_data
from services.gateway.store.pages import next_cursor
from services.gateway.store.reading import Row
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection
from shared.outbox import Transaction

State = Literal["pending", "delivered", "failed"]
_SAME: Final = (
    *("id", "webhook_id", "project_id", "sequence", "type", "at", "state", "attempts", "next_attempt_at"),
    *("status_code", "response_excerpt", "duration_ms", "attempted_at", "created_at"),
)
_TELLING: Final = ("webhook_not_found", "viewer_only", "webhook_disabled")
routes = APIRouter(prefix=WEBHOOKS, tags=["webhooks"])


class DeliveriesPage(BaseModel):
    """A page of deliveries."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    state: list[State] | None = Field(default=None, description="repeat it for several")
    cursor: Annotated[str, Field(max_length=200)] | None = Field(default=None, description="`next_cursor` of a page")
    limit: int = Field(default=50, ge=1, le=200)


class ErrorReply(BaseModel):
    """What went wrong."""

    code: str
    sentence: str


class DeliveryReply(BaseModel):
    """One event on its way to one webhook, and how its last attempt went."""

    id: UUID
    message_id: str = Field(description="the header `webhook-id`")
    webhook_id: UUID
    project_id: UUID
    sequence: int | None = Field(description="of the event; null of a ping")
    type: str
    at: datetime
    state: State
    attempts: int = Field(description="since it was last asked for")
    next_attempt_at: datetime | None
    status_code: int | None
    error: ErrorReply | None
    response_excerpt: str | None = Field(description="how the answer's body begins, at most 1 KiB")
    duration_ms: int | None
    attempted_at: datetime | None
    created_at: datetime
    links: dict[str, str]


class DeliveryList(BaseModel):
    """A page of deliveries."""

    items: list[DeliveryReply]
    next_cursor: str | None


class AttemptReply(BaseModel):
    """How an attempt went."""

    at: datetime
    status_code: int | None
    error: ErrorReply | None
    response_excerpt: str
    duration_ms: int


class DeliveryDetail(DeliveryReply):
    """A delivery with what is sent and its attempts."""

    body: dict[str, Any] = Field(description="what is sent")
    attempt_log: list[AttemptReply] = Field(description="the last 30, also those before it was sent again")


@routes.get(
    "/{webhook_id}/deliveries",
    summary="What a webhook was told",
    **told("list_deliveries", DeliveryList, problems=("webhook_not_found", "cursor_invalid")),
)
async def get_deliveries(
    request: Request, caller: Calling, webhook_id: UUID, asked: Annotated[DeliveriesPage, Query()]
) -> Response:
    """Show deliveries, the newest first; they are kept for 30 days."""
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        await seen_webhook(connection, caller, webhook_id)
        after = parse_cursor(asked.cursor)
        rows = await store.select_deliveries(connection, webhook_id, asked.state, after, asked.limit)
    return page([delivery_reply(row) for row in rows[: asked.limit]], next_cursor(rows, asked.limit))


@routes.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    summary="A delivery with what is sent and each attempt",
    **told("get_delivery", DeliveryDetail, problems=("delivery_not_found",)),
)
async def get_delivery(request: Request, caller: Calling, webhook_id: UUID, delivery_id: UUID) -> Response:
    async with as_tenant(parts_of(request).pool, caller.memberships) as connection:
        row = await _delivery(connection, caller, webhook_id, delivery_id)
    body = body_of(row["type"], row["at"], told_data(row["data"], row["project_id"], row["sequence"]))
    attempts = [_attempt_reply(attempt) for attempt in row["attempt_log"]]
    return Json({**delivery_reply(row), "body": orjson.loads(body), "attempt_log": attempts})


@routes.post(
    "/{webhook_id}/deliveries/{delivery_id}/resend",
    status_code=202,
    summary="Send a delivery once more",
    **told(
        "resend_delivery",
        DeliveryReply,
        status=202,
        problems=(*_TELLING, "delivery_not_found", "delivery_under_way"),
        once=True,
    ),
)
async def post_resend(request: Request, caller: Calling, webhook_id: UUID, delivery_id: UUID) -> Response:
    """Send it now, under the same `webhook-id`, and again on schedule where that fails."""

    async def act(tx: Transaction) -> Answer:
        await _telling(tx.connection, caller, webhook_id)
        await _delivery(tx.connection, caller, webhook_id, delivery_id)
        if not await store.update_resent(tx.connection, delivery_id):
            raise Problem(409, "delivery_under_way", "It is being sent at this moment; see how that ends first.")
        return await _answer(tx.connection, caller, webhook_id, delivery_id)

    return await act_once(request, caller, act)


@routes.post(
    "/{webhook_id}/test",
    status_code=202,
    summary="Send a ping",
    **told("test_webhook", DeliveryReply, status=202, problems=_TELLING, once=True),
)
async def post_test(request: Request, caller: Calling, webhook_id: UUID) -> Response:
    """Send an event of type `ping`, whatever the webhook is told otherwise; it is not tried again.

    `Location` is the delivery: look there how it went.
    """

    async def act(tx: Transaction) -> Answer:
        webhook = await _telling(tx.connection, caller, webhook_id)
        data = {"webhook_id": webhook_id, "sent_by": caller.user_id}
        delivery_id = await store.insert_ping(tx.connection, webhook, PING, data)
        return await _answer(tx.connection, caller, webhook_id, delivery_id)

    return await act_once(request, caller, act)


async def _telling(connection: Connection, caller: Caller, webhook_id: UUID) -> Row:
    """Give a webhook that the caller may have told something now; raises a 404, 403 or 409 problem."""
    webhook = await seen_webhook(connection, caller, webhook_id)
    caller.writing(webhook["project_id"])
    if not webhook["active"]:
        raise Problem(409, "webhook_disabled", "The webhook is switched off; set `active` first.")
    return webhook


async def _delivery(connection: Connection, caller: Caller, webhook_id: UUID, delivery_id: UUID) -> Row:
    row = await store.select_delivery(connection, list(caller.memberships), webhook_id, delivery_id)
    if row is None:
        raise not_found("delivery")
    return row


async def _answer(connection: Connection, caller: Caller, webhook_id: UUID, delivery_id: UUID) -> Answer:
    told = delivery_reply(await _delivery(connection, caller, webhook_id, delivery_id))
    return Answer(plain(told), told["links"]["self"])


def delivery_reply(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a delivery as every list and page shows it."""
    location = f"{WEBHOOKS}/{row['webhook_id']}/deliveries/{row['id']}"
    return {
        **{name: row[name] for name in _SAME},
        "message_id": message_id(row["id"]),
        "error": error_of(row["error_code"], row["error_sentence"]),
        "links": {"self": location, "resend": f"{location}/resend"},
    }


def _attempt_reply(attempt: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: attempt[name] for name in ("at", "status_code", "response_excerpt", "duration_ms")}
    return {**kept, "error": error_of(attempt["error_code"], attempt["error_sentence"])}
