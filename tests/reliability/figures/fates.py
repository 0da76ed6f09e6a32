"""What became of accepted jobs: in the gateway, which clients see, and in the worker's table, which is the truth."""

from collections import Counter
from collections.abc import Collection, Mapping
from uuid import UUID

from contracts.envelope import routing_key_of
from contracts.jobs import JobCompleted
from deploy.database import WORKERS
from tests.journeys.end_state import Books
from tests.reliability.figures.lines import Line, exactly

DONE = ("completed", "completed")
ENDED = frozenset({"completed", "failed", "cancelled"})
Fates = Counter[tuple[str | None, str | None]]
"""How many jobs are in which state, first in the gateway, then in the worker; None where they are unknown."""


async def fates_of(books: Books, accepted: Mapping[UUID, str]) -> Fates:
    """Tell in which states jobs are; `accepted` has the service of each."""
    fates: Fates = Counter()
    for service in set(accepted.values()):
        rows = await books.rows(
            f"""
            SELECT jobs.state AS shown, tasks.state AS true, count(*) AS count
            FROM unnest($1::uuid[]) AS wanted (id)
            LEFT JOIN gateway.jobs ON jobs.id = wanted.id
            LEFT JOIN {service}.tasks ON tasks.id = wanted.id
            GROUP BY 1, 2
            """,
            [job_id for job_id, of in accepted.items() if of == service],
        )
        fates.update({(row["shown"], row["true"]): row["count"] for row in rows})
    return fates


async def doubled(books: Books, accepted: Mapping[UUID, str]) -> int:
    """Count jobs whose completion was recorded twice; said again it is still the same message."""
    count = 0
    for service in set(accepted.values()):
        count += await books.value(
            f"""
            SELECT count(*) FROM (
                SELECT job_id FROM {service}.said
                WHERE routing_key = $1 AND job_id = ANY ($2)
                GROUP BY job_id HAVING count(DISTINCT message_id) > 1
            ) AS twice
            """,
            routing_key_of(JobCompleted),
            [job_id for job_id, of in accepted.items() if of == service],
        )
    return count


async def unpromised(books: Books, accepted: Mapping[UUID, str], projects: Collection[UUID]) -> int:
    """Count jobs that were begun for these projects, though nobody was told of them."""
    tasks = " UNION ".join(
        f"SELECT id FROM {worker}.tasks WHERE project_id = ANY ($1) AND id = root_job_id" for worker in WORKERS
    )
    return int(
        await books.value(
            f"""
            SELECT count(*) FROM (
                (SELECT id FROM gateway.jobs WHERE project_id = ANY ($1) AND id = root_id UNION {tasks})
                EXCEPT SELECT unnest($2::uuid[])
            ) AS begun
            """,
            list(projects),
            list(accepted),
        )
    )


async def nothing_lost(books: Books, accepted: Mapping[UUID, str], *projects: UUID) -> list[Line]:
    """Hold that every accepted job was completed, once, and is known to be; and no other one of these projects."""
    fates = await fates_of(books, accepted)
    lost = sum(count for (shown, true), count in fates.items() if shown is None or true is None)
    never_ended = sum(count for (shown, _), count in fates.items() if shown not in ENDED)
    return [
        exactly("accepted jobs", f"{fates[DONE]:,} of {len(accepted):,} completed", _all_of(len(accepted))),
        exactly("lost", lost, 0),
        exactly("never ended", never_ended, 0),
        exactly("completed twice", await doubled(books, accepted), 0),
        exactly("jobs that nobody was promised", await unpromised(books, accepted, projects), 0),
    ]


def _all_of(jobs: int) -> str:
    return f"{jobs:,} of {jobs:,} completed"
