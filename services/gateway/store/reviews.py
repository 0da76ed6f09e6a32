"""Maps as reviewers see them: the queue, the decisions, and what was approved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.gateway.store.images import DRAWN_FOR_CHAPTER, VISIBLE
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_SHOWN: Final = """
    map.asset_id, map.recipe, map.project_id, map.subject_version, map.job_id, map.depth, map.edges, map.preview,
    map.coloured, map.normals, map.sidecar_key, map.kind, map.estimator, map.quality, map.at, map.soundness,
    map.review_state,
    map.subject_version + coalesce(review.decision, 0) AS version, coalesce(review.decision, 0) AS decision,
    review.map_version = map.subject_version AND review.verdict <> 'unreviewed' AS reviewed,
    review.reasons, review.note, review.reviewed_by, review.reviewed_at, review.job_id AS review_job_id
"""
_IMAGE: Final = """
    asset.sha256, asset.size_bytes, asset.content_type, asset.width_px, asset.height_px, asset.original_key,
    asset.renditions, asset.clean_copy, asset.thumbhash, asset.source_url, asset.context, asset.created_at,
    edit.title AS edited_title, edit.alt AS edited_alt, edit.caption AS edited_caption,
    (SELECT coalesce(array_agg(tag ORDER BY tag), '{}') FROM image_tags WHERE image_tags.asset_id = asset.id) AS tags
"""
_REVIEW: Final = "LEFT JOIN map_reviews AS review ON review.asset_id = map.asset_id AND review.recipe = map.recipe"
_EDIT: Final = "LEFT JOIN image_edits AS edit ON edit.asset_id = asset.id"
_QUEUE: Final = "(map.soundness, map.at, map.asset_id, map.recipe)"
_APPROVALS: Final = "(review.reviewed_at, review.asset_id, review.recipe)"


@dataclass(frozen=True, slots=True)
class MapFilter:
    """Which maps are asked for; None asks for all, and `state` is only heeded where one has to be."""

    state: str = "unreviewed"
    recipe: str | None = None
    kind: str | None = None
    chapter_id: str | None = None
    tag: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    reviewed_after: datetime | None = None
    reviewed_before: datetime | None = None

    def conditions(self, *arguments: object) -> Conditions:
        """Write the filter as conditions on `map`, `asset` and, where times of reviews are given, `review`."""
        conditions = Conditions(*arguments)
        conditions.add("map.recipe = {}", self.recipe)
        conditions.add("map.kind = {}", self.kind)
        conditions.add(DRAWN_FOR_CHAPTER, self.chapter_id)
        conditions.add("asset.id IN (SELECT asset_id FROM image_tags WHERE tag = {})", self.tag)
        conditions.add("asset.created_at >= {}", self.created_after)
        conditions.add("asset.created_at < {}", self.created_before)
        conditions.add("review.reviewed_at >= {}", self.reviewed_after)
        conditions.add("review.reviewed_at < {}", self.reviewed_before)
        return conditions


async def select_queue(
    connection: Connection, projects: Sequence[UUID], wanted: MapFilter, place: Sequence[Any] | None, limit: int
) -> list[Row]:
    """Select a page of maps in a state and one more, the most suspicious first, whatever is decided of others."""
    conditions = wanted.conditions(projects, limit + 1, wanted.state)
    conditions.behind(_QUEUE, place)
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN}, {_IMAGE} FROM (
            SELECT page.* FROM unnest($1::uuid[]) AS project
            CROSS JOIN LATERAL (
                SELECT map.* FROM maps AS map JOIN assets AS asset ON asset.id = map.asset_id
                WHERE map.project_id = project AND map.review_state = $3 AND {VISIBLE} {conditions}
                ORDER BY map.soundness, map.at, map.asset_id, map.recipe LIMIT $2
            ) AS page
            ORDER BY page.soundness, page.at, page.asset_id, page.recipe LIMIT $2
        ) AS map
        JOIN assets AS asset ON asset.id = map.asset_id {_EDIT} {_REVIEW}
        ORDER BY map.soundness, map.at, map.asset_id, map.recipe
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_state_counts(connection: Connection, projects: Sequence[UUID], wanted: MapFilter) -> dict[str, int]:
    """Count the maps in each state."""
    conditions = wanted.conditions(projects)
    rows = await fetch(
        connection,
        f"""
        SELECT map.review_state, count(*) AS maps FROM maps AS map JOIN assets AS asset ON asset.id = map.asset_id
        WHERE map.project_id = ANY ($1) AND {VISIBLE} {conditions} GROUP BY map.review_state
        """,  # noqa: S608 - conditions of this file
        *conditions.arguments,
    )
    return {row["review_state"]: row["maps"] for row in rows}


async def select_maps(connection: Connection, image_id: UUID) -> list[Row]:
    """Select the maps of an image, the newest first."""
    return await fetch(
        connection,
        f"SELECT {_SHOWN} FROM maps AS map {_REVIEW} WHERE map.asset_id = $1 ORDER BY map.at DESC",  # noqa: S608 - columns of this file
        image_id,
    )


async def select_map(connection: Connection, projects: Sequence[UUID], image_id: UUID, recipe: str) -> Row | None:
    rows = await select_named_maps(connection, projects, [(image_id, recipe)])
    return rows[0] if rows else None


async def select_named_maps(
    connection: Connection, projects: Sequence[UUID], named: Sequence[tuple[UUID, str]]
) -> list[Row]:
    """Select maps by their images and recipes, with the time of the database's clock."""
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN}, clock_timestamp() AS now FROM unnest($2::uuid[], $3::text[]) AS wish (asset_id, recipe)
        JOIN maps AS map USING (asset_id, recipe)
        JOIN assets AS asset ON asset.id = map.asset_id {_REVIEW}
        WHERE map.project_id = ANY ($1) AND {VISIBLE}
        """,  # noqa: S608 - columns of this file
        list(projects),
        [image_id for image_id, _ in named],
        [recipe for _, recipe in named],
    )


async def upsert_reviews(connection: Connection, rows: Sequence[dict[str, Any]]) -> set[tuple[UUID, str]]:
    """Apply decisions that are newer than what is held; return whose, by image and recipe. Each maps at most once."""
    newer = await connection.fetch(
        """
        WITH newer AS (
            INSERT INTO map_reviews AS held (asset_id, recipe, project_id, decision, map_version, verdict, reasons,
                                             note, reviewed_by, reviewed_at, job_id)
            SELECT asset_id, recipe, project_id, decision, map_version, verdict, reasons, note, reviewed_by,
                   reviewed_at, job_id
            FROM jsonb_populate_recordset(NULL::map_reviews, $1)
            ON CONFLICT (asset_id, recipe) DO UPDATE
            SET decision = excluded.decision, map_version = excluded.map_version, verdict = excluded.verdict,
                reasons = excluded.reasons, note = excluded.note, reviewed_by = excluded.reviewed_by,
                reviewed_at = excluded.reviewed_at, job_id = excluded.job_id
            WHERE excluded.decision > held.decision
            RETURNING asset_id, recipe, map_version, verdict
        ), shown AS (
            UPDATE maps
            SET review_state = CASE newer.map_version WHEN subject_version THEN newer.verdict ELSE 'unreviewed' END
            FROM newer WHERE maps.asset_id = newer.asset_id AND maps.recipe = newer.recipe
        )
        SELECT asset_id, recipe FROM newer
        """,
        list(rows),
    )
    return {(row["asset_id"], row["recipe"]) for row in newer}


async def select_approved(
    connection: Connection, projects: Sequence[UUID], wanted: MapFilter, place: Sequence[Any] | None, limit: int
) -> list[Row]:
    """Select a page of approved maps with their images, in the order of their approval."""
    conditions = wanted.conditions(projects, limit)
    conditions.behind(_APPROVALS, place)
    return await fetch(
        connection,
        f"""
        SELECT page.* FROM unnest($1::uuid[]) AS project
        CROSS JOIN LATERAL (
            SELECT {_SHOWN}, {_IMAGE} FROM map_reviews AS review
            JOIN maps AS map ON map.asset_id = review.asset_id AND map.recipe = review.recipe
            JOIN assets AS asset ON asset.id = map.asset_id {_EDIT}
            WHERE review.project_id = project AND review.verdict = 'approved'
              AND review.map_version = map.subject_version AND {VISIBLE} {conditions}
            ORDER BY review.reviewed_at, review.asset_id, review.recipe LIMIT $2
        ) AS page
        ORDER BY page.reviewed_at, page.asset_id, page.recipe LIMIT $2
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_approved_totals(
    connection: Connection, projects: Sequence[UUID], wanted: MapFilter, place: Sequence[Any] | None
) -> Row:
    """Count approved maps behind a place, and the bytes of their images, depth and edge maps, and normals."""
    conditions = wanted.conditions(projects)
    conditions.behind(_APPROVALS, place)
    row = await fetch_one(
        connection,
        f"""
        SELECT count(*) AS maps, count(DISTINCT map.asset_id) AS images,
               coalesce(sum(coalesce((asset.clean_copy ->> 'size_bytes')::bigint, asset.size_bytes)
                            + (map.depth ->> 'size_bytes')::bigint
                            + (map.edges ->> 'size_bytes')::bigint
                            + coalesce((map.normals ->> 'size_bytes')::bigint, 0)), 0)::bigint AS size_bytes
        FROM map_reviews AS review
        JOIN maps AS map ON map.asset_id = review.asset_id AND map.recipe = review.recipe
        JOIN assets AS asset ON asset.id = map.asset_id
        WHERE review.project_id = ANY ($1) AND review.verdict = 'approved'
          AND review.map_version = map.subject_version AND {VISIBLE} {conditions}
        """,  # noqa: S608 - conditions of this file
        *conditions.arguments,
    )
    return row or {}
