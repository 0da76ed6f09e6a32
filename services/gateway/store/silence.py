"""Finding the jobs that nobody speaks of."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.gateway.rules.silence import FIRST_ASK_SECONDS, LAST_ASK_SECONDS
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Lost:
    """A job that its worker has never heard of."""

    kind: str
    request: dict[str, Any]
    cancelled_by: str | None


async def update_silent_jobs(connection: Connection, limit: int) -> tuple[int, dict[str, list[UUID]]]:
    """Take the jobs whose silence is due to be looked at; return how many, and those to ask about by service.

    Who spoke since is looked at again 10 s after his last word. Who waits and has said so (for a worker, a pause, a
    retry, a limit) is silent rightly, and is asked only after the longest pause. Several gateways may do this at once.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT id, service, asks, updated_at,
                   CASE WHEN sequence >= 0 AND state = 'pending' THEN make_interval(secs => $3)
                        ELSE make_interval(secs => $2) END AS patience
            FROM jobs
            WHERE state IN ('pending', 'in_progress') AND ask_at <= now()
            ORDER BY ask_at LIMIT $1
            FOR NO KEY UPDATE SKIP LOCKED
        ), looked AS (
            SELECT id, service, patience, asks, updated_at + patience > now() AS spoke FROM due
        )
        UPDATE jobs
        SET asks = CASE WHEN spoke THEN 0 ELSE jobs.asks + 1 END,
            ask_at = CASE WHEN spoke THEN jobs.updated_at + patience
                          ELSE now() + least(make_interval(secs => $2) * 2 ^ (least(jobs.asks, 10) + 1),
                                             make_interval(secs => $3)) END
        FROM looked WHERE jobs.id = looked.id
        RETURNING jobs.id, jobs.service, spoke
        """,
        limit,
        FIRST_ASK_SECONDS,
        LAST_ASK_SECONDS,
    )
    silent: dict[str, list[UUID]] = {}
    for row in rows:
        if not row["spoke"]:
            silent.setdefault(row["service"], []).append(row["id"])
    return len(rows), silent


async def select_lost_commands(connection: Connection, ids: Iterable[UUID]) -> list[Lost]:
    """Give the commands of jobs that have not ended."""
    rows = await connection.fetch(
        """
        SELECT kind, request, cancel_requested_by FROM jobs
        WHERE id = ANY ($1) AND state IN ('pending', 'in_progress') AND request IS NOT NULL
        """,
        list(ids),
    )
    return [Lost(row["kind"], row["request"], row["cancel_requested_by"]) for row in rows]


async def update_dead_lettered_jobs(connection: Connection, rows: list[dict[str, Any]]) -> list[UUID]:
    """End the jobs whose commands no worker can take in, for nobody else would; return those that were waiting."""
    ended = await connection.fetch(
        """
        UPDATE jobs
        SET state = 'failed', waiting_for = NULL, next_attempt_at = NULL, error_code = letter.error_code,
            error_sentence = letter.error_sentence, finished_at = now(), updated_at = now()
        FROM jsonb_populate_recordset(NULL::jobs, $1) AS letter
        WHERE jobs.id = letter.id AND jobs.kind = letter.kind AND jobs.state = 'pending'
        RETURNING jobs.id
        """,
        rows,
    )
    return [row["id"] for row in ended]
