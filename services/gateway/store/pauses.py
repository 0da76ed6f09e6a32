"""Pauses of kinds of work."""

from datetime import datetime

from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection


async def select_pauses(connection: Connection) -> list[Row]:
    """Select the pauses that hold."""
    return await fetch(
        connection,
        """
        SELECT kind, owner, paused_at, expires_at FROM work_pauses
        WHERE expires_at > now() AND resumed_at IS NULL ORDER BY kind
        """,
    )


async def select_pause(connection: Connection, kind: str) -> Row | None:
    """Select the pause of a kind, where one holds."""
    return await fetch_one(
        connection,
        """
        SELECT kind, owner, paused_at, expires_at FROM work_pauses
        WHERE kind = $1 AND expires_at > now() AND resumed_at IS NULL
        """,
        kind,
    )


async def upsert_pause(connection: Connection, kind: str, owner: str, expires_at: datetime) -> datetime:
    """Note a pause; return when, in the order in which wishes for a kind were noted."""
    noted_at: datetime = await connection.fetchval(
        """
        INSERT INTO work_pauses (kind, owner, paused_at, expires_at) VALUES ($1, $2, now(), $3)
        ON CONFLICT (kind) DO UPDATE
        SET owner = excluded.owner, paused_at = excluded.paused_at, expires_at = excluded.expires_at,
            resumed_by = NULL, resumed_at = NULL
        RETURNING clock_timestamp()
        """,
        kind,
        owner,
        expires_at,
    )
    return noted_at


async def update_resumed(connection: Connection, kind: str, resumed_by: str) -> datetime:
    """Note the end of a pause; return when, as `upsert_pause` does."""
    noted_at: datetime = await connection.fetchval(
        """
        UPDATE work_pauses SET resumed_by = $2, resumed_at = now() WHERE kind = $1
        RETURNING clock_timestamp()
        """,
        kind,
        resumed_by,
    )
    return noted_at
