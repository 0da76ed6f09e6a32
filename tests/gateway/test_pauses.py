"""A kind of work rests by the wish of an operator, for a time, and whoever waits for it sees why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.jobs import CheckWorker, JobAccepted, JobRetryScheduled, PauseWork, ResumeWork
from contracts.media import FetchMedia
from tests.gateway.living import Client, Gateway, Voice
from tests.living import House, until

FETCH = FetchMedia.wire_name
PAUSE = {"kind": FETCH, "seconds": 600}
# Not one text: a path of the gateway that begins like a folder of some machines.
WORK = "/work"


async def pause(client: Client, **changes: Any) -> Any:
    return await client.post(f"{WORK}/pause", PAUSE | changes)


async def resume(client: Client, **changes: Any) -> Any:
    return await client.post(f"{WORK}/resume", {"kind": FETCH, **changes})


async def waits_for(ann: Client, job: Voice) -> Any:
    [listed] = [one for one in (await ann.get("/jobs")).body["items"] if one["id"] == job.job["id"]]
    shown = await ann.job(job.job["id"])
    assert shown["waiting_for"] == listed["waiting_for"]
    return shown["waiting_for"]


async def fetching(ann: Client) -> Voice:
    return Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)


async def test_whoever_waits_for_what_rests_sees_it_at_once(ann: Client, oz: Client) -> None:
    job, other = await fetching(ann), Voice((await ann.post("/probes", {"service": "media"})).body)
    assert await waits_for(ann, job) == "worker"
    assert (await pause(oz)).status == 202
    assert (await waits_for(ann, job), await waits_for(ann, other)) == ("pause", "worker")
    assert await waits_for(ann, await fetching(ann)) == "pause"
    assert (await resume(oz)).status == 202
    assert await waits_for(ann, job) == "worker"


async def test_a_worker_that_told_of_the_pause_is_not_believed_after_its_end(
    ann: Client, oz: Client, gateway: Gateway
) -> None:
    job = await fetching(ann)
    await gateway.hear(job.says(JobAccepted, epoch=0, waiting_for="pause"))
    assert await waits_for(ann, job) == "pause", "somebody has paused it without the gateway"
    await pause(oz)
    await resume(oz)
    assert await waits_for(ann, job) == "worker"


async def test_a_job_that_waits_for_its_next_attempt_says_so_until_that_is_due(
    ann: Client, oz: Client, gateway: Gateway
) -> None:
    job = await fetching(ann)
    reason: dict[str, Any] = {"attempt": 1, "code": "timeout", "sentence": "Too slow."}
    soon, past = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (5, -5))
    await gateway.hear(job.says(JobRetryScheduled, next_attempt_at=soon, waiting_for="limit", **reason))
    await pause(oz)
    assert await waits_for(ann, job) == "limit"
    await gateway.hear(job.says(JobRetryScheduled, next_attempt_at=past, **reason))
    assert await waits_for(ann, job) == "pause"
    await resume(oz)
    assert await waits_for(ann, job) == "worker"


async def test_a_pause_names_its_owner_and_its_end(ann: Client, oz: Client, house: House) -> None:
    before = datetime.now(UTC)
    assert (await pause(oz)).body["owner"] == "oz"
    [shown] = (await ann.get(f"{WORK}/pauses")).body["items"]
    end = datetime.fromisoformat(shown["expires_at"])
    assert (shown["kind"], shown["owner"]) == (FETCH, "oz")
    assert timedelta(seconds=599) < end - before < timedelta(seconds=660)
    [said] = await until(lambda: house.heard("media"))
    assert isinstance(said, PauseWork)
    assert (said.addressee, said.kind, said.owner, said.expires_at) == ("media", FETCH, "oz", end)
    await house.admin.execute("UPDATE gateway.work_pauses SET expires_at = now() - interval '1 s'")
    assert (await ann.get(f"{WORK}/pauses")).body["items"] == []
    assert (await resume(oz)).body["code"] == "pause_not_found"


async def test_the_pause_of_another_operator_is_not_ended_unawares(oz: Client, gateway: Gateway, house: House) -> None:
    await pause(oz)
    async with gateway.client("olga", roles=("operator",)) as olga:
        for reply in (await pause(olga), await resume(olga)):
            assert (reply.status, reply.body["code"]) == (409, "paused_by_another")
        assert (await resume(olga, take_over=True)).status == 202

        async def resumed() -> bool:
            return any(isinstance(one, ResumeWork) for one in await house.heard("media"))

        await until(resumed)
        assert (await pause(olga)).body["owner"] == "olga"


async def test_only_operators_pause_and_resume(ann: Client, oz: Client) -> None:
    await pause(oz)
    for reply in (await pause(ann, take_over=True), await resume(ann, take_over=True)):
        assert (reply.status, reply.body["code"]) == (403, "operator_only")
    assert len((await ann.get(f"{WORK}/pauses")).body["items"]) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "media.media_stored.v1"}, "kind_unknown"),
        ({"kind": "media.nothing.v1"}, "kind_unknown"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "validation_failed"),
        ({"seconds": None, "expires_at": "2999-01-01T00:00:00Z"}, "pause_end_invalid"),
        ({"seconds": None, "expires_at": "2001-01-01T00:00:00Z"}, "pause_end_invalid"),
        ({"seconds": 0}, "validation_failed"),
        ({"seconds": None}, "validation_failed"),
    ],
)
async def test_a_pause_that_makes_no_sense_is_refused(oz: Client, change: dict[str, Any], code: str) -> None:
    reply = await pause(oz, **change)
    assert (reply.status, reply.body["code"]) == (422, code)


async def test_the_same_key_pauses_once(oz: Client, house: House) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first, again = [await oz.post(f"{WORK}/pause", PAUSE, headers=headers) for _ in range(2)]
    assert first.body == again.body
    await until(lambda: house.heard("media"))
    await until(lambda: house.value("SELECT NOT EXISTS (SELECT FROM gateway.outbox)"))
    assert await house.value("SELECT count(*) FROM gateway.said") == 1


async def test_a_worker_rests_and_goes_on(ann: Client, oz: Client, house: House) -> None:
    """The whole way, with a real worker."""
    probe = {"service": "media"}

    async def is_in(job_id: str, state: str) -> bool:
        return bool((await ann.job(job_id))["state"] == state)

    async with house.worker("media"):
        await oz.post(f"{WORK}/pause", {"kind": CheckWorker.wire_name, "seconds": 600})
        await until(lambda: house.value("SELECT true FROM media.pauses"))
        job_id = (await ann.post("/probes", probe)).body["id"]
        await until(lambda: house.value("SELECT true FROM media.tasks WHERE announced AND state = 'pending'"))
        assert await is_in(job_id, "pending")
        await oz.post(f"{WORK}/resume", {"kind": CheckWorker.wire_name})
        await until(lambda: is_in(job_id, "completed"))
