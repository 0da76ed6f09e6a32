"""Dead letters: what the services tell of them, and what that means for the jobs whose commands they are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias
from uuid import UUID

from contracts.jobs import CancelJob, DeadLettersSettled, MessageDeadLettered, ReportJobs
from services.gateway.store import letters, projection
from services.gateway.stream import Stream
from shared.handling import Heard
from shared.outbox import Transaction

Told: TypeAlias = MessageDeadLettered | DeadLettersSettled
_NAME: Final = "gateway"
_ASK_LIMIT: Final = 1000


async def on_dead_letters(tx: Transaction, facts: Sequence[Heard[Told]], stream: Stream) -> None:
    """Keep what is told of dead letters, and have jobs follow how the letters of their commands stand then.

    A job whose command is dead ends with the reason: a job that no worker has would never end by itself. Where the
    letter is taken in after all, that end is taken back and its worker is asked what has become of the job.
    """
    await projection.lock_writers(tx.connection)
    touched: dict[UUID, None] = {}
    for heard in facts:
        rows = _rows_of(heard)
        touched |= dict.fromkeys(row["id"] for row in rows)
        if isinstance(heard.message, MessageDeadLettered):
            await letters.upsert_letters(tx.connection, rows)
        else:
            await letters.upsert_settled_letters(tx.connection, rows)
    ended = await letters.update_dead_lettered_jobs(tx.connection, list(touched))
    await projection.tell_jobs(tx.connection, "job.failed", ended)
    await _take_ends_back(tx, list(touched))
    tx.after_commit(stream.wake)


async def _take_ends_back(tx: Transaction, letter_ids: Sequence[UUID]) -> None:
    for service, job_ids in (await letters.update_revived_jobs(tx.connection, letter_ids)).items():
        await projection.tell_jobs(tx.connection, "job.revived", job_ids)
        # While they counted as ended nobody asked about them.
        for start in range(0, len(job_ids), _ASK_LIMIT):
            tx.say(ReportJobs(addressee=service, job_ids=tuple(job_ids[start : start + _ASK_LIMIT])))
    for job in await letters.select_unwanted_jobs(tx.connection, letter_ids):
        tx.say(CancelJob(addressee=job["service"], job_id=job["id"], cancelled_by=_NAME))


def _rows_of(heard: Heard[Told]) -> list[dict[str, Any]]:
    told = heard.message
    if isinstance(told, MessageDeadLettered):
        return [_row_of(told, heard.time)]
    rows = {
        letter.dead_letter_id: {
            "id": letter.dead_letter_id,
            "service": told.service,
            "job_id": letter.job_id,
            "state": letter.state,
            "settled_at": told.at,
        }
        for letter in told.letters
    }
    return list(rows.values())


def _row_of(dead: MessageDeadLettered, said_at: datetime) -> dict[str, Any]:
    same = {"service", "project_id", "job_id", "message_id", "message_type", "topic", "code", "sentence"}
    return {
        **dead.model_dump(mode="json", include=same | {"size_bytes", "excerpt"}),
        "id": dead.dead_letter_id,
        "state": "redriving" if dead.redriven else "dead",
        "created_at": dead.received_at or said_at,
    }
