"""Who belongs to a project, and as what."""

from typing import Final
from uuid import UUID

from services.gateway.rules.people import OWNER
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_COLUMNS: Final = "member.project_id, member.user_id, member.role, member.version, member.created_at, member.updated_at"


async def select_members(
    connection: Connection, project_id: UUID, place: tuple[object, ...] | None, limit: int
) -> list[Row]:
    """Select a page of a project's members and one more, from the first to the last who came."""
    conditions = Conditions(project_id, limit + 1)
    conditions.behind("(member.created_at, member.user_id)", place)
    return await fetch(
        connection,
        f"""
        SELECT {_COLUMNS} FROM members AS member WHERE member.project_id = $1 {conditions}
        ORDER BY member.created_at, member.user_id LIMIT $2
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_member(connection: Connection, project_id: UUID, user_id: str) -> Row | None:
    return await fetch_one(
        connection,
        f"SELECT {_COLUMNS} FROM members AS member WHERE project_id = $1 AND user_id = $2",  # noqa: S608 - of this file
        project_id,
        user_id,
    )


async def select_other_owner(connection: Connection, project_id: UUID, user_id: str) -> str | None:
    """Give somebody else who owns the project, where there is one."""
    owner: str | None = await connection.fetchval(
        "SELECT user_id FROM members WHERE project_id = $1 AND user_id <> $2 AND role = $3 LIMIT 1",
        project_id,
        user_id,
        OWNER,
    )
    return owner


async def select_member_ids(connection: Connection, project_id: UUID) -> list[str]:
    rows = await connection.fetch("SELECT user_id FROM members WHERE project_id = $1", project_id)
    return [row["user_id"] for row in rows]


async def upsert_member(connection: Connection, project_id: UUID, user_id: str, role: str) -> Row | None:
    return await fetch_one(
        connection,
        f"""
        INSERT INTO members AS member (project_id, user_id, role) VALUES ($1, $2, $3)
        ON CONFLICT (user_id, project_id) DO UPDATE
        SET role = excluded.role, version = member.version + 1, updated_at = now()
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - columns of this file
        project_id,
        user_id,
        role,
    )


async def delete_member(connection: Connection, project_id: UUID, user_id: str) -> None:
    await connection.execute("DELETE FROM members WHERE project_id = $1 AND user_id = $2", project_id, user_id)
