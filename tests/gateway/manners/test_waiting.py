"""Whoever would rather wait for the end of a job is answered when it comes."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import Child, JobCancelled, JobChildrenNamed, JobCompleted, JobFailed, JobStarted
from contracts.media import FetchMedia
from services.gateway.store.jobs import select_job
from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import media_stored
from tests.living import House, until

STARTED = "2025-01-01T00:00:00Z"
PROBE = {"service": "media"}


def _done(voice: Voice, **facts: Any) -> JobCompleted:
    done: JobCompleted = voice.says(JobCompleted, attempt=1, started_at=STARTED, **facts)
    return done


async def _waiter(gateway: Gateway, ask: Callable[[], Any]) -> "asyncio.Task[Reply]":
    """Ask, and return once the gateway has somebody waiting."""
    before = gateway.parts.stream.followers
    asking = asyncio.create_task(ask())

    async def waits() -> bool:
        return asking.done() or gateway.parts.stream.followers > before

    await until(waits)
    return asking


async def _newest(client: Client) -> Voice:
    async def found() -> list[dict[str, Any]]:
        return list((await client.get("/jobs", params={"limit": 1})).body["items"])

    return Voice((await until(found))[0])


async def test_a_post_is_answered_when_its_job_has_ended(gateway: Gateway, ann: Client) -> None:
    wish = {"Prefer": "respond-async, wait=50"}
    for path, body in (("/probes", PROBE), ("/media/store", {"url": "https://example.org/a.jpg"})):
        asking = await _waiter(gateway, partial(ann.post, path, body, headers=wish))
        voice = await _newest(ann)
        await gateway.hear(voice.says(JobStarted, attempt=1, started_at=STARTED, worker="w"))
        assert not asking.done()
        await gateway.hear(_done(voice, result={"ok": True}))
        reply = await asking
        assert (reply.status, reply.body["id"], reply.body["state"]) == (200, voice.job["id"], "completed")
        assert reply.headers["preference-applied"] == "wait=50"
        assert reply.headers["location"] == f"/api/v1/jobs/{voice.job['id']}"


async def test_after_the_time_that_was_wished_the_job_is_told_as_it_is(ann: Client) -> None:
    began = time.monotonic()
    reply = await ann.post("/probes", PROBE, headers={"Prefer": "wait=1"})
    assert (reply.status, reply.body["state"]) == (202, "pending")
    assert reply.headers["preference-applied"] == "wait=1"
    assert time.monotonic() - began >= 1
    waited = await ann.get(f"/jobs/{reply.body['id']}", headers={"Prefer": "wait=0"})
    assert (waited.status, waited.body["state"]) == (202, "pending")
    assert (await ann.get(f"/jobs/{reply.body['id']}")).status == 200, "who wishes nothing is answered as ever"


@pytest.mark.parametrize("wish", ["wait", "wait=", "wait=-1", "wait=soon", "await=5", "return=minimal", "wait=1.5"])
async def test_what_is_no_wish_to_wait_is_ignored(ann: Client, wish: str) -> None:
    async with asyncio.timeout(5):
        reply = await ann.post("/probes", PROBE, headers={"Prefer": wish})
    assert reply.status == 202
    assert "preference-applied" not in reply.headers


async def test_at_most_a_minute_is_granted(gateway: Gateway, ann: Client) -> None:
    asking = await _waiter(gateway, lambda: ann.post("/probes", PROBE, headers={"Prefer": 'wait="4000"'}))
    voice = await _newest(ann)
    await gateway.hear(voice.says(JobFailed, attempt=1, code="broken", sentence="It broke."))
    reply = await asking
    assert reply.headers["preference-applied"] == "wait=60"
    assert (reply.status, reply.body["error"]["code"]) == (200, "broken"), "a failure is an end"


async def test_a_scrape_has_ended_when_all_that_follows_has(gateway: Gateway, ann: Client) -> None:
    job = (await ann.post("/scrapes", {"url": "https://example.org"})).body
    voice = Voice(job)
    asking = await _waiter(gateway, lambda: ann.get(f"/jobs/{job['id']}", headers={"Prefer": "wait=50"}))
    child = Child(job_id=uuid7(), kind=FetchMedia.wire_name)
    await gateway.hear(voice.says(JobChildrenNamed, children=(child,)))
    await gateway.hear(_done(voice, children_total=1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asking), 0.6)
    fetch = Voice((await ann.get(f"/jobs/{child.job_id}")).body)
    await gateway.hear(_done(fetch))
    reply = await asking
    assert (reply.status, reply.body["tree"]["ended"], reply.body["tree"]["completed"]) == (200, True, 1)
    again = await ann.get(f"/jobs/{job['id']}", headers={"Prefer": "wait=50"})
    assert again.status == 200, "what has ended is told at once"


async def test_scenes_maps_cancellations_and_retries_are_waited_for_too(gateway: Gateway, ann: Client) -> None:
    wish = {"Prefer": "wait=50"}
    scene = "/chapters/c/images/scenes/1"
    asking = await _waiter(gateway, lambda: ann.post(scene, {"scene_description": "A view"}, headers=wish))
    voice = await _newest(ann)
    await gateway.hear(voice.says(JobFailed, attempt=1, code="broken", sentence="It broke."))
    drawn = await asking
    assert (drawn.status, drawn.body["status"], drawn.body["error_code"]) == (200, "failed", "broken")
    assert drawn.body == (await ann.get(f"{scene}/status")).body

    failed = voice.job["id"]
    asking = await _waiter(gateway, lambda: ann.post("/jobs/retry", {"ids": [failed]}, headers=wish))
    voice = await _newest(ann)
    assert voice.job["id"] != failed
    cancelling = await _waiter(gateway, lambda: ann.post(f"/jobs/{voice.job['id']}/cancel", headers=wish))
    await gateway.hear(voice.says(JobCancelled))
    retried, cancelled = await asking, await cancelling
    assert (retried.status, retried.body["items"][0]["job"]["state"]) == (200, "cancelled")
    assert (cancelled.status, cancelled.body["job"]["state"]) == (200, "cancelled")

    stored = media_stored(Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body))
    await gateway.hear(stored)
    asking = await _waiter(gateway, lambda: ann.post("/maps", {"image_id": str(stored.asset_id)}, headers=wish))
    await gateway.hear(_done(await _newest(ann)))
    mapped = await asking
    assert (mapped.status, mapped.body["total"], mapped.body["items"][0]["state"]) == (200, 1, "completed")


async def test_the_same_request_again_waits_for_the_same_job(gateway: Gateway, ann: Client) -> None:
    headers = {"Prefer": "wait=50", "Idempotency-Key": "once"}
    first = await _waiter(gateway, lambda: ann.post("/probes", PROBE, headers=headers))
    voice = await _newest(ann)
    second = await _waiter(gateway, lambda: ann.post("/probes", PROBE, headers=headers))
    await gateway.hear(_done(voice))
    assert {(await one).body["id"] for one in (first, second)} == {voice.job["id"]}
    assert (await second).headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in (await first).headers


async def test_waiting_costs_no_statements(gateway: Gateway, ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[UUID] = []

    async def counted(connection: Any, projects: Any, job_id: UUID) -> Any:
        looks.append(job_id)
        return await select_job(connection, projects, job_id)

    monkeypatch.setattr("services.gateway.routes.waiting.select_job", counted)
    asking = await _waiter(gateway, lambda: ann.post("/probes", PROBE, headers={"Prefer": "wait=50"}))
    voice = await _newest(ann)
    for _ in range(20):
        await ann.post("/probes", PROBE)
    other = await _newest(ann)
    address = f"/jobs/{other.job['id']}"
    asking_for_other = await _waiter(gateway, lambda: ann.get(address, headers={"Prefer": "wait=50"}))
    await gateway.hear(voice.says(JobStarted, attempt=1, started_at=STARTED, worker="w"), _done(other))
    await asking_for_other
    assert Counter(looks) == {UUID(voice.job["id"]): 1, UUID(other.job["id"]): 2}
    await gateway.hear(_done(voice))
    await asking
    assert Counter(looks) == {UUID(voice.job["id"]): 2, UUID(other.job["id"]): 2}


async def test_waiters_are_bounded_and_leave_room_when_their_clients_do(gateway: Gateway, ann: Client) -> None:
    waiters = gateway.parts.waiters
    while not waiters.locked():
        await waiters.acquire()
    async with asyncio.timeout(5):
        reply = await ann.post("/probes", PROBE, headers={"Prefer": "wait=50"})
    assert reply.status == 202
    assert "preference-applied" not in reply.headers
    waiters.release()
    asking = await _waiter(gateway, lambda: ann.post("/probes", PROBE, headers={"Prefer": "wait=50"}))
    assert waiters.locked()
    asking.cancel()
    async with asyncio.timeout(10):
        await waiters.acquire()


async def test_a_gateway_that_stops_answers_its_waiters(gateway: Gateway, ann: Client) -> None:
    asking = await _waiter(gateway, lambda: ann.post("/probes", PROBE, headers={"Prefer": "wait=50"}))
    gateway.parts.stream.close()
    async with asyncio.timeout(5):
        assert (await asking).status == 202


async def test_nobody_waits_for_what_is_not_his(ann: Client, bob: Client, house: House) -> None:
    job = (await ann.post("/probes", PROBE)).body
    assert await house.value("SELECT count(*) FROM gateway.jobs") == 1
    async with asyncio.timeout(5):
        assert (await bob.get(f"/jobs/{job['id']}", headers={"Prefer": "wait=50"})).status == 404
