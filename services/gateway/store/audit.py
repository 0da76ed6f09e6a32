"""Who did what: entries that are written with the change that they tell of, and never changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch
from shared.database import Connection
from shared.identifiers import uuid7

_COLUMNS: Final = """
    entry.id, entry.project_id, entry.actor, entry.action, entry.subject_kind, entry.subject_id, entry.details,
    entry.at, entry.trace_id
"""


@dataclass(slots=True)
class AuditEntry:
    """One act; the fields are columns of `audit_entries`.

    Attributes:
        project_id: None for what operators do to no project.
        details: ids and names of fields, never what people wrote: entries outlive what they tell of.

    """

    project_id: UUID | None
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    details: dict[str, Any] = field(default_factory=dict)
    trace_id: str | None = None
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are asked for; None asks for all.

    Attributes:
        projects: of which projects; None also what operators did to none.

    """

    projects: list[UUID] | None
    action: str | None = None
    actor: str | None = None
    subject_kind: str | None = None
    subject_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def insert_audit(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Note acts in the transaction in which they are done."""
    if not entries:
        return
    await connection.execute(
        """
        INSERT INTO audit_entries (id, project_id, actor, action, subject_kind, subject_id, details, trace_id)
        SELECT id, project_id, actor, action, subject_kind, subject_id, details, trace_id
        FROM jsonb_populate_recordset(NULL::audit_entries, $1)
        """,
        entries,
    )


async def select_audit(connection: Connection, wanted: AuditFilter, cursor: Cursor | None, limit: int) -> list[Row]:
    """Select a page of entries and one more, from the newest to the oldest."""
    conditions = Conditions(wanted.projects, limit + 1)
    conditions.add("entry.action = {}", wanted.action)
    conditions.add("entry.actor = {}", wanted.actor)
    conditions.add("entry.subject_kind = {}", wanted.subject_kind)
    conditions.add("entry.subject_id = {}", wanted.subject_id)
    conditions.add("entry.at >= {}", wanted.created_after)
    conditions.add("entry.at < {}", wanted.created_before)
    conditions.behind("(entry.at, entry.id)", cursor, descending=True)
    everybodys = f"""
        SELECT {_COLUMNS} FROM audit_entries AS entry WHERE $1::uuid[] IS NULL {conditions}
        ORDER BY entry.at DESC, entry.id DESC LIMIT $2
    """  # noqa: S608 - columns and conditions are texts of this file
    of_projects = f"""
        SELECT page.* FROM unnest($1::uuid[]) AS project
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM audit_entries AS entry WHERE entry.project_id = project {conditions}
            ORDER BY entry.at DESC, entry.id DESC LIMIT $2
        ) AS page
        ORDER BY page.at DESC, page.id DESC LIMIT $2
    """  # noqa: S608 - the same
    return await fetch(connection, everybodys if wanted.projects is None else of_projects, *conditions.arguments)
