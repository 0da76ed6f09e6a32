"""Tickets: each opens one stream, once."""

from datetime import datetime

from services.gateway.rules.people import Principal, principal_of_json
from services.gateway.store.presenting import present
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection, Pool


async def insert_ticket(connection: Connection, digest: bytes, principal: Principal, seconds: float) -> datetime:
    """Insert a ticket that lets in whoever shows it as this principal; return its end."""
    await connection.execute("SELECT set_config('diorama.user', $1, true)", principal.user_id)
    end: datetime = await connection.fetchval("SELECT now() + make_interval(secs => $1)", seconds)
    await connection.execute(
        "INSERT INTO tickets (digest, user_id, principal, expires_at) VALUES ($1, $2, $3, $4)",
        digest,
        principal.user_id,
        principal.as_json(),
        end,
    )
    return end


async def delete_ticket(pool: Pool, digest: bytes) -> Principal | None:
    """Take a ticket, so that nobody can take it again; None where there is none that is good.

    Raises DatabaseAwayError.
    """
    async with as_tenant(pool, ()) as connection:
        await present(connection, digest)
        row = await connection.fetchrow(
            "DELETE FROM tickets WHERE digest = $1 RETURNING principal, expires_at > now() AS good", digest
        )
    return principal_of_json(row["principal"]) if row is not None and row["good"] else None
