"""Reading the feed that clients follow."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.gateway.rules.feed import Extent
from services.gateway.store.tenancy import answering
from shared.database import Connection, Pool


@dataclass(slots=True)
class FeedRow:
    """One row of `events`, and how it is written to clients once it has been."""

    sequence: int
    project_id: UUID
    job_id: UUID | None
    parent_id: UUID | None
    root_id: UUID | None
    type: str
    at: datetime
    data: dict[str, Any]
    body: bytes | None = None


def reader(pool: Pool) -> Callable[[int, int], Awaitable[list[FeedRow]]]:
    """Give what reads the feed of all projects behind a sequence; the pool is that of the projections."""

    async def select_feed(after: int, limit: int) -> list[FeedRow]:
        async with answering():
            rows = await pool.fetch(
                """
                SELECT sequence, project_id, job_id, parent_id, root_id, type, at, data FROM events
                WHERE sequence > $1 ORDER BY sequence LIMIT $2
                """,
                after,
                limit,
            )
        return _feed(rows)

    return select_feed


def extent_of(pool: Pool) -> Callable[[], Awaitable[Extent]]:
    """Give what finds how far the feed goes; the pool is that of the projections."""

    async def select_feed_extent() -> Extent:
        async with answering():
            first, last, given = await pool.fetchval(
                """
                SELECT (min(sequence), max(sequence),
                        pg_sequence_last_value(pg_get_serial_sequence('events', 'sequence')::regclass)) FROM events
                """
            )
        return Extent(first or 0, last or 0, given or 0)

    return select_feed_extent


async def select_project_feed(
    connection: Connection, projects: list[UUID], after: int, limit: int, *, types: list[str] | None = None
) -> list[FeedRow]:
    rows = await connection.fetch(
        """
        SELECT page.* FROM unnest($1::uuid[]) AS project
        CROSS JOIN LATERAL (
            SELECT sequence, project_id, job_id, parent_id, root_id, type, at, data FROM events
            WHERE project_id = project AND sequence > $2 AND ($4::text[] IS NULL OR type = ANY ($4))
            ORDER BY sequence LIMIT $3
        ) AS page
        ORDER BY sequence LIMIT $3
        """,
        projects,
        after,
        limit,
        types,
    )
    return _feed(rows)


async def select_job_feed(
    connection: Connection, job_id: UUID, root_id: UUID, after: int, limit: int, *, types: list[str] | None = None
) -> list[FeedRow]:
    """Select what happened to a job and its children, or to the whole tree where the job is its root."""
    rows = await connection.fetch(
        """
        SELECT sequence, project_id, job_id, parent_id, root_id, type, at, data FROM events
        WHERE root_id = $2 AND $1 IN (job_id, parent_id, root_id) AND sequence > $3
          AND ($5::text[] IS NULL OR type = ANY ($5))
        ORDER BY sequence LIMIT $4
        """,
        job_id,
        root_id,
        after,
        limit,
        types,
    )
    return _feed(rows)


def _feed(rows: Sequence[asyncpg.Record]) -> list[FeedRow]:
    return [FeedRow(*row.values()) for row in rows]
