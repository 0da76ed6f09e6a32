"""A job comes in, is worked on under a lease, and ends with its news."""

import asyncio
from collections import Counter
from typing import Any

from contracts.jobs import CheckWorker, JobCompleted, JobFailed, JobRetryScheduled
from contracts.media import FetchMedia
from shared.errors import Refused, TryAgain
from shared.identifiers import uuid7
from shared.jobs import Job
from tests.living import House, lineage, until


def fetch(**more: Any) -> FetchMedia:
    return FetchMedia(**lineage(**more), url="http://example.com/a.png")


async def ended(house: House, count: int = 1) -> bool:
    states = await house.rows("SELECT state FROM media.tasks")
    return len(states) == count and all(row["state"] not in ("pending", "in_progress") for row in states)


async def all_said(house: House) -> bool:
    return not await house.value("SELECT count(*) FROM media.outbox")


async def test_a_job_that_does_nothing_goes_there_and_back(house: House) -> None:
    async with house.worker("media"):
        command = CheckWorker(**lineage(), service="media")
        await house.say(command)
        await until(lambda: ended(house))
        await until(lambda: all_said(house))
    news = await house.heard()
    assert [type(one) for one in news] == [JobCompleted]
    assert news[0].job_id == command.job_id


async def test_a_command_that_comes_three_times_is_worked_on_once(house: House) -> None:
    runs: Counter[Any] = Counter()

    async def count(job: Job[FetchMedia]) -> None:
        runs[job.id] += 1

    command = fetch()
    async with house.worker("media", works={FetchMedia: count}):
        for _ in range(3):
            await house.say(command)
        await house.say(last := fetch())
        await until(lambda: ended(house, 2))
    assert runs == {command.job_id: 1, last.job_id: 1}


async def test_a_refusal_fails_at_once_and_a_passing_trouble_is_tried_again(house: House) -> None:
    attempts: Counter[Any] = Counter()

    async def struggle(job: Job[FetchMedia]) -> None:
        attempts[job.id] += 1
        if job.id == bad.job_id:
            raise Refused("not_an_image", "It is a text.")
        if attempts[job.id] == 1:
            raise TryAgain("busy", "Later.", retry_after_seconds=0)

    bad, shaky = fetch(), fetch()
    async with house.worker("media", works={FetchMedia: struggle}):
        await house.say(bad)
        await house.say(shaky)
        await until(lambda: ended(house, 2))
        await until(lambda: all_said(house))
    news = await house.heard()
    by_job = {job_id: [type(one) for one in news if one.job_id == job_id] for job_id in (bad.job_id, shaky.job_id)}
    assert by_job[bad.job_id] == [JobFailed]
    assert [kind for kind in by_job[shaky.job_id] if kind in (JobRetryScheduled, JobCompleted)] == [
        JobRetryScheduled,
        JobCompleted,
    ]
    assert attempts == {bad.job_id: 1, shaky.job_id: 2}


async def test_a_thousand_jobs_all_complete(house: House) -> None:
    async with house.worker("media", concurrency=32):
        commands = [CheckWorker(**lineage(uuid7()), service="media") for _ in range(1000)]
        for first in range(0, 1000, 100):  # each has five seconds for its confirmation, and waits for those before it
            await asyncio.gather(*(house.say(command) for command in commands[first : first + 100]))
        await until(lambda: ended(house, 1000), seconds=60)
        await until(lambda: all_said(house), seconds=60)
    completed = [one.job_id for one in await house.heard() if isinstance(one, JobCompleted)]
    assert sorted(completed) == sorted(command.job_id for command in commands)
