"""No work is done twice because its command came back: a retry, a redrive and a cancel never pass each other unseen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import (
    CancelJob,
    JobAccepted,
    JobCancelled,
    JobCompleted,
    JobStarted,
    MessageDeadLettered,
    RedriveDeadLetters,
    ReportJobs,
)
from contracts.media import FetchMedia
from services.gateway.rounds import ask_about_silent_jobs
from services.gateway.store import letters as store
from shared.errors import Refused
from shared.identifiers import uuid7
from shared.jobs import Job
from shared.outbox import Transaction
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import command_of, said_to, settled
from tests.living import House, until

NOW = "2025-01-01T00:00:00Z"
SCENE = "/chapters/c/images/scenes/1"
A_VIEW, ANOTHER_VIEW = {"scene_description": "A view"}, {"scene_description": "Another view"}


async def undelivered(ann: Client, gateway: Gateway) -> tuple[Voice, MessageDeadLettered]:
    """Give a job that failed because its command was set aside, and that letter."""
    return await _set_aside(gateway, Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body))


async def undelivered_scene(ann: Client, gateway: Gateway) -> tuple[Voice, MessageDeadLettered]:
    task = (await ann.post(SCENE, A_VIEW)).body["task_id"]
    return await _set_aside(gateway, Voice(await ann.job(task)))


async def _set_aside(gateway: Gateway, job: Voice) -> tuple[Voice, MessageDeadLettered]:
    letter = command_of(job)
    await gateway.hear(letter)
    return job, letter


async def state(ann: Client, job: Voice) -> str:
    return str((await ann.job(job.job["id"]))["state"])


async def retry(ann: Client, job: Voice) -> dict[str, Any]:
    return dict((await ann.post("/jobs/retry", {"ids": [job.job["id"]]})).body)


async def redrive(oz: Client, letter: MessageDeadLettered) -> None:
    reply = await oz.post("/dead-letters/redrive", {"ids": [str(letter.dead_letter_id)]})
    assert (reply.status, reply.body["total"]) == (202, 1), reply.body


def forbidding(job: Voice, said: list[Any]) -> list[type]:
    """Give the kinds of what was said, after checking that whoever is forbidden something is forbidden this job."""
    forbidden = {one.job_id for one in said if isinstance(one, CancelJob)}
    assert forbidden <= {UUID(job.job["id"])}
    return [type(one) for one in said]


async def test_a_job_that_was_retried_is_not_done_by_its_redriven_command_too(
    ann: Client, oz: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way, with a real worker."""
    done: list[UUID] = []

    def refuse(*_: object, **__: object) -> None:
        raise Refused("not_ready", "It is not ready for that.")

    async def work(job: Job[FetchMedia]) -> None:
        done.append(job.id)

    async with house.worker("media", works={FetchMedia: work}):
        with monkeypatch.context() as mutation:
            mutation.setattr(Transaction, "work", refuse)
            old = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
            await until(lambda: _is(ann, old, "failed"))
        new = Voice((await retry(ann, old))["items"][0]["job"])
        await until(lambda: _is(ann, new, "completed"))
        assert (await oz.post("/dead-letters/redrive", {"filter": {}})).body["total"] == 1
        await until(lambda: house.value("SELECT state = 'taken_in' FROM gateway.letters"))
        ended = "SELECT state FROM media.tasks WHERE id = $1 AND finished_at IS NOT NULL"
        assert await until(lambda: house.value(ended, UUID(old.job["id"]))) == "cancelled"
    assert done == [UUID(new.job["id"])]
    assert await state(ann, old) == "failed"


async def _is(ann: Client, job: Voice, expected: str) -> bool:
    return await state(ann, job) == expected


async def test_whoever_retries_forbids_the_command_that_no_worker_took_in(
    ann: Client, gateway: Gateway, house: House
) -> None:
    old, _ = await undelivered(ann, gateway)
    await said_to(house)
    new = (await retry(ann, old))["items"][0]["job"]["id"]
    cancel, command = await said_to(house)
    assert isinstance(cancel, CancelJob)
    assert isinstance(command, FetchMedia)
    assert (cancel.addressee, cancel.job_id, command.job_id) == ("media", UUID(old.job["id"]), UUID(new))


async def test_a_command_that_nobody_wants_any_more_is_forbidden_before_it_is_delivered(
    ann: Client, oz: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, letter = await undelivered(ann, gateway)
    await retry(ann, old)
    await said_to(house)
    await redrive(oz, letter)
    assert forbidding(old, await said_to(house)) == [CancelJob, RedriveDeadLetters]
    await gateway.hear(settled(letter, "taken_in"))
    assert await state(ann, old) == "failed"
    assert forbidding(old, await said_to(house)) == [CancelJob], "others may have redriven it without the gateway"

    with monkeypatch.context() as mutation:
        mutation.setattr(store, "STILL_WANTED", "job.ended_by_letter IS NOT NULL")
        await gateway.hear(settled(letter, "taken_in"))
    assert await state(ann, old) == "pending", "it is the condition that keeps it from coming back"


async def test_a_job_whose_command_is_delivered_again_has_not_failed_and_is_not_retried(
    ann: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    job, letter = await undelivered(ann, gateway)
    async with ann.events(f"/jobs/{job.job['id']}/events") as events:
        await redrive(oz, letter)
        assert (await events.until_type("job.revived"))["job"]["state"] == "pending"
    assert [one["code"] for one in (await retry(ann, job))["skipped"]] == ["not_failed"]
    assert (await ann.post("/jobs/retry", {"filter": {}})).body["items"] == []
    assert CancelJob not in forbidding(job, await said_to(house))
    await gateway.hear(settled(letter, "dead"))
    assert (await ann.job(job.job["id"]))["error"]["code"] == letter.code
    assert (await retry(ann, job))["total"] == 1


async def test_a_job_whose_delivered_command_is_given_up_ends(ann: Client, oz: Client, gateway: Gateway) -> None:
    job, letter = await undelivered(ann, gateway)
    await redrive(oz, letter)
    reply = await oz.post("/dead-letters/discard", {"ids": [str(letter.dead_letter_id)]})
    assert reply.body["total"] == 1
    await gateway.hear(settled(letter, "discarded"))
    assert await state(ann, job) == "failed"


async def test_a_scene_is_not_drawn_anew_while_its_command_is_delivered_again(
    ann: Client, oz: Client, gateway: Gateway
) -> None:
    _, letter = await undelivered_scene(ann, gateway)
    await redrive(oz, letter)
    assert (await ann.get(f"{SCENE}/status")).body["status"] == "pending"
    assert (await ann.post(SCENE, ANOTHER_VIEW)).body["code"] == "generation_in_progress"


async def test_a_scene_that_was_drawn_anew_is_not_paid_for_twice(
    ann: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    old, letter = await undelivered_scene(ann, gateway)
    assert (await ann.post(SCENE, ANOTHER_VIEW)).status == 202
    await said_to(house, "image_generation")
    await redrive(oz, letter)
    assert forbidding(old, await said_to(house, "image_generation")) == [CancelJob, RedriveDeadLetters]
    await gateway.hear(settled(letter, "taken_in"))
    assert await state(ann, old) == "failed"


async def test_a_cancelled_job_stays_as_it_is_when_its_command_is_delivered_again(
    ann: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    job, letter = await undelivered(ann, gateway)
    assert (await ann.post(f"/jobs/{job.job['id']}/cancel")).body["outcome"] == "already_ended"
    await said_to(house)
    await redrive(oz, letter)
    assert forbidding(job, await said_to(house)) == [CancelJob, RedriveDeadLetters]
    await gateway.hear(settled(letter, "taken_in"))
    assert await state(ann, job) == "failed"


async def test_any_letter_of_its_command_takes_a_jobs_end_back(
    ann: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    """The first reason ended it; redriven, it died of a second one; redriven for that, it was taken in."""
    job, first = await undelivered(ann, gateway)
    second = command_of(job, code="second_reason")
    await gateway.hear(second)
    await said_to(house)
    await gateway.hear(settled(second, "taken_in"))
    assert await state(ann, job) == "pending"
    assert [type(one) for one in await said_to(house)] == [ReportJobs]
    await redrive(oz, first)
    await gateway.hear(settled(first, "dead"))
    assert await state(ann, job) == "pending", "a command that was taken in is with its worker"


async def test_a_letter_whose_fate_was_told_before_it_ends_no_job(ann: Client, gateway: Gateway) -> None:
    job = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    letter, other = command_of(job), command_of(job, code="second_reason")
    await gateway.hear(settled(letter, "taken_in"))
    await gateway.hear(letter)
    assert await state(ann, job) == "pending"
    await gateway.hear(settled(other, "dead"))
    await gateway.hear(other)
    assert await state(ann, job) == "pending"


async def test_a_letter_that_is_told_of_late_takes_its_jobs_end_back(ann: Client, gateway: Gateway) -> None:
    job, _ = await undelivered(ann, gateway)
    second = command_of(job, code="second_reason")
    await gateway.hear(settled(second, "taken_in"))
    await gateway.hear(second)
    assert await state(ann, job) == "pending"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (("taken_in", "redriving"), "taken_in"),
        (("discarded", "redriving"), "discarded"),
        (("discarded", "taken_in"), "taken_in"),
        (("taken_in", "discarded"), "taken_in"),
        (("redriving", "dead"), "dead"),
        (("dead", "redriving"), "redriving"),
    ],
)
async def test_the_end_of_a_letter_is_never_overwritten_by_what_was_on_the_way(
    oz: Client, ann: Client, gateway: Gateway, told: tuple[str, str], shown: str
) -> None:
    _, letter = await undelivered(ann, gateway)
    now = datetime.now(UTC)
    for seconds, one in enumerate(told):
        await gateway.hear(settled(letter, one, at=now + timedelta(seconds=seconds)))
    assert (await oz.get(f"/dead-letters/{letter.dead_letter_id}")).body["state"] == shown


async def test_what_was_taken_in_is_believed_though_it_began_before_it_was_given_up(
    oz: Client, ann: Client, gateway: Gateway
) -> None:
    job, letter = await undelivered(ann, gateway)
    now = datetime.now(UTC)
    await gateway.hear(settled(letter, "discarded", at=now))
    await gateway.hear(settled(letter, "taken_in", at=now - timedelta(seconds=1)))
    assert (await oz.get(f"/dead-letters/{letter.dead_letter_id}")).body["state"] == "taken_in"
    assert await state(ann, job) == "pending"


async def test_what_a_worker_says_of_a_job_is_believed_though_a_letter_had_ended_it(
    ann: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    """It is redriven twice; the word that the first delivery died comes late, and the second one is done meanwhile."""
    other = Voice((await ann.post("/probes", {"service": "media"})).body)
    job, letter = await undelivered(ann, gateway)
    await redrive(oz, letter)
    await redrive(oz, letter)
    await house.say(settled(letter, "dead"))
    await until(lambda: _is(ann, job, "failed"))
    completed, said_once = job.says(JobCompleted, attempt=1, started_at=NOW), uuid7()
    async with in_one_batch(gateway, 3):
        await house.say(other.says(JobAccepted))
        await house.say(settled(letter, "taken_in"))
        await house.say(completed, message_id=said_once)
    await until(lambda: house.value("SELECT state = 'taken_in' FROM gateway.letters"))
    await house.say(completed, message_id=said_once)  # who is asked says it again as he said it before
    await house.say(other.says(JobCompleted, attempt=1, started_at=NOW))
    await until(lambda: _is(ann, other, "completed"))
    shown = await ann.job(job.job["id"])
    assert (shown["state"], shown["error"]) == ("completed", None)
    await gateway.hear(settled(letter, "dead"))
    assert await state(ann, job) == "completed"


@asynccontextmanager
async def in_one_batch(gateway: Gateway, count: int) -> AsyncIterator[None]:
    """Have the gateway take in together, and in their order, what is said to it meanwhile."""
    intake = gateway.parts.bus.intake
    waits, intake._deliveries = intake._deliveries, asyncio.Queue()

    async def all_there() -> bool:
        return intake._deliveries.qsize() == count

    yield
    await until(all_there)
    came, intake._deliveries = intake._deliveries, waits
    while not came.empty():
        waits.put_nowait(came.get_nowait())


async def test_what_is_said_of_a_job_whose_end_was_acted_on_changes_nothing(ann: Client, gateway: Gateway) -> None:
    retried, _ = await undelivered(ann, gateway)
    await retry(ann, retried)
    cancelled, _ = await undelivered(ann, gateway)
    await ann.post(f"/jobs/{cancelled.job['id']}/cancel")
    scene, _ = await undelivered_scene(ann, gateway)
    await ann.post(SCENE, ANOTHER_VIEW)
    for job in (retried, cancelled, scene):
        await gateway.hear(job.says(JobStarted, attempt=1, started_at=NOW, worker="w"), job.says(JobCancelled))
        assert await state(ann, job) == "failed"


async def test_a_job_that_waits_again_is_not_given_up_for_its_old_silence(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    await house.admin.execute("UPDATE gateway.jobs SET unanswered_since = now() - interval '2 days'")
    _, letter = await _set_aside(gateway, job)
    await gateway.hear(settled(letter, "taken_in"))
    await house.admin.execute("UPDATE gateway.jobs SET ask_at = now(), updated_at = now() - interval '1 min'")
    look = await ask_about_silent_jobs(gateway.parts.bus)
    assert (look.silent, look.abandoned) == ({"media": [UUID(job.job["id"])]}, [])
