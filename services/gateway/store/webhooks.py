"""Webhooks: who is told what, and with which secrets that is signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

_SHOWN: Final = """
    webhook.id, webhook.project_id, webhook.url, webhook.event_types, webhook.description, webhook.active,
    webhook.disabled_reason, webhook.disabled_at, webhook.failing_since, webhook.version, webhook.created_by,
    webhook.created_at, webhook.updated_at,
    (SELECT max(expires_at) FROM webhook_secrets
     WHERE webhook_id = webhook.id AND expires_at > now()) AS previous_secret_expires_at
"""


@dataclass(frozen=True, slots=True)
class Disabled:
    """A webhook that was switched off because of its receiver."""

    project_id: UUID
    reason: str


async def select_webhooks(
    connection: Connection, projects: list[UUID], active: bool | None, cursor: Cursor | None, limit: int
) -> list[Row]:
    """Select a page of webhooks and one more, from the newest to the oldest."""
    conditions = Conditions(projects, limit + 1)
    conditions.add("webhook.active = {}", active)
    conditions.after(cursor, alias="webhook")
    return await fetch(
        connection,
        f"""
        SELECT {_SHOWN} FROM webhooks AS webhook WHERE webhook.project_id = ANY ($1) {conditions}
        ORDER BY webhook.created_at DESC, webhook.id DESC LIMIT $2
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


async def select_webhook(connection: Connection, projects: list[UUID], webhook_id: UUID) -> Row | None:
    return await fetch_one(
        connection,
        f"SELECT {_SHOWN} FROM webhooks AS webhook WHERE webhook.id = $2 AND webhook.project_id = ANY ($1)",  # noqa: S608 - columns of this file
        projects,
        webhook_id,
    )


async def lock_webhook(connection: Connection, projects: list[UUID], webhook_id: UUID) -> Row | None:
    """Select a webhook that is going to be changed; whoever else wants to change it waits."""
    locked = await connection.fetchval(
        "SELECT id FROM webhooks WHERE id = $2 AND project_id = ANY ($1) FOR NO KEY UPDATE", projects, webhook_id
    )
    return None if locked is None else await select_webhook(connection, projects, webhook_id)


async def select_webhook_count(connection: Connection, project_id: UUID) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM webhooks WHERE project_id = $1", project_id))


async def insert_webhook(connection: Connection, row: Mapping[str, Any]) -> None:
    await connection.execute(
        """
        INSERT INTO webhooks (id, project_id, url, event_types, description, active, disabled_reason, disabled_at,
                              created_by)
        VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN NOT $6 THEN 'by_request' END, CASE WHEN NOT $6 THEN now() END, $7)
        """,
        *(row[name] for name in ("id", "project_id", "url", "event_types", "description", "active", "created_by")),
    )


async def update_webhook(connection: Connection, webhook_id: UUID, row: Mapping[str, Any]) -> None:
    """Change a webhook as its owner wishes; switched on, or led elsewhere, it starts with a clean record."""
    await connection.execute(
        """
        UPDATE webhooks
        SET url = $2, event_types = $3, description = $4, active = $5, version = version + 1, updated_at = now(),
            disabled_reason = CASE WHEN NOT $5 THEN coalesce(disabled_reason, 'by_request') END,
            disabled_at = CASE WHEN NOT $5 THEN coalesce(disabled_at, now()) END,
            failing_since = CASE WHEN url = $2 AND (active OR NOT $5) THEN failing_since END
        WHERE id = $1
        """,
        webhook_id,
        *(row[name] for name in ("url", "event_types", "description", "active")),
    )


async def delete_webhook(connection: Connection, webhook_id: UUID) -> None:
    """Delete a webhook with its secrets and all that is known of its deliveries."""
    await connection.execute("DELETE FROM webhooks WHERE id = $1", webhook_id)


async def insert_secret(connection: Connection, webhook_id: UUID, project_id: UUID, secret: str) -> None:
    await connection.execute(
        "INSERT INTO webhook_secrets (webhook_id, project_id, secret) VALUES ($1, $2, $3)",
        webhook_id,
        project_id,
        secret,
    )


async def update_rotated(connection: Connection, webhook_id: UUID, project_id: UUID, secret: str, hours: float) -> None:
    """Sign with a new secret from now on, and with those before it only for so many hours more, at most two."""
    await connection.execute(
        """
        DELETE FROM webhook_secrets WHERE webhook_id = $1 AND created_at NOT IN (
            SELECT created_at FROM webhook_secrets
            WHERE webhook_id = $1 AND (expires_at IS NULL OR expires_at > now()) ORDER BY created_at DESC LIMIT 2)
        """,
        webhook_id,
    )
    await connection.execute(
        """
        UPDATE webhook_secrets SET expires_at = least(expires_at, now() + $2 * interval '1 hour')
        WHERE webhook_id = $1
        """,
        webhook_id,
        hours,
    )
    await insert_secret(connection, webhook_id, project_id, secret)
    await connection.execute("UPDATE webhooks SET version = version + 1, updated_at = now() WHERE id = $1", webhook_id)
