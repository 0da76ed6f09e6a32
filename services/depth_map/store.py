"""Depth mapping's SQL: the current maps of each asset, and what was decided of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.database import Connection, Pool

CONDEMNED_HOURS: Final = 48
"""Longer than a job waits to draw what has just been deleted, by default."""


async def select_depth_map(asking: Pool | Connection, asset_id: UUID, recipe: str) -> dict[str, Any] | None:
    """Find the maps of an asset that were drawn by a recipe, and are there."""
    row = await asking.fetchrow(
        """
        SELECT subject_version, maps, facts FROM depth_maps
        WHERE asset_id = $1 AND recipe = $2 AND removed_at IS NULL
        """,
        asset_id,
        recipe,
    )
    return dict(row) if row else None


async def upsert_depth_map(
    connection: Connection,
    asset_id: UUID,
    project_id: UUID,
    recipe: str,
    *,
    maps: dict[str, Any],
    facts: dict[str, Any],
    redraw: bool,
) -> dict[str, Any]:
    """Make these the current maps; return what is current, with its version, which counts how often it was drawn.

    What somebody else has recorded meanwhile stays unless it is to be drawn anew, for it may have been reviewed; then
    `recorded` is false.
    """
    row = await connection.fetchrow(
        """
        INSERT INTO depth_maps AS held (asset_id, recipe, project_id, maps, facts) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (asset_id, recipe) DO UPDATE
        SET maps = excluded.maps, facts = excluded.facts, mapped_at = now(), removed_at = NULL,
            subject_version = held.subject_version + 1
        WHERE $6 OR held.removed_at IS NOT NULL
        RETURNING subject_version, maps, facts
        """,
        asset_id,
        recipe,
        project_id,
        maps,
        facts,
        redraw,
    )
    # What was in the way is locked by now, and so can be read.
    current = dict(row) if row else await select_depth_map(connection, asset_id, recipe) or {}
    return {**current, "recorded": row is not None}


async def upsert_deletions(connection: Connection, versions: Sequence[tuple[UUID, int]], *, deleted: bool) -> None:
    """Note which assets were deleted, or are there again, under which version; what is not newer changes nothing."""
    await connection.execute(
        """
        INSERT INTO deletions AS held (asset_id, subject_version, condemned_at)
        SELECT DISTINCT ON (asset_id) asset_id, version, CASE WHEN $3 THEN now() END
        FROM unnest($1::uuid[], $2::int[]) AS fact (asset_id, version) ORDER BY asset_id, version DESC
        ON CONFLICT (asset_id) DO UPDATE
        SET subject_version = excluded.subject_version, condemned_at = excluded.condemned_at
        WHERE excluded.subject_version > held.subject_version
        """,
        [asset_id for asset_id, _ in versions],
        [version for _, version in versions],
        deleted,
    )


async def keep_locks(connection: Connection) -> None:
    """Keep the locks of this transaction however long it waits for the object store."""
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")


async def select_condemned(connection: Connection, limit: int) -> list[UUID]:
    """Lock assets whose maps have nobody left; nobody stores them again while the transaction is open."""
    rows = await connection.fetch(
        """
        SELECT asset_id FROM deletions WHERE condemned_at < now() - $1 * interval '1 hour'
        ORDER BY condemned_at LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        CONDEMNED_HOURS,
        limit,
    )
    return [row["asset_id"] for row in rows]


async def update_removed(connection: Connection, asset_ids: Sequence[UUID]) -> None:
    """Note that the maps of these assets are gone; their versions stay, and go on from there."""
    await connection.execute("UPDATE depth_maps SET removed_at = now() WHERE asset_id = ANY ($1)", asset_ids)
    await connection.execute("UPDATE deletions SET condemned_at = NULL WHERE asset_id = ANY ($1)", asset_ids)


async def upsert_review(
    connection: Connection,
    asset_id: UUID,
    recipe: str,
    project_id: UUID,
    *,
    decision: int,
    map_version: int,
    verdict: str,
    reasons: Sequence[str],
    note: str | None,
    reviewed_by: str,
    reviewed_at: datetime,
) -> None:
    """Record a decision about maps of this project; one that is not newer than what is here changes nothing."""
    await connection.execute(
        """
        INSERT INTO map_reviews AS held (
            asset_id, recipe, project_id, decision, map_version, verdict, reasons, note, reviewed_by, reviewed_at)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
        FROM depth_maps WHERE asset_id = $1 AND recipe = $2 AND project_id = $3
        ON CONFLICT (asset_id, recipe) DO UPDATE
        SET decision = excluded.decision, map_version = excluded.map_version, verdict = excluded.verdict,
            reasons = excluded.reasons, note = excluded.note, reviewed_by = excluded.reviewed_by,
            reviewed_at = excluded.reviewed_at
        WHERE excluded.decision > held.decision
        """,
        asset_id,
        recipe,
        project_id,
        decision,
        map_version,
        verdict,
        list(reasons),
        note,
        reviewed_by,
        reviewed_at,
    )


async def select_review(connection: Connection, asset_id: UUID, recipe: str, project_id: UUID) -> dict[str, Any] | None:
    """Find the decision that holds; read behind the upsert, which has waited for whoever decided at the same time."""
    row = await connection.fetchrow(
        """
        SELECT decision, map_version, verdict, reasons, note, reviewed_by, reviewed_at
        FROM map_reviews WHERE asset_id = $1 AND recipe = $2 AND project_id = $3
        """,
        asset_id,
        recipe,
        project_id,
    )
    return dict(row) if row else None
