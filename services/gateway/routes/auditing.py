"""Noting who did what, in the transaction that does it."""

from typing import Any
from uuid import UUID

import structlog

from services.gateway.routes.callers import Caller
from services.gateway.store.audit import AuditEntry, insert_audit
from shared.database import Connection


def entry(caller: Caller, action: str, subject_id: object, project_id: UUID | None, **details: Any) -> AuditEntry:
    """Give the entry of an act such as `customer.update`, whose first part says what its subject is."""
    return AuditEntry(
        project_id=project_id,
        actor=caller.user_id,
        action=action,
        subject_kind=action.partition(".")[0],
        subject_id=str(subject_id),
        details=details,
        trace_id=structlog.contextvars.get_contextvars().get("trace_id"),
    )


async def note(
    connection: Connection, caller: Caller, action: str, subject_id: object, project_id: UUID | None, **details: Any
) -> None:
    """Note one act."""
    await insert_audit(connection, [entry(caller, action, subject_id, project_id, **details)])
