"""Which jobs of a cancelled tree workers must be told of: one of whom they are told takes its children along."""

from collections.abc import Mapping
from uuid import UUID


def spokesmen_of(open_jobs: Mapping[UUID, UUID | None]) -> list[UUID]:
    """Give the jobs whose cancellation covers all open ones, which are given with their parents.

    A worker that is told of a job also ends that job's children, and not their children.
    """
    children: dict[UUID | None, list[UUID]] = {}
    for job_id, parent_id in open_jobs.items():
        children.setdefault(parent_id, []).append(job_id)
    told: list[UUID] = []
    untold = [job_id for job_id, parent_id in open_jobs.items() if parent_id not in open_jobs]
    while untold:
        job_id = untold.pop()
        told.append(job_id)
        untold += [grandchild for child in children.get(job_id, ()) for grandchild in children.get(child, ())]
    return told
