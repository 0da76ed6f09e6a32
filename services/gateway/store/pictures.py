"""Writing what is heard of pictures that were drawn, and which of its versions a scene shows."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.database import Connection

Rows = Sequence[dict[str, Any]]


async def insert_pictures(connection: Connection, rows: Rows) -> None:
    """Keep each picture; those of a scene become versions of it.

    A scene shows its newest version, the first of its job, until somebody chooses one; what is deleted counts for
    neither.
    """
    await connection.execute(
        """
        WITH fact AS (
            SELECT * FROM jsonb_populate_recordset(NULL::pictures, $1)
        ), kept AS (
            INSERT INTO pictures (task_id, sample, project_id, record_id, number, upload_job_id, asset_id, object_key,
                                  width_px, height_px, provider, model, seed, aspect_ratio, samples, paid, cost_micros,
                                  generation_seconds, generated_at)
            SELECT fact.task_id, fact.sample, fact.project_id, scene.record_id,
                   CASE WHEN scene.record_id IS NOT NULL THEN
                       (SELECT coalesce(max(number), 0) FROM pictures WHERE record_id = scene.record_id)
                       + row_number() OVER (PARTITION BY scene.record_id ORDER BY drawn.created_at, fact.sample) END,
                   fact.upload_job_id, source.asset_id, fact.object_key, fact.width_px, fact.height_px, fact.provider,
                   fact.model, fact.seed, job.request ->> 'aspect_ratio',
                   coalesce((job.request ->> 'samples')::integer, 1), fact.paid, fact.cost_micros,
                   fact.generation_seconds, fact.generated_at
            FROM fact
            LEFT JOIN jobs AS job ON job.id = fact.task_id
            LEFT JOIN drawings AS drawn ON drawn.task_id = fact.task_id
            LEFT JOIN image_generations AS scene
                ON scene.record_id = drawn.record_id OR (drawn.task_id IS NULL AND scene.task_id = fact.task_id)
            LEFT JOIN LATERAL (
                SELECT asset_id FROM asset_sources WHERE asset_sources.job_id = fact.upload_job_id LIMIT 1
            ) AS source ON true
            WHERE NOT EXISTS (SELECT FROM pictures AS held
                              WHERE held.task_id = fact.task_id AND held.sample = fact.sample)
            ON CONFLICT (task_id, sample) DO NOTHING
            RETURNING *
        ), newest AS (
            SELECT DISTINCT ON (kept.record_id) kept.*, drawn.created_at AS drawn_at
            FROM kept LEFT JOIN drawings AS drawn USING (task_id)
            WHERE kept.record_id IS NOT NULL
            ORDER BY kept.record_id, drawn.created_at DESC NULLS LAST, kept.sample
        )
        UPDATE image_generations AS scene
        SET shown_task_id = newest.task_id, shown_sample = newest.sample, object_key = newest.object_key,
            asset_id = newest.asset_id, model_used = newest.model, provider = newest.provider,
            generation_time_seconds = newest.generation_seconds, updated_at = newest.generated_at
        FROM newest
        WHERE scene.record_id = newest.record_id
          AND NOT EXISTS (SELECT FROM pictures AS chosen LEFT JOIN assets AS image ON image.id = chosen.asset_id
                          WHERE chosen.record_id = scene.record_id AND image.deleted_at IS NULL AND chosen.number = (
                              SELECT number FROM picture_choices AS choice
                              WHERE choice.record_id = scene.record_id AND choice.undone_at IS NULL
                              ORDER BY ordinal DESC LIMIT 1))
          AND NOT EXISTS (SELECT FROM pictures AS other JOIN drawings AS drawn USING (task_id)
                          LEFT JOIN assets AS image ON image.id = other.asset_id
                          WHERE other.record_id = scene.record_id AND drawn.created_at > newest.drawn_at
                            AND image.deleted_at IS NULL)
        """,
        rows,
    )


async def update_stored_pictures(connection: Connection, rows: Rows) -> None:
    """Note which assets the pictures of jobs have become; `rows` have `task_id`, `upload_job_id` and `asset_id`.

    Of a job with a single picture it is that one, also where its upload was done again under another id.
    """
    await connection.execute(
        """
        WITH stored AS (
            UPDATE pictures AS picture SET asset_id = fact.asset_id
            FROM jsonb_populate_recordset(NULL::pictures, $1) AS fact
            WHERE picture.task_id = fact.task_id
              AND (picture.upload_job_id = fact.upload_job_id OR picture.samples = 1)
            RETURNING picture.task_id, picture.sample, picture.record_id, picture.asset_id
        )
        UPDATE image_generations AS scene SET asset_id = stored.asset_id
        FROM stored
        WHERE scene.record_id = stored.record_id
          AND (scene.shown_task_id, scene.shown_sample) = (stored.task_id, stored.sample)
        """,
        rows,
    )


async def update_shown_pictures(connection: Connection, record_ids: Sequence[UUID]) -> None:
    """Have these scenes show what was chosen last, or else the newest; nothing where every picture is deleted."""
    await connection.execute(
        """
        UPDATE image_generations AS scene
        SET shown_task_id = shown.task_id, shown_sample = shown.sample, object_key = shown.object_key,
            asset_id = shown.asset_id, model_used = shown.model, provider = shown.provider,
            generation_time_seconds = shown.generation_seconds
        FROM unnest($1::uuid[]) AS asked (record_id)
        LEFT JOIN LATERAL (
            SELECT picture.* FROM pictures AS picture
            LEFT JOIN drawings AS drawn USING (task_id)
            LEFT JOIN assets AS image ON image.id = picture.asset_id
            WHERE picture.record_id = asked.record_id AND image.deleted_at IS NULL
            ORDER BY picture.number = (
                SELECT number FROM picture_choices AS choice
                WHERE choice.record_id = asked.record_id AND choice.undone_at IS NULL ORDER BY ordinal DESC LIMIT 1
            ) DESC NULLS LAST, drawn.created_at DESC NULLS LAST, picture.sample
            LIMIT 1
        ) AS shown ON true
        WHERE scene.record_id = asked.record_id
        """,
        list(record_ids),
    )


async def select_scenes_that_show(connection: Connection, assets: Sequence[UUID]) -> list[UUID]:
    """Give the records of scenes that show one of these images."""
    rows = await connection.fetch(
        """
        SELECT scene.record_id FROM pictures AS picture
        JOIN image_generations AS scene ON scene.record_id = picture.record_id AND scene.asset_id = picture.asset_id
        WHERE picture.asset_id = ANY ($1)
        """,
        list(assets),
    )
    return [row["record_id"] for row in rows]
