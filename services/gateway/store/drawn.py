"""What jobs have drawn, and what that cost."""

from uuid import UUID

from contracts.image_generation import GenerateImage
from services.gateway.store.payments import STANDS
from services.gateway.store.reading import Row, fetch_one
from shared.database import Connection


async def select_drawing(connection: Connection, job_id: UUID) -> Row | None:
    """Select what a job has drawn, or how long that will take; None where the job does not draw.

    `seconds` is how long half of the project's last twenty of that shape took at most; `waiting_before` counts the
    drawings of the same project that wait and come before it; `payment_micros` is what may have been paid.
    """
    return await fetch_one(
        connection,
        f"""
        SELECT drawn.from_task_id, scene.chapter_id, scene.scene_number, taken.seconds,
               CASE WHEN job.state = 'pending' THEN (
                   SELECT count(*) FROM jobs AS other
                   WHERE other.project_id = job.project_id AND other.kind = job.kind AND other.state = 'pending'
                     AND (-coalesce((other.request ->> 'priority')::integer, 0), other.created_at, other.id)
                       < (-coalesce((job.request ->> 'priority')::integer, 0), job.created_at, job.id)
               ) END AS waiting_before,
               greatest(0, taken.seconds - extract(epoch FROM now() - job.started_at)::float8) AS left_seconds,
               coalesce((SELECT jsonb_agg(to_jsonb(picture) ORDER BY sample) FROM (
                   SELECT sample, number, asset_id AS image_id, width_px, height_px, provider AS service,
                          model AS model_used, seed, paid, cost_micros
                   FROM pictures WHERE task_id = job.id) AS picture), '[]') AS pictures,
               (SELECT cost_micros * samples FROM payments AS payment WHERE task_id = job.id AND {STANDS})
                   AS payment_micros
        FROM jobs AS job
        LEFT JOIN drawings AS drawn ON drawn.task_id = job.id
        LEFT JOIN image_generations AS scene ON scene.record_id = drawn.record_id
        LEFT JOIN LATERAL (
            SELECT CASE WHEN count(*) >= 3 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) END AS seconds
            FROM (SELECT generation_seconds AS seconds FROM pictures
                  WHERE project_id = job.project_id AND provider = coalesce(job.request ->> 'provider', (
                            SELECT report ->> 'default' FROM image_offers ORDER BY said_at DESC LIMIT 1))
                    AND aspect_ratio = job.request ->> 'aspect_ratio'
                    AND samples = coalesce((job.request ->> 'samples')::integer, 1) AND sample = 0
                  ORDER BY generated_at DESC LIMIT 20) AS alike
        ) AS taken ON job.state IN ('pending', 'in_progress')
        WHERE job.id = $1 AND job.kind = $2
        """,  # noqa: S608 - conditions of the store
        job_id,
        GenerateImage.wire_name,
    )
