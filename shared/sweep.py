"""What nobody is working on: leases that ran out, jobs that wait in silence, and jobs that waited too long."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from shared.database import Connection, Pool

_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look at the tasks found."""

    expired: bool
    silent: bool
    suspects: bool
    overdue: bool
    now: datetime


async def select_survey(pool: Pool) -> Survey:
    """Look whether there is anything to sweep, in one statement."""
    row = await pool.fetchrow(
        """
        SELECT EXISTS (SELECT FROM tasks WHERE state = 'in_progress' AND lease_until < now())
                   AND now() > pg_postmaster_start_time() + interval '5 s'        AS expired,
               EXISTS (SELECT FROM tasks WHERE state = 'pending' AND NOT announced
                         AND created_at < now() - interval '1 s')                 AS silent,
               EXISTS (SELECT FROM tasks WHERE state = 'pending' AND suspect AND run_at <= now()) AS suspects,
               EXISTS (SELECT FROM tasks WHERE state = 'pending' AND deadline_at < now()) AS overdue,
               clock_timestamp()                                                  AS now
        """
    )
    if row is None:  # a select without a table always gives a row
        raise ConnectionError("the database gave no row")
    return Survey(**row)


async def release_expired(connection: Connection, *, crash_limit: int) -> list[dict[str, Any]]:
    """Take leases away from workers that let them run out; return what became of each task.

    A task that was alone in its process is charged with the crash, and failed at the limit; tasks that were in
    company are set under suspicion and rerun alone, so that the next crash tells who it was. Nobody is robbed within
    5 s of the database's start, when heartbeats could not have arrived.

    Returns rows of `id, kind, command, state, lease_epoch, attempt, run_at, now`.
    """
    rows = await connection.fetch(
        """
        WITH lost AS (
            SELECT t.id,
                   NOT EXISTS (SELECT FROM tasks n
                               WHERE n.state = 'in_progress' AND n.worker = t.worker AND n.id <> t.id) AS alone
            FROM tasks t
            WHERE t.state = 'in_progress' AND t.lease_until < now()
              AND now() > pg_postmaster_start_time() + interval '5 s'
            ORDER BY t.id LIMIT $1 FOR UPDATE OF t SKIP LOCKED
        )
        UPDATE tasks t
        SET state = CASE WHEN l.alone AND t.crashes + 1 >= $2 THEN 'failed' ELSE 'pending' END,
            finished_at = CASE WHEN l.alone AND t.crashes + 1 >= $2 THEN now() END,
            attempt = t.attempt + l.alone::int, crashes = t.crashes + l.alone::int, suspect = true,
            error_code = 'worker_lost', error_sentence = 'The worker that ran it went away without an answer.',
            lease_token = NULL, lease_until = NULL, lease_epoch = t.lease_epoch + 1, run_at = now()
        FROM lost l WHERE t.id = l.id
        RETURNING t.id, t.kind, t.command, t.state, t.lease_epoch, t.attempt, t.run_at, now() AS now
        """,
        _LIMIT,
        crash_limit,
    )
    return [dict(row) for row in rows]


async def fail_overdue(connection: Connection) -> list[dict[str, Any]]:
    """End what waited past its deadline; return rows as `release_expired` does."""
    rows = await connection.fetch(
        """
        WITH late AS (
            SELECT id FROM tasks WHERE state = 'pending' AND deadline_at < now()
            ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        UPDATE tasks t
        SET state = 'failed', finished_at = now(), lease_epoch = lease_epoch + 1,
            error_code = 'deadline_exceeded', error_sentence = 'It waited for longer than its deadline allows.'
        FROM late WHERE t.id = late.id
        RETURNING t.id, t.kind, t.command, t.state, t.lease_epoch, t.attempt, t.run_at, now() AS now
        """,
        _LIMIT,
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
        RETURNING t.id, t.kind, t.command, t.lease_epoch, now() AS now,
                  EXISTS (SELECT FROM pauses p WHERE p.kind = t.kind AND p.expires_at > now()) AS paused
        """,
        _LIMIT,
    )
    return [dict(row) for row in rows]


async def count_tasks(pool: Pool) -> list[asyncpg.Record]:
    """Count what waits and what runs, by kind."""
    rows = await pool.fetch(
        "SELECT kind, state, count(*) AS tasks FROM tasks WHERE state IN ('pending', 'in_progress') GROUP BY 1, 2"
    )
    return list(rows)
