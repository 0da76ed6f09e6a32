"""Writing what is known of images, maps, pages and scenes. A batch is one statement; only newer facts apply."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.database import Connection

Rows = Sequence[dict[str, Any]]


async def upsert_assets(connection: Connection, rows: Rows) -> None:
    """Apply what was stored; an asset that was deleted comes back with a newer version. Each asset at most once."""
    await connection.execute(
        """
        INSERT INTO assets AS held (
            id, project_id, stored_version, sha256, size_bytes, content_type, width_px, height_px, original_key,
            renditions, clean_copy, video, thumbhash, source_url, context, pipeline, job_id, root_job_id, created_at,
            updated_at)
        SELECT id, project_id, stored_version, sha256, size_bytes, content_type, width_px, height_px, original_key,
               renditions, clean_copy, video, thumbhash, source_url, context, pipeline, job_id, root_job_id, created_at,
               updated_at
        FROM jsonb_populate_recordset(NULL::assets, $1)
        ON CONFLICT (id) DO UPDATE
        SET stored_version = excluded.stored_version, sha256 = excluded.sha256, size_bytes = excluded.size_bytes,
            content_type = excluded.content_type, width_px = excluded.width_px, height_px = excluded.height_px,
            original_key = excluded.original_key, renditions = excluded.renditions,
            clean_copy = coalesce(excluded.clean_copy, held.clean_copy),
            video = excluded.video, thumbhash = excluded.thumbhash,
            source_url = excluded.source_url, context = excluded.context, pipeline = excluded.pipeline,
            job_id = excluded.job_id, root_job_id = excluded.root_job_id, updated_at = excluded.updated_at,
            deleted_at = NULL,
            -- Newer than the tombstone of what was to be deleted: somebody has stored it again since.
            deleting_job_id = CASE WHEN excluded.stored_version > held.deleting_version + 1 THEN NULL
                                   ELSE held.deleting_job_id END
        WHERE excluded.stored_version > held.stored_version
           -- What was stored before there were copies gets its copy when it is stored again; and a video that came from
           -- elsewhere before the tracks with which a platform shows it.
           OR (excluded.stored_version = held.stored_version AND held.deleted_at IS NULL
               AND ((held.clean_copy IS NULL AND excluded.clean_copy IS NOT NULL)
                    OR jsonb_array_length(excluded.video -> 'tracks')
                       > coalesce(jsonb_array_length(held.video -> 'tracks'), -1)))
        """,
        rows,
    )


async def upsert_clean_copies(connection: Connection, rows: Rows) -> set[UUID]:
    """Note what is handed out of assets of which that was not known; give those that are there. Each at most once.

    The same bytes in the same project are the same asset, so that a copy stands for all its versions. Of an asset that
    was not heard of yet it is noted behind what looks like a tombstone older than all.
    """
    noted = await connection.fetch(
        """
        INSERT INTO assets AS held (id, project_id, stored_version, clean_copy, deleted_at, created_at, updated_at)
        SELECT id, project_id, stored_version, clean_copy, created_at, created_at, updated_at
        FROM jsonb_populate_recordset(NULL::assets, $1)
        ON CONFLICT (id) DO UPDATE SET clean_copy = excluded.clean_copy, updated_at = excluded.updated_at
        WHERE held.clean_copy IS NULL
        RETURNING id, deleted_at IS NULL AS is_there
        """,
        rows,
    )
    return {row["id"] for row in noted if row["is_there"]}


async def upsert_deleted_assets(connection: Connection, rows: Rows) -> None:
    """Leave a tombstone for each asset, also where nothing else was heard of it. Each asset at most once."""
    await connection.execute(
        """
        INSERT INTO assets AS held (id, project_id, stored_version, deleted_at, created_at, updated_at)
        SELECT id, project_id, stored_version, deleted_at, deleted_at, deleted_at
        FROM jsonb_populate_recordset(NULL::assets, $1)
        ON CONFLICT (id) DO UPDATE
        SET stored_version = excluded.stored_version, deleted_at = excluded.deleted_at,
            updated_at = excluded.updated_at
        WHERE excluded.stored_version > held.stored_version
        """,
        rows,
    )


async def delete_maps_of_deleted(connection: Connection, ids: Sequence[UUID]) -> None:
    """Forget the maps of those of these assets that are gone, but for what was drawn since they came back.

    Depth mapping tells again of maps that it still has of an asset that comes back; what was decided of them is kept.
    """
    await connection.execute(
        """
        DELETE FROM maps USING assets
        WHERE maps.asset_id = assets.id AND assets.id = ANY ($1) AND maps.at <= assets.deleted_at
        """,
        list(ids),
    )


async def insert_asset_sources(connection: Connection, rows: Rows) -> None:
    """Note which jobs stored which assets; those that nobody has tagged yet get the tags of their rows of an import."""
    await connection.execute(
        """
        WITH stored AS (
            SELECT asset_id, job_id, parent_job_id, project_id, root_job_id, source_url, at
            FROM jsonb_populate_recordset(NULL::asset_sources, $1)
        ), noted AS (
            INSERT INTO asset_sources (asset_id, job_id, parent_job_id, project_id, root_job_id, source_url, at)
            SELECT asset_id, job_id, parent_job_id, project_id, root_job_id, source_url, at FROM stored
            ON CONFLICT DO NOTHING
        )
        INSERT INTO image_tags (asset_id, project_id, tag)
        SELECT stored.asset_id, imported.project_id, tag
        FROM stored JOIN imported_tags AS imported USING (job_id) CROSS JOIN unnest(imported.tags) AS tag
        WHERE NOT EXISTS (SELECT FROM image_edits WHERE image_edits.asset_id = stored.asset_id)
          AND NOT EXISTS (SELECT FROM image_tags AS held WHERE held.asset_id = stored.asset_id)
        ON CONFLICT DO NOTHING
        """,
        rows,
    )


async def upsert_descriptions(connection: Connection, rows: Rows) -> None:
    """Replace what came from the same origin by what is newer. Each asset and origin at most once."""
    await connection.execute(
        """
        INSERT INTO descriptions AS held (asset_id, origin, project_id, subject_version, palette, perceptual_hash,
                                          embedding_origin, embedding, tags, objects, caption, at)
        SELECT asset_id, origin, project_id, subject_version, palette, perceptual_hash, embedding_origin, embedding,
               coalesce(tags, '[]'), coalesce(objects, '[]'), caption, at
        FROM jsonb_populate_recordset(NULL::descriptions, $1)
        ON CONFLICT (asset_id, origin) DO UPDATE
        SET subject_version = excluded.subject_version, palette = excluded.palette,
            perceptual_hash = excluded.perceptual_hash, embedding_origin = excluded.embedding_origin,
            embedding = excluded.embedding, tags = excluded.tags, objects = excluded.objects,
            caption = excluded.caption, at = excluded.at
        WHERE excluded.subject_version > held.subject_version
        """,
        rows,
    )


async def upsert_maps(connection: Connection, rows: Rows) -> None:
    """Apply what was drawn. Each asset and recipe at most once."""
    await connection.execute(
        """
        INSERT INTO maps AS held (asset_id, recipe, project_id, subject_version, job_id, depth, edges, preview,
                                  coloured, normals, sidecar_key, kind, estimator, quality, at, soundness,
                                  review_state)
        SELECT fact.asset_id, fact.recipe, fact.project_id, subject_version, fact.job_id, depth, edges, preview,
               coloured, normals, sidecar_key, kind, estimator, quality, at, soundness,
               coalesce(review.verdict, 'unreviewed')
        FROM jsonb_populate_recordset(NULL::maps, $1) AS fact
        LEFT JOIN map_reviews AS review ON review.asset_id = fact.asset_id AND review.recipe = fact.recipe
                                       AND review.map_version = fact.subject_version
        ON CONFLICT (asset_id, recipe) DO UPDATE
        SET subject_version = excluded.subject_version, job_id = excluded.job_id, depth = excluded.depth,
            edges = excluded.edges, preview = excluded.preview, coloured = excluded.coloured,
            normals = excluded.normals, sidecar_key = excluded.sidecar_key, kind = excluded.kind,
            estimator = excluded.estimator, quality = excluded.quality, at = excluded.at,
            soundness = excluded.soundness, review_state = excluded.review_state
        WHERE excluded.subject_version > held.subject_version
        """,
        rows,
    )


async def insert_found_images(connection: Connection, rows: Rows) -> None:
    await connection.execute(
        """
        INSERT INTO found_images (fetch_job_id, project_id, job_id, root_job_id, url, found_in, context, at)
        SELECT fetch_job_id, project_id, job_id, root_job_id, url, found_in, context, at
        FROM jsonb_populate_recordset(NULL::found_images, $1)
        ON CONFLICT DO NOTHING
        """,
        rows,
    )


async def insert_scraped_pages(connection: Connection, rows: Rows) -> None:
    await connection.execute(
        """
        INSERT INTO scraped_pages (
            job_id, url, project_id, root_job_id, title, description, author, licence, published_at, modified_at,
            site_name, language, canonical_url, images_found, images_skipped, skipped, at)
        SELECT job_id, url, project_id, root_job_id, title, description, author, licence, published_at, modified_at,
               site_name, language, canonical_url, images_found, images_skipped, skipped, at
        FROM jsonb_populate_recordset(NULL::scraped_pages, $1)
        ON CONFLICT DO NOTHING
        """,
        rows,
    )


async def insert_rejections(connection: Connection, rows: Rows) -> None:
    await connection.execute(
        """
        INSERT INTO rejections (job_id, project_id, root_job_id, url, object_key, code, sentence, at)
        SELECT job_id, project_id, root_job_id, url, object_key, code, sentence, at
        FROM jsonb_populate_recordset(NULL::rejections, $1)
        ON CONFLICT DO NOTHING
        """,
        rows,
    )


async def update_generation_states(connection: Connection, task_ids: Sequence[UUID]) -> None:
    """Carry the state of these tasks over to the scenes that they draw."""
    await connection.execute(
        """
        UPDATE image_generations
        SET status = jobs.state, progress = jobs.progress, last_attempted_at = jobs.started_at,
            error_code = jobs.error_code, error_sentence = jobs.error_sentence, updated_at = jobs.updated_at
        FROM jobs WHERE jobs.id = image_generations.task_id AND jobs.id = ANY ($1)
        """,
        list(task_ids),
    )
