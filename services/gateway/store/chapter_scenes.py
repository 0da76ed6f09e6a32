"""The scenes of a chapter, with the images that are or shall be theirs."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.scenes import LARGEST_NUMBER
from services.gateway.store.changes import Changes
from services.gateway.store.images import VISIBLE
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

EDITED: Final = frozenset({"title", "description", "position"})
_SHOWN: Final = f"""
    scene.project_id, scene.chapter_id, scene.number, scene.title, scene.description, scene.position, scene.version,
    scene.created_at, scene.updated_at, generation.record_id, generation.task_id, generation.status,
    generation.retry_count, generation.progress, generation.scene_description, generation.error_code,
    generation.error_sentence, generation.updated_at AS drawn_at,
    CASE WHEN {VISIBLE} THEN generation.object_key END AS object_key, CASE WHEN {VISIBLE} THEN asset.id END AS image_id,
    CASE WHEN {VISIBLE} THEN asset.renditions END AS renditions
"""
_WITH_IMAGE: Final = """
    FROM scenes AS scene
    LEFT JOIN image_generations AS generation
        ON (generation.project_id, generation.chapter_id, generation.scene_number)
         = (scene.project_id, scene.chapter_id, scene.number)
    LEFT JOIN assets AS asset ON asset.id = generation.asset_id
"""


async def select_chapter_scenes(
    connection: Connection, project_id: UUID, chapter_id: str, place: tuple[object, ...] | None, limit: int
) -> list[Row]:
    """Select a page of a chapter's scenes and one more, in their order."""
    conditions = Conditions(project_id, chapter_id, limit + 1)
    conditions.behind("(scene.position, scene.number)", place)
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN} {_WITH_IMAGE} WHERE scene.project_id = $1 AND scene.chapter_id = $2 {conditions}
        ORDER BY scene.position, scene.number LIMIT $3
        """,
        *conditions.arguments,
    )


async def select_chapter_scene(
    connection: Connection, project_id: UUID, chapter_id: str, number: int, *, locked: bool = False
) -> Row | None:
    """Select a scene; `locked`: as it is once nobody else edits it."""
    if locked:
        await connection.execute(
            "SELECT FROM scenes WHERE project_id = $1 AND chapter_id = $2 AND number = $3 FOR NO KEY UPDATE",
            project_id,
            chapter_id,
            number,
        )
    return await fetch_one(
        connection,
        f"""
        SELECT {_SHOWN} {_WITH_IMAGE} WHERE scene.project_id = $1 AND scene.chapter_id = $2 AND scene.number = $3
        """,
        project_id,
        chapter_id,
        number,
    )


async def insert_chapter_scene(
    connection: Connection, project_id: UUID, chapter_id: str, number: int | None, fields: Mapping[str, Any]
) -> int | None:
    """Insert a scene, behind the last number where none is given; give its number, or None where it is taken."""
    inserted: int | None = await connection.fetchval(
        """
        INSERT INTO scenes (project_id, chapter_id, number, title, description, position)
        SELECT $1, $2, wanted, $4, $5, coalesce($6, wanted)
        FROM coalesce($3, (SELECT least(coalesce(max(number), 0) + 1, $7)
                           FROM scenes WHERE project_id = $1 AND chapter_id = $2)) AS wanted
        ON CONFLICT DO NOTHING
        RETURNING number
        """,
        project_id,
        chapter_id,
        number,
        fields["title"],
        fields["description"],
        fields["position"],
        LARGEST_NUMBER,
    )
    return inserted


async def update_chapter_scene(
    connection: Connection, project_id: UUID, chapter_id: str, number: int, changes: Mapping[str, Any]
) -> None:
    edit = Changes(changes, EDITED, project_id, chapter_id, number)
    await connection.execute(
        f"UPDATE scenes SET {edit} WHERE project_id = $1 AND chapter_id = $2 AND number = $3",  # noqa: S608 - ours
        *edit.arguments,
    )


async def delete_chapter_scene(connection: Connection, project_id: UUID, chapter_id: str, number: int) -> None:
    """Delete a scene with the record of its image; the image itself stays."""
    place = (project_id, chapter_id, number)
    await connection.execute(
        "DELETE FROM image_generations WHERE project_id = $1 AND chapter_id = $2 AND scene_number = $3", *place
    )
    await connection.execute("DELETE FROM scenes WHERE project_id = $1 AND chapter_id = $2 AND number = $3", *place)


async def select_drawings_under_way(
    connection: Connection, project_id: UUID, chapter_id: str, number: int | None = None
) -> int:
    """Count the images of a chapter, or of one of its scenes, that are being drawn."""
    count: int = await connection.fetchval(
        """
        SELECT count(*) FROM image_generations
        WHERE project_id = $1 AND chapter_id = $2 AND ($3::integer IS NULL OR scene_number = $3)
          AND status IN ('pending', 'in_progress')
        """,
        project_id,
        chapter_id,
        number,
    )
    return count
