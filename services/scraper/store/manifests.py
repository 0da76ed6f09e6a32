"""The SQL of manifests: how far they are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a manifest is read.

    Attributes:
        rows: that are recorded, of this very file.
        imports: numbers of imports that are taken; one that was never made may be among them.
        digest: SHA-256 of the file; None before any of its rows is recorded.
        changed: rows of another file are recorded as well, which lay there before.

    """

    rows: int = 0
    imports: int = 0
    digest: bytes | None = None
    changed: bool = False

    def of(self, digest: bytes) -> "Reading":
        """Give how far a file is read that lies there now: not at all, unless it is the same."""
        if digest == self.digest:
            return self
        return replace(self, rows=0, digest=digest, changed=self.changed or self.digest is not None)


async def select_reading(connection: Connection, crawl_id: UUID, rows_a_page: int) -> Reading:
    """Tell how far a manifest is read.

    Whoever read it by an older program took a number for each page of its rows, and did not say so.
    """
    row = await connection.fetchrow(
        """
        SELECT rows_read AS rows, greatest(imports_begun, ceil(rows_read::numeric / $2)::integer) AS imports,
               manifest_digest AS digest, manifest_changed AS changed
        FROM crawls WHERE id = $1
        """,
        crawl_id,
        rows_a_page,
    )
    return Reading(**dict(row or {}))


async def update_reading(connection: Connection, crawl_id: UUID, reading: Reading, *, images: int) -> None:
    """Write down how far a manifest is read, and count the images that were found since."""
    await connection.execute(
        """
        UPDATE crawls SET rows_read = $2, imports_begun = $3, manifest_digest = $4, manifest_changed = $5,
                          images_taken = images_taken + $6
        WHERE id = $1
        """,
        crawl_id,
        reading.rows,
        reading.imports,
        reading.digest,
        reading.changed,
        images,
    )


async def select_tasks_made(connection: Connection, job_ids: Sequence[UUID]) -> set[UUID]:
    """Tell which of these jobs were made into tasks."""
    rows = await connection.fetch("SELECT id FROM tasks WHERE id = ANY ($1::uuid[])", list(job_ids))
    return {row["id"] for row in rows}


async def count_taken(connection: Connection, crawl_id: UUID) -> tuple[int, int]:
    """Count the images of one source that were told of, whatever media has made of them since, and what was refused."""
    [row] = await connection.fetch(
        """
        SELECT count(fetch_job_id) AS told,
               count(*) FILTER (WHERE fetch_job_id IS NULL AND outcome = 'refused') AS refused
        FROM crawl_urls WHERE crawl_id = $1
        """,
        crawl_id,
    )
    return row["told"], row["refused"]
