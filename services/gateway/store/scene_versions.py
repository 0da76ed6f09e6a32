"""The versions of scenes: which there are, and which of them people have chosen."""

from typing import Final
from uuid import UUID

from services.gateway.store.images import VISIBLE
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_SHOWN: Final = f"""
    picture.record_id, picture.project_id, picture.number, picture.task_id, picture.sample, picture.asset_id,
    picture.object_key, picture.width_px, picture.height_px, picture.provider, picture.model, picture.seed,
    picture.paid, picture.cost_micros, picture.generation_seconds, picture.generated_at,
    asset.renditions, asset.clean_copy ->> 'key' AS copy_key, NOT {VISIBLE} AS deleted,
    drawn.from_task_id, origin.number AS from_number, job.request, job.submitted_by,
    coalesce(drawn.created_at, job.created_at) AS requested_at,
    (scene.shown_task_id, scene.shown_sample) = (picture.task_id, picture.sample) AS shown
"""
_FROM: Final = """
    FROM pictures AS picture
    JOIN image_generations AS scene ON scene.record_id = picture.record_id
    LEFT JOIN drawings AS drawn ON drawn.task_id = picture.task_id
    LEFT JOIN pictures AS origin
        ON origin.task_id = drawn.from_task_id AND origin.sample = drawn.from_sample
       AND origin.record_id = picture.record_id
    LEFT JOIN jobs AS job ON job.id = picture.task_id
    LEFT JOIN assets AS asset ON asset.id = picture.asset_id
"""


async def select_records(
    connection: Connection, projects: list[UUID], chapter_id: str, scene_number: int, *, locked: bool = False
) -> list[Row]:
    """Select the records of a scene, of which each project has at most one, and what is chosen of each.

    `choices` counts what was ever chosen or taken back.
    """
    return await fetch(
        connection,
        f"""
        SELECT record_id, project_id, chapter_id, scene_number, script_id, user_tier, status, task_id, asset_id,
               object_key,
               CASE WHEN status IN ('pending', 'in_progress') THEN retry_count ELSE retry_count + 1 END AS take,
               (SELECT number FROM pictures AS picture
                WHERE (picture.task_id, picture.sample) = (shown_task_id, shown_sample)) AS shown,
               (SELECT number FROM picture_choices AS choice
                WHERE choice.record_id = scene.record_id AND undone_at IS NULL
                ORDER BY ordinal DESC LIMIT 1) AS chosen,
               (SELECT count(*) + count(undone_at) FROM picture_choices AS choice
                WHERE choice.record_id = scene.record_id) AS choices
        FROM image_generations AS scene
        WHERE project_id = ANY ($1) AND chapter_id = $2 AND scene_number = $3
        ORDER BY project_id {"FOR NO KEY UPDATE" if locked else ""}
        """,  # noqa: S608 - a text of this file
        projects,
        chapter_id,
        scene_number,
    )


async def select_versions(
    connection: Connection, record_id: UUID, place: tuple[object, ...] | None, limit: int
) -> list[Row]:
    """Select a page of a scene's versions and one more, from the newest to the oldest."""
    conditions = Conditions(record_id, limit + 1)
    conditions.behind("(picture.number)", place, descending=True)
    return await fetch(
        connection,
        f"SELECT {_SHOWN} {_FROM} WHERE picture.record_id = $1 {conditions} ORDER BY picture.number DESC LIMIT $2",
        *conditions.arguments,
    )


async def select_version(connection: Connection, record_id: UUID, number: int) -> Row | None:
    """Select one version of a scene."""
    return await fetch_one(
        connection,
        f"SELECT {_SHOWN} {_FROM} WHERE picture.record_id = $1 AND picture.number = $2",
        record_id,
        number,
    )


async def select_origin(connection: Connection, projects: list[UUID], asset_id: UUID) -> Row | None:
    """Select the picture that an image was drawn as, the newest where several came out the same, and its scene."""
    return await fetch_one(
        connection,
        """
        SELECT picture.sample, picture.number, picture.asset_id AS image_id, picture.width_px, picture.height_px,
               picture.provider AS service, picture.model AS model_used, picture.seed, picture.paid,
               picture.cost_micros, picture.task_id, scene.project_id, scene.chapter_id, scene.scene_number
        FROM pictures AS picture LEFT JOIN image_generations AS scene ON scene.record_id = picture.record_id
        WHERE picture.asset_id = $1 AND picture.project_id = ANY ($2)
        ORDER BY picture.generated_at DESC, picture.sample LIMIT 1
        """,
        asset_id,
        projects,
    )


async def insert_choice(connection: Connection, record_id: UUID, project_id: UUID, number: int, chosen_by: str) -> None:
    """Note that somebody has chosen a version; the writers' lock is held."""
    await connection.execute(
        """
        INSERT INTO picture_choices (record_id, ordinal, project_id, number, chosen_by)
        SELECT $1, coalesce(max(ordinal), 0) + 1, $2, $3, $4 FROM picture_choices WHERE record_id = $1
        """,
        record_id,
        project_id,
        number,
        chosen_by,
    )


async def update_choice_undone(connection: Connection, record_id: UUID) -> None:
    """Take back what was chosen last; what was chosen before it holds again."""
    await connection.execute(
        """
        UPDATE picture_choices SET undone_at = now()
        WHERE record_id = $1 AND ordinal = (
            SELECT max(ordinal) FROM picture_choices WHERE record_id = $1 AND undone_at IS NULL)
        """,
        record_id,
    )
