"""The SQL of memories: what sources gave, and in which version."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.database import Connection


async def select_memories(
    connection: Connection, project_id: UUID, recipe: str, sources: Sequence[tuple[str, bytes]]
) -> list[dict[str, Any]]:
    """Look what is kept of sources, named by kind and key: `kind, key, etag, last_modified, gave`."""
    rows = await connection.fetch(
        """
        SELECT m.kind, m.key, m.etag, m.last_modified, m.gave
        FROM memories m JOIN unnest($3::text[], $4::bytea[]) AS asked (kind, key) USING (kind, key)
        WHERE m.project_id = $1 AND m.recipe = $2
        """,
        project_id,
        recipe,
        [kind for kind, _ in sources],
        [key for _, key in sources],
    )
    return [dict(row) for row in rows]


async def upsert_memory(
    connection: Connection,
    project_id: UUID,
    source: tuple[str, bytes],
    *,
    recipe: str,
    etag: str | None,
    last_modified: str | None,
    gave: bytes,
) -> None:
    """Keep what a source gave, in place of an older version."""
    await connection.execute(
        """
        INSERT INTO memories (project_id, kind, key, recipe, etag, last_modified, gave)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (project_id, kind, key) DO UPDATE
        SET recipe = excluded.recipe, etag = excluded.etag, last_modified = excluded.last_modified,
            gave = excluded.gave, seen_at = now()
        """,
        project_id,
        *source,
        recipe,
        etag,
        last_modified,
        gave,
    )


async def update_memory_seen(connection: Connection, project_id: UUID, source: tuple[str, bytes]) -> None:
    """Note that what is kept of a source still stands."""
    await connection.execute(
        "UPDATE memories SET seen_at = now() WHERE project_id = $1 AND kind = $2 AND key = $3", project_id, *source
    )
