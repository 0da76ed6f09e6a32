"""Depth mapping's SQL: the current maps of each asset, and what was decided of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.database import Connection, Pool


async def select_depth_map(pool: Pool, asset_id: UUID, recipe: str) -> dict[str, Any] | None:
    """Find the maps of an asset that were drawn by a recipe."""
    row = await pool.fetchrow(
        "SELECT subject_version, maps, facts FROM depth_maps WHERE asset_id = $1 AND recipe = $2", asset_id, recipe
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
    row: Any = await connection.fetchrow(
        """
        INSERT INTO depth_maps AS held (asset_id, recipe, project_id, maps, facts) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (asset_id, recipe) DO UPDATE
        SET maps = CASE WHEN $6 THEN excluded.maps ELSE held.maps END,
            facts = CASE WHEN $6 THEN excluded.facts ELSE held.facts END,
            mapped_at = CASE WHEN $6 THEN now() ELSE held.mapped_at END,
            subject_version = held.subject_version + $6::int
        RETURNING subject_version, maps, facts, xmax = 0 OR $6 AS recorded
        """,
        asset_id,
        recipe,
        project_id,
        maps,
        facts,
        redraw,
    )
    return dict(row)


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
