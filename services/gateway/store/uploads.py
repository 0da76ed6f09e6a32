"""Files on their way in: promised, received, accepted, and let go."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from services.gateway.store.images import VISIBLE
from services.gateway.store.reading import Row, fetch, fetch_one
from services.gateway.store.tenancy import answering
from shared.database import Connection, Pool

_SHOWN: Final = """
    upload.id, upload.project_id, upload.created_by, upload.filename, upload.content_type, upload.size_bytes,
    upload.sha256, upload.context, upload.tags, upload.pipeline, upload.job_id, upload.created_at, upload.expires_at,
    upload.state, upload.state = 'waiting' AND upload.expires_at <= now() AS expired
"""
_FAILED_KEPT_DAYS: Final = 7
"""So long a job that failed to take a file in can be done again."""


async def insert_upload(connection: Connection, row: dict[str, Any]) -> None:
    """Note that a file will come; `row` has columns of `uploads`."""
    await connection.execute(
        """
        INSERT INTO uploads (id, project_id, created_by, state, filename, content_type, size_bytes, sha256, context,
                             tags, pipeline, expires_at)
        SELECT id, project_id, created_by, state, filename, content_type, size_bytes, sha256,
               coalesce(context, '{}'), coalesce(tags, '{}'), coalesce(pipeline, '{}'), expires_at
        FROM jsonb_populate_record(NULL::uploads, $1)
        """,
        row,
    )


async def insert_receiving(connection: Connection, upload_id: UUID, project_id: UUID, user_id: str) -> None:
    """Note that a file comes in now, so that its object is found and removed should nobody finish this."""
    await connection.execute(
        """
        INSERT INTO uploads (id, project_id, created_by, state, expires_at)
        VALUES ($1, $2, $3, 'receiving', now() + interval '1 day')
        """,
        upload_id,
        project_id,
        user_id,
    )


async def select_upload(
    connection: Connection, projects: Sequence[UUID], upload_id: UUID, *, locked: bool = False
) -> Row | None:
    """Select an upload that was not abandoned; `expired`: it may not be completed any more."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_SHOWN} FROM uploads AS upload
        WHERE upload.id = $1 AND upload.project_id = ANY ($2) AND upload.state IN ('waiting', 'accepted')
        {"FOR UPDATE" if locked else ""}
        """,  # noqa: S608 - columns of this file
        upload_id,
        projects,
    )


async def select_held_bytes(connection: Connection, project_id: UUID, hashes: Sequence[str]) -> dict[str, Row]:
    """Find which of these bytes the project has: `id` of the image, and whether it is shown, by hash.

    One that is not is being deleted.
    """
    rows = await fetch(
        connection,
        f"""
        SELECT asset.sha256, asset.id, {VISIBLE} AS visible FROM assets AS asset
        WHERE asset.project_id = $1 AND asset.sha256 = ANY ($2) AND asset.deleted_at IS NULL
        """,  # noqa: S608 - a condition of this house
        project_id,
        hashes,
    )
    return {row["sha256"]: row for row in rows}


async def update_accepted(connection: Connection, uploads: Sequence[dict[str, Any]]) -> None:
    """Hand uploads over to the jobs that take them in; each has `id`, `job_id` and what is known of it by now."""
    await connection.execute(
        """
        UPDATE uploads
        SET state = 'accepted', job_id = known.job_id, project_id = known.project_id, filename = known.filename,
            content_type = known.content_type, size_bytes = known.size_bytes, sha256 = known.sha256,
            context = known.context, tags = known.tags, pipeline = known.pipeline,
            expires_at = now() + interval '1 day'
        FROM jsonb_populate_recordset(NULL::uploads, $1) AS known
        WHERE uploads.id = known.id
        """,
        uploads,
    )


async def update_abandoned(connection: Connection, upload_id: UUID) -> None:
    """Give an upload up; it is let go once nobody can put anything there any more."""
    await connection.execute("UPDATE uploads SET state = 'abandoned' WHERE id = $1", upload_id)


async def delete_receiving(connection: Connection, ids: Sequence[UUID]) -> None:
    await connection.execute("DELETE FROM uploads WHERE id = ANY ($1) AND state = 'receiving'", list(ids))


async def select_over(pool: Pool, *, grace_seconds: float, limit: int) -> list[UUID]:
    """Find uploads whose objects nobody needs any more; raises DatabaseAwayError.

    Those are the ones that were never completed, a while after their end, and those that were taken in.
    """
    async with answering():
        rows = await pool.fetch(
            """
            SELECT upload.id FROM uploads AS upload LEFT JOIN jobs AS job ON job.id = upload.job_id
            WHERE upload.expires_at < now() - make_interval(secs => $1)
              AND (upload.state <> 'accepted' OR job.id IS NULL OR job.state = 'completed'
                   OR job.finished_at < now() - make_interval(days => $2))
            ORDER BY upload.expires_at LIMIT $3
            """,
            grace_seconds,
            _FAILED_KEPT_DAYS,
            limit,
        )
    return [row["id"] for row in rows]


async def delete_over(pool: Pool, ids: Sequence[UUID]) -> None:
    """Forget uploads whose objects are gone; raises DatabaseAwayError."""
    async with answering():
        await pool.execute("DELETE FROM uploads WHERE id = ANY ($1)", list(ids))
