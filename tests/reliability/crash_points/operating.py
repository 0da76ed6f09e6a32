"""What operators do in each round: pauses, retries, letters, and a job that nobody answers for."""

import asyncio
from typing import Final
from uuid import UUID

from contracts.envelope import routing_key_of
from contracts.jobs import CheckWorker
from contracts.media import FetchMedia
from deploy.database import WORKERS
from tests.reliability.crash_points.hands import PROJECT, USER, Hands, lineage
from tests.reliability.crash_points.voice import same_id

_WORK: Final = "/work"
_PAUSE_SECONDS: Final = 3600


async def let_probes_wait_and_end_them(hands: Hands) -> None:
    """Of each worker one probe waits past its deadline, and one is cancelled while its kind rests."""
    # Whoever was paused gets more time, so that these come to their end before the pause.
    await asyncio.gather(*(_let_one_be_overdue(hands, worker) for worker in WORKERS))
    kind = CheckWorker.wire_name
    await hands.operator.post(f"{_WORK}/pause", {"kind": kind, "seconds": _PAUSE_SECONDS})
    await asyncio.gather(*(hands.until(f"SELECT EXISTS {_pause_at(worker)}") for worker in WORKERS))
    await asyncio.gather(*(_cancel_one(hands, worker) for worker in WORKERS))
    await hands.operator.post(f"{_WORK}/resume", {"kind": kind})
    await asyncio.gather(*(hands.until(f"SELECT NOT EXISTS {_pause_at(worker)}") for worker in WORKERS))


def _pause_at(worker: str) -> str:
    return f"(SELECT FROM {worker}.pauses WHERE expires_at > now())"


async def _let_one_be_overdue(hands: Hands, worker: str) -> None:
    overdue = CheckWorker(**lineage(f"overdue {worker}"), service=worker)
    await hands.lay_task(worker, overdue, overdue=True)
    await hands.until(f"SELECT state = 'failed' FROM {worker}.tasks WHERE id = $1", overdue.job_id)


async def _cancel_one(hands: Hands, worker: str) -> None:
    cancelled = UUID((await hands.gateway.post("/probes", {"service": worker}))["id"])
    await hands.until(f"SELECT count(*) FROM {worker}.tasks WHERE id = $1 AND announced", cancelled)
    await hands.gateway.post(f"/jobs/{cancelled}/cancel", {})
    await hands.until(f"SELECT state = 'cancelled' FROM {worker}.tasks WHERE id = $1", cancelled)


async def retry_a_broken_picture(hands: Hands) -> None:
    """Have the picture of the page that ends too early fetched once more; it fails once more."""
    asked = {"project_id": str(PROJECT), "error_code": "image_truncated"}
    failed = "SELECT EXISTS (SELECT FROM gateway.jobs WHERE state = 'failed' AND error_code = $1)"
    await hands.until(failed, asked["error_code"])
    await hands.gateway.post("/jobs/retry", {"filter": asked})


async def give_letters_another_fate(hands: Hands) -> None:
    """Have what nobody can read delivered once more, and give up what nobody hears."""
    redriven = await _letter_of(hands, f"nonsense {routing_key_of(FetchMedia)}")
    await hands.operator.post("/dead-letters/redrive", {"ids": [redriven]})
    discarded = await _letter_of(hands, "nobody.hears media")
    await hands.operator.post("/dead-letters/discard", {"ids": [discarded]})


async def _letter_of(hands: Hands, name: str) -> str:
    letter = "SELECT min(id::text) FROM gateway.letters WHERE message_id = $1 AND state = 'dead'"
    return str(await hands.until(letter, str(same_id(name))))


async def abandon_a_job(hands: Hands) -> None:
    """Have a job whose worker has not spoken of it for longer than the gateway's patience."""
    job_id = same_id("abandoned")
    await hands.books.rows(
        """
        INSERT INTO gateway.jobs (id, project_id, submitted_by, kind, service, state, root_id)
        VALUES ($1, $2, $3, $4, 'media', 'pending', $1)
        """,
        job_id,
        PROJECT,
        USER,
        FetchMedia.wire_name,
    )
    await _be_silent(hands, job_id, "2 days")


async def be_silent_for_a_while(hands: Hands, job_id: UUID) -> None:
    """Have a job asked about, for which its worker answers."""
    await _be_silent(hands, job_id, "1 minute")


async def _be_silent(hands: Hands, job_id: UUID, interval: str) -> None:
    """Have nothing been heard of a job for so long; wait until it is known again how it stands."""
    unanswered = "unanswered_since = now() - $2::text::interval, updated_at = now() - $2::text::interval"
    await hands.books.rows(f"UPDATE gateway.jobs SET {unanswered} WHERE id = $1", job_id, interval)
    # A gateway that dies after it has asked would wait before it asks again.
    known = """
        WITH asked AS (UPDATE gateway.jobs SET ask_at = now() WHERE id = $1 AND unanswered_since IS NOT NULL)
        SELECT unanswered_since IS NULL FROM gateway.jobs WHERE id = $1
    """
    await hands.until(known, job_id)
