"""The SQL of crawls that are asked once more, and of those that begin again and again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.scraper.store.ended import CRAWL_ENDED
from shared.database import Connection


async def has_open_step(connection: Connection, crawl_id: UUID, kind: str) -> bool:
    """Tell whether a step of a crawl waits or runs."""
    return bool(
        await connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM tasks JOIN crawls USING (project_id)
                           WHERE crawls.id = $1 AND command ->> 'crawl_job_id' = $1::text
                             AND state IN ('pending', 'in_progress') AND kind = $2)
            """,
            crawl_id,
            kind,
        )
    )


async def select_crawl_of(connection: Connection, crawl_id: UUID, project_id: UUID) -> bool:
    """Tell whether a project has a crawl, and lock it."""
    return bool(
        await connection.fetchval(
            "SELECT true FROM crawls WHERE id = $1 AND project_id = $2 FOR UPDATE", crawl_id, project_id
        )
    )


async def update_lines_again(connection: Connection, crawl_id: UUID) -> int:
    """Have what was refused, lost, or left when the crawl ended, wait to be asked once more; return how much waits."""
    return int(
        await connection.fetchval(
            """
            WITH again AS (
                UPDATE crawl_urls SET outcome = 'waiting', code = NULL, sentence = NULL, settled_at = NULL, tries = 0,
                                      lost = 0, not_before = NULL, put_off_at = NULL
                WHERE crawl_id = $1 AND kind <> 'image'
                  AND (outcome IN ('refused', 'asked') OR (outcome = 'skipped' AND code = $2))
                RETURNING outcome
            ), counted AS (
                UPDATE crawls SET pages_done = greatest(0, pages_done - (SELECT count(*) FROM again)::int) WHERE id = $1
            )
            SELECT (SELECT count(*) FROM again)
                 + (SELECT count(*) FROM crawl_urls WHERE crawl_id = $1 AND outcome = 'waiting')
            """,
            crawl_id,
            CRAWL_ENDED,
        )
    )


async def upsert_schedule(
    connection: Connection, project_id: UUID, name: str, *, every_minutes: int, command: Mapping[str, Any], limit: int
) -> bool:
    """Begin or change a schedule; a new one is due at once. False where the project would have more than `limit`."""
    written = await connection.fetchval(
        """
        INSERT INTO schedules (project_id, name, every_minutes, command, next_at)
        SELECT $1, $2, $3, $4, now()
        WHERE (SELECT count(*) FROM schedules WHERE project_id = $1 AND name <> $2) < $5
        ON CONFLICT (project_id, name) DO UPDATE
        SET every_minutes = excluded.every_minutes, command = excluded.command,
            next_at = least(schedules.next_at, now() + excluded.every_minutes * interval '1 min')
        RETURNING true
        """,
        project_id,
        name,
        every_minutes,
        dict(command),
        limit,
    )
    return bool(written)


async def delete_schedule(connection: Connection, project_id: UUID, name: str) -> None:
    """End a schedule; what it began goes on."""
    await connection.execute("DELETE FROM schedules WHERE project_id = $1 AND name = $2", project_id, name)


async def select_due_schedules(connection: Connection, limit: int, *, besides: str) -> list[dict[str, Any]]:
    """Lock schedules that are due, without those whose last crawl still goes on; jobs of the kind `besides` may.

    Returns `project_id, name, command, next_at, last_crawl_id`.
    """
    rows = await connection.fetch(
        """
        SELECT s.project_id, s.name, s.command, s.next_at, s.last_crawl_id FROM schedules s
        WHERE s.next_at <= now()
          -- As the indexes of open tasks have it: the crawl itself, what waits of it, and what runs.
          AND NOT EXISTS (SELECT FROM tasks t
                          WHERE t.id = s.last_crawl_id AND t.state IN ('pending', 'in_progress'))
          AND NOT EXISTS (SELECT FROM tasks t WHERE t.root_job_id = s.last_crawl_id AND t.state = 'pending'
                                                    AND t.parent_job_id IS NOT NULL AND t.kind <> $2)
          AND NOT EXISTS (SELECT FROM tasks t WHERE t.root_job_id = s.last_crawl_id AND t.state = 'in_progress'
                                                    AND t.project_id = s.project_id AND t.kind <> $2)
        ORDER BY s.next_at LIMIT $1
        FOR UPDATE OF s SKIP LOCKED
        """,
        limit,
        besides,
    )
    return [dict(row) for row in rows]


async def update_schedule_begun(connection: Connection, project_id: UUID, name: str, crawl_id: UUID) -> datetime:
    """Note what a schedule has begun; times that passed meanwhile are left out. Returns when it is due again."""
    due: datetime = await connection.fetchval(
        """
        UPDATE schedules
        SET last_crawl_id = $3,
            next_at = next_at + every_minutes * interval '1 min'
                * (1 + floor(extract(epoch FROM now() - next_at) / (every_minutes * 60)))
        WHERE project_id = $1 AND name = $2
        RETURNING next_at
        """,
        project_id,
        name,
        crawl_id,
    )
    return due
