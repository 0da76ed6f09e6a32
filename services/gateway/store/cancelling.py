"""Cancelling: the wish is marked on a whole tree, and on every child that is born into it later."""

from collections.abc import Iterable
from uuid import UUID

from shared.database import Connection


async def update_tree_cancelled(connection: Connection, job_id: UUID, cancelled_by: str) -> dict[UUID, UUID | None]:
    """Mark a job and its known descendants; return those of them that have not ended, with their parents.

    Jobs that have ended are marked too, for the children that they have named and that are not known yet.
    """
    rows = await connection.fetch(
        """
        WITH RECURSIVE tree AS (
            SELECT id FROM jobs WHERE id = $1
            UNION
            SELECT child.id FROM jobs child JOIN tree ON child.parent_id = tree.id
        )
        UPDATE jobs
        SET cancel_requested_at = coalesce(cancel_requested_at, now()),
            cancel_requested_by = coalesce(cancel_requested_by, $2)
        FROM tree WHERE jobs.id = tree.id
        RETURNING jobs.id, jobs.parent_id, jobs.state
        """,
        job_id,
        cancelled_by,
    )
    return {row["id"]: row["parent_id"] for row in rows if row["state"] in {"pending", "in_progress"}}


async def update_born_cancelled(connection: Connection, born: Iterable[UUID]) -> list[tuple[UUID, str]]:
    """Mark those of the newly known jobs, and what descends from them, whose parents are to be cancelled.

    Return the jobs that have not ended, each with the name of who wished it.
    """
    rows = await connection.fetch(
        """
        WITH RECURSIVE doomed AS (
            SELECT child.id, parent.cancel_requested_by
            FROM jobs child JOIN jobs parent ON parent.id = child.parent_id
            WHERE child.id = ANY ($1) AND parent.cancel_requested_at IS NOT NULL
            UNION
            SELECT child.id, doomed.cancel_requested_by FROM jobs child JOIN doomed ON child.parent_id = doomed.id
        )
        UPDATE jobs
        SET cancel_requested_at = now(), cancel_requested_by = doomed.cancel_requested_by
        FROM doomed WHERE jobs.id = doomed.id AND jobs.cancel_requested_at IS NULL
        RETURNING jobs.id, jobs.cancel_requested_by, jobs.state
        """,
        list(born),
    )
    return [(row["id"], row["cancel_requested_by"]) for row in rows if row["state"] in {"pending", "in_progress"}]
