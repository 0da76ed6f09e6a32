"""The SQL of images that wait for the rules of their sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Waiting:
    """An image that waits.

    Attributes:
        key: SHA-256 of its canonical spelling.
        origin: the one that has to tell its rules first.
        depth: of the source that shows it, in a crawl.
        found_on: the URL of that source.
        image: `url`, `alternatives`, `found_in` and `context`, as `ImageFound` has them.

    """

    key: bytes
    origin: str
    depth: int
    found_on: str
    image: dict[str, Any]


async def insert_untold(
    connection: Connection, source_job_id: UUID, project_id: UUID, job_id: UUID, images: Sequence[Waiting]
) -> None:
    """Note images of a crawl or a page that have to wait; one that waits already waits once."""
    await connection.execute(
        """
        INSERT INTO untold_images (source_job_id, project_id, job_id, key, origin, depth, found_on, image)
        SELECT $1, $2, $3, g.key, g.origin, g.depth, g.found_on, g.image
        FROM unnest($4::bytea[], $5::text[], $6::int[], $7::text[], $8::jsonb[])
            AS g (key, origin, depth, found_on, image)
        ON CONFLICT (source_job_id, key) DO NOTHING
        """,
        source_job_id,
        project_id,
        job_id,
        [one.key for one in images],
        [one.origin for one in images],
        [one.depth for one in images],
        [one.found_on for one in images],
        [one.image for one in images],
    )


async def select_untold_origins(connection: Connection, source_job_id: UUID, job_id: UUID | None = None) -> list[str]:
    """Tell for whose rules images of a crawl or a page wait; with `job_id`, those that this job has found."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT origin FROM untold_images
        WHERE source_job_id = $1 AND ($2::uuid IS NULL OR job_id = $2) ORDER BY origin
        """,
        source_job_id,
        job_id,
    )
    return [row["origin"] for row in rows]


async def select_untold(connection: Connection, source_job_id: UUID, origin: str, limit: int) -> list[Waiting]:
    """Give the first images of a crawl or a page that wait for the rules of one origin."""
    rows = await connection.fetch(
        """
        SELECT key, origin, depth, found_on, image FROM untold_images
        WHERE source_job_id = $1 AND origin = $2 ORDER BY noted_at, key LIMIT $3
        """,
        source_job_id,
        origin,
        limit,
    )
    return [Waiting(**dict(row)) for row in rows]


async def delete_untold(connection: Connection, source_job_id: UUID, keys: Sequence[bytes]) -> set[bytes]:
    """Have images wait no longer; give the keys of those that did until now."""
    rows = await connection.fetch(
        "DELETE FROM untold_images WHERE source_job_id = $1 AND key = ANY ($2::bytea[]) RETURNING key",
        source_job_id,
        list(keys),
    )
    return {row["key"] for row in rows}
