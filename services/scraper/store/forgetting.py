"""The SQL of what is forgotten: in small transactions, so that however much is old never runs into a time limit."""

from typing import Final
from uuid import UUID

from shared.database import Connection, Pool

_PAGE: Final = 5000


async def delete_old_pages(pool: Pool, days: int) -> bool:
    """Forget pages that were read so many days ago; tell whether there may be more."""
    deleted = await pool.execute(
        """
        DELETE FROM pages WHERE job_id IN (
            SELECT job_id FROM pages WHERE read_at < now() - make_interval(days => $1) LIMIT $2)
        """,
        days,
        _PAGE,
    )
    return deleted == f"DELETE {_PAGE}"


async def delete_old_untold(pool: Pool, days: int) -> bool:
    """Forget images that have waited for so many days; tell whether there may be more."""
    deleted = await pool.execute(
        """
        DELETE FROM untold_images WHERE (source_job_id, key) IN (
            SELECT source_job_id, key FROM untold_images WHERE noted_at < now() - make_interval(days => $1) LIMIT $2)
        """,
        days,
        _PAGE,
    )
    return deleted == f"DELETE {_PAGE}"


async def select_old_crawls(pool: Pool, days: int) -> list[UUID]:
    """Select crawls that began so many days ago and that no schedule, no younger crawl and no step goes on from."""
    rows = await pool.fetch(
        """
        WITH old AS (
            SELECT id, project_id FROM crawls WHERE created_at < now() - make_interval(days => $1)
        )
        SELECT id FROM old
        WHERE id NOT IN (SELECT last_crawl_id FROM schedules WHERE last_crawl_id IS NOT NULL)
          AND id NOT IN (SELECT previous_id FROM crawls
                         WHERE previous_id IS NOT NULL AND created_at >= now() - make_interval(days => $1))
          AND NOT EXISTS (SELECT FROM tasks WHERE tasks.project_id = old.project_id AND state = 'pending'
                              AND old.id IN (root_job_id, tasks.id, (command ->> 'crawl_job_id')::uuid))
          AND NOT EXISTS (SELECT FROM tasks WHERE tasks.project_id = old.project_id AND state = 'in_progress'
                              AND old.id IN (root_job_id, tasks.id, (command ->> 'crawl_job_id')::uuid))
        """,
        days,
    )
    return [row["id"] for row in rows]


async def delete_lines(pool: Pool, crawl_id: UUID) -> bool:
    """Forget lines of a crawl; tell whether there may be more. One that goes on by now keeps what it has."""
    async with pool.acquire() as connection, connection.transaction():
        if await _goes_on(connection, crawl_id):
            return False
        deleted = await connection.execute(
            """
            DELETE FROM crawl_urls WHERE crawl_id = $1 AND (kind, key) IN (
                SELECT kind, key FROM crawl_urls WHERE crawl_id = $1 LIMIT $2)
            """,
            crawl_id,
            _PAGE,
        )
    return deleted == f"DELETE {_PAGE}"


async def delete_crawl(pool: Pool, crawl_id: UUID) -> None:
    """Forget a crawl of which no line is left, unless it goes on by now."""
    async with pool.acquire() as connection, connection.transaction():
        if not await _goes_on(connection, crawl_id):
            await connection.execute("DELETE FROM crawls WHERE id = $1", crawl_id)


async def _goes_on(connection: Connection, crawl_id: UUID) -> bool:
    """Lock a crawl, which nobody has asked once more from then on, and tell whether a step of it waits or runs."""
    await connection.execute("SELECT FROM crawls WHERE id = $1 FOR UPDATE", crawl_id)
    goes_on: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT FROM tasks WHERE command ->> 'crawl_job_id' = $1 AND state IN ('pending', 'in_progress'))
        """,
        str(crawl_id),
    )
    return goes_on
