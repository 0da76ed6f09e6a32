"""How much was done: counted once from the feed, by day, project, user and kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from services.gateway.rules.retrying import OUTCOME_UNKNOWN
from services.gateway.store.pages import Conditions
from services.gateway.store.payments import STANDS
from services.gateway.store.reading import Row, fetch
from services.gateway.store.tenancy import answering
from shared.database import Connection, Pool

COUNTS: Final = (
    *("jobs_completed", "jobs_failed", "jobs_cancelled", "images_stored", "bytes_stored", "images_generated"),
    *("generation_seconds", "paid_calls", "cost_micros"),
)
GROUPS: Final = {"day": "day", "project": "project_id", "user": "submitted_by", "kind": "kind"}
"""By what usage can be told apart, and the columns that hold it."""

_PAGE: Final = 2000
_TURNS: Final = "'job.completed', 'job.failed', 'job.revived', 'job.cancelled', 'image.generated'"
_ADDED: Final = ", ".join(f"{name} = held.{name} + excluded.{name}" for name in COUNTS)
_SUMS: Final = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Whose usage is asked for, and when.

    Attributes:
        projects: None: of everybody.
        since: the first day, in UTC.
        until: the last day.

    """

    projects: list[UUID] | None
    since: date
    until: date
    user: str | None = None
    kind: str | None = None


async def count_usage(pool: Pool) -> None:
    """Count all that happened until now, and not what happens meanwhile; raises DatabaseAwayError."""
    async with answering(), pool.acquire() as connection:
        until = await connection.fetchval("SELECT coalesce(max(sequence), 0) FROM events")
        while await select_uncounted(connection, until):
            async with connection.transaction():
                await upsert_usage(connection, _PAGE)


async def select_uncounted(connection: Connection, until: int) -> bool:
    """Tell whether something happened, up to a sequence, that is not counted yet."""
    uncounted: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM events
                       WHERE sequence > coalesce((SELECT sequence FROM usage_mark), 0) AND sequence <= $1)
            OR EXISTS (SELECT FROM payments WHERE uncounted)
        """,
        until,
    )
    return uncounted


async def upsert_usage(connection: Connection, limit: int) -> int:
    """Count what happened behind the mark, and move the mark; return how many happenings were looked at.

    In one transaction, so that each counts once. Sequences become visible in their order, so that none is passed over.
    What failed and was taken up again did not fail.
    """
    await connection.execute("INSERT INTO usage_mark DEFAULT VALUES ON CONFLICT DO NOTHING")
    mark = await connection.fetchval("SELECT sequence FROM usage_mark FOR UPDATE")
    last, looked_at, paid = await connection.fetchrow(
        f"""
        WITH page AS (
            SELECT sequence, project_id, job_id, type, at, data FROM events
            WHERE sequence > $1 ORDER BY sequence LIMIT $2
        ), counted AS (
            INSERT INTO usage_days AS held (project_id, day, submitted_by, kind, {", ".join(COUNTS)})
            SELECT page.project_id, (page.at AT TIME ZONE 'UTC')::date, coalesce(job.submitted_by, ''),
                   coalesce(job.kind, ''),
                   count(*) FILTER (WHERE type = 'job.completed'),
                   count(*) FILTER (WHERE type = 'job.failed') - count(*) FILTER (WHERE type = 'job.revived'),
                   count(*) FILTER (WHERE type = 'job.cancelled'),
                   count(*) FILTER (WHERE type = 'image.stored'),
                   coalesce(sum((data ->> 'size_bytes')::bigint) FILTER (WHERE type = 'image.stored'), 0),
                   count(*) FILTER (WHERE type = 'image.generated'),
                   coalesce(sum((data ->> 'generation_seconds')::float8) FILTER (
                       WHERE type = 'image.generated' AND coalesce((data ->> 'sample')::integer, 0) = 0), 0),
                   count(*) FILTER (WHERE type = 'image.generated' AND (data ->> 'paid')::boolean),
                   coalesce(sum((data ->> 'cost_micros')::bigint) FILTER (WHERE type = 'image.generated'), 0)
            FROM page LEFT JOIN jobs AS job ON job.id = page.job_id
            WHERE type IN ('job.completed', 'job.failed', 'job.revived', 'job.cancelled', 'image.generated')
               OR (type = 'image.stored' AND NOT coalesce((data ->> 'already_stored')::boolean, false))
            GROUP BY 1, 2, 3, 4
            ON CONFLICT (project_id, day, submitted_by, kind) DO UPDATE SET {_ADDED}
        )
        SELECT coalesce(max(sequence), $1), count(*),
               EXISTS (SELECT FROM payments WHERE uncounted)
               OR coalesce(bool_or(type IN ({_TURNS}) AND EXISTS (
                               SELECT FROM payments WHERE task_id = page.job_id)), false)
        FROM page
        """,  # noqa: S608 - columns of this file
        mark,
        limit,
    ) or (mark, 0, False)
    if paid:
        await _upsert_losses(connection, mark, last, limit)
    await connection.execute("UPDATE usage_mark SET sequence = $1, counted_at = now()", last)
    return int(looked_at)


async def _upsert_losses(connection: Connection, after: int, until: int, limit: int) -> None:
    """Count the pictures that were paid for and never came, or take them back where they did or were waived.

    Looked at again is whatever something was told of, and whose job began or ended anew. What nobody knows the outcome
    of is not counted before that is known.
    """
    await connection.execute(
        f"""
        WITH told AS (
            (SELECT task_id FROM payments WHERE uncounted ORDER BY task_id LIMIT $3)
            UNION
            SELECT instead_of FROM payments WHERE uncounted AND instead_of IS NOT NULL
            UNION
            SELECT job_id FROM events
            WHERE sequence > $1 AND sequence <= $2 AND type IN ({_TURNS})
        ), held AS (
            SELECT payment.* FROM payments AS payment WHERE task_id IN (SELECT task_id FROM told)
            ORDER BY task_id FOR UPDATE
        ), lost AS (
            SELECT payment.task_id, payment.project_id, payment.asked_at, payment.submitted_by,
                   payment.counted_micros, payment.counted_calls, coalesce(job.kind, '') AS kind,
                   away.pictures AS calls, coalesce(payment.cost_micros, 0) * away.pictures AS micros
            FROM held AS payment LEFT JOIN jobs AS job ON job.id = payment.task_id
            CROSS JOIN LATERAL (
                SELECT CASE WHEN {STANDS} AND job.state IN ('completed', 'failed', 'cancelled')
                                 AND job.error_code IS DISTINCT FROM $4
                       THEN greatest(0, payment.samples - (
                           SELECT count(*) FROM pictures WHERE pictures.task_id = payment.task_id)) ELSE 0 END
                       AS pictures) AS away
        ), counted AS (
            UPDATE payments SET counted_micros = lost.micros, counted_calls = lost.calls, uncounted = false
            FROM lost WHERE lost.task_id = payments.task_id
        )
        INSERT INTO usage_days AS held (project_id, day, submitted_by, kind, paid_calls, cost_micros)
        SELECT project_id, (asked_at AT TIME ZONE 'UTC')::date, submitted_by, kind,
               sum(calls - counted_calls), sum(micros - counted_micros)
        FROM lost WHERE (calls, micros) <> (counted_calls, counted_micros)
        GROUP BY 1, 2, 3, 4
        ON CONFLICT (project_id, day, submitted_by, kind) DO UPDATE
        SET paid_calls = held.paid_calls + excluded.paid_calls, cost_micros = held.cost_micros + excluded.cost_micros
        """,  # noqa: S608 - conditions of the store
        after,
        until,
        limit,
        OUTCOME_UNKNOWN,
    )


async def select_usage(connection: Connection, wanted: UsageFilter, groups: Sequence[str], limit: int) -> list[Row]:
    """Select what was done, told apart by `groups`, a part of GROUPS; the newest first, and one more than `limit`."""
    columns = [GROUPS[group] for group in GROUPS if group in groups]
    conditions = Conditions(wanted.since, wanted.until, limit + 1)
    conditions.add("project_id = ANY ({})", wanted.projects)
    conditions.add("submitted_by = {}", wanted.user)
    conditions.add("kind = {}", wanted.kind)
    places = ", ".join(str(number) for number in range(1, len(columns) + 1))
    order = ", ".join(f"{number}{' DESC' if name == 'day' else ''}" for number, name in enumerate(columns, 1))
    return await fetch(
        connection,
        f"""
        SELECT {", ".join([*columns, _SUMS])} FROM usage_days
        WHERE day BETWEEN $1 AND $2 {conditions}
        {f"GROUP BY {places} ORDER BY {order}" if columns else ""} LIMIT $3
        """,  # noqa: S608 - columns and conditions of this file
        *conditions.arguments,
    )
