"""What every worker understands and says about jobs."""

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.envelope import Command, Event, Instruction, Record, Report

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,60}$")]
"""A stable name of a reason; clients may branch on it."""

Sentence = Annotated[str, Field(max_length=500)]
"""What happened, in words that a person understands."""


class Child(Record):
    """A job that a parent brings into the world."""

    job_id: UUID
    kind: str = Field(description="wire name of the command it obeys")


class JobNews(Event):
    """What is common to all news of a job.

    News are ordered by `(lease_epoch, sequence)`: a worker that lost its lease cannot hide the news of its successor.
    """

    wire_name: ClassVar[str]
    kind: str = Field(description="wire name of the command that the job obeys")
    service: str
    lease_epoch: int = Field(ge=0, description="how often the job was leased")
    sequence: int = Field(ge=0, description="counts the news of the job")
    at: AwareDatetime = Field(description="by the clock of the worker's database")


class JobAccepted(JobNews):
    """Said when a job that the gateway did not make is taken in, and when one has waited longer than a second."""

    wire_name: ClassVar = "jobs.job_accepted.v1"
    waiting_for: str = Field(default="worker", description="`worker`, `pause`, `retry` or `limit`")
    next_attempt_at: AwareDatetime | None = Field(default=None, description="when it waits for a retry or a limit")


class JobStarted(JobNews):
    """Said when work has run longer than 100 ms."""

    wire_name: ClassVar = "jobs.job_started.v1"
    attempt: int = Field(ge=1)
    started_at: AwareDatetime
    worker: str = Field(description="host and process that run it")


class JobProgressed(JobNews):
    """Said while work runs, at most every 500 ms. Never outranks news of a state; may be lost."""

    wire_name: ClassVar = "jobs.job_progressed.v1"
    progress: float | None = Field(default=None, ge=0, le=1, description="share done; null when it cannot be known")
    stage: str | None = Field(default=None, max_length=80, description="what is being done now")


class JobRetryScheduled(JobNews):
    """Said when an attempt failed for a passing reason and another one will follow."""

    wire_name: ClassVar = "jobs.job_retry_scheduled.v1"
    attempt: int = Field(ge=0, description="the attempts that were used up so far")
    next_attempt_at: AwareDatetime
    code: Code
    sentence: Sentence
    waiting_for: str = Field(default="retry", description="`retry`, or `limit` where the other side asked for patience")


class JobChildrenNamed(JobNews):
    """Said by the transaction that ends a job, in pages, for the jobs that follow from it."""

    wire_name: ClassVar = "jobs.job_children_named.v1"
    children: tuple[Child, ...] = Field(max_length=500)


class JobCompleted(JobNews):
    """Said by the transaction that recorded the job's result."""

    wire_name: ClassVar = "jobs.job_completed.v1"
    attempt: int = Field(ge=1)
    started_at: AwareDatetime
    children_total: int = Field(default=0, ge=0, description="how many children were named")
    result: dict[str, Any] = Field(default_factory=dict, description="small facts for people; at most 4 KiB")


class JobFailed(JobNews):
    """Said when a job ended without its result; nobody will try again by himself."""

    wire_name: ClassVar = "jobs.job_failed.v1"
    attempt: int = Field(ge=0)
    started_at: AwareDatetime | None = None
    code: Code
    sentence: Sentence


class JobCancelled(JobNews):
    """Said when a job ended because somebody asked for it."""

    wire_name: ClassVar = "jobs.job_cancelled.v1"
    attempt: int | None = Field(default=None, ge=0, description="the one that was cancelled, or those used up so far")
    started_at: AwareDatetime | None = None


class JobUnknown(Report):
    """Said by a worker that was asked about a job it never heard of; the gateway says the command again."""

    wire_name: ClassVar = "jobs.job_unknown.v1"
    job_id: UUID


class CancelJob(Instruction):
    """End a job and its descendants, also those not yet born. Overtaking its command, it leaves a tombstone."""

    wire_name: ClassVar = "jobs.cancel_job.v1"
    job_id: UUID
    cancelled_by: str = Field(max_length=200)


class ReportJobs(Instruction):
    """Say again what was said of these jobs, or that they are unknown."""

    wire_name: ClassVar = "jobs.report_jobs.v1"
    job_ids: tuple[UUID, ...] = Field(max_length=1000)


class LookAgain(Instruction):
    """Somebody outside has hinted that there is news of these jobs: look now instead of later. It changes nothing else.

    What the hint itself says is not told: nobody believes it.
    """

    wire_name: ClassVar = "jobs.look_again.v1"
    job_ids: tuple[UUID, ...] = Field(max_length=1000)


class ReplayOutbox(Instruction):
    """Say again to one queue what was said since a moment, for it was created anew and may have missed it."""

    wire_name: ClassVar = "jobs.replay_outbox.v1"
    queue: str = Field(pattern=r"^diorama\.[a-z_]{1,40}$")
    routing_keys: tuple[str, ...] = Field(max_length=200, description="what the queue is bound to")
    since: AwareDatetime


_SAID_AT = "by the clock of the gateway's database; of two wishes for a kind the later one holds"


class PauseWork(Instruction):
    """Start no more jobs of a kind until it is resumed or the pause expires."""

    wire_name: ClassVar = "jobs.pause_work.v1"
    kind: str
    owner: str = Field(max_length=200)
    expires_at: AwareDatetime
    said_at: AwareDatetime | None = Field(default=None, description=_SAID_AT)


class ResumeWork(Instruction):
    """End the pause of a kind."""

    wire_name: ClassVar = "jobs.resume_work.v1"
    kind: str
    said_at: AwareDatetime | None = Field(default=None, description=_SAID_AT)


class DeadLetterFilter(Record):
    """Which dead letters of a service are meant: the conditions that are given hold together; without any, none is.

    A further condition makes a new version of what holds this: whoever ignored it would mean more than was asked for.
    """

    code: Code | None = None
    message_type: str | None = Field(default=None, max_length=200)
    received_after: AwareDatetime | None = Field(default=None, description="or at this moment")
    received_before: AwareDatetime | None = None


class DeadLetterInstruction(Instruction):
    """What is common to instructions about dead letters: the named ones are meant, and those that the filter finds."""

    wire_name: ClassVar[str]
    dead_letter_ids: tuple[UUID, ...] = Field(default=(), max_length=1000)
    filter: DeadLetterFilter | None = Field(default=None, description="absent: only the named ones")
    asked_by: str = Field(max_length=200)


class RedriveDeadLetters(DeadLetterInstruction):
    """Deliver dead letters once more, under their own ids, so that what was taken in meanwhile is recognised."""

    wire_name: ClassVar = "jobs.redrive_dead_letters.v1"


class DiscardDeadLetters(DeadLetterInstruction):
    """Give dead letters up: they are kept for their time and never delivered again."""

    wire_name: ClassVar = "jobs.discard_dead_letters.v1"


class MessageDeadLettered(Report):
    """Said when a message was set aside because it cannot be read or taken in."""

    wire_name: ClassVar = "jobs.message_dead_lettered.v1"
    dead_letter_id: UUID
    message_type: str | None = None
    job_id: UUID | None = None
    code: Code
    sentence: Sentence
    project_id: UUID | None = Field(default=None, description="of its job, where it could be read")
    message_id: str | None = Field(default=None, max_length=1000)
    topic: str | None = Field(default=None, max_length=1000, description="the routing key under which it came")
    size_bytes: int | None = Field(default=None, ge=0)
    excerpt: str | None = Field(default=None, max_length=2000, description="how its body begins")
    received_at: AwareDatetime | None = Field(default=None, description="by the clock of the service's database")
    redriven: bool = Field(default=False, description="it is delivered once more by itself, so nothing is lost yet")


class SettledLetter(Record):
    """A dead letter and what became of it."""

    dead_letter_id: UUID
    state: str = Field(description="`taken_in`, `said_again`, `dead`, `redriving`, `discarded` or `unknown`")
    job_id: UUID | None = None


class DeadLettersSettled(Report):
    """Said when dead letters were delivered once more or given up, and to whoever asked in vain: how they stand."""

    wire_name: ClassVar = "jobs.dead_letters_settled.v1"
    letters: tuple[SettledLetter, ...] = Field(max_length=1000)
    at: AwareDatetime = Field(description="by the clock of the service's database")


class WaitingWork(Record):
    """The jobs of one kind that a worker's service holds and has not ended."""

    kind: str
    waiting: int = Field(ge=0)
    running: int = Field(ge=0)
    oldest_waiting_at: AwareDatetime | None = Field(default=None, description="since when the first of them waits")


class WorkerReported(Report):
    """Said by every process of every service when it comes, every 10 s, and when it goes. May be lost."""

    wire_name: ClassVar = "jobs.worker_reported.v1"
    fleeting: ClassVar = True
    worker: str = Field(max_length=300, description="host and process, as in JobStarted")
    version: str = Field(max_length=100)
    started_at: AwareDatetime
    at: AwareDatetime = Field(description="by the clock of the process")
    state: str = Field(max_length=20, description="`working`, `stopping` while it lets its work end, or `stopped`")
    kinds: tuple[str, ...] = Field(default=(), max_length=200, description="wire names of the commands it obeys")
    capacity: int = Field(default=0, ge=0, description="jobs that it runs at once")
    running: int = Field(default=0, ge=0, description="jobs that it runs now")
    unacknowledged: int = Field(default=0, ge=0, description="messages delivered to it and not taken in yet")
    heard_per_second: float = Field(default=0, ge=0, description="messages taken in, since its last report")
    said_per_second: float = Field(default=0, ge=0, description="messages published, since its last report")
    oldest_unacknowledged_at: AwareDatetime | None = Field(
        default=None, description="when the first message that it has not taken in yet was said"
    )
    unsaid: int = Field(default=0, ge=0, description="messages in its service's outbox")
    memory_bytes: int | None = Field(default=None, ge=0, description="resident, without its children")
    work: tuple[WaitingWork, ...] = Field(default=(), max_length=200, description="of its whole service, by kind")


class CheckWorker(Command):
    """A job that does nothing, to see that jobs go there and back; obeyed by every worker under its own name."""

    wire_name: ClassVar = "jobs.check_worker.v1"
    service: str = Field(pattern=r"^[a-z_]{1,40}$")

    @property
    def routing_key(self) -> str:
        """The topic, closed by the worker that shall answer."""
        return f"jobs.check_worker.{self.service}"
