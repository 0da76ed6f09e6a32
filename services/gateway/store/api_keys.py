"""API keys: what is kept of them, and who may still use which."""

import hmac
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.rules.people import KeyOf
from services.gateway.store.pages import Conditions
from services.gateway.store.presenting import digest_of, present
from services.gateway.store.reading import Row, fetch, fetch_one
from services.gateway.store.tenancy import as_tenant, name_projects
from shared.database import Connection, Pool

_REMEMBERED: Final = 10_000
_SHOWN: Final = """
    id, project_id, name, scopes, created_by, created_at, expires_at, last_used_at, revoked_at, revoked_by
"""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that has not been revoked."""

    digest: bytes
    key: KeyOf
    scopes: frozenset[str]
    expires_at: datetime | None


class ApiKeys:
    """Remembers keys for a moment; one that was revoked works no longer than that."""

    def __init__(self, pool: Pool, *, seconds: float) -> None:
        self._pool = pool
        self._seconds = seconds
        self._known: OrderedDict[UUID, tuple[float, KnownKey]] = OrderedDict()

    async def shown(self, key_id: UUID, secret: str) -> KnownKey | None:
        """Give the key that was shown, and note that it was used; raises DatabaseAwayError."""
        digest = digest_of(secret)
        known = self._remembered(key_id)
        if known is not None and hmac.compare_digest(known.digest, digest):
            return known
        async with as_tenant(self._pool, ()) as connection:
            await present(connection, digest)
            row = await select_presented_key(connection, key_id, digest)
            if row is not None and row["used_long_ago"]:
                await name_projects(connection, [row["project_id"]])
                await update_last_used(connection, key_id)
        return None if row is None else self._remember(row)

    async def works(self, key: KeyOf) -> bool:
        """Tell whether a key that was shown before has still not been revoked; raises DatabaseAwayError."""
        if self._remembered(key.id) is not None:
            return True
        async with as_tenant(self._pool, [key.project_id]) as connection:
            row = await select_working_key(connection, key.id)
        return row is not None and bool(self._remember(row))

    def forget(self, key_id: UUID) -> None:
        """Look anew when the key is shown next."""
        self._known.pop(key_id, None)

    def _remembered(self, key_id: UUID) -> KnownKey | None:
        until, known = self._known.get(key_id, (0.0, None))
        return known if until > time.monotonic() else None

    def _remember(self, row: Row) -> KnownKey:
        key = KeyOf(row["id"], row["project_id"], row["created_by"])
        known = KnownKey(row["digest"], key, frozenset(row["scopes"]), row["expires_at"])
        self._known[key.id] = (time.monotonic() + self._seconds, known)
        self._known.move_to_end(key.id)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known


async def select_presented_key(connection: Connection, key_id: UUID, digest: bytes) -> Row | None:
    """Select the key whose digest the transaction presents."""
    return await fetch_one(
        connection,
        """
        SELECT id, project_id, created_by, scopes, digest, expires_at,
               coalesce(last_used_at < now() - interval '1 minute', true) AS used_long_ago
        FROM api_keys WHERE id = $1 AND digest = $2 AND revoked_at IS NULL
        """,
        key_id,
        digest,
    )


async def select_working_key(connection: Connection, key_id: UUID) -> Row | None:
    sql = """
        SELECT id, project_id, created_by, scopes, digest, expires_at FROM api_keys
        WHERE id = $1 AND revoked_at IS NULL
    """
    return await fetch_one(connection, sql, key_id)


async def update_last_used(connection: Connection, key_id: UUID) -> None:
    await connection.execute("UPDATE api_keys SET last_used_at = now() WHERE id = $1", key_id)


async def select_api_key(connection: Connection, projects: Sequence[UUID], key_id: UUID) -> Row | None:
    """Select a key of these projects that has not been revoked."""
    sql = f"SELECT {_SHOWN} FROM api_keys WHERE id = $1 AND project_id = ANY ($2) AND revoked_at IS NULL"  # noqa: S608
    return await fetch_one(connection, sql, key_id, projects)


async def select_api_keys(
    connection: Connection, projects: Sequence[UUID], after: Cursor | None, limit: int, *, revoked: bool
) -> list[Row]:
    """Select a page of keys and one more, from the newest; with `revoked` also those that work no more."""
    conditions = Conditions(projects, limit + 1, revoked)
    conditions.after(after, alias="api_keys")
    sql = f"""
        SELECT {_SHOWN} FROM api_keys
        WHERE project_id = ANY ($1) AND ($3 OR revoked_at IS NULL) {conditions}
        ORDER BY created_at DESC, id DESC LIMIT $2
    """  # noqa: S608 - the conditions' text is ours
    return await fetch(connection, sql, *conditions.arguments)


async def select_working_key_count(connection: Connection, project_id: UUID) -> int:
    sql = "SELECT count(*) FROM api_keys WHERE project_id = $1 AND revoked_at IS NULL"
    return int(await connection.fetchval(sql, project_id))


async def insert_api_key(connection: Connection, key: KeyOf, digest: bytes, asked: Row) -> Row:
    """Insert a key; `asked` has its name, scopes and end."""
    row = await fetch_one(
        connection,
        f"""
        INSERT INTO api_keys (id, project_id, created_by, digest, name, scopes, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_SHOWN}
        """,  # noqa: S608
        key.id,
        key.project_id,
        key.created_by,
        digest,
        asked["name"],
        asked["scopes"],
        asked["expires_at"],
    )
    if row is None:
        raise TypeError("a row that was inserted is given back")
    return row


async def update_revoked(connection: Connection, key_id: UUID, user_id: str) -> bool:
    """Revoke a key; tell whether it still worked."""
    sql = "UPDATE api_keys SET revoked_at = now(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL"
    return await connection.execute(sql, key_id, user_id) == "UPDATE 1"
