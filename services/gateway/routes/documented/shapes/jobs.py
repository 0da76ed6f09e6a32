"""Jobs and their trees."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from services.gateway.routes.documented.shapes.drawings import Drawing
from services.gateway.routes.documented.shapes.examples import JOB, JOB_DETAIL
from services.gateway.routes.documented.shapes.pages import SkippedImage
from services.gateway.routes.documented.shapes.shape import (
    Count,
    ErrorTold,
    PageOf,
    Path,
    Shape,
    Share,
    Timestamp,
    shown,
)

State = Literal["pending", "in_progress", "completed", "failed", "cancelled"]


class JobLinks(Shape):
    """Where to go on from a job."""

    self: Path
    events: Path
    cancel: Path


class Job(Shape):
    """A job as every list and page shows it."""

    model_config = shown(JOB)

    id: UUID
    kind: str = Field(description="wire name of the command that it obeys")
    service: str = Field(description="who does it")
    state: State = Field(description="`completed`, `failed` and `cancelled` are ends and never change")
    project_id: UUID
    submitted_by: str
    parent_id: UUID | None
    root_id: UUID = Field(description="the first of its tree; its own id where nobody is its parent")
    pipeline: list[str] = Field(description="what should happen with each image")
    image_id: UUID | None = Field(description="the image whose maps it draws")
    about: str | None = Field(description="the address, the first of several, or the description that was asked for")
    progress: Share | None = Field(description="share done; null where it cannot be known")
    stage: str | None = Field(description="what is being done now")
    attempt: Count
    next_attempt_at: Timestamp | None
    waiting_for: Literal["worker", "pause", "retry", "limit"] | None = Field(description="why a pending job is pending")
    error: ErrorTold | None = Field(description="why it failed, or why its last attempt did")
    result: dict[str, Any] | None
    children_total: Count | None = Field(description="known once it has completed")
    cancel_requested_at: Timestamp | None
    retried_from: UUID | None = Field(description="the failed job that this one does again")
    retried_as: UUID | None = Field(description="the job that counts instead of this failed one")
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    updated_at: Timestamp
    links: JobLinks


class Failures(Shape):
    """Jobs of a tree that failed for one reason."""

    code: str | None
    sentence: str | None
    count: Count


class Tree(Shape):
    """All that follows from a job, summed up; a job that was retried is counted as its retry."""

    total: Count
    pending: Count
    in_progress: Count
    completed: Count
    failed: Count
    cancelled: Count
    ended: bool = Field(description="the job has ended, and so has everything that follows from it")
    failures: list[Failures] = Field(description="the most frequent reason first")


class ScrapedPage(Shape):
    """What a page was found to hold."""

    job_id: UUID
    url: str
    title: str | None
    images_found: Count
    images_skipped: Count
    skipped: list[SkippedImage] = Field(description="the first of them")


class Rejection(Shape):
    """Something that was offered as an image and will never become one."""

    job_id: UUID
    source: str | None = Field(description="its URL, or the key of the object")
    code: str
    sentence: str


class JobDetail(Job):
    """A job with all that is known of it."""

    model_config = shown(JOB_DETAIL)

    request: dict[str, Any] | None = Field(description="what was asked for")
    tree: Tree
    children: PageOf[Job]
    pages: list[ScrapedPage]
    rejections: list[Rejection]
    drawing: Drawing | None = Field(description="of jobs that draw pictures")


class Cancelled(Shape):
    """What was asked of the workers."""

    outcome: Literal["cancellation_requested", "already_ended"]
    jobs_told: Count
    job: Job


class Retried(Shape):
    """A failed job and the one that does it again."""

    id: UUID
    outcome: Literal["retried", "already_retried"]
    job: Job | None = Field(description="the new job; null where it was only asked what would be done")


class Resumed(Shape):
    """A drawing whose outcome was unknown, and the job that goes on with it."""

    id: UUID
    job: Job


class NotRetried(Shape):
    """A job that cannot be done again."""

    id: UUID
    code: str
    sentence: str


class RetriedJobs(Shape):
    """What becomes of jobs that shall be done again."""

    items: list[Retried]
    total: Count
    skipped: list[NotRetried]
    more: bool = Field(description="the filter finds more: ask again")
    dry_run: bool


class MapJobs(Shape):
    """The jobs that draw the maps of images."""

    items: list[Job]
    total: Count
    more: bool = Field(description="the filter finds more: ask again once these are done")


class DescribeJobs(Shape):
    """The jobs that describe images anew."""

    items: list[Job]
    total: Count
    more: bool = Field(description="the filter finds more: ask again, by a narrower filter")
