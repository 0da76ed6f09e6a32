"""What other systems have said over HTTP, and the jobs that it has become."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event by what its source calls it; the fields are columns of `received_events`.

    Attributes:
        fingerprint: tells apart what was said under one id.

    """

    project_id: UUID
    source: str
    id: str
    fingerprint: str
    job_id: UUID

    @property
    def name(self) -> tuple[UUID, str, str]:
        return (self.project_id, self.source, self.id)


async def select_received(
    connection: Connection, names: Sequence[tuple[UUID, str, str]]
) -> dict[tuple[UUID, str, str], ReceivedEvent]:
    """Select those of these events that were received before, by project, source and id."""
    projects, sources, ids = zip(*names, strict=True)
    rows = await connection.fetch(
        """
        SELECT project_id, source, id, fingerprint, job_id FROM received_events
        JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS asked (project_id, source, id)
        USING (project_id, source, id)
        """,
        projects,
        sources,
        ids,
    )
    received = [ReceivedEvent(**row) for row in rows]
    return {one.name: one for one in received}


async def insert_received(connection: Connection, events: Sequence[ReceivedEvent]) -> None:
    """Note events that are new."""
    await connection.execute(
        """
        INSERT INTO received_events (project_id, source, id, fingerprint, job_id)
        SELECT project_id, source, id, fingerprint, job_id FROM jsonb_populate_recordset(NULL::received_events, $1)
        """,
        events,
    )
