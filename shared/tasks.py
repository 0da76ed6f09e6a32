"""The SQL of a worker's tasks. Each change of a leased task is fenced by its token.

Time is the database's clock throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import asyncpg

from contracts.envelope import Command
from shared.database import Connection, Pool
from shared.outbox import Saying

State = Literal["pending", "completed", "failed", "cancelled"]

OVERDUE = """
    t.deadline_at < now() AND NOT EXISTS (
        SELECT FROM pauses p WHERE p.kind = t.kind AND p.expires_at + (t.deadline_at - t.created_at) >= now())
"""
"""That a task `t` has had its time. After a pause of its kind it has all of it again, for nobody let it begin."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one task until it runs out or is lost."""

    job_id: UUID
    token: UUID
    epoch: int
    attempt: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended, and what is said about it."""

    lease: Lease
    state: State
    attempts_used: int
    retry_in_seconds: float = 0.0
    code: str | None = None
    sentence: str | None = None
    limited: bool = False
    sayings: tuple[Saying, ...] = ()


async def insert_tasks(
    connection: Connection,
    commands: Sequence[Command],
    traces: Sequence[str | None],
    *,
    worker: str,
    leased: int,
    lease_seconds: float,
    deadline_hours: float,
    announced: Sequence[bool],
) -> list[asyncpg.Record]:
    """Insert commands as tasks, the first `leased` of them already leased to `worker`.

    Returns `id, state, lease_token, lease_epoch, attempt, started_at` of those that were new. A task whose job, parent
    or root was cancelled is born cancelled; one whose kind is paused is born pending.
    """
    tokens = [uuid4() if index < leased else None for index in range(len(commands))]
    rows = await connection.fetch(
        """
        WITH given AS (
            SELECT g.*, CASE
                WHEN EXISTS (SELECT FROM tombstones WHERE job_id IN (g.id, g.parent_job_id, g.root_job_id))
                THEN 'cancelled'
                WHEN g.token IS NULL
                  OR EXISTS (SELECT FROM pauses WHERE pauses.kind = g.kind AND expires_at > now()) THEN 'pending'
                ELSE 'in_progress' END AS state
            FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::int[],
                        $9::uuid[], $13::bool[])
                AS g (id, kind, command, project_id, parent_job_id, root_job_id, traceparent, priority, token,
                      announced)
        )
        INSERT INTO tasks (id, kind, command, project_id, parent_job_id, root_job_id, traceparent, state, rank_at,
                           deadline_at, lease_token, lease_until, lease_epoch, worker, started_at, finished_at,
                           announced)
        SELECT id, kind, command, project_id, parent_job_id, root_job_id, traceparent, state,
               now() - priority * interval '30 s', now() + $12 * interval '1 hour',
               CASE WHEN state = 'in_progress' THEN token END,
               CASE WHEN state = 'in_progress' THEN now() + $11 * interval '1 s' END,
               CASE WHEN state = 'in_progress' THEN 1 ELSE 0 END,
               CASE WHEN state = 'in_progress' THEN $10 END,
               CASE WHEN state = 'in_progress' THEN now() END,
               CASE WHEN state = 'cancelled' THEN now() END,
               announced
        FROM given
        ORDER BY id
        ON CONFLICT (id) DO NOTHING
        RETURNING id, state, lease_token, lease_epoch, attempt, started_at
        """,
        [command.job_id for command in commands],
        [command.wire_name for command in commands],
        [command.model_dump(mode="json", exclude_none=True) for command in commands],
        [command.project_id for command in commands],
        [command.parent_job_id for command in commands],
        [command.root_job_id for command in commands],
        list(traces),
        [command.priority for command in commands],
        tokens,
        worker,
        lease_seconds,
        deadline_hours,
        list(announced),
    )
    return list(rows)


async def claim_tasks(
    pool: Pool, *, worker: str, kinds: Sequence[str], limit: int, lease_seconds: float, suspects: bool
) -> list[asyncpg.Record]:
    """Lease up to `limit` due tasks, or due suspects: first for the project with the fewest running, then by rank.

    Returns `id, kind, command, project_id, parent_job_id, root_job_id, traceparent, lease_token, lease_epoch, attempt,
    started_at`.
    """
    rows = await pool.fetch(
        """
        WITH RECURSIVE projects AS (  -- each project with pending tasks, by one look into the index
            (SELECT project_id FROM tasks WHERE state = 'pending' ORDER BY project_id LIMIT 1)
            UNION ALL
            SELECT (SELECT t.project_id FROM tasks t
                    WHERE t.state = 'pending' AND t.project_id > p.project_id ORDER BY t.project_id LIMIT 1)
            FROM projects p WHERE p.project_id IS NOT NULL
        ), busy AS (
            SELECT project_id, count(*) AS running FROM tasks WHERE state = 'in_progress' GROUP BY project_id
        ), open AS (
            SELECT array_agg(kind) AS kinds FROM unnest($5::text[]) AS k (kind)
            WHERE NOT EXISTS (SELECT FROM pauses WHERE pauses.kind = k.kind AND expires_at > now())
        ), heads AS (  -- no other projects than these can contribute
            SELECT p.project_id, coalesce(b.running, 0) AS running
            FROM projects p
            LEFT JOIN busy b USING (project_id)
            CROSS JOIN LATERAL (
                SELECT rank_at FROM tasks t
                WHERE t.state = 'pending' AND t.project_id = p.project_id AND t.run_at <= now() AND t.suspect = $4
                  AND t.kind = ANY ((SELECT kinds FROM open)::text[])
                ORDER BY rank_at LIMIT 1
            ) first
            WHERE p.project_id IS NOT NULL
            ORDER BY running, first.rank_at LIMIT $2
        ), due AS (  -- more than are wanted, since other processes choose the same at this moment
            SELECT t.id, t.rank_at, h.running + row_number() OVER (PARTITION BY h.project_id ORDER BY t.rank_at) AS turn
            FROM heads h
            CROSS JOIN LATERAL (
                SELECT id, rank_at FROM tasks t
                WHERE t.state = 'pending' AND t.project_id = h.project_id AND t.run_at <= now() AND t.suspect = $4
                  AND t.kind = ANY ((SELECT kinds FROM open)::text[])
                ORDER BY rank_at LIMIT 4 * $2
            ) t
        ), locked AS (
            SELECT t.id
            FROM unnest(ARRAY(SELECT id FROM due ORDER BY turn, rank_at LIMIT 4 * $2)) WITH ORDINALITY AS d (id, place)
            JOIN tasks t ON t.id = d.id
            WHERE t.state = 'pending' AND t.run_at <= now()
              AND NOT EXISTS (SELECT FROM tombstones s WHERE s.job_id IN (t.id, t.parent_job_id, t.root_job_id))
            ORDER BY d.place LIMIT $2
            FOR UPDATE OF t SKIP LOCKED
        )
        UPDATE tasks t
        SET state = 'in_progress', lease_token = gen_random_uuid(), lease_until = now() + $3 * interval '1 s',
            lease_epoch = lease_epoch + 1, worker = $1, started_at = now(), progress = NULL, stage = NULL
        FROM locked WHERE t.id = locked.id
        RETURNING t.id, kind, command, project_id, parent_job_id, root_job_id, traceparent, lease_token, lease_epoch,
                  attempt, started_at
        """,
        worker,
        limit,
        lease_seconds,
        suspects,
        list(kinds),
    )
    return list(rows)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a heartbeat learns of a job whose lease still holds."""

    cancelled: bool
    overdue: bool
    hinted: bool = False
    """Somebody outside has hinted that there is news of it, since it was started."""


async def renew_leases(
    pool: Pool, leases: Sequence[Lease], progress: Sequence[tuple[float | None, str | None]], lease_seconds: float
) -> dict[UUID, Pulse]:
    """Renew leases and store progress; what is missing in the answer has lost its lease.

    A task that is just being recorded is not waited for: nobody can take it over while its row is locked.
    """
    rows = await pool.fetch(
        f"""
        WITH given AS (
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::text[]) AS h (id, token, progress, stage)
        ), free AS (
            SELECT t.id FROM tasks t JOIN given h ON h.id = t.id AND h.token = t.lease_token
            WHERE t.state = 'in_progress' FOR NO KEY UPDATE OF t SKIP LOCKED
        ), renewed AS (
            UPDATE tasks t
            SET lease_until = now() + $5 * interval '1 s', progress = h.progress, stage = h.stage
            FROM given h WHERE t.id = h.id AND t.id IN (SELECT id FROM free)
        )
        SELECT t.id, {OVERDUE} AS overdue, t.run_at > t.started_at AS hinted,
               EXISTS (SELECT FROM tombstones s WHERE s.job_id IN (t.id, t.parent_job_id, t.root_job_id)) AS cancelled
        FROM tasks t JOIN given h ON h.id = t.id AND h.token = t.lease_token
        WHERE t.state = 'in_progress'
        """,  # noqa: S608 - the condition is a text of this file
        [lease.job_id for lease in leases],
        [lease.token for lease in leases],
        [share for share, _ in progress],
        [stage for _, stage in progress],
        lease_seconds,
    )
    return {row["id"]: Pulse(row["cancelled"], row["overdue"], row["hinted"]) for row in rows}


async def settle_tasks(connection: Connection | Pool, settlements: Sequence[Settlement]) -> set[UUID]:
    """Record how attempts ended and write what is said about them, where the lease still holds.

    Returns the ids of the jobs that were settled. What is missing had lost its lease: nothing was changed for it
    and nothing is said.
    """
    # By the token and not by the job: a batch may hold a lost lease beside its successor, and only one may speak.
    sayings = [(settlement.lease.token, saying) for settlement in settlements for saying in settlement.sayings]
    rows = await connection.fetch(
        """
        WITH given AS (
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::float8[], $6::text[], $7::text[],
                                 $13::bool[])
                AS g (id, token, state, attempts, retry_in, code, sentence, limited)
        ), held AS (
            SELECT g.* FROM tasks t JOIN given g ON g.id = t.id AND g.token = t.lease_token
            WHERE t.state = 'in_progress' ORDER BY t.id FOR UPDATE OF t
        ), settled AS (
            UPDATE tasks t
            SET state = h.state, attempt = h.attempts, lease_token = NULL, lease_until = NULL,
                run_at = now() + h.retry_in * interval '1 s',
                finished_at = CASE WHEN h.state <> 'pending' THEN now() END,
                error_code = h.code, error_sentence = h.sentence, limited = h.limited
            FROM held h WHERE t.id = h.id
            RETURNING t.id, h.token
        ), spoken AS (
            INSERT INTO outbox (message_id, routing_key, job_id, body)
            SELECT s.message_id, s.routing_key, s.about, s.body
            FROM unnest($8::uuid[], $9::uuid[], $10::text[], $11::uuid[], $12::bytea[])
                AS s (settles, message_id, routing_key, about, body)
            JOIN settled ON settled.token = s.settles
        )
        SELECT id FROM settled
        """,
        [settlement.lease.job_id for settlement in settlements],
        [settlement.lease.token for settlement in settlements],
        [settlement.state for settlement in settlements],
        [settlement.attempts_used for settlement in settlements],
        [settlement.retry_in_seconds for settlement in settlements],
        [settlement.code for settlement in settlements],
        [settlement.sentence for settlement in settlements],
        [token for token, _ in sayings],
        [saying.message_id for _, saying in sayings],
        [saying.routing_key for _, saying in sayings],
        [saying.job_id for _, saying in sayings],
        [saying.body for _, saying in sayings],
        [settlement.limited for settlement in settlements],
    )
    return {row["id"] for row in rows}


async def lock_lease(connection: Connection, lease: Lease) -> bool:
    """Lock the task of a lease for the rest of the transaction; False when the lease is lost."""
    return bool(
        await connection.fetchval(
            "SELECT true FROM tasks WHERE id = $1 AND lease_token = $2 AND state = 'in_progress' FOR UPDATE",
            lease.job_id,
            lease.token,
        )
    )


async def prolong_lease(connection: Connection, lease: Lease) -> None:
    """Give a lease back the time that this transaction has taken, for nothing could renew it meanwhile."""
    await connection.execute(
        "UPDATE tasks SET lease_until = lease_until + (clock_timestamp() - now()) WHERE id = $1 AND lease_token = $2",
        lease.job_id,
        lease.token,
    )


async def insert_started(pool: Pool, started: Sequence[tuple[Lease, Saying]]) -> None:
    """Say that work has begun, for those whose lease still holds."""
    await pool.execute(
        """
        INSERT INTO outbox (message_id, routing_key, job_id, body)
        SELECT s.message_id, s.routing_key, s.id, s.body
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[])
            AS s (id, token, message_id, routing_key, body)
        JOIN tasks t ON t.id = s.id AND t.lease_token = s.token
        """,
        [lease.job_id for lease, _ in started],
        [lease.token for lease, _ in started],
        [saying.message_id for _, saying in started],
        [saying.routing_key for _, saying in started],
        [saying.body for _, saying in started],
    )


async def upsert_tombstones(connection: Connection, cancels: Sequence[tuple[UUID, str]]) -> None:
    """Remember that jobs were cancelled, also those that are not known yet."""
    await connection.execute(
        """
        INSERT INTO tombstones (job_id, cancelled_by) SELECT * FROM unnest($1::uuid[], $2::text[])
        ON CONFLICT (job_id) DO NOTHING
        """,
        [job_id for job_id, _ in cancels],
        [by for _, by in cancels],
    )


async def hasten_tasks(connection: Connection, job_ids: Sequence[UUID]) -> None:
    """Have tasks that wait for their next attempt be due now; heartbeats tell those that run of it."""
    await connection.execute(
        """
        UPDATE tasks SET run_at = now()
        WHERE id = ANY ($1) AND (state = 'in_progress' OR (state = 'pending' AND run_at > now()))
        """,
        job_ids,
    )


async def cancel_pending(connection: Connection, limit: int = 500) -> list[dict[str, Any]]:
    """End pending tasks whose job, parent or root was cancelled of late; return rows as `shared.sweep` does.

    It ends a page. What is left takes further transactions: within this one each page would have to look past all
    those before it.

    A task that turns pending later than that had its lease renewed until then, and would have been told of the
    cancel; for those that nobody renewed see `shared.sweep.recall_cancels`.
    """
    rows = await connection.fetch(
        """
        WITH recent AS MATERIALIZED (
            SELECT job_id FROM tombstones WHERE cancelled_at > now() - interval '10 min'
        ), doomed AS (
            SELECT id FROM (
                SELECT t.id FROM recent r CROSS JOIN LATERAL (
                    SELECT id FROM tasks WHERE state = 'pending' AND id = r.job_id FOR UPDATE SKIP LOCKED) t
                UNION ALL
                SELECT t.id FROM recent r CROSS JOIN LATERAL (
                    SELECT id FROM tasks WHERE state = 'pending' AND parent_job_id IS NOT NULL
                                           AND root_job_id = r.job_id
                    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) t
                UNION ALL
                SELECT t.id FROM recent r CROSS JOIN LATERAL (
                    SELECT id FROM tasks WHERE state = 'pending' AND parent_job_id IS NOT NULL
                                           AND parent_job_id = r.job_id
                    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) t
            ) AS family LIMIT $1
        )
        UPDATE tasks t SET state = 'cancelled', finished_at = now(), lease_epoch = lease_epoch + 1
        WHERE t.id = ANY (ARRAY(SELECT id FROM doomed)) AND t.state = 'pending'
        RETURNING t.id, t.kind, t.command, t.project_id, t.parent_job_id, t.root_job_id, t.traceparent, t.state,
                  t.lease_epoch, t.attempt, t.started_at, t.run_at, now() AS now
        """,
        limit,
    )
    return [dict(row) for row in rows]
