"""What clients are told when something happens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import Event
from services.gateway.rules.jobs import JobRow


@dataclass(slots=True)
class Happening:
    """Something that clients are told; the fields are columns of `events`."""

    project_id: UUID
    type: str
    at: datetime
    data: dict[str, Any]
    job_id: UUID | None = None
    parent_id: UUID | None = None
    root_id: UUID | None = None


def job_happening(type_: str, job: JobRow, at: datetime | None = None) -> Happening:
    """Tell how a job is now; a client lays this over what it knows of the job."""
    return Happening(
        project_id=job.project_id,
        type=type_,
        at=at or job.updated_at,
        data={"job": standing_of(job)},
        job_id=job.id,
        parent_id=job.parent_id,
        root_id=job.root_id,
    )


def standing_of(job: JobRow) -> dict[str, Any]:
    """Give the part of a job's reply that news can change, with what says which job it is."""
    return {
        "id": job.id,
        "kind": job.kind,
        "service": job.service,
        "parent_id": job.parent_id,
        "root_id": job.root_id,
        "state": job.state,
        "progress": job.progress,
        "stage": job.stage,
        "attempt": job.attempt,
        "next_attempt_at": job.next_attempt_at,
        "waiting_for": job.waiting_for,
        "error": error_of(job.error_code, job.error_sentence),
        "children_total": job.children_total,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def error_of(code: str | None, sentence: str | None) -> dict[str, Any] | None:
    """Give what went wrong as clients see it everywhere."""
    return None if code is None else {"code": code, "sentence": sentence}


def fact_happening(type_: str, fact: Event, at: datetime, **data: Any) -> Happening:
    """Tell a fact that was established in a job."""
    return Happening(
        project_id=fact.project_id,
        type=type_,
        at=at,
        data={"job_id": fact.job_id, "root_id": fact.root_job_id, **data},
        job_id=fact.job_id,
        parent_id=fact.parent_job_id,
        root_id=fact.root_job_id,
    )
