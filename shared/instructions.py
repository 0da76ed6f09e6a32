"""What every worker obeys beside its own work: cancel, report, pause and resume."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.jobs import (
    CancelJob,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobNews,
    JobRetryScheduled,
    JobStarted,
    JobUnknown,
    LookAgain,
    PauseWork,
    ReportJobs,
    ResumeWork,
)
from shared import tasks
from shared.handling import Heard
from shared.jobs import STARTED, lineage_of, news
from shared.outbox import Transaction
from shared.runner import Runner
from shared.topology import queue_of

_GATEWAY_QUEUE = queue_of("gateway")
_ENDED = frozenset({"completed", "failed", "cancelled"})
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_AFTER_ALL = 2**31 - 1
_ANSWERS = 2**30
"""The first number of answers about a waiting job: after all that was said under its last lease."""


class Instructions:
    """The reactions to instructions, for one worker."""

    def __init__(self, service: str, runner: Runner) -> None:
        self._service = service
        self._runner = runner

    async def on_cancel_job(self, tx: Transaction, asked: Sequence[Heard[CancelJob]]) -> None:
        """Remember the cancels, end what waits, and stop what this process runs.

        Of a large tree only a page ends here, where others wait to be heard; the sweep ends the rest.
        """
        cancels = {one.message.job_id: one.message.cancelled_by for one in asked}
        await tasks.upsert_tombstones(tx.connection, list(cancels.items()))
        await self.end_cancelled(tx)
        tx.after_commit(lambda: self._runner.cancel(list(cancels)))

    async def on_report_jobs(self, tx: Transaction, asked: Sequence[Heard[ReportJobs]]) -> None:
        """Tell the gateway of these jobs: all that was said of those that have ended, and of the others how they stand.

        An answer is never said again: whoever asks once more gets the one that is true then, and no longer one.
        """
        job_ids = list({job_id for one in asked for job_id in one.message.job_ids})
        # In this order: what has ended by now was said, or is about to be.
        known = await _select_states(tx, job_ids)
        repeated = await _repeat_said(tx, [job_id for job_id, row in known.items() if row["state"] in _ENDED])
        for job_id in job_ids:
            row = known.get(job_id)
            if row is None:
                tx.say(JobUnknown(service=self._service, job_id=job_id), queue=_GATEWAY_QUEUE)
            elif row["state"] == "pending":
                self._answer_waiting(tx, row)
            elif row["state"] == "in_progress":
                facts = {"attempt": row["attempt"] + 1, "started_at": row["started_at"], "worker": row["worker"]}
                self._answer(tx, JobStarted, row, sequence=STARTED, **facts)
            elif job_id not in repeated:
                self._answer_ended(tx, row)

    def _answer_waiting(self, tx: Transaction, row: dict[str, Any]) -> None:
        """Say what a job waits for; a later answer comes after an earlier one, for it may wait for something else."""
        waiting_for, next_attempt_at = _wait_of(row)
        wait = {"waiting_for": waiting_for, "next_attempt_at": next_attempt_at}
        sequence = min(_ANSWERS + int((row["now"] - row["created_at"]).total_seconds()), _AFTER_ALL)
        if next_attempt_at is None or row["error_code"] is None:
            self._answer(tx, JobAccepted, row, sequence=sequence, **wait)
        else:
            self._answer(tx, JobRetryScheduled, row, sequence=sequence, **_failure_of(row), **wait)

    def _answer_ended(self, tx: Transaction, row: dict[str, Any]) -> None:
        """Say from its row how a job ended, where what was said of it is no longer kept."""
        begun = {"attempt": row["attempt"], "started_at": row["started_at"]}
        if row["state"] == "completed":
            self._answer(tx, JobCompleted, row, sequence=_AFTER_ALL, **begun)
        elif row["state"] == "failed":
            self._answer(tx, JobFailed, row, sequence=_AFTER_ALL, **begun | _failure_of(row))
        else:
            self._answer(tx, JobCancelled, row, sequence=_AFTER_ALL, **begun)

    def _answer(self, tx: Transaction, news_class: type[JobNews], row: dict[str, Any], **facts: Any) -> None:
        self.say_of(tx, news_class, row, queue=_GATEWAY_QUEUE, **facts)

    async def on_look_again(self, tx: Transaction, asked: Sequence[Heard[LookAgain]]) -> None:
        """Begin the next attempt of those that wait for it; those that run hear it with a heartbeat, wherever."""
        job_ids = {job_id for one in asked for job_id in one.message.job_ids}
        await tasks.hasten_tasks(tx.connection, list(job_ids))
        tx.after_commit(self._runner.look_for_work)

    async def on_pauses(self, tx: Transaction, asked: Sequence[Heard[PauseWork | ResumeWork]]) -> None:
        """Start no more jobs of these kinds for a while, or start them again.

        Of two for one kind the one that was said later holds, in whatever order and by whichever process they are
        heard. When the last pause has ended is kept, for it gives more time to what it held up.
        """
        latest = {one.message.kind: one for one in sorted(asked, key=_said_at)}
        await tx.connection.executemany(
            """
            INSERT INTO pauses AS held (kind, owner, expires_at, said_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (kind) DO UPDATE
            SET owner = excluded.owner, said_at = excluded.said_at,
                expires_at = greatest(excluded.expires_at, least(held.expires_at, now()))
            WHERE excluded.said_at >= held.said_at
            """,
            [(kind, *_pause_of(one.message), _said_at(one)) for kind, one in sorted(latest.items())],
        )
        tx.after_commit(self._runner.look_for_work)

    async def end_cancelled(self, tx: Transaction) -> bool:
        """End a page of the pending tasks that were cancelled, and say so; tell whether there were any."""
        rows = await tasks.cancel_pending(tx.connection)
        for row in rows:
            self.say_of(tx, JobCancelled, row, attempt=row["attempt"], started_at=row["started_at"])
        return bool(rows)

    def say_ended(self, tx: Transaction, row: dict[str, Any], reason: tuple[str, str]) -> None:
        """Say what became of a task that nobody holds, for a reason of code and sentence."""
        facts = {"attempt": row["attempt"], "code": reason[0], "sentence": reason[1]}
        if row["state"] == "failed":
            self.say_of(tx, JobFailed, row, started_at=row["started_at"], **facts)
        else:
            self.say_of(tx, JobRetryScheduled, row, next_attempt_at=row["run_at"], **facts)

    def say_of(
        self,
        tx: Transaction,
        news_class: type[JobNews],
        row: dict[str, Any],
        *,
        sequence: int = 0,
        queue: str | None = None,
        **facts: Any,
    ) -> None:
        """Say news of a task that nobody holds; numbered first in its lease epoch where not said otherwise."""
        said = news(
            news_class,
            lineage_of(row),
            row["kind"],
            self._service,
            epoch=row["lease_epoch"],
            sequence=sequence,
            at=row["now"],
            **facts,
        )
        tx.say(said, traceparent=row["traceparent"], queue=queue)


def _said_at(wish: Heard[PauseWork | ResumeWork]) -> datetime:
    return wish.message.said_at or wish.time


def _pause_of(message: PauseWork | ResumeWork) -> tuple[str, datetime]:
    """Give owner and end of a pause; a resumed kind has one that is long over."""
    return ("", _LONG_AGO) if isinstance(message, ResumeWork) else (message.owner, message.expires_at)


def _wait_of(row: dict[str, Any]) -> tuple[str, datetime | None]:
    """Tell what a pending task waits for, and until when where that is known."""
    if row["run_at"] > row["now"]:
        return ("limit" if row["limited"] else "retry"), row["run_at"]
    return ("pause" if row["paused"] else "worker"), None


def _failure_of(row: dict[str, Any]) -> dict[str, Any]:
    """Tell how often a task was tried, and why the last attempt failed."""
    return {"attempt": row["attempt"], "code": row["error_code"], "sentence": row["error_sentence"]}


async def _repeat_said(tx: Transaction, job_ids: list[UUID]) -> set[UUID]:
    """Say again what was said of these jobs; return those of which something is now on its way to the gateway."""
    rows = await tx.connection.fetch(
        """
        WITH repeated AS (
            INSERT INTO outbox (message_id, routing_key, queue, job_id, body)
            SELECT message_id, routing_key, $2, job_id, body FROM said WHERE job_id = ANY ($1) ORDER BY said_at
            RETURNING job_id
        )
        SELECT job_id FROM repeated
        UNION
        SELECT job_id FROM outbox WHERE job_id = ANY ($1) AND (queue IS NULL OR queue = $2)  -- not said yet
        """,
        job_ids,
        _GATEWAY_QUEUE,
    )
    return {row["job_id"] for row in rows}


async def _select_states(tx: Transaction, job_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = await tx.connection.fetch(
        """
        SELECT id, kind, command, project_id, parent_job_id, root_job_id, traceparent, state, lease_epoch, attempt,
               worker, created_at, started_at, run_at, limited, error_code, error_sentence, now() AS now,
               EXISTS (SELECT FROM pauses p WHERE p.kind = t.kind AND p.expires_at > now()) AS paused
        FROM tasks t WHERE id = ANY ($1)
        """,
        job_ids,
    )
    return {row["id"]: dict(row) for row in rows}
