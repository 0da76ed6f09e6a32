"""What webhooks are told, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.rules.webhooks import EXCERPT_BYTES, LEASE_SECONDS
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from services.gateway.store.webhooks import Disabled
from shared.database import Connection

_ATTEMPTS_KEPT: Final = 30
_SENT_AT_ONCE: Final = 10_000
"""More than that would take a request too long; the others are attempted within a day."""

_SHOWN: Final = """
    delivery.id, delivery.webhook_id, delivery.project_id, delivery.sequence, delivery.type, delivery.at,
    delivery.state, delivery.attempts, delivery.status_code, delivery.error_code, delivery.error_sentence,
    delivery.response_excerpt, delivery.duration_ms, delivery.attempted_at, delivery.created_at,
    CASE WHEN delivery.state = 'pending' AND delivery.lease IS NULL
              AND (SELECT active FROM webhooks WHERE id = delivery.webhook_id)
         THEN delivery.due_at END AS next_attempt_at
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is to be attempted now, and all that the attempt needs.

    Attributes:
        attempts: how many have failed before.
        lease: of this attempt; whoever has lost it changes nothing any more.
        secrets: with which it is signed, the newest first.
        failing: the webhook's last attempts have failed.

    """

    id: UUID
    webhook_id: UUID
    project_id: UUID
    sequence: int | None
    type: str
    at: datetime
    data: dict[str, Any]
    attempts: int
    lease: UUID
    url: str
    secrets: list[str]
    failing: bool

    @property
    def told(self) -> dict[str, Any]:
        return told_data(self.data, self.project_id, self.sequence)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt went.

    Attributes:
        status_code: what was answered, where anything was.
        error_code: why it has failed; None where it has not.
        retry_in_seconds: when it is tried again; None where it is not.
        counts: as one of those that a receiver is given; otherwise they begin anew.

    """

    status_code: int | None
    error_code: str | None
    error_sentence: str | None
    response_excerpt: str
    duration_ms: int
    retry_in_seconds: float | None
    counts: bool = True

    @property
    def state(self) -> str:
        if self.error_code is None:
            return "delivered"
        return "failed" if self.retry_in_seconds is None else "pending"


def told_data(data: Mapping[str, Any], project_id: UUID, sequence: int | None) -> dict[str, Any]:
    """Give what a receiver is told: what clients are told, and where in the feed it has its place."""
    return {**({} if sequence is None else {"sequence": sequence}), "project_id": project_id, **data}


# Of each webhook at most so many at a time, and first of the project with the fewest under way: none of them can
# keep the others waiting.
_TAKEN: Final = """
    SELECT delivery.id, webhook.failing_since IS NOT NULL AS failing FROM (
        SELECT id, failing_since, {at_once} - busy.here AS room FROM webhooks AS listening
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE webhook_id = listening.id)         AS here,
                   count(*) FILTER (WHERE project_id = listening.project_id) AS of_project
            FROM running
        ) AS busy
        WHERE active AND (failing_since IS NOT NULL) = {failing} AND busy.here < {at_once}
          AND EXISTS (SELECT FROM webhook_deliveries
                      WHERE webhook_id = listening.id AND state = 'pending' AND due_at <= now())
        ORDER BY busy.of_project, random() LIMIT {lanes}
        FOR NO KEY UPDATE OF listening SKIP LOCKED
    ) AS webhook
    CROSS JOIN LATERAL (
        SELECT id FROM webhook_deliveries
        WHERE webhook_id = webhook.id AND state = 'pending' AND due_at <= now()
        ORDER BY due_at, sequence LIMIT webhook.room
        FOR UPDATE SKIP LOCKED
    ) AS delivery
    LIMIT {lanes}
"""
_CLAIM: Final = f"""
    WITH running AS MATERIALIZED (
             SELECT webhook_id, project_id FROM webhook_deliveries WHERE lease IS NOT NULL AND due_at > now()),
         healthy AS ({_TAKEN.format(failing="false", lanes="$1", at_once=2)}),
         failing AS ({_TAKEN.format(failing="true", lanes="$2", at_once=1)}),
         due AS (SELECT * FROM healthy UNION ALL SELECT * FROM failing)
    UPDATE webhook_deliveries AS delivery
    SET lease = gen_random_uuid(), due_at = now() + make_interval(secs => $3)
    FROM due, webhooks AS webhook
    WHERE delivery.id = due.id AND webhook.id = delivery.webhook_id
    RETURNING delivery.id, delivery.webhook_id, delivery.project_id, delivery.sequence, delivery.type, delivery.at,
              delivery.data, delivery.attempts, delivery.lease, webhook.url,
              (SELECT array_agg(secret ORDER BY created_at DESC) FROM webhook_secrets
               WHERE webhook_id = webhook.id AND (expires_at IS NULL OR expires_at > now())) AS secrets, due.failing
"""  # noqa: S608 - texts of this file


async def update_claimed(
    connection: Connection, healthy_lanes: int, failing_lanes: int, *, lease_seconds: float = LEASE_SECONDS
) -> list[Due]:
    """Take deliveries that are due, for receivers that are well and for those that fail.

    Several processes may do so at once; what one of them has taken and not settled in time is due again.
    """
    rows = await connection.fetch(_CLAIM, healthy_lanes, failing_lanes, lease_seconds)
    return [Due(*row.values()) for row in rows]


async def update_attempted(connection: Connection, due: Due, attempt: Attempt) -> bool:
    """Note how an attempt went; tell whether it still counts."""
    settled = await connection.fetchval(
        """
        UPDATE webhook_deliveries
        SET state = $3, attempts = CASE WHEN $11 THEN attempts + 1 ELSE 0 END, lease = NULL, attempted_at = now(),
            due_at = now() + make_interval(secs => $4), status_code = $5, error_code = $6, error_sentence = $7,
            response_excerpt = $8, duration_ms = $9,
            attempt_log = CASE WHEN jsonb_array_length(attempt_log) < $10 THEN attempt_log ELSE attempt_log - 0 END
                || jsonb_build_array(jsonb_build_object(
                    'at', now(), 'status_code', $5::integer, 'error_code', $6::text, 'error_sentence', $7::text,
                    'response_excerpt', $8::text, 'duration_ms', $9::integer))
        WHERE id = $1 AND lease = $2
        RETURNING true
        """,
        due.id,
        due.lease,
        attempt.state,
        attempt.retry_in_seconds or 0.0,
        attempt.status_code,
        attempt.error_code,
        attempt.error_sentence,
        attempt.response_excerpt[:EXCERPT_BYTES],
        attempt.duration_ms,
        _ATTEMPTS_KEPT,
        attempt.counts,
    )
    return bool(settled)


async def select_has_failed_for(connection: Connection, webhook_id: UUID, age: timedelta) -> bool:
    """Tell whether a receiver has only failed for so long."""
    failed = await connection.fetchval(
        "SELECT failing_since < now() - $2::interval FROM webhooks WHERE id = $1", webhook_id, age
    )
    return bool(failed)


async def lock_url(connection: Connection, webhook_id: UUID) -> str | None:
    """Give where a webhook leads, and have it lead there until the transaction ends; None where it was deleted."""
    url: str | None = await connection.fetchval("SELECT url FROM webhooks WHERE id = $1 FOR NO KEY UPDATE", webhook_id)
    return url


async def update_receiver_well(connection: Connection, webhook_id: UUID, url: str) -> None:
    await connection.execute(
        "UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND url = $2 AND failing_since IS NOT NULL",
        webhook_id,
        url,
    )


async def update_receiver_failing(
    connection: Connection, webhook_id: UUID, limit: timedelta, *, gone: bool
) -> Disabled | None:
    """Note that a receiver has failed; switch its webhook off where it is gone, or has failed for too long."""
    row = await connection.fetchrow(
        """
        WITH judged AS (
            SELECT id, CASE WHEN $3 THEN 'gone' WHEN failing_since < now() - $2::interval THEN 'failing' END AS reason
            FROM webhooks WHERE id = $1 AND active FOR NO KEY UPDATE
        )
        UPDATE webhooks AS webhook
        SET failing_since = coalesce(failing_since, now()), active = reason IS NULL, disabled_reason = reason,
            disabled_at = CASE WHEN reason IS NOT NULL THEN now() END,
            version = version + CASE WHEN reason IS NULL THEN 0 ELSE 1 END,
            updated_at = CASE WHEN reason IS NULL THEN updated_at ELSE now() END
        FROM judged WHERE webhook.id = judged.id AND (reason IS NOT NULL OR failing_since IS NULL)
        RETURNING webhook.project_id, reason
        """,
        webhook_id,
        limit,
        gone,
    )
    return None if row is None or row["reason"] is None else Disabled(*row.values())


async def insert_ping(connection: Connection, webhook: Mapping[str, Any], type_: str, data: Mapping[str, Any]) -> UUID:
    """Have a webhook told something for trial; return the delivery."""
    delivery_id: UUID = await connection.fetchval(
        """
        INSERT INTO webhook_deliveries (webhook_id, project_id, type, at, data) VALUES ($1, $2, $3, now(), $4)
        RETURNING id
        """,
        webhook["id"],
        webhook["project_id"],
        type_,
        data,
    )
    return delivery_id


async def update_waiting(connection: Connection, webhook_id: UUID) -> None:
    """Have what waits for a webhook attempted now, of very much what was to be attempted first."""
    await connection.execute(
        """
        UPDATE webhook_deliveries SET due_at = now(), attempts = 0
        WHERE id IN (SELECT id FROM webhook_deliveries
                     WHERE webhook_id = $1 AND state = 'pending' AND lease IS NULL
                     ORDER BY due_at LIMIT $2
                     FOR UPDATE SKIP LOCKED)
        """,
        webhook_id,
        _SENT_AT_ONCE,
    )


async def select_deliveries(
    connection: Connection, webhook_id: UUID, states: Sequence[str] | None, cursor: Cursor | None, limit: int
) -> list[Row]:
    """Select a page of a webhook's deliveries and one more, from the newest to the oldest."""
    conditions = Conditions(webhook_id, limit + 1)
    conditions.add("delivery.state = ANY ({})", states)
    conditions.after(cursor, alias="delivery")
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN} FROM webhook_deliveries AS delivery WHERE delivery.webhook_id = $1 {conditions}
        ORDER BY delivery.created_at DESC, delivery.id DESC LIMIT $2
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_delivery(
    connection: Connection, projects: list[UUID], webhook_id: UUID, delivery_id: UUID
) -> Row | None:
    """Select a delivery with what is told and each attempt."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_SHOWN}, delivery.data, delivery.attempt_log FROM webhook_deliveries AS delivery
        WHERE delivery.webhook_id = $2 AND delivery.id = $3 AND delivery.project_id = ANY ($1)
        """,  # noqa: S608 - columns of this file
        projects,
        webhook_id,
        delivery_id,
    )


async def update_resent(connection: Connection, delivery_id: UUID) -> bool:
    """Have a delivery attempted now and, where that fails, again on schedule; not while an attempt runs."""
    due = await connection.fetchval(
        """
        UPDATE webhook_deliveries SET state = 'pending', attempts = 0, due_at = now(), lease = NULL
        WHERE id = $1 AND (lease IS NULL OR due_at <= now())
        RETURNING true
        """,
        delivery_id,
    )
    return bool(due)
