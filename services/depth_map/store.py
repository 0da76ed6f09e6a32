"""Depth mapping's SQL: the current maps of each asset."""

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
) -> int:
    """Make these the current maps; return the version, which counts how often they were drawn."""
    version: int = await connection.fetchval(
        """
        INSERT INTO depth_maps (asset_id, recipe, project_id, maps, facts) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (asset_id, recipe) DO UPDATE
        SET maps = excluded.maps, facts = excluded.facts, mapped_at = now(),
            subject_version = depth_maps.subject_version + 1
        RETURNING subject_version
        """,
        asset_id,
        recipe,
        project_id,
        maps,
        facts,
    )
    return version
