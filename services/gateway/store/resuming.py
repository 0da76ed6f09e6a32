"""Going on with requests that were paid for, once somebody outside has said what they are called."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from contracts.image_generation import GenerateImage
from services.gateway.rules.happenings import job_happening
from services.gateway.rules.jobs import job_of_command
from services.gateway.rules.retrying import OUTCOME_UNKNOWN, resumption_of
from services.gateway.store import projection
from services.gateway.store.reading import Row, fetch
from services.gateway.store.retrying import update_retried_jobs
from shared.database import Connection


async def upsert_told_request(connection: Connection, job_id: UUID, request_id: str) -> bool:
    """Note what a provider is said to call a request; tell whether a job could have any use for it."""
    return bool(
        await connection.fetchval(
            """
            INSERT INTO told_requests (job_id, project_id, request_id)
            SELECT id, project_id, $2 FROM jobs
            WHERE id = $1 AND kind = $3 AND state IN ('pending', 'in_progress', 'failed')
            ON CONFLICT (job_id) DO UPDATE SET request_id = excluded.request_id, told_at = now()
            RETURNING true
            """,
            job_id,
            request_id,
            GenerateImage.wire_name,
        )
    )


async def insert_resumptions(connection: Connection, job_ids: Sequence[UUID]) -> list[GenerateImage]:
    """Make the jobs that go on where these ended as `outcome_unknown` and it was said what their requests are called.

    Return their commands, which the caller says. Whoever calls holds the lock of the writers. What somebody has done
    again, or whose tree was cancelled or project deleted, is let be.
    """
    rows = await _select_ends(connection, job_ids)
    commands = {row["id"]: resumption_of(row, row["request_id"]) for row in rows}
    if not commands:
        return []
    now = datetime.now(UTC)
    jobs = [job_of_command(command, now) for command in commands.values()]
    await projection.insert_jobs(connection, jobs)
    await update_retried_jobs(connection, {job_id: command.job_id for job_id, command in commands.items()})
    await projection.insert_events(connection, [job_happening("job.submitted", job) for job in jobs])
    return list(commands.values())


async def _select_ends(connection: Connection, job_ids: Sequence[UUID]) -> list[Row]:
    """Select those of which something was said, or the last that went on with them and knew a wrong name."""
    return await fetch(
        connection,
        """
        WITH RECURSIVE first AS (
            SELECT id, retried_from, request FROM jobs WHERE id = ANY ($1)
            UNION
            SELECT before.id, before.retried_from, before.request
            FROM first JOIN jobs AS before ON before.id = first.retried_from WHERE first.request ? 'resumes'
        ), line AS (
            SELECT told.request_id, job.id, job.superseded_by FROM told_requests AS told
            JOIN jobs AS job ON job.id = told.job_id WHERE told.job_id IN (SELECT id FROM first)
            UNION
            SELECT line.request_id, next.id, next.superseded_by
            FROM line JOIN jobs AS next ON next.id = line.superseded_by WHERE next.request ? 'resumes'
        )
        SELECT line.request_id, job.id, job.kind, job.root_id, job.request, job.submitted_by
        FROM line JOIN jobs AS job USING (id)
        WHERE job.superseded_by IS NULL AND job.state = 'failed' AND job.error_code = $2 AND job.request IS NOT NULL
          AND job.request #>> '{resumes,request_id}' IS DISTINCT FROM line.request_id
          AND EXISTS (SELECT FROM projects WHERE projects.id = job.project_id)
          AND NOT EXISTS (SELECT FROM jobs AS above
                          WHERE above.id IN (job.parent_id, job.root_id) AND above.cancel_requested_at IS NOT NULL)
        """,
        list(job_ids),
        OUTCOME_UNKNOWN,
    )
