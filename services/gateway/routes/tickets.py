"""Tickets: they open a stream where no header can be sent."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.gateway.identity import new_ticket
from services.gateway.routes.callers import Reading, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.replies import API
from services.gateway.store.presenting import digest_of
from services.gateway.store.tenancy import as_tenant
from services.gateway.store.tickets import insert_ticket

TICKET_SECONDS: Final = 60.0
routes = APIRouter(prefix=API, tags=["streams"])


class TicketMade(BaseModel):
    """A ticket, which is shown once."""

    ticket: str = Field(description="add it to the address of a stream as `?ticket=`")
    expires_at: datetime


@routes.post(
    "/tickets",
    status_code=201,
    summary="Get a ticket for one stream, where no header can be sent",
    **told("create_ticket", TicketMade, status=201),
)
async def post_ticket(request: Request, caller: Reading) -> TicketMade:
    """Get a ticket that opens one stream (`GET /events`, `GET /jobs/{job_id}/events`, `WS /ws`) within 60 s, once.

    `EventSource` and `WebSocket` of browsers send no headers: give them `?ticket=` instead of a token, which would
    stay in logs and histories. The stream sees what you see, and ends when the credential ends that got the ticket. To
    come back after it broke off, get another ticket. An `Idempotency-Key` changes nothing here.
    """
    ticket = new_ticket()
    async with as_tenant(parts_of(request).pool, ()) as connection:
        end = await insert_ticket(connection, digest_of(ticket), caller.principal, TICKET_SECONDS)
    return TicketMade(ticket=ticket, expires_at=end)
