"""How the house stands: queues, processes, failures by reason, and how much was done."""

from datetime import date
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.shape import Count, PageOf, Shape, Timestamp, shown

Amount = Annotated[float, Field(ge=0)]
Warned = Literal["broker_away", "queue_missing", "no_consumer", "no_worker", "not_taken_over", "behind"]

_AT: Final = "2025-09-01T12:00:00.123456+00:00"
_ID: Final = "01990b6e-6c4d-7d4e-9a52-1f0c8c1d2e3f"
_KIND: Final = "media.fetch_media.v1"
_WORK: Final = {"kind": _KIND, "waiting": 12, "running": 4, "oldest_waiting_at": _AT, "paused": False}
_QUEUE: Final[dict[str, Any]] = {
    "service": "media",
    "queue": "diorama.media",
    "ready": 3,
    "unacknowledged": 200,
    "dead": 0,
    "consumers": 2,
    "workers": 2,
    "rate_in_per_second": 41.5,
    "rate_out_per_second": 40.0,
    "said_per_second": 80.2,
    "unsaid": 5,
    "oldest_age_seconds": 0.4,
    "warning": None,
    "sentence": None,
    "work": [_WORK],
}
_WORKER: Final[dict[str, Any]] = {
    "service": "media",
    "worker": "media-7d9f/1/9a521f0c",
    "version": "0.1.0",
    "state": "working",
    "kinds": [_KIND],
    "capacity": 16,
    "running": 4,
    "unacknowledged": 0,
    "heard_per_second": 20.1,
    "said_per_second": 40.0,
    "unsaid": 0,
    "memory_bytes": 104857600,
    "started_at": _AT,
    "last_heard_at": _AT,
    "silent_seconds": 3.2,
}
_FAILURE: Final[dict[str, Any]] = {
    "error_code": "fetch_timeout",
    "kind": _KIND,
    "service": "media",
    "jobs": 17,
    "projects": 2,
    "first_at": _AT,
    "last_at": _AT,
    "sentence": "example.org took longer than 60 s.",
    "newest_job_ids": [_ID],
    "retry_may_help": True,
    "may_have_been_paid_for": False,
    "retry": {"filter": {"error_code": "fetch_timeout", "kind": _KIND, "created_after": _AT, "everybody": True}},
}
_COUNTS: Final[dict[str, Any]] = {
    "jobs_completed": 120,
    "jobs_failed": 3,
    "jobs_cancelled": 1,
    "images_stored": 60,
    "bytes_stored": 73400320,
    "images_generated": 4,
    "generation_seconds": 21.5,
    "paid_calls": 4,
    "cost_micros": 12000,
}


class HeldWork(Shape):
    """The jobs of one kind that a service holds and has not ended."""

    model_config = shown(_WORK)

    kind: str
    waiting: Count
    running: Count
    oldest_waiting_at: Timestamp | None = Field(description="since when the first of them waits")
    paused: bool


class QueueStanding(Shape):
    """The queue of a service, and what is behind it."""

    model_config = shown(_QUEUE)

    service: str
    queue: str
    ready: Count | None = Field(description="messages that wait to be delivered; null: that is not known now")
    unacknowledged: Count = Field(description="delivered and not taken in yet, as the processes have reported")
    dead: Count | None = Field(description="given up by the broker, and not taken over by the service yet")
    consumers: Count | None
    workers: Count = Field(description="processes that have reported within 30 s")
    rate_in_per_second: Amount | None = Field(description="null until it was looked at twice")
    rate_out_per_second: Amount = Field(description="messages that the service takes in")
    said_per_second: Amount = Field(description="messages that the service publishes")
    unsaid: Count = Field(description="messages in its outbox")
    oldest_age_seconds: Amount | None = Field(
        description="at least so old is the oldest message; null where none waits, or nobody knows"
    )
    warning: Warned | None = Field(description="the gravest reason to look after it")
    sentence: str | None = Field(description="what to do about it")
    work: list[HeldWork]


class QueuePage(PageOf[QueueStanding]):
    """The queues of all services."""

    broker: bool = Field(description="whether the broker answers")


class WorkerStanding(Shape):
    """A process of a service, as it says itself."""

    model_config = shown(_WORKER)

    service: str
    worker: str = Field(description="host and process, as in the news of the jobs that it runs")
    version: str
    state: Literal["working", "stopping", "stopped", "gone"]
    kinds: list[str] = Field(description="the commands that it obeys")
    capacity: Count = Field(description="jobs that it runs at once")
    running: Count
    unacknowledged: Count
    heard_per_second: Amount
    said_per_second: Amount
    unsaid: Count
    memory_bytes: Count | None = Field(description="resident, without its children; null where it cannot tell")
    started_at: Timestamp
    last_heard_at: Timestamp
    silent_seconds: Amount


class RetryFilter(Shape):
    """What finds the jobs of a group."""

    error_code: str
    kind: str
    service: str | None = None
    project_id: UUID | None = None
    created_after: Timestamp | None = None
    created_before: Timestamp | None = None
    everybody: bool | None = None


class RetryOfFailure(Shape):
    """The body of `POST /jobs/retry` that means a group."""

    filter: RetryFilter


class Failure(Shape):
    """Jobs of one kind that failed for one reason and that nobody has done again."""

    model_config = shown(_FAILURE)

    error_code: str
    kind: str
    service: str
    jobs: Count
    projects: Count = Field(description="in how many projects")
    first_at: Timestamp | None
    last_at: Timestamp | None
    sentence: str | None = Field(description="of the newest of them")
    newest_job_ids: list[UUID]
    retry_may_help: bool = Field(description="the reason is one that passes")
    may_have_been_paid_for: bool = Field(description="done again they may cost once more")
    retry: RetryOfFailure


class FailurePage(PageOf[Failure]):
    """Reasons, the most frequent first."""

    more: bool = Field(description="there are more reasons than were asked for")
    created_after: Timestamp


class UsageCounts(Shape):
    """What was done."""

    jobs_completed: Count
    jobs_failed: Count
    jobs_cancelled: Count
    images_stored: Count = Field(description="without those that the project had already")
    bytes_stored: Count
    images_generated: Count
    generation_seconds: Amount = Field(description="those of each job once, however many pictures it drew")
    paid_calls: Count = Field(description="pictures whose provider is paid for each, also where none came of it")
    cost_micros: Count = Field(description="of those whose price is known, in millionths of a US dollar")


class UsageOf(UsageCounts):
    """What was done of one day, project, user or kind: those that were asked to be told apart."""

    model_config = shown({"day": "2025-09-01", "project_id": "3f2a1b0c-9d8e-5f7a-8b6c-5d4e3f2a1b0c", **_COUNTS})

    day: date | None = None
    project_id: UUID | None = None
    submitted_by: str | None = None
    kind: str | None = None


class UsagePage(PageOf[UsageOf]):
    """What was done, the newest day first."""

    more: bool = Field(description="there is more than was asked for: narrow the days, or tell less apart")
    total: UsageCounts = Field(description="of all that was asked for")
    since: date
    until: date
