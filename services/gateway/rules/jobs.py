"""What a job's row becomes when news of it is heard."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts.depth_map import MapDepth
from contracts.envelope import Command, Lineage
from contracts.jobs import (
    CheckWorker,
    Child,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobNews,
    JobProgressed,
    JobRetryScheduled,
    JobStarted,
)

STATES: Final = ("pending", "in_progress", "completed", "failed", "cancelled")
ENDED: Final = frozenset({"completed", "failed", "cancelled"})
ABOUT_CHARACTERS: Final = 500
"""As much as a list shows of what a job was asked for."""
NEVER_HEARD_OF: Final = (0, -1)
"""The place in the order of news that any real news comes after."""


@dataclass(slots=True)
class JobRow:
    """A job as the read model keeps it; the fields are columns of `jobs`, and `presumed` is made of some.

    Attributes:
        presumed: it counts as failed only because its command seemed to be dead; what its worker says of it is true.

    """

    id: UUID
    project_id: UUID
    submitted_by: str
    kind: str
    service: str
    parent_id: UUID | None
    root_id: UUID
    pipeline: Sequence[str]
    created_at: datetime
    updated_at: datetime
    state: str = "pending"
    asset_id: UUID | None = None
    request: dict[str, Any] | None = None
    progress: float | None = None
    stage: str | None = None
    attempt: int = 0
    next_attempt_at: datetime | None = None
    waiting_for: str | None = "worker"
    error_code: str | None = None
    error_sentence: str | None = None
    result: dict[str, Any] | None = None
    children_total: int | None = None
    lease_epoch: int = field(default=NEVER_HEARD_OF[0])
    sequence: int = field(default=NEVER_HEARD_OF[1])
    started_at: datetime | None = None
    finished_at: datetime | None = None
    unanswered_since: datetime | None = None
    presumed: bool = False

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def about(self) -> str | None:
        """The address, the first of several, or the description that was asked for."""
        request = self.request or {}
        first = next(iter(request.get("urls") or ()), None)
        said = (request.get("url"), first, request.get("description"))
        told = next((one for one in said if one is not None), None)
        return None if told is None else str(told)[:ABOUT_CHARACTERS]


def job_of_command(command: Command, at: datetime) -> JobRow:
    """Give the row of a job whose command is known."""
    return JobRow(
        **_lineage(command),
        id=command.job_id,
        kind=command.wire_name,
        service=command.service if isinstance(command, CheckWorker) else command.addressed_service(),
        asset_id=command.asset_id if isinstance(command, MapDepth) else None,
        request=command.model_dump(mode="json", exclude_none=True),
        created_at=at,
        updated_at=at,
    )


def job_of_news(news: JobNews) -> JobRow:
    """Give the row of a job that is first heard of by its news."""
    return JobRow(
        **_lineage(news),
        id=news.job_id,
        kind=news.kind,
        service=news.service,
        created_at=news.at,
        updated_at=news.at,
    )


def job_of_child(child: Child, parent: JobNews) -> JobRow:
    """Give the row of a job that its parent names."""
    return JobRow(
        **_lineage(parent) | {"parent_id": parent.job_id},
        id=child.job_id,
        kind=child.kind,
        service=child.kind.split(".")[0],
        created_at=parent.at,
        updated_at=parent.at,
    )


def _lineage(message: Lineage) -> dict[str, Any]:
    return {
        "project_id": message.project_id,
        "submitted_by": message.submitted_by,
        "parent_id": message.parent_job_id,
        "root_id": message.root_job_id,
        "pipeline": message.pipeline,
    }


def apply_news(job: JobRow, news: JobNews) -> bool:
    """Change the row as the news says; tell whether anything was new in it.

    News that are older than what the row holds change nothing, and nothing changes a job that has ended, unless its end
    was only presumed. Progress changes what it measures and never the state.
    """
    place, held = (news.lease_epoch, news.sequence), (job.lease_epoch, job.sequence)
    if job.ended and (not job.presumed or isinstance(news, JobProgressed)):
        return False
    if isinstance(news, JobProgressed):
        if place < held:
            return False
        job.progress, job.stage, job.updated_at = news.progress, news.stage, news.at
        return True
    if place <= held or type(news) not in EVENT_TYPES:
        return False
    if job.presumed:
        _take_end_back(job)
    _change_state(job, news)
    job.lease_epoch, job.sequence = place
    job.updated_at = news.at
    return True


def _take_end_back(job: JobRow) -> None:
    job.state, job.waiting_for, job.presumed = "pending", "worker", False
    job.finished_at = job.error_code = job.error_sentence = None


def _change_state(job: JobRow, news: JobNews) -> None:
    match news:
        case JobAccepted():
            job.state, job.waiting_for, job.next_attempt_at = "pending", news.waiting_for, news.next_attempt_at
            if news.waiting_for not in {"retry", "limit"}:
                job.error_code = job.error_sentence = None
        case JobStarted():
            job.state, job.attempt, job.started_at = "in_progress", news.attempt, news.started_at
            job.waiting_for = job.next_attempt_at = job.error_code = job.error_sentence = None
        case JobRetryScheduled():
            job.state, job.waiting_for, job.attempt = "pending", news.waiting_for, news.attempt
            job.next_attempt_at, job.error_code, job.error_sentence = news.next_attempt_at, news.code, news.sentence
            job.progress = job.stage = None
        case JobCompleted():
            _end(job, "completed", news.at)
            job.attempt, job.started_at, job.progress = news.attempt, news.started_at, 1.0
            job.result, job.children_total = news.result, news.children_total
        case JobFailed():
            _end(job, "failed", news.at)
            job.attempt, job.started_at = news.attempt, news.started_at or job.started_at
            job.error_code, job.error_sentence = news.code, news.sentence
        case JobCancelled():
            _end(job, "cancelled", news.at)
            job.started_at = news.started_at or job.started_at
            job.attempt = job.attempt if news.attempt is None else news.attempt


def _end(job: JobRow, state: str, at: datetime) -> None:
    job.state, job.finished_at = state, at
    job.waiting_for = job.next_attempt_at = job.stage = job.error_code = job.error_sentence = None


EVENT_TYPES: Final[dict[type[JobNews], str]] = {
    JobAccepted: "job.accepted",
    JobStarted: "job.started",
    JobProgressed: "job.progressed",
    JobRetryScheduled: "job.retry_scheduled",
    JobCompleted: "job.completed",
    JobFailed: "job.failed",
    JobCancelled: "job.cancelled",
}
"""How the stream of a client names what happened to a job."""


def tree_has_ended(own_state: str, counts: dict[str, int], *, unnamed_children: int) -> bool:
    """Tell whether a job and all its named descendants have ended.

    `counts` holds the descendants by state; `unnamed_children` counts those that completed jobs of the tree say they
    have and that are not known yet.
    """
    return own_state in ENDED and unnamed_children <= 0 and not any(counts.get(state) for state in set(STATES) - ENDED)
