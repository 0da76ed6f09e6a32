"""Who may see which project: the one place where membership is read."""

import time
from collections import OrderedDict
from uuid import UUID

from services.gateway.rules.people import personal_project_of
from services.gateway.store.tenancy import as_tenant
from shared.database import Connection, Pool

_REMEMBERED = 10_000


class Memberships:
    """Remembers users' projects for a moment; a membership that was withdrawn works no longer than that."""

    def __init__(self, pool: Pool, *, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        self._known: OrderedDict[str, tuple[float, dict[UUID, str]]] = OrderedDict()
        self._forgotten = 0

    async def of(self, user_id: str) -> dict[UUID, str]:
        """Give the user's roles by project, the personal one first; it is made when the user is seen first.

        Raises DatabaseAwayError.
        """
        known = self._known.get(user_id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        forgotten = self._forgotten
        roles = await self._read(user_id)
        if forgotten != self._forgotten:
            return roles  # and what was read may be older than what was changed meanwhile
        self._known[user_id] = (time.monotonic() + self._seconds, roles)
        self._known.move_to_end(user_id)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return roles

    def forget(self, user_id: str) -> None:
        """Read the user's memberships anew when they are asked for next: they have been changed."""
        self._forgotten += 1
        self._known.pop(user_id, None)

    async def _read(self, user_id: str) -> dict[UUID, str]:
        personal = personal_project_of(user_id)
        async with as_tenant(self._pool, [personal]) as connection:
            roles = await select_memberships(connection, user_id)
            if personal not in roles:
                await insert_personal_project(connection, personal, user_id)
        return {personal: "owner"} | roles


async def select_memberships(connection: Connection, user_id: str) -> dict[UUID, str]:
    """Select a user's roles by project."""
    await connection.execute("SELECT set_config('diorama.user', $1, true)", user_id)
    rows = await connection.fetch(
        "SELECT project_id, role FROM members WHERE user_id = $1 ORDER BY created_at", user_id
    )
    return {row["project_id"]: row["role"] for row in rows}


async def select_membership_count(connection: Connection, user_id: str, most: int) -> int:
    """Count the projects that a user belongs to, up to `most`, whoever asks."""
    await connection.execute("SELECT set_config('diorama.user', $1, true)", user_id)
    count: int = await connection.fetchval(
        "SELECT count(*) FROM (SELECT FROM members WHERE user_id = $1 LIMIT $2) AS counted", user_id, most
    )
    await connection.execute("SELECT set_config('diorama.user', '', true)")
    return count


async def insert_personal_project(connection: Connection, project_id: UUID, user_id: str) -> None:
    await connection.execute(
        """
        INSERT INTO projects (id, name, personal_of) VALUES ($1, 'Personal', $2)
        ON CONFLICT DO NOTHING
        """,
        project_id,
        user_id,
    )
    await connection.execute(
        """
        INSERT INTO members (project_id, user_id, role) VALUES ($1, $2, 'owner')
        ON CONFLICT DO NOTHING
        """,
        project_id,
        user_id,
    )
