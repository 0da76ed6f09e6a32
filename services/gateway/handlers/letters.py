"""Dead letters: what the services tell of them, and what that means for the jobs whose commands they are."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from contracts.jobs import DeadLettersSettled, MessageDeadLettered, ReportJobs
from services.gateway.rules.happenings import job_happening
from services.gateway.store import facts as fact_store
from services.gateway.store import letters, projection
from services.gateway.stream import Stream
from shared.handling import Heard
from shared.outbox import Transaction

Told: TypeAlias = MessageDeadLettered | DeadLettersSettled


async def on_dead_letters(tx: Transaction, facts: Sequence[Heard[Told]], stream: Stream) -> None:
    """Keep what is told of dead letters.

    A job whose command is dead ends with the reason: a job that no worker has would never end by itself. Where the
    letter is taken in after all, that end is taken back and its worker is asked what has become of the job.
    """
    await projection.lock_writers(tx.connection)
    for heard in facts:
        match heard.message:
            case MessageDeadLettered() as dead:
                await letters.upsert_letters(tx.connection, [_row_of(dead, heard.time)])
                if not dead.redriven:
                    await _end_jobs(tx, [_reason_of(dead)])
            case DeadLettersSettled() as settled:
                await _settle(tx, settled)
    tx.after_commit(stream.wake)


async def _settle(tx: Transaction, told: DeadLettersSettled) -> None:
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
    await letters.upsert_settled_letters(tx.connection, list(rows.values()))
    dead = [letter_id for letter_id, row in rows.items() if row["state"] == "dead"]
    if dead:
        await _end_jobs(tx, await letters.select_reasons(tx.connection, dead))
    alive = [letter_id for letter_id, row in rows.items() if row["state"] in {"taken_in", "said_again"}]
    if alive:
        await _revive_jobs(tx, alive)


async def _end_jobs(tx: Transaction, reasons: Sequence[dict[str, Any]]) -> None:
    await _show(tx, "job.failed", await letters.update_dead_lettered_jobs(tx.connection, reasons))


async def _revive_jobs(tx: Transaction, letter_ids: Sequence[Any]) -> None:
    for service, job_ids in (await letters.update_revived_jobs(tx.connection, letter_ids)).items():
        await _show(tx, "job.revived", job_ids)
        # What was said of them while they counted as ended was not believed.
        tx.say(ReportJobs(addressee=service, job_ids=tuple(job_ids)))


async def _show(tx: Transaction, type_: str, job_ids: Sequence[Any]) -> None:
    if job_ids:
        jobs = await projection.select_job_rows(tx.connection, job_ids)
        await projection.insert_events(tx.connection, [job_happening(type_, job) for job in jobs.values()])
        await fact_store.update_generation_states(tx.connection, job_ids)


def _row_of(dead: MessageDeadLettered, said_at: Any) -> dict[str, Any]:
    same = {"service", "project_id", "job_id", "message_id", "message_type", "topic", "code", "sentence"}
    return {
        **dead.model_dump(mode="json", include=same | {"size_bytes", "excerpt"}),
        "id": dead.dead_letter_id,
        "state": "redriving" if dead.redriven else "dead",
        "created_at": dead.received_at or said_at,
    }


def _reason_of(dead: MessageDeadLettered) -> dict[str, Any]:
    return {
        "id": dead.dead_letter_id,
        "job_id": dead.job_id,
        "kind": dead.message_type,
        "error_code": dead.code,
        "error_sentence": dead.sentence,
    }
