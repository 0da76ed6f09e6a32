"""Failed jobs by their reason."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class FailuresFilter:
    """Which failures are asked for; None asks for all.

    Attributes:
        projects: of which projects; None: of everybody's.

    """

    projects: list[UUID] | None
    created_after: datetime
    created_before: datetime | None = None
    kind: str | None = None
    service: str | None = None


async def select_failures(connection: Connection, wanted: FailuresFilter, limit: int, newest: int) -> list[Row]:
    """Select the most frequent reasons of failures that nobody has done again, with the `newest` jobs of each.

    What failed in projects that were deleted is nobody's any more.
    """
    conditions = Conditions(wanted.created_after, limit, newest)
    conditions.add("job.project_id = ANY ({})", wanted.projects)
    conditions.add("job.created_at < {}", wanted.created_before)
    conditions.add("job.kind = {}", wanted.kind)
    conditions.add("job.service = {}", wanted.service)
    failed = "job.state = 'failed' AND job.superseded_by IS NULL AND job.error_code IS NOT NULL"
    failed = (
        f"{failed} AND job.created_at >= $1 AND EXISTS (SELECT FROM projects WHERE id = job.project_id) {conditions}"
    )
    return await fetch(
        connection,
        f"""
        WITH reason AS MATERIALIZED (
            SELECT job.error_code, job.kind, count(*) AS jobs, count(DISTINCT job.project_id) AS projects,
                   min(job.finished_at) AS first_at, max(job.finished_at) AS last_at
            FROM jobs AS job WHERE {failed}
            GROUP BY 1, 2 ORDER BY 3 DESC, last_at DESC, 1, 2 LIMIT $2
        )
        SELECT reason.*, example.ids, example.sentence, example.service
        FROM reason CROSS JOIN LATERAL (
            SELECT array_agg(found.id) AS ids, (array_agg(found.error_sentence))[1] AS sentence,
                   (array_agg(found.service))[1] AS service
            FROM (SELECT job.id, job.error_sentence, job.service FROM jobs AS job
                  WHERE {failed} AND job.error_code = reason.error_code AND job.kind = reason.kind
                  ORDER BY job.created_at DESC, job.id DESC LIMIT $3) AS found
        ) AS example
        ORDER BY reason.jobs DESC, reason.last_at DESC, reason.error_code, reason.kind
        """,  # noqa: S608 - conditions of this file
        *conditions.arguments,
    )
