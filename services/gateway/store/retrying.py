"""Reading failed jobs that shall be done again, and writing what takes their place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.gateway.rules.retrying import COSTS_MONEY, NEVER_PAID_FOR
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch
from shared.database import Connection


@dataclass(frozen=True, slots=True)
class FailedFilter:
    """Which failed jobs are meant, those apart that were done again already; None asks for all.

    Attributes:
        projects: of which projects; None are those of everybody.

    """

    projects: list[UUID] | None
    kind: str | None = None
    service: str | None = None
    error_code: str | None = None
    parent_id: UUID | None = None
    root_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def select_failed_jobs(connection: Connection, wanted: FailedFilter, limit: int, *, locked: bool) -> list[Row]:
    """Select what a filter finds and can be done again, from the oldest to the newest.

    What cannot be is left out, so that it never stands in the way of the others.
    """
    conditions = Conditions(limit, COSTS_MONEY)
    conditions.add("job.project_id = ANY ({})", wanted.projects)
    conditions.add("job.kind = {}", wanted.kind)
    conditions.add("job.service = {}", wanted.service)
    conditions.add("job.error_code = {}", wanted.error_code)
    never_paid_for = list(NEVER_PAID_FOR) if wanted.error_code is None else None
    conditions.add("(job.kind <> $2 OR job.error_code = ANY ({}))", never_paid_for)
    conditions.add("job.parent_id = {}", wanted.parent_id)
    conditions.add("job.root_id = {}", wanted.root_id)
    conditions.add("job.created_at >= {}", wanted.created_after)
    conditions.add("job.created_at < {}", wanted.created_before)
    can_be = """job.state = 'failed' AND job.superseded_by IS NULL AND job.request IS NOT NULL
                AND about.project_there AND NOT about.tree_cancelled AND (job.kind <> $2 OR about.draws_scene)"""
    return await _select(connection, f"{can_be} {conditions}", conditions, locked=locked)


async def select_named_jobs(
    connection: Connection, projects: list[UUID] | None, ids: list[UUID], *, locked: bool
) -> list[Row]:
    """Select jobs by their ids, whatever their state; None are the projects of everybody."""
    conditions = Conditions(len(ids))
    conditions.add("job.id = ANY ({})", ids)
    conditions.add("job.project_id = ANY ({})", projects)
    return await _select(connection, f"true {conditions}", conditions, locked=locked)


async def _select(connection: Connection, condition: str, conditions: Conditions, *, locked: bool) -> list[Row]:
    return await fetch(
        connection,
        f"""
        SELECT job.id, job.project_id, job.kind, job.service, job.state, job.request, job.parent_id, job.root_id,
               job.superseded_by, job.ended_by_letter, about.project_there, about.tree_cancelled, about.draws_scene
        FROM jobs AS job CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM projects WHERE projects.id = job.project_id)          AS project_there,
                   EXISTS (SELECT FROM jobs AS above
                           WHERE above.id IN (job.parent_id, job.root_id) AND above.id <> job.id
                             AND above.cancel_requested_at IS NOT NULL)                        AS tree_cancelled,
                   EXISTS (SELECT FROM image_generations AS scene WHERE scene.task_id = job.id)
                   OR NOT EXISTS (SELECT FROM drawings AS drawn WHERE drawn.task_id = job.id AND drawn.of_scene)
                                                                                              AS draws_scene
        ) AS about
        WHERE {condition}
        ORDER BY job.created_at, job.id LIMIT $1 {"FOR NO KEY UPDATE OF job" if locked else ""}
        """,  # noqa: S608 - the conditions are texts of this file
        *conditions.arguments,
    )


async def update_retried_jobs(connection: Connection, retries: Mapping[UUID, UUID]) -> None:
    """Have new jobs count instead of failed ones, also for what waits for them; old ids to new ones."""
    pairs = (list(retries), list(retries.values()))
    await connection.execute(
        """
        UPDATE jobs
        SET superseded_by = CASE WHEN jobs.id = pair.old_id THEN pair.new_id ELSE superseded_by END,
            retried_from  = CASE WHEN jobs.id = pair.new_id THEN pair.old_id ELSE retried_from END
        FROM unnest($1::uuid[], $2::uuid[]) AS pair (old_id, new_id) WHERE jobs.id IN (pair.old_id, pair.new_id)
        """,
        *pairs,
    )
    await connection.execute(
        """
        WITH pair AS (
            SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS pair (old_id, new_id)
        ), drawn AS (
            UPDATE drawings SET task_id = pair.new_id FROM pair WHERE task_id = pair.old_id
        ), taken_in AS (
            UPDATE pictures SET upload_job_id = pair.new_id FROM pair
            WHERE upload_job_id = pair.old_id AND asset_id IS NULL
        )
        UPDATE image_generations
        SET task_id = pair.new_id, status = 'pending', retry_count = retry_count + 1, progress = NULL,
            last_attempted_at = NULL, error_code = NULL, error_sentence = NULL, updated_at = now()
        FROM pair WHERE task_id = pair.old_id
        """,
        *pairs,
    )
    await connection.execute(
        """
        UPDATE scene_media SET job_id = pair.new_id
        FROM unnest($1::uuid[], $2::uuid[]) AS pair (old_id, new_id) WHERE job_id = pair.old_id
        """,
        *pairs,
    )
    await connection.execute(
        """
        UPDATE uploads SET job_id = pair.new_id
        FROM unnest($1::uuid[], $2::uuid[]) AS pair (old_id, new_id) WHERE job_id = pair.old_id
        """,
        *pairs,
    )
    await connection.execute(
        """
        UPDATE assets SET deleting_job_id = pair.new_id
        FROM unnest($1::uuid[], $2::uuid[]) AS pair (old_id, new_id) WHERE deleting_job_id = pair.old_id
        """,
        *pairs,
    )
    await connection.execute(
        """
        UPDATE imported_tags SET job_id = pair.new_id
        FROM unnest($1::uuid[], $2::uuid[]) AS pair (old_id, new_id) WHERE job_id = pair.old_id
        """,
        *pairs,
    )
