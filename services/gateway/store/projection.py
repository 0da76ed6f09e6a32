"""Writing the jobs of the read model. A batch is one statement.

Whoever changes what is known of a job, or makes one under a parent, first takes the lock of the writers: so a
cancellation and the birth of a child never pass each other unseen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

import asyncpg

from contracts.image_generation import GenerateImage
from services.gateway.rules.event_types import PROGRESS
from services.gateway.rules.happenings import Happening, job_happening
from services.gateway.rules.jobs import JobRow
from services.gateway.store.facts import update_generation_states
from shared.database import Connection

_COLUMNS = tuple(field.name for field in fields(JobRow))

# Of a job that its worker ended, or that the gateway gave up, the end stands: whoever ended it has told its worker.
STILL_WANTED: Final = f"""
    job.ended_by_letter IS NOT NULL AND job.superseded_by IS NULL AND job.cancel_requested_at IS NULL
    AND EXISTS (SELECT FROM projects WHERE projects.id = job.project_id)
    AND (job.kind <> '{GenerateImage.wire_name}' OR EXISTS (SELECT FROM image_generations WHERE task_id = job.id)
         OR NOT EXISTS (SELECT FROM drawings WHERE task_id = job.id AND of_scene))
"""  # noqa: S608 - a name of ours
"""That the end of a `job` may be taken back: a dead letter ended it, nobody has done anything about it since, and its
project is there."""


async def lock_writers(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext('gateway.events'))")


async def select_job_rows(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, JobRow]:
    rows = await connection.fetch(
        f"""
        SELECT id, project_id, submitted_by, kind, service, parent_id, root_id, pipeline, created_at, updated_at, state,
               asset_id, request, progress, stage, attempt, next_attempt_at, waiting_for, error_code, error_sentence,
               result, children_total, lease_epoch, sequence, started_at, finished_at, unanswered_since,
               {STILL_WANTED} AS presumed
        FROM jobs AS job WHERE id = ANY ($1)
        """,  # noqa: S608 - a condition of this file
        list(ids),
    )
    return {row["id"]: _job_row(row) for row in rows}


def _job_row(row: asyncpg.Record) -> JobRow:
    return JobRow(**{column: row[column] for column in _COLUMNS})


_OF_LIVING_PROJECTS: Final = (
    "WITH living AS (SELECT id FROM projects WHERE id = ANY ($2) FOR KEY SHARE)",
    "WHERE project_id IN (SELECT id FROM living)",
)
"""Those projects are not deleted either before the transaction ends."""


async def insert_jobs(connection: Connection, jobs: Sequence[JobRow], *, living: bool = False) -> set[UUID]:
    """Insert jobs; where one is known already, keep only its command. Return the ids of those that are new.

    `living`: leave those out whose project was deleted.
    """
    projects, condition = _OF_LIVING_PROJECTS if living else ("", "")
    rows = await connection.fetch(
        f"""
        {projects}
        INSERT INTO jobs (id, project_id, submitted_by, kind, service, parent_id, root_id, pipeline, created_at,
                          updated_at, state, asset_id, request, waiting_for, lease_epoch, sequence)
        SELECT id, project_id, submitted_by, kind, service, parent_id, root_id, pipeline, created_at,
               updated_at, state, asset_id, request, waiting_for, lease_epoch, sequence
        FROM jsonb_populate_recordset(NULL::jobs, $1) {condition}
        ON CONFLICT (id) DO UPDATE SET request = excluded.request, asset_id = excluded.asset_id
        WHERE jobs.request IS NULL AND excluded.request IS NOT NULL
        RETURNING id, xmax = 0 AS born
        """,  # noqa: S608 - texts of this file
        jobs,
        *([list({job.project_id for job in jobs})] if living else []),
    )
    return {row["id"] for row in rows if row["born"]}


async def update_jobs(connection: Connection, jobs: Sequence[JobRow]) -> None:
    await connection.execute(
        """
        UPDATE jobs
        SET state = news.state, updated_at = news.updated_at, progress = news.progress, stage = news.stage,
            attempt = news.attempt, next_attempt_at = news.next_attempt_at, waiting_for = news.waiting_for,
            error_code = news.error_code, error_sentence = news.error_sentence, result = news.result,
            children_total = news.children_total, lease_epoch = news.lease_epoch, sequence = news.sequence,
            started_at = news.started_at, finished_at = news.finished_at, unanswered_since = NULL,
            ended_by_letter = NULL
        FROM jsonb_populate_recordset(NULL::jobs, $1) AS news
        WHERE jobs.id = news.id
        """,
        jobs,
    )


async def insert_job_children(connection: Connection, children: Sequence[dict[str, Any]]) -> None:
    await connection.execute(
        """
        INSERT INTO job_children (parent_id, child_id, project_id, kind)
        SELECT parent_id, child_id, project_id, kind FROM jsonb_populate_recordset(NULL::job_children, $1)
        ON CONFLICT DO NOTHING
        """,
        children,
    )


async def insert_events(connection: Connection, happenings: Sequence[Happening]) -> None:
    """Append to the feed, in this order, and note for each webhook what it is to be told."""
    await connection.execute(
        """
        WITH told AS (
            INSERT INTO events (project_id, job_id, parent_id, root_id, type, at, data)
            SELECT project_id, job_id, parent_id, root_id, type, at, data
            FROM jsonb_populate_recordset(NULL::events, $1)
            RETURNING sequence, project_id, type, at, data
        )
        INSERT INTO webhook_deliveries (webhook_id, project_id, sequence, type, at, data)
        SELECT webhook.id, told.project_id, told.sequence, told.type, told.at, told.data
        FROM told JOIN webhooks AS webhook ON webhook.project_id = told.project_id AND webhook.active
        WHERE told.type <> $2 AND (webhook.event_types = '{}' OR told.type = ANY (webhook.event_types)
                                   OR split_part(told.type, '.', 1) || '.*' = ANY (webhook.event_types))
        """,
        happenings,
        PROGRESS,
    )


async def tell_jobs(connection: Connection, type_: str, ids: Sequence[UUID]) -> list[JobRow]:
    """Tell clients how these jobs stand now, and have the scenes that they draw follow; return them."""
    if not ids:
        return []
    jobs = list((await select_job_rows(connection, ids)).values())
    await insert_events(connection, [job_happening(type_, job) for job in jobs])
    await update_generation_states(connection, ids)
    return jobs
