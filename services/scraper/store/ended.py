"""The SQL of crawls that have ended before all of their URLs were asked: cancelled, failed, or given up."""

from typing import Any, Final
from uuid import UUID

from shared.database import Connection, Pool

CRAWL_ENDED: Final = "crawl_ended"
_SENTENCE: Final = "The crawl ended before this was asked; have the crawl retried, and it goes on."


async def select_ended_crawls(pool: Pool, step: str, limit: int) -> list[UUID]:
    """Select crawls in which URLs wait, or are being asked, and of which no step waits or runs; `step`: its kind."""
    rows = await pool.fetch(
        """
        WITH RECURSIVE held AS (
            (SELECT crawl_id FROM crawl_urls WHERE outcome = 'waiting' ORDER BY crawl_id LIMIT 1)
            UNION ALL
            SELECT (SELECT crawl_id FROM crawl_urls
                    WHERE outcome = 'waiting' AND crawl_id > held.crawl_id ORDER BY crawl_id LIMIT 1)
            FROM held WHERE held.crawl_id IS NOT NULL
        ), unsettled AS (
            SELECT crawl_id FROM held WHERE crawl_id IS NOT NULL
            UNION SELECT crawl_id FROM crawl_urls WHERE outcome = 'asked'
        )
        SELECT crawls.id FROM crawls JOIN unsettled ON crawl_id = id
        WHERE NOT EXISTS (SELECT FROM tasks
                          WHERE command ->> 'crawl_job_id' = crawls.id::text AND state IN ('pending', 'in_progress')
                            AND kind = $1 AND tasks.project_id = crawls.project_id)
          AND EXISTS (SELECT FROM tasks
                      WHERE command ->> 'crawl_job_id' = crawls.id::text
                        AND kind = $1 AND tasks.project_id = crawls.project_id)
        LIMIT $2
        """,
        step,
        limit,
    )
    return [row["id"] for row in rows]


async def select_last_step(connection: Connection, crawl_id: UUID, step: str) -> dict[str, Any] | None:
    """Lock a crawl, and give the command of its last step; None where one waits or runs by now."""
    project_id = await connection.fetchval("SELECT project_id FROM crawls WHERE id = $1 FOR UPDATE", crawl_id)
    command: dict[str, Any] | None = await connection.fetchval(
        """
        SELECT CASE WHEN state NOT IN ('pending', 'in_progress') THEN command END FROM tasks
        WHERE command ->> 'crawl_job_id' = $1::uuid::text AND kind = $2 AND project_id = $3
        ORDER BY state IN ('pending', 'in_progress') DESC, created_at DESC LIMIT 1
        """,
        crawl_id,
        step,
        project_id,
    )
    return command


async def update_lines_unasked(connection: Connection, crawl_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Say of URLs which wait that nobody asks them, nearest to the seeds first.

    Returns `kind, url, code, sentence, found_on` of each.
    """
    rows = await connection.fetch(
        """
        WITH left_over AS (
            (SELECT kind, key FROM crawl_urls WHERE crawl_id = $1 AND outcome = 'asked')
            UNION ALL
            (SELECT kind, key FROM crawl_urls WHERE crawl_id = $1 AND outcome = 'waiting'
             ORDER BY depth, seen_number LIMIT $2)
            LIMIT $2
        ), settled AS (
            UPDATE crawl_urls u
            SET outcome = 'skipped', code = $3, sentence = $4, settled_at = now()
            FROM left_over WHERE u.crawl_id = $1 AND u.kind = left_over.kind AND u.key = left_over.key
            RETURNING u.kind, u.url, u.code, u.sentence, u.found_on, u.depth, u.seen_number
        ), counted AS (
            UPDATE crawls SET pages_done = pages_done + (SELECT count(*) FROM settled)::int WHERE id = $1
        )
        SELECT kind, url, code, sentence, found_on FROM settled ORDER BY depth, seen_number
        """,
        crawl_id,
        limit,
        CRAWL_ENDED,
        _SENTENCE,
    )
    return [dict(row) for row in rows]
