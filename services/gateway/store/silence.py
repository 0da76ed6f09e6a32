"""Finding the jobs that nobody speaks of."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.gateway.rules.silence import FIRST_ASK_SECONDS, LAST_ASK_SECONDS, NEVER_RECEIVED, NOBODY_ANSWERS
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Lost:
    """A job that its worker has never heard of."""

    kind: str
    request: dict[str, Any]
    cancelled_by: str | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at silent jobs found.

    Attributes:
        count: how many were looked at.
        silent: those to ask about, by service.
        abandoned: those of them that were asked about in vain for too long.

    """

    count: int
    silent: dict[str, list[UUID]]
    abandoned: list[UUID]


async def update_silent_jobs(connection: Connection, limit: int, patience_hours: float) -> Look:
    """Take the jobs whose silence is due to be looked at.

    Who spoke since is looked at again 10 s after his last word. Who waits and has said so (for a worker, a pause, a
    retry, a limit) is silent rightly, and is asked only after the longest pause. That a worker has never heard of a job
    counts until a question passes unanswered. Several gateways may do this at once.
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
            unanswered_since = CASE WHEN NOT spoke THEN coalesce(jobs.unanswered_since, now()) END,
            asked_at = CASE WHEN spoke THEN asked_at ELSE now() END,
            unknown_at = CASE WHEN spoke OR unknown_at >= asked_at THEN unknown_at END,
            ask_at = CASE WHEN spoke THEN jobs.updated_at + patience
                          ELSE now() + least(make_interval(secs => $2) * 2 ^ (least(jobs.asks, 10) + 1),
                                             make_interval(secs => $3)) END
        FROM looked WHERE jobs.id = looked.id
        RETURNING jobs.id, jobs.service, spoke, jobs.unanswered_since < now() - $4 * interval '1 hour' AS abandoned
        """,
        limit,
        FIRST_ASK_SECONDS,
        LAST_ASK_SECONDS,
        patience_hours,
    )
    silent: dict[str, list[UUID]] = {}
    for row in rows:
        if not row["spoke"]:
            silent.setdefault(row["service"], []).append(row["id"])
    return Look(len(rows), silent, [row["id"] for row in rows if row["abandoned"]])


async def update_unknown_jobs(connection: Connection, ids: Iterable[UUID]) -> list[Lost]:
    """Note that their workers have never heard of these jobs; give the commands of those whose command is known."""
    rows = await connection.fetch(
        """
        UPDATE jobs SET unknown_at = now()
        WHERE id = ANY ($1) AND state IN ('pending', 'in_progress')
        RETURNING kind, request, cancel_requested_by
        """,
        list(ids),
    )
    return [Lost(row["kind"], row["request"], row["cancel_requested_by"]) for row in rows if row["request"] is not None]


async def update_answered_jobs(connection: Connection, ids: Iterable[UUID]) -> None:
    """Note that somebody answers for these jobs, though he had nothing new to say: the pauses go on growing."""
    await connection.execute(
        "UPDATE jobs SET unanswered_since = NULL WHERE id = ANY ($1) AND unanswered_since IS NOT NULL",
        list(ids),
    )


async def update_abandoned_jobs(connection: Connection, ids: Iterable[UUID], patience_hours: float) -> list[UUID]:
    """End those of the jobs that are still unanswered for; return them."""
    rows = await connection.fetch(
        """
        UPDATE jobs
        SET state = 'failed', waiting_for = NULL, next_attempt_at = NULL, stage = NULL,
            error_code = CASE WHEN unknown_at IS NOT NULL THEN $5 ELSE $3 END,
            error_sentence = CASE WHEN unknown_at IS NOT NULL THEN $6 ELSE $4 END,
            finished_at = now(), updated_at = now(), unanswered_since = NULL
        WHERE id = ANY ($1) AND state IN ('pending', 'in_progress')
          AND unanswered_since < now() - $2 * interval '1 hour'
        RETURNING id
        """,
        list(ids),
        patience_hours,
        *NOBODY_ANSWERS,
        *NEVER_RECEIVED,
    )
    return [row["id"] for row in rows]
