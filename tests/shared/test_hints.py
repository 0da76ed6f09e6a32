"""A hint that there is news is a reason to look, wherever the job is; and only who was told where gives one."""

import asyncio
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from contracts.jobs import LookAgain
from contracts.media import FetchMedia
from shared.errors import TryAgain
from shared.hints import hint_url, is_proof, proof_of
from shared.jobs import Job
from tests.living import House, until
from tests.shared.chores import fetch

SECRET = "a secret of thirty-two characters"


def hint(*commands: FetchMedia) -> LookAgain:
    return LookAgain(addressee="media", job_ids=tuple(command.job_id for command in commands))


async def _states(house: House) -> set[str]:
    return {row["state"] for row in await house.rows("SELECT state FROM media.tasks")}


async def test_what_waits_for_its_next_attempt_begins_it_at_once(house: House) -> None:
    attempts: list[int] = []

    async def busy_at_first(job: Job[FetchMedia]) -> None:
        attempts.append(job.attempt)
        if len(attempts) == 1:
            raise TryAgain("busy", "Come back later.", retry_after_seconds=3000, rate_limited=True)

    async def waits() -> Any:
        return await house.value("SELECT count(*) FROM media.tasks WHERE run_at > now() + interval '1 min'")

    async def is_done() -> bool:
        return await _states(house) == {"completed"}

    command = fetch()
    async with house.worker("media", works={FetchMedia: busy_at_first}):
        await house.say(command)
        await until(waits)
        await house.say(hint(command, fetch()))
        await until(is_done)
    assert len(attempts) == 2


async def test_whoever_runs_is_told_whichever_process_hears_it(house: House) -> None:
    told, begun = asyncio.Event(), asyncio.Event()

    async def listen(job: Job[FetchMedia]) -> None:
        begun.set()
        await job.hinted.wait()
        told.set()

    command = fetch()
    async with house.worker("media", works={FetchMedia: listen}, heartbeat_seconds=0.2):
        await house.say(command)
        await asyncio.wait_for(begun.wait(), 10)
        for _ in range(2):
            await until(partial(_is_renewed, house, await house.value("SELECT lease_until FROM media.tasks")))
        assert not told.is_set(), "heartbeats alone are no hint"
        await house.say(hint(command))
        await asyncio.wait_for(told.wait(), 5)


async def _is_renewed(house: House, lease_until: datetime) -> bool:
    return bool(await house.value("SELECT lease_until > $1 FROM media.tasks", lease_until))


async def test_what_has_ended_stays_as_it_is(house: House) -> None:
    async def refuse(_job: Job[FetchMedia]) -> None:
        return None

    command = fetch()
    async with house.worker("media", works={FetchMedia: refuse}):
        await house.say(command)

        async def is_done() -> bool:
            return await _states(house) == {"completed"}

        await until(is_done)
        before = await house.rows("SELECT * FROM media.tasks")
        await house.say(hint(command))
        later = fetch()
        await house.say(later)  # heard after the hint
        await until(lambda: house.value("SELECT count(*) FROM media.tasks WHERE id = $1", later.job_id))
    assert await house.rows("SELECT * FROM media.tasks WHERE id = $1", command.job_id) == before


def test_an_address_is_for_one_job_and_cannot_be_guessed_from_another() -> None:
    one, other = uuid4(), uuid4()
    assert hint_url("https://api.example.org/", SECRET, one) == (
        f"https://api.example.org/api/v1/hints/{one}/{proof_of(SECRET, one)}"
    )
    assert is_proof(SECRET, one, proof_of(SECRET, one))
    assert not is_proof(SECRET, other, proof_of(SECRET, one))
    assert not is_proof("another secret of thirty-two bytes", one, proof_of(SECRET, one))
    assert not is_proof(SECRET, one, "ü" * 43)
