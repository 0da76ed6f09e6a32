"""What nobody is working on: leases that ran out, jobs that wait in silence, and jobs that waited too long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from shared.database import Connection, Pool
from shared.errors import SENTENCE_CHARACTERS
from shared.tasks import OVERDUE

_LIMIT = 200

_FOREMOST = """
    foremost AS (  -- of each kind and each time allowed, who must end first: by one look into the index for each
        (SELECT kind, created_at, deadline_at FROM tasks WHERE state = 'pending'
         ORDER BY kind, (deadline_at - created_at), deadline_at LIMIT 1)
        UNION ALL
        SELECT behind.kind, behind.created_at, behind.deadline_at FROM foremost f CROSS JOIN LATERAL (
            SELECT kind, created_at, deadline_at FROM tasks
            WHERE state = 'pending' AND (kind, (deadline_at - created_at)) > (f.kind, f.deadline_at - f.created_at)
            ORDER BY kind, (deadline_at - created_at), deadline_at LIMIT 1) AS behind
    )
"""
"""Where the first of them is not overdue, none is: a pause of their kind gives the same to all."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look at the tasks found."""

    expired: bool
    silent: bool
    suspects: bool
    overdue: bool
    doomed: bool
    now: datetime


async def select_survey(pool: Pool, kinds: Sequence[str]) -> Survey:
    """Look whether there is anything to sweep, in one statement."""
    row = await pool.fetchrow(
        f"""
        WITH RECURSIVE recent AS (
            SELECT job_id FROM tombstones WHERE cancelled_at > now() - interval '10 min'
        ), {_FOREMOST}
        SELECT EXISTS (SELECT FROM tasks WHERE state = 'in_progress' AND lease_until < now())
                   AND now() > pg_postmaster_start_time() + interval '5 s'                AS expired,
               EXISTS (SELECT FROM tasks WHERE state = 'pending' AND NOT announced
                         AND created_at < now() - interval '1 s')                         AS silent,
               EXISTS (SELECT FROM tasks t
                       WHERE state = 'pending' AND suspect AND run_at <= now() AND kind = ANY ($1)
                         AND NOT EXISTS (SELECT FROM pauses p WHERE p.kind = t.kind AND expires_at > now())
                         AND NOT EXISTS (SELECT FROM tombstones s
                                         WHERE s.job_id IN (t.id, t.parent_job_id, t.root_job_id))) AS suspects,
               EXISTS (SELECT FROM foremost t WHERE {OVERDUE})                            AS overdue,
               EXISTS (SELECT FROM recent r CROSS JOIN LATERAL (
                           (SELECT id FROM tasks WHERE state = 'pending' AND id = r.job_id)
                           UNION ALL
                           (SELECT id FROM tasks WHERE state = 'pending' AND parent_job_id IS NOT NULL
                                                   AND root_job_id = r.job_id ORDER BY id LIMIT 1)
                           UNION ALL
                           (SELECT id FROM tasks WHERE state = 'pending' AND parent_job_id IS NOT NULL
                                                   AND parent_job_id = r.job_id ORDER BY id LIMIT 1)
                       ) AS family)                                                       AS doomed,
               clock_timestamp()                                                          AS now
        """,  # noqa: S608 - the condition is a text of this house
        list(kinds),
    )
    if row is None:  # a select without a table always gives a row
        raise ConnectionError("the database gave no row")
    return Survey(**row)


async def release_expired(connection: Connection, *, crash_limit: int, attempt_limit: int) -> list[dict[str, Any]]:
    """Take leases away from workers that let them run out; return what became of each task.

    Whatever was in flight is set under suspicion and rerun with nothing beside it; only a crash of such a lone run is
    charged to the task, which fails at the limit. Nobody is robbed within 5 s of the database's start, when heartbeats
    could not have arrived, and nothing that is just being recorded.

    Returns rows of `id, kind, command, project_id, parent_job_id, root_job_id, traceparent, state, lease_epoch,
    attempt, run_at, now`.
    """
    rows = await connection.fetch(
        """
        WITH lost AS (
            SELECT id, suspect AND (crashes + 1 >= $2 OR attempt + 1 >= $3) AS given_up
            FROM tasks
            WHERE state = 'in_progress' AND lease_until < now()
              AND now() > pg_postmaster_start_time() + interval '5 s'
            ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE tasks t
        SET state = CASE WHEN l.given_up THEN 'failed' ELSE 'pending' END,
            finished_at = CASE WHEN l.given_up THEN now() END,
            attempt = t.attempt + t.suspect::int, crashes = t.crashes + t.suspect::int, suspect = true,
            error_code = 'worker_lost', error_sentence = 'The worker that ran it went away without an answer.',
            lease_token = NULL, lease_until = NULL, lease_epoch = t.lease_epoch + 1, run_at = now()
        FROM lost l WHERE t.id = l.id
        RETURNING t.id, t.kind, t.command, t.project_id, t.parent_job_id, t.root_job_id, t.traceparent, t.state,
                  t.lease_epoch, t.attempt, t.started_at, t.run_at, now() AS now
        """,
        _LIMIT,
        crash_limit,
        attempt_limit,
    )
    return [dict(row) for row in rows]


async def recall_cancels(connection: Connection | Pool) -> None:
    """Make the cancels of pending tasks recent again, so that the next look ends those tasks.

    For what turned pending long after its cancel: left behind by workers that were all away since then.
    """
    await connection.execute(
        """
        UPDATE tombstones SET cancelled_at = now()
        WHERE cancelled_at < now() - interval '5 min'
          AND job_id IN (SELECT id            FROM tasks WHERE state = 'pending' UNION ALL
                         SELECT root_job_id   FROM tasks WHERE state = 'pending' UNION ALL
                         SELECT parent_job_id FROM tasks WHERE state = 'pending')
        """
    )


async def fail_overdue(connection: Connection) -> list[dict[str, Any]]:
    """End what waited past its deadline, and tell for what; return rows as `release_expired`, and `error_sentence`."""
    rows = await connection.fetch(
        f"""
        WITH RECURSIVE {_FOREMOST}, late AS (
            SELECT one.id FROM foremost t CROSS JOIN LATERAL (
                SELECT id FROM tasks
                WHERE state = 'pending' AND kind = t.kind AND deadline_at < now()
                  AND (deadline_at - created_at) = t.deadline_at - t.created_at
                ORDER BY deadline_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS one
            WHERE {OVERDUE} LIMIT $1
        )
        UPDATE tasks t
        SET state = 'failed', finished_at = now(), lease_epoch = lease_epoch + 1,
            error_code = 'deadline_exceeded',
            error_sentence = left('It waited for longer than its deadline allows.'
                                  || coalesce(' What it was told last: ' || t.error_sentence, ''), $2)
        WHERE t.id = ANY (ARRAY(SELECT id FROM late))
        RETURNING t.id, t.kind, t.command, t.project_id, t.parent_job_id, t.root_job_id, t.traceparent, t.state,
                  t.lease_epoch, t.attempt, t.started_at, t.run_at, t.error_sentence, now() AS now
        """,  # noqa: S608 - the condition is a text of this house
        _LIMIT,
        SENTENCE_CHARACTERS,
    )
    return [dict(row) for row in rows]


async def announce_silent(connection: Connection) -> list[dict[str, Any]]:
    """Choose jobs that wait for longer than a second and of which nobody has heard; return rows with `paused`."""
    rows = await connection.fetch(
        """
        WITH silent AS (
            SELECT id FROM tasks WHERE state = 'pending' AND NOT announced AND created_at < now() - interval '1 s'
            ORDER BY created_at LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE tasks t SET announced = true
        FROM silent WHERE t.id = silent.id
        RETURNING t.id, t.kind, t.command, t.project_id, t.parent_job_id, t.root_job_id, t.traceparent, t.lease_epoch,
                  now() AS now,
                  EXISTS (SELECT FROM pauses p WHERE p.kind = t.kind AND p.expires_at > now()) AS paused
        """,
        _LIMIT,
    )
    return [dict(row) for row in rows]


async def select_now(pool: Pool) -> datetime:
    now: datetime = await pool.fetchval("SELECT clock_timestamp()")
    return now


async def count_tasks(pool: Pool, worker: str) -> list[asyncpg.Record]:
    """Count what waits and what runs, by kind; `own` is what runs in this process."""
    rows = await pool.fetch(
        """
        SELECT kind, count(*) FILTER (WHERE state = 'pending') AS waiting,
               count(*) FILTER (WHERE state = 'in_progress') AS running,
               count(*) FILTER (WHERE state = 'in_progress' AND worker = $1) AS own,
               min(created_at) FILTER (WHERE state = 'pending') AS oldest_waiting_at
        FROM tasks WHERE state IN ('pending', 'in_progress') GROUP BY 1 ORDER BY 1
        """,
        worker,
    )
    return list(rows)
