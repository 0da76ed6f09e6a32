"""What the processes of all services say of themselves."""

from collections.abc import Sequence
from typing import Any

from services.gateway.store.reading import Row, fetch
from shared.database import Connection


async def upsert_workers(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Note what processes said last. Each process once.

    A report that has waited in a queue tells of the past, and a clock that is ahead tells nothing of the future.
    """
    await connection.execute(
        """
        INSERT INTO workers AS held (
            service, worker, version, state, kinds, capacity, running, unacknowledged, heard_per_second,
            said_per_second, oldest_unacknowledged_at, unsaid, memory_bytes, work, started_at, at, heard_at)
        SELECT service, worker, version, state, kinds, capacity, running, unacknowledged, heard_per_second,
               said_per_second, oldest_unacknowledged_at, unsaid, memory_bytes, work, started_at, at, least(at, now())
        FROM jsonb_populate_recordset(NULL::workers, $1)
        ON CONFLICT (service, worker) DO UPDATE
        SET version = excluded.version, state = excluded.state, kinds = excluded.kinds, capacity = excluded.capacity,
            running = excluded.running, unacknowledged = excluded.unacknowledged,
            heard_per_second = excluded.heard_per_second, said_per_second = excluded.said_per_second,
            oldest_unacknowledged_at = excluded.oldest_unacknowledged_at, unsaid = excluded.unsaid,
            memory_bytes = excluded.memory_bytes, work = excluded.work, started_at = excluded.started_at,
            at = excluded.at, heard_at = excluded.heard_at
        WHERE excluded.at > held.at
        """,
        rows,
    )


async def select_workers(connection: Connection, *, service: str | None, since_seconds: float) -> list[Row]:
    """Select the processes that were heard of lately, by service and the time of their start; the eldest first."""
    return await fetch(
        connection,
        """
        SELECT *, extract(epoch FROM now() - heard_at)::float8 AS silent_seconds FROM workers
        WHERE heard_at > now() - make_interval(secs => $1) AND ($2::text IS NULL OR service = $2)
        ORDER BY service, started_at, worker
        """,
        since_seconds,
        service,
    )
