"""From the rows of a statement to plain dictionaries, by the names of the columns."""

from typing import Any, TypeAlias

from shared.database import Connection

Row: TypeAlias = dict[str, Any]


async def fetch(connection: Connection, sql: str, *arguments: Any) -> list[Row]:
    """Run a statement; give its rows."""
    return [dict(row) for row in await connection.fetch(sql, *arguments)]


async def fetch_one(connection: Connection, sql: str, *arguments: Any) -> Row | None:
    """Run a statement; give its first row."""
    row = await connection.fetchrow(sql, *arguments)
    return None if row is None else dict(row)
