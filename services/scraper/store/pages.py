"""What was read."""

from typing import Any
from uuid import UUID

from shared.database import Connection


async def upsert_page(
    connection: Connection,
    job_id: UUID,
    project_id: UUID,
    *,
    url: str,
    title: str | None,
    images_found: int,
    skipped: list[dict[str, Any]],
) -> None:
    """Record what one page gave."""
    await connection.execute(
        """
        INSERT INTO pages (job_id, project_id, url, title, images_found, images_skipped, skipped)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (job_id) DO UPDATE
        SET title = excluded.title, images_found = excluded.images_found, images_skipped = excluded.images_skipped,
            skipped = excluded.skipped, read_at = now()
        """,
        job_id,
        project_id,
        url,
        title,
        images_found,
        len(skipped),
        skipped,
    )
