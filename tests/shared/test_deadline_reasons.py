"""What waited for too long says for what, so that a person knows what to do about it."""

import asyncio

from contracts.jobs import JobFailed
from contracts.media import FetchMedia
from shared.errors import SENTENCE_CHARACTERS, TryAgain
from shared.jobs import Job
from tests.living import House, until
from tests.shared.chores import all_said, fetch, is_in

TOO_LONG = "It waited for longer than its deadline allows."


async def ended_after(house: House, sentence: str) -> str:
    """Have a job wait past its deadline after it was told this; give what it says of that."""

    async def never_now(_job: Job[FetchMedia]) -> None:
        raise TryAgain("host_blocked", sentence, retry_after_seconds=3600, rate_limited=True)

    async with house.worker("media", works={FetchMedia: never_now}):
        await house.say(command := fetch())
        await until(lambda: was_told(house))
        await house.admin.execute("UPDATE media.tasks SET deadline_at = now()")
        return await reason(house, command)


async def reason(house: House, command: FetchMedia) -> str:
    await until(lambda: is_in(house, "failed", command), seconds=10)
    await until(lambda: all_said(house))
    [failed] = [one for one in await house.heard() if isinstance(one, JobFailed)]
    kept = await house.value("SELECT error_sentence FROM media.tasks WHERE id = $1", command.job_id)
    assert (failed.code, failed.sentence) == ("deadline_exceeded", kept)
    return failed.sentence


async def was_told(house: House) -> bool:
    return bool(await house.value("SELECT state = 'pending' AND error_code IS NOT NULL FROM media.tasks"))


async def test_the_last_answer_is_in_the_reason(house: House) -> None:
    refused = "example.org has refused us 30 times in a row (403 Forbidden)."
    assert await ended_after(house, refused) == f"{TOO_LONG} What it was told last: {refused}"


async def test_an_answer_without_end_is_cut(house: House) -> None:
    assert len(await ended_after(house, "No. " * 1000)) == SENTENCE_CHARACTERS


async def test_who_never_began_says_no_more_than_that(house: House) -> None:
    """The control."""

    async def hang(_job: Job[FetchMedia]) -> None:
        await asyncio.Event().wait()

    async with house.worker("media", works={FetchMedia: hang}, concurrency=1, grace_seconds=1):
        for command in (fetch(), last := fetch()):
            await house.say(command)
            await until(lambda: is_taken(house, command))  # noqa: B023 - it is awaited before the next one
        await house.admin.execute("UPDATE media.tasks SET deadline_at = now() WHERE state = 'pending'")
        assert await reason(house, last) == TOO_LONG


async def is_taken(house: House, command: FetchMedia) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.tasks WHERE id = $1", command.job_id))
