"""What every worker obeys beside its own work: cancel, report, pause and resume."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.catalogue import CATALOGUE
from contracts.envelope import Command
from contracts.jobs import (
    CancelJob,
    JobAccepted,
    JobCancelled,
    JobFailed,
    JobNews,
    JobRetryScheduled,
    JobUnknown,
    PauseWork,
    ReportJobs,
    ResumeWork,
)
from shared import tasks
from shared.handling import Heard
from shared.jobs import news
from shared.outbox import Transaction
from shared.runner import Runner
from shared.topology import queue_of

_GATEWAY_QUEUE = queue_of("gateway")


class Instructions:
    """The reactions to instructions, for one worker."""

    def __init__(self, service: str, runner: Runner) -> None:
        self._service = service
        self._runner = runner

    async def on_cancel_job(self, tx: Transaction, asked: Sequence[Heard[CancelJob]]) -> None:
        """Remember the cancels, end what waits, and stop what this process runs."""
        cancels = {one.message.job_id: one.message.cancelled_by for one in asked}
        await tasks.upsert_tombstones(tx.connection, list(cancels.items()))
        await say_cancelled(tx)
        tx.after_commit(lambda: self._runner.cancel(list(cancels)))

    async def on_report_jobs(self, tx: Transaction, asked: Sequence[Heard[ReportJobs]]) -> None:
        """Say to the gateway what is known of these jobs: what was said, what waits, and what is unknown."""
        job_ids = list({job_id for one in asked for job_id in one.message.job_ids})
        await _repeat_said(tx, job_ids)
        known = await _select_states(tx, job_ids)
        for job_id in job_ids:
            row = known.get(job_id)
            if row is None:
                tx.say(JobUnknown(service=self._service, job_id=job_id))
            elif row["state"] in ("pending", "in_progress"):
                say_news(tx, JobAccepted, row)

    async def on_pause_work(self, tx: Transaction, asked: Sequence[Heard[PauseWork]]) -> None:
        """Start no more jobs of these kinds for a while."""
        await tx.connection.executemany(
            """
            INSERT INTO pauses (kind, owner, expires_at) VALUES ($1, $2, $3)
            ON CONFLICT (kind) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
            """,
            [(one.message.kind, one.message.owner, one.message.expires_at) for one in asked],
        )

    async def on_resume_work(self, tx: Transaction, asked: Sequence[Heard[ResumeWork]]) -> None:
        """Start jobs of these kinds again."""
        await tx.connection.execute("DELETE FROM pauses WHERE kind = ANY ($1)", [one.message.kind for one in asked])
        tx.after_commit(self._runner.look_for_work)


def say_news(tx: Transaction, news_class: type[JobNews], row: dict[str, Any], **facts: Any) -> None:
    """Say news of a task that nobody holds, numbered first in its lease epoch."""
    command = CATALOGUE[row["kind"]].model_validate(row["command"])
    if isinstance(command, Command):
        tx.say(news(news_class, command, epoch=row["lease_epoch"], sequence=0, at=row["now"], **facts))


async def say_cancelled(tx: Transaction) -> None:
    """End pending tasks that were cancelled, and say so."""
    for row in await tasks.cancel_pending(tx.connection):
        say_news(tx, JobCancelled, row)


def say_lost(tx: Transaction, row: dict[str, Any]) -> None:
    """Say what became of a task whose lease ran out or that waited too long."""
    reason = (
        {"code": "deadline_exceeded", "sentence": "It waited for longer than its deadline allows."}
        if row.get("overdue")
        else {"code": "worker_lost", "sentence": "The worker that ran it went away without an answer."}
    )
    if row["state"] == "failed":
        say_news(tx, JobFailed, row, attempt=row["attempt"], **reason)
    else:
        say_news(tx, JobRetryScheduled, row, attempt=row["attempt"], next_attempt_at=row["run_at"], **reason)


async def _repeat_said(tx: Transaction, job_ids: list[UUID]) -> None:
    await tx.connection.execute(
        """
        INSERT INTO outbox (message_id, routing_key, queue, job_id, body)
        SELECT message_id, routing_key, $2, job_id, body FROM said WHERE job_id = ANY ($1) ORDER BY said_at
        """,
        job_ids,
        _GATEWAY_QUEUE,
    )


async def _select_states(tx: Transaction, job_ids: list[UUID]) -> dict[UUID, dict[str, Any]]:
    rows = await tx.connection.fetch(
        "SELECT id, kind, command, state, lease_epoch, now() AS now FROM tasks WHERE id = ANY ($1)", job_ids
    )
    return {row["id"]: dict(row) for row in rows}
