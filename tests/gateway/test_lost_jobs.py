"""A job of which nothing is heard is asked about, and said again when its worker never heard of it."""

from typing import Any
from uuid import UUID

from contracts.jobs import (
    CancelJob,
    CheckWorker,
    JobAccepted,
    JobCompleted,
    JobStarted,
    JobUnknown,
    MessageDeadLettered,
    ReportJobs,
)
from contracts.scraper import ImageFound
from services.gateway.rounds import ask_about_silent_jobs
from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Voice
from tests.living import House, until


async def _probe(ann: Client) -> Voice:
    return Voice((await ann.post("/probes", {"service": "media"})).body)


async def _silent_for(house: House, job: Voice, seconds: int) -> None:
    """Let time pass for one job: all its moments move into the past."""
    await house.admin.execute(
        """
        UPDATE gateway.jobs SET ask_at = ask_at - $2 * interval '1 s', updated_at = updated_at - $2 * interval '1 s'
        WHERE id = $1
        """,
        UUID(job.job["id"]),
        seconds,
    )


async def _pause(house: House, job: Voice) -> float:
    sql = "SELECT extract(epoch FROM ask_at - now()) FROM gateway.jobs WHERE id = $1"
    return float(await house.value(sql, UUID(job.job["id"])))


async def _pause_after_the_question(house: House, job: Voice) -> float:
    sql = "SELECT extract(epoch FROM ask_at - asked_at) FROM gateway.jobs WHERE id = $1"
    return float(await house.value(sql, UUID(job.job["id"])))


async def _asked(house: House) -> list[UUID]:
    async def nothing_unsaid() -> bool:
        return not await house.value("SELECT count(*) FROM gateway.outbox")

    await until(nothing_unsaid)
    return [job_id for one in await house.heard("media") if isinstance(one, ReportJobs) for job_id in one.job_ids]


async def test_a_silent_job_is_asked_about_with_growing_pauses(ann: Client, gateway: Gateway, house: House) -> None:
    job = await _probe(ann)
    await ask_about_silent_jobs(gateway.parts.bus)
    assert await _asked(house) == [], "ten seconds are not over"
    pauses = []
    for _ in range(7):
        await _silent_for(house, job, 301)
        await ask_about_silent_jobs(gateway.parts.bus)
        pauses.append(await _pause_after_the_question(house, job))
    assert pauses == [20, 40, 80, 160, 300, 300, 300]
    assert await _asked(house) == [UUID(job.job["id"])] * 7


async def test_a_job_that_speaks_is_not_asked(ann: Client, gateway: Gateway, house: House) -> None:
    job = await _probe(ann)
    await _silent_for(house, job, 11)
    await gateway.hear(job.says(JobAccepted, epoch=0))
    await ask_about_silent_jobs(gateway.parts.bus)
    assert await _asked(house) == []
    assert await _pause(house, job) > 250, "who has said that he waits is left alone for long"


async def test_a_job_whose_answers_bring_nothing_new_is_asked_with_growing_pauses(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = await _probe(ann)
    runs = job.says(JobStarted, attempt=1, started_at="2025-01-01T00:00:00Z", worker="w")
    await gateway.hear(runs)
    pauses = []
    for _ in range(6):
        await _silent_for(house, job, 301)
        await ask_about_silent_jobs(gateway.parts.bus)
        await gateway.hear(runs)
        pauses.append(await _pause_after_the_question(house, job))
        assert await house.value("SELECT unanswered_since IS NULL FROM gateway.jobs"), "somebody answers for it"
    assert pauses == [20, 40, 80, 160, 300, 300]


async def test_a_job_that_has_ended_is_never_asked(ann: Client, gateway: Gateway, house: House) -> None:
    job = await _probe(ann)
    await gateway.hear(job.says(JobCompleted, attempt=1, started_at="2025-01-01T00:00:00Z"))
    await _silent_for(house, job, 4000)
    await ask_about_silent_jobs(gateway.parts.bus)
    assert await _asked(house) == []


async def test_an_unknown_job_is_said_again_word_for_word(ann: Client, gateway: Gateway, house: House) -> None:
    job = await _probe(ann)
    (said,) = await until(lambda: house.heard("media"))
    await gateway.hear(JobUnknown(service="media", job_id=UUID(job.job["id"])))
    (again,) = await until(lambda: house.heard("media"))
    assert isinstance(again, CheckWorker)
    assert again == said


async def test_an_unknown_child_that_another_service_made_is_said_as_its_command(
    ann: Client, gateway: Gateway, house: House
) -> None:
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    found = scrape.states(ImageFound, fetch_job_id=uuid7(), url="https://example.org/a.jpg", found_in="img")
    await gateway.hear(found)
    await gateway.hear(JobUnknown(service="media", job_id=found.fetch_job_id))
    (command,) = await until(lambda: house.heard("media"))
    assert (command.model_dump()["job_id"], command.model_dump()["url"]) == (found.fetch_job_id, found.url)


async def test_an_unknown_job_that_was_cancelled_is_said_with_its_cancel(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = await _probe(ann)
    await ann.post(f"/jobs/{job.job['id']}/cancel")

    async def both_said() -> bool:
        return bool(await house.value("SELECT count(*) = 2 FROM gateway.said"))

    await until(both_said)
    await house.heard("media")
    await gateway.hear(JobUnknown(service="media", job_id=UUID(job.job["id"])))
    kinds: set[type] = set()

    async def heard_again() -> bool:
        kinds.update(type(one) for one in await house.heard("media"))
        return kinds == {CheckWorker, CancelJob}

    await until(heard_again)


def _set_aside(job: Voice, **facts: Any) -> MessageDeadLettered:
    told = {"message_type": job.job["kind"], "code": "message_invalid", "sentence": "The url is missing.", **facts}
    return MessageDeadLettered(service=job.job["service"], dead_letter_id=uuid7(), job_id=UUID(job.job["id"]), **told)


async def test_a_command_that_was_set_aside_ends_its_job_and_is_not_said_for_ever(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = await _probe(ann)
    await until(lambda: house.heard("media"))
    await gateway.hear(_set_aside(job, message_type="media.media_stored.v1"))
    assert (await ann.job(job.job["id"]))["state"] == "pending", "what was set aside is not its command"
    await gateway.hear(_set_aside(job))
    shown = await ann.job(job.job["id"])
    assert (shown["state"], shown["waiting_for"], shown["tree"]["ended"]) == ("failed", None, True)
    assert shown["error"] == {"code": "message_invalid", "sentence": "The url is missing."}
    assert shown["finished_at"]
    assert (await ann.post(f"/jobs/{job.job['id']}/cancel")).body["outcome"] == "already_ended"
    await gateway.hear(JobUnknown(service="media", job_id=UUID(job.job["id"])))
    assert await house.value("SELECT count(*) FROM gateway.outbox") == 0
    assert await house.heard("media") == []


async def test_a_scene_whose_command_was_set_aside_can_be_drawn_again(ann: Client, gateway: Gateway) -> None:
    path = "/chapters/c/images/scenes/1"
    first = (await ann.post(path, {"scene_description": "A view"})).body
    await ann.post(f"/jobs/{first['task_id']}/cancel")
    async with ann.events(f"/jobs/{first['task_id']}/events") as events:
        await gateway.hear(_set_aside(Voice(await ann.job(first["task_id"]))))
        assert (await events.until_type("job.failed"))["job"]["error"]["code"] == "message_invalid"
    assert (await ann.get(f"{path}/status")).body["status"] == "failed"
    again = await ann.post(path, {"scene_description": "Another view"})
    assert (again.status, again.body["retry_count"]) == (202, 1)
