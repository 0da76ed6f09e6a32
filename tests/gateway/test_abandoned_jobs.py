"""A job whose worker is gone for ever ends as failed with a reason, within a bound; and nobody does it afterwards."""

import asyncio
from uuid import UUID

import pytest

from contracts.jobs import CancelJob, JobAccepted, JobChildrenNamed, JobCompleted, JobProgressed, JobStarted, JobUnknown
from contracts.media import FetchMedia
from services.gateway import rounds
from services.gateway.rounds import ask_about_silent_jobs, end_abandoned_jobs
from services.gateway.store import silence
from shared.identifiers import uuid7
from shared.jobs import Job
from tests.gateway.living import Client, Gateway, Voice, gateway_settings
from tests.living import House, until

HOURS = 2.0
NOW = "2025-01-01T00:00:00Z"


async def probe(ann: Client) -> Voice:
    return Voice((await ann.post("/probes", {"service": "media"})).body)


async def time_passes(house: House, minutes: float) -> None:
    """All moments of all jobs move into the past."""
    await house.admin.execute(
        """
        UPDATE gateway.jobs
        SET ask_at = ask_at - $1 * interval '1 min', updated_at = updated_at - $1 * interval '1 min',
            unanswered_since = unanswered_since - $1 * interval '1 min',
            unknown_at = unknown_at - $1 * interval '1 min', asked_at = asked_at - $1 * interval '1 min'
        """,
        minutes,
    )


async def go_rounds(gateway: Gateway) -> list[UUID]:
    """Look once, as the loop does; give what was ended."""
    look = await ask_about_silent_jobs(gateway.parts.bus, HOURS)
    return await end_abandoned_jobs(gateway.parts.bus, look.abandoned, HOURS)


async def stay(_job: Job[FetchMedia]) -> None:
    await asyncio.Event().wait()


async def state(ann: Client, job: Voice) -> str:
    return str((await ann.job(job.job["id"]))["state"])


async def test_a_job_that_nobody_answers_for_fails_when_the_patience_is_used_up(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = await probe(ann)
    await time_passes(house, 1)
    assert await go_rounds(gateway) == [], "it is asked about first"
    await time_passes(house, 60 * HOURS - 1)
    assert await go_rounds(gateway) == []
    assert await state(ann, job) == "pending"
    await time_passes(house, 6)
    async with ann.events(f"/jobs/{job.job['id']}/events") as events:
        assert await go_rounds(gateway) == [UUID(job.job["id"])]
        assert (await events.until_type("job.failed"))["job"]["error"]["code"] == "worker_gone"
    shown = await ann.job(job.job["id"])
    assert (shown["state"], shown["waiting_for"], shown["tree"]["ended"]) == ("failed", None, True)
    assert shown["error"]["sentence"]


async def test_a_worker_that_comes_back_after_that_is_stopped(ann: Client, gateway: Gateway, house: House) -> None:
    job = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    await time_passes(house, 1)
    await go_rounds(gateway)
    await time_passes(house, 60 * HOURS + 6)
    await go_rounds(gateway)

    async def told() -> bool:
        return bool(await house.value("SELECT count(*) = 0 FROM gateway.outbox"))

    await until(told)
    async with house.worker("media", works={FetchMedia: stay}):
        await until(lambda: house.value("SELECT state = 'cancelled' FROM media.tasks"))
    assert await state(ann, job) == "failed", "an end never changes"


async def test_only_the_service_of_the_job_is_told_to_leave_it(ann: Client, gateway: Gateway, house: House) -> None:
    await probe(ann)
    await time_passes(house, 1)
    await go_rounds(gateway)
    await time_passes(house, 60 * HOURS + 6)
    await go_rounds(gateway)
    told: list[CancelJob] = []

    async def heard() -> bool:
        told.extend(one for one in await house.heard("media") if isinstance(one, CancelJob))
        return bool(told)

    await until(heard)
    assert [one.addressee for one in told] == ["media"]
    assert not [one for one in await house.heard("scraper") if isinstance(one, CancelJob)]


@pytest.mark.parametrize("answer", ["waits", "runs", "still runs"])
async def test_a_job_that_somebody_answers_for_goes_on(
    ann: Client, gateway: Gateway, house: House, answer: str
) -> None:
    job = await probe(ann)
    started = job.says(JobStarted, sequence=1, attempt=1, started_at=NOW, worker="w")
    if answer == "still runs":
        await gateway.hear(started)
    await time_passes(house, 10)
    await go_rounds(gateway)
    await time_passes(house, 60 * HOURS - 1)
    await gateway.hear(job.says(JobAccepted, epoch=0, sequence=5) if answer == "waits" else started)
    await time_passes(house, 10)
    assert await go_rounds(gateway) == []
    await time_passes(house, 10)
    assert await go_rounds(gateway) == []
    assert await state(ann, job) == ("pending" if answer == "waits" else "in_progress")


async def test_without_minding_old_answers_a_long_job_would_be_given_up(
    ann: Client, gateway: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def mind_nothing(*_: object) -> None: ...

    monkeypatch.setattr(silence, "update_answered_jobs", mind_nothing)
    job = await probe(ann)
    started = job.says(JobStarted, sequence=1, attempt=1, started_at=NOW, worker="w")
    await gateway.hear(started)
    await time_passes(house, 10)
    await go_rounds(gateway)
    await time_passes(house, 60 * HOURS)
    await gateway.hear(started)
    await time_passes(house, 10)
    assert await go_rounds(gateway) == [UUID(job.job["id"])], "the test would not notice it"


async def test_a_job_that_its_worker_never_learns_of_ends_too(ann: Client, gateway: Gateway, house: House) -> None:
    job = await probe(ann)
    for _ in range(30):
        await time_passes(house, 5.5)
        ended = await go_rounds(gateway)
        if ended:
            break
        await gateway.hear(JobUnknown(service="media", job_id=UUID(job.job["id"])))
    assert ended == [UUID(job.job["id"])]
    assert (await ann.job(job.job["id"]))["error"]["code"] == "never_received", "somebody has answered for it"


async def test_a_worker_that_answers_no_more_may_have_received_a_job_that_it_once_did_not_know(
    ann: Client, gateway: Gateway, house: House
) -> None:
    """Its command was said again after that answer, so that it may even have been done."""
    job = await probe(ann)
    for number in range(30):
        await time_passes(house, 5.5)
        if ended := await go_rounds(gateway):
            break
        if number < 20:
            await gateway.hear(JobUnknown(service="media", job_id=UUID(job.job["id"])))
    assert ended == [UUID(job.job["id"])]
    assert (await ann.job(job.job["id"]))["error"]["code"] == "worker_gone"


@pytest.mark.parametrize("answered", [True, False])
async def test_a_job_that_is_known_by_its_name_only_ends_for_the_reason_that_is_true(
    ann: Client, gateway: Gateway, house: House, *, answered: bool
) -> None:
    parent = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    child = uuid7()
    await gateway.hear(
        parent.says(JobChildrenNamed, children=[{"job_id": child, "kind": FetchMedia.wire_name}]),
        parent.says(JobCompleted, attempt=1, started_at=NOW),
    )
    unknown = JobUnknown(service="media", job_id=child)
    await gateway.hear(unknown)
    await time_passes(house, 1)
    await go_rounds(gateway)
    if answered:
        await gateway.hear(unknown)
    await time_passes(house, 60 * HOURS + 6)
    assert await go_rounds(gateway) == [child]
    code = "never_received" if answered else "worker_gone"
    assert (await ann.job(child))["error"]["code"] == code, "an answer of before its silence is none"


async def test_a_job_that_speaks_at_the_last_moment_is_not_ended(ann: Client, gateway: Gateway, house: House) -> None:
    job = await probe(ann)
    await time_passes(house, 1)
    await go_rounds(gateway)
    await time_passes(house, 60 * HOURS + 6)
    look = await ask_about_silent_jobs(gateway.parts.bus, HOURS)
    assert look.abandoned == [UUID(job.job["id"])]
    await gateway.hear(job.says(JobProgressed, progress=0.5))
    assert await end_abandoned_jobs(gateway.parts.bus, look.abandoned, HOURS) == []
    await gateway.hear(job.says(JobCompleted, attempt=1, started_at=NOW))
    assert await state(ann, job) == "completed"


async def test_the_bound_is_a_setting_and_holds_by_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", 0.1)
    settings = gateway_settings(house.servers, worker_patience_hours=1 / 3600)
    async with Gateway(settings) as gateway, gateway.client("ann") as ann:
        await gateway.until_well()
        job = await probe(ann)

        async def has_failed() -> bool:
            await time_passes(house, 1)
            return await state(ann, job) == "failed"

        await until(has_failed)
        assert (await ann.job(job.job["id"]))["error"]["code"] == "worker_gone"


async def test_a_gateway_that_has_just_begun_to_hear_gives_nobody_up(
    ann: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was away for so long itself that the answers may still be on their way."""
    monkeypatch.setattr(rounds, "_LOOK_SECONDS", 0.1)
    job = await probe(ann)
    await time_passes(house, 1)
    looks = 0

    async def abandoned_again_and_again() -> bool:
        nonlocal looks
        await time_passes(house, 60 * 48)
        looks += bool(await house.value("SELECT count(*) FROM gateway.jobs WHERE asks > $1", looks))
        return looks > 3

    await until(abandoned_again_and_again)
    assert await state(ann, job) == "pending"
