"""A job as its handler sees it: the command, progress, and fenced transactions that record and say."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from pydantic import ValidationError

from contracts.envelope import Command, Lineage, Message
from contracts.jobs import (
    Child,
    JobAccepted,
    JobCancelled,
    JobChildrenNamed,
    JobCompleted,
    JobFailed,
    JobNews,
    JobProgressed,
    JobRetryScheduled,
    JobStarted,
)
from shared import tasks
from shared.database import Connection, Pool
from shared.errors import Refused, printable
from shared.outbox import Outbox, Saying, Transaction
from shared.retry import Verdict
from shared.tasks import Lease, Settlement

C = TypeVar("C", bound=Command)
N = TypeVar("N", bound=JobNews)

_CHILDREN_A_PAGE = 500
_RESULT_BYTES = 4096
_PROGRESS_SECONDS = 0.5
_LONG_RECORDING_SECONDS = 1.0
_STAGE_CHARACTERS = 80
_UNKNOWN = "unknown"


class LostLease(Exception):
    """The lease was lost while the work ran: whatever the transaction did is undone, and nothing is said."""


class Clock:
    """The database's clock, read now and then and carried on in between."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def set(self, database_now: datetime) -> None:
        """Note what the database's clock says."""
        self._ahead = database_now - datetime.now(UTC)

    def now(self) -> datetime:
        """Give the time by the database's clock."""
        return datetime.now(UTC) + self._ahead


STARTED = 1
"""The number of JobStarted in its lease epoch: always before whatever else is said, whenever it is said."""


def news(
    news_class: type[N], lineage: Mapping[str, Any], kind: str, service: str, *, epoch: int, sequence: int, **facts: Any
) -> N:
    """Make news of a job from the lineage fields of its command."""
    known = {name: lineage[name] for name in Lineage.model_fields if name in lineage}
    return news_class(**known, kind=kind, service=service, lease_epoch=epoch, sequence=sequence, **facts)


def lineage_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give the lineage fields of a task's row; of a command that this version cannot read, those it has columns for.

    The row has `id, command, project_id, parent_job_id, root_job_id`.
    """
    try:
        return Lineage.model_validate(row["command"]).model_dump()
    except ValidationError:
        columns = {name: row[name] for name in ("project_id", "parent_job_id", "root_job_id")}
        return {**columns, "job_id": row["id"], "submitted_by": _UNKNOWN}


@dataclass(frozen=True, slots=True)
class Bench:
    """What all jobs of a process share."""

    service: str
    pool: Pool
    outbox: Outbox
    clock: Clock
    worker: str
    own_kinds: frozenset[type[Command]]
    say_progress: Callable[[Message, str | None], None]


class Completion(Transaction):
    """The transaction that ends a job: what is written and said here becomes true together with the end."""

    def __init__(
        self, connection: Connection, outbox: Outbox, traces: Mapping[UUID, str | None], own: frozenset[type[Command]]
    ) -> None:
        super().__init__(connection, outbox, traces)
        self._own_kinds = own
        self.children: dict[UUID, str] = {}
        self.facts: dict[str, Any] = {}

    def result(self, **facts: Any) -> None:
        """Set small facts for people, shown with the job."""
        self.facts.update(facts)

    def follow(self, command: Command) -> None:
        """Have a child job follow: a task of our own where the kind is ours, a command to its service otherwise."""
        self.name_child(command.job_id, command.wire_name)
        if type(command) in self._own_kinds:
            self.work(command)
        else:
            self.say(command)

    def name_child(self, job_id: UUID, kind: str) -> None:
        """Name a child job that another service makes when it hears a fact that is said here."""
        self.children[job_id] = kind


class Job(Generic[C]):
    """One attempt at one command, under a lease."""

    def __init__(self, command: C, lease: Lease, bench: Bench, traceparent: str | None) -> None:
        self.command = command
        self.id = command.job_id
        self.attempt = lease.attempt
        self.lease_epoch = lease.epoch
        self.started_at = lease.started_at
        self.traceparent = traceparent
        self.lease = lease
        self.settled = False
        self.hinted = asyncio.Event()
        """Set where somebody outside has hinted that there is news; whoever waits for some clears it and looks."""
        self.cancel_requested = False
        """Somebody asked for the job's end; without it a cancelled handler was only stopped or replaced."""
        self.lease_lost = False
        """Another attempt may have the job by now; whoever goes on all the same is interrupted again by a stop."""
        self.overdue = False
        """Its deadline has passed: a handler may raise Refused then, where it can tell more than that."""
        self.share: float | None = None
        self.stage: str | None = None
        self._bench = bench
        self._sequence = STARTED
        self._progress_due = 0.0

    def progress(self, share: float | None, stage: str | None = None) -> None:
        """Tell how far the work is, 0 to 1; cheap, throttled, and never in the way of the work."""
        self.share = None if share is None or share != share else min(1.0, max(0.0, share))  # noqa: PLR0124 - NaN
        self.stage = None if stage is None else printable(stage, _STAGE_CHARACTERS)
        now = asyncio.get_running_loop().time()
        if now >= self._progress_due and not self.settled:
            self._progress_due = now + _PROGRESS_SECONDS
            self._bench.say_progress(self.news(JobProgressed, progress=self.share, stage=self.stage), self.traceparent)

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[Transaction]:
        """Open a fenced transaction in the middle of the work, for facts that are already true.

        Raises LostLease when the lease does not hold any more.
        """
        async with self._bench.outbox.transaction(self._bench.pool, {self.id: self.traceparent}) as tx:
            if not await tasks.lock_lease(tx.connection, self.lease):
                raise LostLease(str(self.id))
            long_after = asyncio.get_running_loop().time() + _LONG_RECORDING_SECONDS
            yield tx
            if asyncio.get_running_loop().time() > long_after:
                await tasks.prolong_lease(tx.connection, self.lease)

    @asynccontextmanager
    async def without_lease(self) -> AsyncIterator[Transaction]:
        """Open a transaction for what is true whoever works on the job now, where the lease was lost.

        No lease guards it: whatever it writes, and says of that, has to be guarded by what it is written onto.
        """
        async with self._bench.outbox.transaction(self._bench.pool, {self.id: self.traceparent}) as tx:
            yield tx

    @asynccontextmanager
    async def completing(self) -> AsyncIterator[Completion]:
        """Open the transaction that completes the job; raises LostLease, and undoes all, when the lease is lost."""
        async with self._ending() as tx:
            yield tx
            await tx.flush()
            await self._settle(tx, self.completion(tx.children, tx.facts))
        self.settled = True

    @asynccontextmanager
    async def failing(self, code: str, sentence: str) -> AsyncIterator[Completion]:
        """Open the transaction that ends the job as failed, where that is to be said together with other facts.

        What was handed on before it failed is named as in `completing`.
        """
        async with self._ending() as tx:
            yield tx
            await tx.flush()
            verdict = Verdict(code, printable(sentence), None, self.attempt)
            named = self._encode(self._naming(tx.children))
            failure = self.failure(verdict)
            await self._settle(tx, replace(failure, sayings=(*named, *failure.sayings)))
        self.settled = True

    @asynccontextmanager
    async def _ending(self) -> AsyncIterator[Completion]:
        bench = self._bench
        async with bench.pool.acquire() as connection:
            tx = Completion(connection, bench.outbox, {self.id: self.traceparent}, bench.own_kinds)
            async with bench.outbox.committing(tx):
                yield tx
                tx.after_commit(bench.outbox.wake.set)

    async def _settle(self, tx: Completion, settlement: Settlement) -> None:
        if not await tasks.settle_tasks(tx.connection, [settlement]):
            raise LostLease(str(self.id))

    def news(self, news_class: type[N], **facts: Any) -> N:
        """Make news of this job, numbered after what was said before under this lease."""
        self._sequence += 1
        return self._news(news_class, self._sequence, **facts)

    def _news(self, news_class: type[N], sequence: int, **facts: Any) -> N:
        return news(
            news_class,
            self.command.own_lineage(),
            self.command.wire_name,
            self._bench.service,
            epoch=self.lease.epoch,
            sequence=sequence,
            at=self._bench.clock.now(),
            **facts,
        )

    def completion(self, children: Mapping[UUID, str], facts: Mapping[str, Any]) -> Settlement:
        """Say which children follow and that the job is done; raises Refused when its result cannot be said."""
        try:
            result = _sayable(dict(facts))
            if len(orjson.dumps(result)) > _RESULT_BYTES:
                raise Refused("result_too_large", f"Its result has more than {_RESULT_BYTES} bytes.")
            return self._completion(children, result)
        except (ValueError, TypeError, RecursionError) as error:
            sentence = f"What came of it cannot be said: {type(error).__name__}."
            raise Refused("result_unsayable", sentence) from error

    def _completion(self, children: Mapping[UUID, str], result: dict[str, Any]) -> Settlement:
        said = self._naming(children)
        said.append(
            self.news(
                JobCompleted,
                attempt=self.attempt,
                started_at=self.started_at,
                children_total=len(children),
                result=result,
            )
        )
        return Settlement(self.lease, "completed", self.attempt, sayings=self._encode(said))

    def _naming(self, children: Mapping[UUID, str]) -> list[Message]:
        named = [Child(job_id=job_id, kind=kind) for job_id, kind in children.items()]
        pages = [named[start : start + _CHILDREN_A_PAGE] for start in range(0, len(named), _CHILDREN_A_PAGE)]
        return [self.news(JobChildrenNamed, children=tuple(page)) for page in pages]

    def started(self) -> Saying:
        """Say that the work has begun."""
        begun = self._news(
            JobStarted, STARTED, attempt=self.attempt, started_at=self.started_at, worker=self._bench.worker
        )
        return self._encode([begun])[0]

    def failure(self, verdict: Verdict) -> Settlement:
        """Say that the attempt failed, and whether another one follows."""
        reason = {"code": verdict.code, "sentence": verdict.sentence}
        attempts = verdict.attempts_used
        if verdict.retry_in_seconds is None:
            said = self.news(JobFailed, attempt=attempts, started_at=self.started_at, **reason)
            return self._settlement("failed", verdict, self._encode([said]))
        next_at = self._bench.clock.now() + timedelta(seconds=verdict.retry_in_seconds)
        reason["waiting_for"] = "limit" if verdict.limited else "retry"
        retry = self.news(JobRetryScheduled, attempt=attempts, next_attempt_at=next_at, **reason)
        return self._settlement("pending", verdict, self._encode([retry]))

    def _settlement(self, state: tasks.State, verdict: Verdict, sayings: tuple[Saying, ...]) -> Settlement:
        return Settlement(
            self.lease,
            state,
            verdict.attempts_used,
            retry_in_seconds=verdict.retry_in_seconds or 0.0,
            code=verdict.code,
            sentence=verdict.sentence,
            limited=verdict.limited,
            sayings=sayings,
        )

    def cancellation(self) -> Settlement:
        """Say that the job was cancelled."""
        said = self.news(JobCancelled, attempt=self.attempt, started_at=self.started_at)
        return Settlement(self.lease, "cancelled", self.attempt, sayings=self._encode([said]))

    def release(self) -> Settlement:
        """Give the task back unfinished, because the process stops; not an attempt."""
        return Settlement(self.lease, "pending", self.attempt - 1, sayings=self._encode([self.news(JobAccepted)]))

    def _encode(self, said: list[Message]) -> tuple[Saying, ...]:
        return tuple(self._bench.outbox.encode(message, traceparent=self.traceparent) for message in said)


def _sayable(fact: Any) -> Any:
    """Give a fact as those who hear it can read and store it; raise ValueError where it cannot be."""
    if isinstance(fact, str):
        return printable(fact, len(fact))
    if isinstance(fact, Mapping):
        return {_sayable(str(name)): _sayable(value) for name, value in fact.items()}
    if isinstance(fact, list | tuple):
        return [_sayable(value) for value in fact]
    if isinstance(fact, int) and not -(2**63) <= fact < 2**63:
        raise ValueError("a number of more than 64 bits")
    return fact
