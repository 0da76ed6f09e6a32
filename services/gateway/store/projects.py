"""Projects as their members see them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.store.changes import Changes
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

EDITED: Final = frozenset({"name", "description"})
_COLUMNS: Final = """
    project.id, project.name, project.description, project.personal_of, project.version, project.created_at,
    project.updated_at
"""


async def select_projects(
    connection: Connection, user_id: str, projects: Sequence[UUID], cursor: Cursor | None, limit: int
) -> list[Row]:
    """Select a page of these projects and one more, from the newest to the oldest, with the user's role in each."""
    conditions = Conditions(user_id, limit + 1, list(projects))
    conditions.after(cursor, alias="project")
    return await fetch(
        connection,
        f"""
        SELECT {_COLUMNS}, member.role FROM members AS member JOIN projects AS project ON project.id = member.project_id
        WHERE member.user_id = $1 AND project.id = ANY ($3) {conditions}
        ORDER BY project.created_at DESC, project.id DESC LIMIT $2
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_project(connection: Connection, user_id: str, project_id: UUID) -> Row | None:
    """Select a project of which the user is a member, with his role."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_COLUMNS}, member.role FROM members AS member JOIN projects AS project ON project.id = member.project_id
        WHERE member.user_id = $1 AND project.id = $2
        """,  # noqa: S608 - columns of this file
        user_id,
        project_id,
    )


async def lock_project(connection: Connection, project_id: UUID) -> None:
    """Wait for whoever changes the project or its members; what is read in later statements stays as it is."""
    await connection.execute("SELECT FROM projects WHERE id = $1 FOR NO KEY UPDATE", project_id)


async def lock_project_with_work(connection: Connection, project_id: UUID) -> None:
    """Wait for whoever hands work in as well: later statements see all of it."""
    await connection.execute("SELECT FROM projects WHERE id = $1 FOR UPDATE", project_id)


async def keep_project(connection: Connection, project_id: UUID) -> bool:
    """Have nobody delete the project before this transaction ends; tell whether it is there."""
    return bool(await connection.fetchval("SELECT true FROM projects WHERE id = $1 FOR KEY SHARE", project_id))


async def keep_projects(connection: Connection, project_ids: Collection[UUID]) -> bool:
    """Have nobody delete these projects before this transaction ends; tell whether all of them are there."""
    rows = await connection.fetch("SELECT FROM projects WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE", project_ids)
    return len(rows) == len(project_ids)


async def insert_project(connection: Connection, project_id: UUID, name: str, description: str) -> Row | None:
    return await fetch_one(
        connection,
        f"""
        INSERT INTO projects AS project (id, name, description) VALUES ($1, $2, $3)
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - columns of this file
        project_id,
        name,
        description,
    )


async def update_project(connection: Connection, project_id: UUID, changes: Mapping[str, Any]) -> Row | None:
    edit = Changes(changes, EDITED, project_id)
    return await fetch_one(
        connection,
        f"UPDATE projects AS project SET {edit} WHERE id = $1 RETURNING {_COLUMNS}",  # noqa: S608 - texts of ours
        *edit.arguments,
    )


async def select_contents(connection: Connection, project_id: UUID, most: int) -> tuple[int, int]:
    """Count what a project holds, up to `most` of each: images, and jobs that have not ended."""
    row = await connection.fetchrow(
        """
        SELECT (SELECT count(*) FROM (
                   SELECT FROM assets WHERE project_id = $1 AND deleted_at IS NULL LIMIT $2) AS image) AS images,
               (SELECT count(*) FROM (
                   SELECT FROM jobs
                   WHERE project_id = $1 AND state IN ('pending', 'in_progress') LIMIT $2) AS unfinished) AS jobs
        """,
        project_id,
        most,
    )
    return (row["images"], row["jobs"]) if row else (0, 0)


async def delete_project(connection: Connection, project_id: UUID) -> None:
    """Delete a project with its members, chapters, scenes and customers; what was said of its jobs stays."""
    await connection.execute("DELETE FROM image_generations WHERE project_id = $1", project_id)
    for table in ("pictures", "drawings"):
        await connection.execute(f"DELETE FROM {table} WHERE project_id = $1", project_id)  # noqa: S608 - ours
    await connection.execute("DELETE FROM scene_media WHERE project_id = $1", project_id)
    await connection.execute("DELETE FROM projects WHERE id = $1", project_id)
