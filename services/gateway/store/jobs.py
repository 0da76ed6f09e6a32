"""Reading jobs and their trees."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.gateway.rules.cursors import Cursor
from services.gateway.rules.jobs import ABOUT_CHARACTERS
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

# What the worker said last, corrected by what the gateway knows: which kinds rest, and which pauses are over.
_WAITING_FOR: Final = """
    CASE WHEN job.waiting_for IN ('retry', 'limit') AND job.next_attempt_at > now() THEN job.waiting_for
         ELSE coalesce(
            (SELECT CASE WHEN expires_at > now() AND resumed_at IS NULL THEN 'pause' ELSE 'worker' END
             FROM work_pauses WHERE work_pauses.kind = job.kind),
            CASE job.waiting_for WHEN 'pause' THEN 'pause' ELSE 'worker' END) END
"""
_SHOWN: Final = f"""
    job.id, job.project_id, job.submitted_by, job.kind, job.service, job.state, job.parent_id, job.root_id,
    job.pipeline, job.asset_id, job.retried_from, job.progress, job.stage, job.attempt, job.next_attempt_at,
    {_WAITING_FOR} AS waiting_for, job.superseded_by, job.error_code, job.error_sentence, job.result,
    job.children_total, job.cancel_requested_at,
    left(coalesce(job.request ->> 'url', job.request -> 'urls' ->> 0, job.request ->> 'description'),
         {ABOUT_CHARACTERS}) AS about,
    job.created_at, job.started_at, job.finished_at, job.updated_at
"""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a client asks for; None asks for all."""

    ids: list[UUID] | None = None
    states: list[str] | None = None
    kind: str | None = None
    service: str | None = None
    error_code: str | None = None
    parent_id: UUID | None = None
    root_id: UUID | None = None
    roots_only: bool = False
    created_after: datetime | None = None
    created_before: datetime | None = None


async def select_jobs(
    connection: Connection, projects: list[UUID] | None, wanted: JobFilter, cursor: Cursor | None, limit: int
) -> list[Row]:
    """Select a page of jobs and one more, from the newest to the oldest; None are the projects of everybody."""
    conditions = Conditions(projects, limit + 1)
    conditions.add("job.id = ANY ({})", wanted.ids)
    conditions.add("job.state = ANY ({})", wanted.states)
    conditions.add("job.kind = {}", wanted.kind)
    conditions.add("job.service = {}", wanted.service)
    conditions.add("job.error_code = {}", wanted.error_code)
    conditions.add("job.parent_id = {}", wanted.parent_id)
    conditions.add("job.root_id = {}", wanted.root_id)
    conditions.add("(job.parent_id IS NULL) = {}", wanted.roots_only or None)
    conditions.add("job.created_at >= {}", wanted.created_after)
    conditions.add("job.created_at < {}", wanted.created_before)
    conditions.after(cursor, alias="job")
    everybodys = f"""
        SELECT {_SHOWN} FROM jobs AS job WHERE $1::uuid[] IS NULL {conditions}
        ORDER BY job.created_at DESC, job.id DESC LIMIT $2
    """  # noqa: S608 - columns and conditions are texts of this file
    # A page of each project, each read from its index, and the newest of them.
    of_projects = f"""
        SELECT page.* FROM unnest($1::uuid[]) AS project
        CROSS JOIN LATERAL (
            SELECT {_SHOWN} FROM jobs AS job
            WHERE job.project_id = project {conditions}
            ORDER BY job.created_at DESC, job.id DESC LIMIT $2
        ) AS page
        ORDER BY page.created_at DESC, page.id DESC LIMIT $2
    """  # noqa: S608 - the same
    return await fetch(connection, everybodys if projects is None else of_projects, *conditions.arguments)


async def select_job(connection: Connection, projects: list[UUID] | None, job_id: UUID) -> Row | None:
    """Select a job of these projects; None are the projects of everybody."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_SHOWN}, job.request FROM jobs AS job
        WHERE job.id = $1 AND ($2::uuid[] IS NULL OR job.project_id = ANY ($2))
        """,  # noqa: S608 - columns of this file
        job_id,
        projects,
    )


async def select_tree_counts(connection: Connection, job_id: UUID) -> list[Row]:
    """Count a job's descendants by state and error; a job that was retried is counted as its retry.

    `unnamed` counts the children that completed jobs have and that are not known yet, the job's own among them.
    """
    return await fetch(
        connection,
        """
        WITH RECURSIVE tree AS (
            SELECT id FROM jobs WHERE id = $1
            UNION
            SELECT child.id FROM jobs child JOIN tree ON child.parent_id = tree.id
        )
        SELECT job.state, job.error_code, min(job.error_sentence) AS error_sentence, job.id = $1 AS own,
               count(*) AS jobs,
               sum(greatest(0, job.children_total - named.children)) FILTER (WHERE job.children_total > 0) AS unnamed
        FROM tree JOIN jobs job USING (id)
        LEFT JOIN LATERAL (
            SELECT count(*) AS children FROM job_children WHERE parent_id = job.id AND job.children_total > 0
        ) named ON true
        WHERE job.superseded_by IS NULL OR job.id = $1
        GROUP BY job.state, job.error_code, own
        """,
        job_id,
    )


async def select_scraped_pages(connection: Connection, job_id: UUID, root_id: UUID, limit: int) -> list[Row]:
    """Select what the pages of a job, or of the whole tree where the job is its root, were found to hold."""
    return await fetch(
        connection,
        """
        SELECT job_id, url, title, images_found, images_skipped, skipped FROM scraped_pages
        WHERE root_job_id = $2 AND ($1 = $2 OR job_id = $1) ORDER BY seen_number LIMIT $3
        """,
        job_id,
        root_id,
        limit,
    )


async def select_page_facts(
    connection: Connection, job_id: UUID, root_id: UUID, after: tuple[int] | None, limit: int
) -> list[Row]:
    """Select what the same pages say of themselves, in the order in which they were heard of, one more than `limit`."""
    conditions = Conditions(job_id, root_id, limit + 1)
    conditions.behind("(seen_number)", after)
    return await fetch(
        connection,
        f"""
        SELECT seen_number, job_id, url, title, description, author, licence, published_at, modified_at, site_name,
               language, canonical_url, images_found, images_skipped, skipped, at
        FROM scraped_pages
        WHERE root_job_id = $2 AND ($1 = $2 OR job_id = $1){conditions}
        ORDER BY seen_number LIMIT $3
        """,  # noqa: S608 - the conditions' text is ours
        *conditions.arguments,
    )


async def select_rejections(connection: Connection, job_id: UUID, root_id: UUID, limit: int) -> list[Row]:
    """Select what was refused as media by a job, or in the whole tree where the job is its root."""
    return await fetch(
        connection,
        """
        SELECT job_id, coalesce(url, object_key) AS source, code, sentence FROM rejections
        WHERE root_job_id = $2 AND ($1 = $2 OR job_id = $1) ORDER BY at LIMIT $3
        """,
        job_id,
        root_id,
        limit,
    )
