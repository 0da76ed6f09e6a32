"""Image generation's SQL: what was asked of whom."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.database import Connection


@dataclass(frozen=True, slots=True)
class Generation:
    """What is known of a generation; `provider` is who was asked, `request_id` None where it gave no name."""

    provider: str
    request_id: str | None
    resume: dict[str, str]
    begun_before: bool


async def insert_generation(
    connection: Connection, job_id: UUID, project_id: UUID, provider: str, *, paid: bool
) -> Generation:
    """Write down that a provider is about to be asked; tell whether somebody was here before."""
    row = await connection.fetchrow(
        """
        INSERT INTO generations (job_id, project_id, provider, paid) VALUES ($1, $2, $3, $4)
        ON CONFLICT (job_id) DO UPDATE SET asked_at = now()
        RETURNING provider, request_id, resume, xmax <> 0 AS begun_before
        """,
        job_id,
        project_id,
        provider,
        paid,
    )
    if row is None:  # an upsert always gives its row
        raise LookupError(f"generation {job_id} was not written")
    return Generation(**row)


async def update_generation_request(
    connection: Connection, job_id: UUID, request_id: str, resume: dict[str, str]
) -> None:
    """Keep the provider's name for our request, before it is asked about."""
    await connection.execute(
        "UPDATE generations SET request_id = $2, resume = $3 WHERE job_id = $1", job_id, request_id, resume
    )


async def update_generation_done(connection: Connection, job_id: UUID, object_key: str, facts: dict[str, Any]) -> None:
    """Record what came of it."""
    await connection.execute(
        "UPDATE generations SET generated_at = now(), object_key = $2, facts = $3 WHERE job_id = $1",
        job_id,
        object_key,
        facts,
    )


async def delete_generation(connection: Connection, job_id: UUID) -> None:
    """Forget that a provider was asked, since it told us that it did not take the request."""
    await connection.execute("DELETE FROM generations WHERE job_id = $1", job_id)
