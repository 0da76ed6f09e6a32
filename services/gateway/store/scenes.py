"""Reading the images of chapters and scenes."""

from dataclasses import dataclass
from uuid import UUID

from contracts.image_generation import ProvidersReported
from services.gateway.store.reading import Row, fetch
from shared.database import Connection


async def select_generations(
    connection: Connection, projects: list[UUID], chapter_id: str, scene_number: int | None, limit: int
) -> list[Row]:
    """Select the records of a chapter, or of one of its scenes, in the order of the scenes."""
    return await fetch(
        connection,
        """
        SELECT record_id, project_id, task_id, chapter_id, scene_number, script_id, image_type, status, retry_count,
               progress, object_key, asset_id, model_used, provider, generation_time_seconds, last_attempted_at,
               error_code, error_sentence, created_at, updated_at,
               (SELECT clean_copy ->> 'key' FROM assets WHERE assets.id = image_generations.asset_id) AS copy_key
        FROM image_generations
        WHERE project_id = ANY ($1) AND chapter_id = $2 AND ($3::integer IS NULL OR scene_number = $3)
        ORDER BY scene_number, updated_at DESC LIMIT $4
        """,
        projects,
        chapter_id,
        scene_number,
        limit,
    )


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is known before a picture is asked for.

    Attributes:
        offers: who draws; None where nothing was heard of them yet.
        seconds: how long it usually takes; None where nothing was drawn yet.

    """

    offers: ProvidersReported | None
    seconds: float | None


async def select_prospect(connection: Connection, provider: str | None, aspect_ratio: str) -> Prospect:
    """Look who draws, and how long the last twenty took that this transaction may see.

    Where at least three of that shape were drawn by the provider, or by the default, these alone are counted.
    """
    row = await connection.fetchrow(
        """
        WITH known AS (SELECT report FROM image_offers ORDER BY said_at DESC LIMIT 1)
        SELECT (SELECT report FROM known) AS report, coalesce(
            (SELECT CASE WHEN count(*) >= 3 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) END FROM (
                SELECT generation_time_seconds AS seconds FROM image_generations
                WHERE status = 'completed' AND generation_time_seconds IS NOT NULL AND aspect_ratio = $2
                  AND provider = coalesce($1, (SELECT report ->> 'default' FROM known))
                ORDER BY updated_at DESC LIMIT 20) AS alike),
            (SELECT avg(generation_time_seconds) FROM (
                SELECT generation_time_seconds FROM image_generations
                WHERE status = 'completed' AND generation_time_seconds IS NOT NULL
                ORDER BY updated_at DESC LIMIT 20) AS latest)
        ) AS seconds
        """,
        provider,
        aspect_ratio,
    )
    if row is None:  # a select without a table always gives a row
        return Prospect(None, None)
    offers = None if row["report"] is None else ProvidersReported.model_validate(row["report"])
    return Prospect(offers, row["seconds"])


async def select_description(
    connection: Connection, project_id: UUID, chapter_id: str, scene_number: int
) -> str | None:
    """Give the description under which a scene is registered; None where it is not."""
    description: str | None = await connection.fetchval(
        "SELECT description FROM scenes WHERE project_id = $1 AND chapter_id = $2 AND number = $3",
        project_id,
        chapter_id,
        scene_number,
    )
    return description
