"""What was read."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Version:
    """The version of a page, as its server names it, and of what was made of it.

    Attributes:
        url: of the page, in the spelling that is compared.
        recipe: of the children that were made of it.

    """

    url: str
    recipe: str
    etag: str | None
    last_modified: str | None


async def upsert_page(
    connection: Connection,
    job_id: UUID,
    project_id: UUID,
    *,
    url: str,
    title: str | None,
    images_found: int,
    skipped: list[dict[str, Any]],
    version: Version | None,
) -> None:
    """Record what one page gave, and which version the project has seen with it, where the server names one."""
    await connection.execute(
        """
        WITH seen AS (
            INSERT INTO validators (project_id, url, recipe, etag, last_modified, title)
            SELECT $2::uuid, $8::text, $9::text, $10::text, $11::text, $4::text WHERE $8 IS NOT NULL
            ON CONFLICT (project_id, url) DO UPDATE
            SET recipe = excluded.recipe, etag = excluded.etag, last_modified = excluded.last_modified,
                title = excluded.title, seen_at = now()
        )
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
        version.url if version else None,
        version.recipe if version else None,
        version.etag if version else None,
        version.last_modified if version else None,
    )
