"""Reading the images of chapters and scenes."""

from uuid import UUID

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
               error_code, error_sentence, created_at, updated_at
        FROM image_generations
        WHERE project_id = ANY ($1) AND chapter_id = $2 AND ($3::integer IS NULL OR scene_number = $3)
        ORDER BY scene_number, updated_at DESC LIMIT $4
        """,
        projects,
        chapter_id,
        scene_number,
        limit,
    )


async def select_usual_seconds(connection: Connection) -> float | None:
    """Give the mean of the last twenty generations that this transaction may see; None where there was none."""
    seconds = await connection.fetchval(
        """
        SELECT avg(generation_time_seconds) FROM (
            SELECT generation_time_seconds FROM image_generations
            WHERE status = 'completed' AND generation_time_seconds IS NOT NULL
            ORDER BY updated_at DESC LIMIT 20
        ) AS latest
        """
    )
    return None if seconds is None else float(seconds)


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
