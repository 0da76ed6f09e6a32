"""Chapters: what a project tells, and in which order."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.scenes import LARGEST_NUMBER
from services.gateway.store.changes import Changes
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

EDITED: Final = frozenset({"title", "description", "position", "script_id", "look"})
_COLUMNS: Final = """
    chapter.project_id, chapter.id, chapter.title, chapter.description, chapter.position, chapter.script_id,
    chapter.look, chapter.version, chapter.created_at, chapter.updated_at
"""


async def select_chapters(
    connection: Connection,
    projects: list[UUID],
    script_id: str | None,
    place: tuple[object, ...] | None,
    limit: int,
) -> list[Row]:
    """Select a page of chapters and one more, in their order."""
    conditions = Conditions(projects, limit + 1)
    conditions.add("chapter.script_id = {}", script_id)
    conditions.behind("(chapter.position, chapter.id, chapter.project_id)", place)
    return await fetch(
        connection,
        f"""
        SELECT page.* FROM unnest($1::uuid[]) AS project
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM chapters AS chapter WHERE chapter.project_id = project {conditions}
            ORDER BY chapter.position, chapter.id LIMIT $2
        ) AS page
        ORDER BY page.position, page.id, page.project_id LIMIT $2
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_namesakes(connection: Connection, projects: list[UUID], chapter_id: str) -> list[Row]:
    """Select the chapters that have this id, of which each project has at most one."""
    return await fetch(
        connection,
        f"""
        SELECT {_COLUMNS} FROM chapters AS chapter WHERE chapter.project_id = ANY ($1) AND chapter.id = $2
        ORDER BY chapter.project_id
        """,  # noqa: S608 - columns of this file
        projects,
        chapter_id,
    )


async def select_locked_chapter(connection: Connection, project_id: UUID, chapter_id: str) -> Row | None:
    """Select a chapter as it is once nobody else edits it."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_COLUMNS} FROM chapters AS chapter WHERE chapter.project_id = $1 AND chapter.id = $2 FOR NO KEY UPDATE
        """,  # noqa: S608 - columns of this file
        project_id,
        chapter_id,
    )


async def insert_chapter(
    connection: Connection, project_id: UUID, chapter_id: str, fields: Mapping[str, Any], position: int | None
) -> Row | None:
    """Insert a chapter, at the end where no position is given; None where the project has one of this id."""
    return await fetch_one(
        connection,
        f"""
        INSERT INTO chapters AS chapter (project_id, id, title, description, script_id, look, position)
        VALUES ($1, $2, $3, $4, $5, $6, coalesce($7, (
            SELECT least(coalesce(max(position), -1) + 1, $8) FROM chapters WHERE project_id = $1)))
        ON CONFLICT DO NOTHING
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - columns of this file
        project_id,
        chapter_id,
        fields["title"],
        fields["description"],
        fields["script_id"],
        fields["look"] or {},
        position,
        LARGEST_NUMBER,
    )


async def update_chapter(
    connection: Connection, project_id: UUID, chapter_id: str, changes: Mapping[str, Any]
) -> Row | None:
    edit = Changes(changes, EDITED, project_id, chapter_id)
    return await fetch_one(
        connection,
        f"UPDATE chapters AS chapter SET {edit} WHERE project_id = $1 AND id = $2 RETURNING {_COLUMNS}",  # noqa: S608 - ours
        *edit.arguments,
    )


async def delete_chapter(connection: Connection, project_id: UUID, chapter_id: str) -> None:
    """Delete a chapter with its scenes and their records; the images themselves stay."""
    await connection.execute(
        "DELETE FROM image_generations WHERE project_id = $1 AND chapter_id = $2", project_id, chapter_id
    )
    await connection.execute("DELETE FROM chapters WHERE project_id = $1 AND id = $2", project_id, chapter_id)


async def select_scene_counts(connection: Connection, project_id: UUID, chapter_id: str) -> dict[str, int]:
    """Count a chapter's scenes by the state of their images; `not_requested` are those without."""
    rows: Sequence[Row] = await fetch(
        connection,
        """
        SELECT coalesce(generation.status, 'not_requested') AS status, count(*) AS scenes
        FROM scenes AS scene
        LEFT JOIN image_generations AS generation
            ON (generation.project_id, generation.chapter_id, generation.scene_number)
             = (scene.project_id, scene.chapter_id, scene.number)
        WHERE scene.project_id = $1 AND scene.chapter_id = $2
        GROUP BY 1
        """,
        project_id,
        chapter_id,
    )
    return {row["status"]: row["scenes"] for row in rows}
