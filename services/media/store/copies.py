"""Which assets wait for it to be told what may be handed out of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.database import Connection, Pool

_AGAIN_MINUTES = 60
"""When somebody else looks at what was claimed, if it was not told by then: longer than a few pictures may take."""


async def claim_uncopied(pool: Pool, limit: int) -> dict[str, list[UUID]]:
    """Take on assets that are due, those that have waited longest; give them by the hashes of their bytes."""
    rows = await pool.fetch(
        """
        UPDATE assets SET copy_due_at = now() + $2 * interval '1 minute'
        WHERE id IN (
            SELECT id FROM assets
            WHERE copy_due_at <= now() AND copy_due_at < 'infinity' AND deleted_at IS NULL
            ORDER BY copy_due_at LIMIT $1 FOR UPDATE SKIP LOCKED
        )
        RETURNING id, sha256
        """,
        limit,
        _AGAIN_MINUTES,
    )
    claimed: dict[str, list[UUID]] = {}
    for row in rows:
        claimed.setdefault(row["sha256"], []).append(row["id"])
    return claimed


async def select_stored(pool: Pool, sha256: str) -> dict[str, Any] | None:
    """Find where bytes lie and what is known of them, whoever refers to them; None where they have no row."""
    row = await pool.fetchrow("SELECT original_key, facts FROM blobs WHERE sha256 = $1", sha256)
    return dict(row) if row else None


async def update_blob_copied(pool: Pool, sha256: str, copy: dict[str, Any]) -> None:
    """Remember of bytes what may be handed out of them, unless somebody else has meanwhile."""
    await pool.execute("UPDATE blobs SET facts = $2 || facts WHERE sha256 = $1", sha256, {"clean_copy": copy})


async def update_assets_copied(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Settle what is told of assets with this transaction; give those that wait for it, with their projects."""
    rows = await connection.fetch(
        """
        UPDATE assets SET copy_due_at = 'infinity'
        WHERE id = ANY ($1) AND deleted_at IS NULL AND copy_due_at < 'infinity'
        RETURNING id, project_id
        """,
        list(ids),
    )
    return {row["id"]: row["project_id"] for row in rows}
