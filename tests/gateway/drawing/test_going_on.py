"""What may be paid for goes on where a provider, or a person, says what the request is called; otherwise it waits."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest
from pydantic import SecretStr

from contracts.image_generation import GenerateImage
from contracts.jobs import LookAgain
from services.gateway.rules.scenes import drawing_of
from shared.hints import hint_url
from tests.gateway.drawing.studios import complete, draw, fail, status
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.gateway.people.asking import refused
from tests.gateway.sayings import said_to
from tests.living import House

SECRET = "a secret of thirty-two characters"
UNKNOWN = "outcome_unknown"


@pytest.fixture
async def gateway(house: House) -> AsyncIterator[Gateway]:
    async with Gateway(gateway_settings(house.servers, image_hints_secret=SecretStr(SECRET))) as gateway:
        await gateway.until_well()
        yield gateway


async def hint(gateway: Gateway, job_id: str, body: Any) -> None:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    async with (
        aiohttp.ClientSession() as session,
        session.post(hint_url(gateway.url, SECRET, UUID(job_id)), data=data) as reply,
    ):
        assert reply.status == 204, await reply.text()


async def drawings(house: House) -> list[GenerateImage]:
    return [one for one in await said_to(house, "image_generation") if isinstance(one, GenerateImage)]


async def lost(gateway: Gateway, client: Client, house: House, **asked: Any) -> str:
    task = str((await draw(client, **asked)).body["task_id"])
    await fail(gateway, client, task, UNKNOWN)
    await drawings(house)
    return task


async def test_a_hint_that_names_the_request_goes_on_with_it_once(gateway: Gateway, ann: Client, house: House) -> None:
    task = await lost(gateway, ann, house, style="ink")
    for _ in range(3):
        await hint(gateway, task, {"status": "success", "id": 12345, "output": ["https://elsewhere.example/a.png"]})
    [said] = await drawings(house)
    assert said.resumes is not None
    assert (str(said.resumes.job_id), said.resumes.request_id, said.style) == (task, "12345", "ink")
    now = await status(ann)
    assert (now["task_id"], now["status"]) == (str(said.job_id), "pending")
    assert (await ann.job(task))["retried_as"] == str(said.job_id)

    again = await ann.post("/jobs/retry", {"ids": [task]})
    assert [one["outcome"] for one in again.body["items"]] == ["already_retried"], "of both only one is done"
    await complete(gateway, ann, str(said.job_id))
    assert (await status(ann))["status"] == "completed"


async def test_a_hint_that_comes_before_the_job_is_lost_is_remembered(
    gateway: Gateway, ann: Client, house: House
) -> None:
    task = str((await draw(ann)).body["task_id"])
    await hint(gateway, task, {"id": "a-name"})
    assert [type(one) for one in await said_to(house, "image_generation")] == [GenerateImage, LookAgain]
    await fail(gateway, ann, task, UNKNOWN)
    [said] = await drawings(house)
    assert said.resumes is not None
    assert said.resumes.request_id == "a-name"


async def test_what_failed_otherwise_or_was_done_again_is_let_be(gateway: Gateway, ann: Client, house: House) -> None:
    task = str((await draw(ann)).body["task_id"])
    await hint(gateway, task, {"id": 1})
    await fail(gateway, ann, task, "provider_refused")
    other = await lost(gateway, ann, house)
    await ann.post("/jobs/retry", {"ids": [other]})
    [again] = await drawings(house)
    assert again.resumes is None, "a person pays once more"
    await hint(gateway, other, {"id": 2})
    assert await drawings(house) == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", {"id": None}, {"id": True}, {"id": ""}, {"id": "a b"}, {"id": {}}, {"id": "x" * 201}]
)
async def test_a_hint_that_names_nothing_goes_on_with_nothing(
    gateway: Gateway, ann: Client, house: House, body: Any
) -> None:
    task = await lost(gateway, ann, house)
    await hint(gateway, task, body)
    assert await drawings(house) == []


async def test_a_wrong_name_may_be_put_right(gateway: Gateway, ann: Client, house: House) -> None:
    task = await lost(gateway, ann, house)
    await hint(gateway, task, {"id": 1})
    [first] = await drawings(house)
    await fail(gateway, ann, str(first.job_id), UNKNOWN)
    assert await drawings(house) == [], "the same name is not tried twice"
    await hint(gateway, task, {"id": 2})
    [second] = await drawings(house)
    assert second.resumes is not None
    assert (second.resumes.job_id, second.resumes.request_id) == (first.job_id, "2")


async def test_a_person_may_say_what_it_is_called(gateway: Gateway, ann: Client, bob: Client, house: House) -> None:
    task = await lost(gateway, ann, house)
    said = {"request_id": "12345"}
    assert refused(await bob.post(f"/jobs/{task}/resume", said)) == (404, "job_not_found")
    reply = await ann.post(f"/jobs/{task}/resume", said, headers={"Idempotency-Key": "k"})
    assert (reply.status, reply.body["job"]["retried_from"]) == (202, task)
    again = await ann.post(f"/jobs/{task}/resume", said, headers={"Idempotency-Key": "k"})
    assert again.body == reply.body
    assert refused(await ann.post(f"/jobs/{task}/resume", said)) == (409, "outcome_known")
    [command] = await drawings(house)
    assert command.resumes is not None
    assert await house.value("SELECT count(*) FROM gateway.audit_entries WHERE action = 'job.resume'") == 1

    probe = (await ann.post("/probes", {"service": "media"})).body["id"]
    assert refused(await ann.post(f"/jobs/{probe}/resume", said)) == (409, "outcome_known")


async def test_a_picture_of_a_scene_that_was_drawn_anew_meanwhile_becomes_a_version_of_it(
    gateway: Gateway, ann: Client, house: House
) -> None:
    task = await lost(gateway, ann, house)
    await complete(gateway, ann, (await draw(ann, style="ink")).body["task_id"])
    await drawings(house)
    await hint(gateway, task, {"id": 7})
    [said] = await drawings(house)
    await complete(gateway, ann, str(said.job_id))
    listed = (await ann.get("/chapters/c/images/scenes/1/versions")).body
    assert [(one["task_id"] == str(said.job_id), one["shown"]) for one in listed["items"]] == [
        (True, False),
        (False, True),
    ]


async def test_nobody_outside_says_what_goes_on(gateway: Gateway, ann: Client, house: House) -> None:
    task = await lost(gateway, ann, house)
    event = {"specversion": "1.0", "source": "shop", "id": "1", "type": GenerateImage.wire_name}
    data = {"description": "a lake", "resumes": {"job_id": task, "request_id": "1"}, "retries": task}
    headers = {"Content-Type": "application/cloudevents+json"}
    reply = await ann.send("POST", "/api/v1/events", data=orjson.dumps({**event, "data": data}), headers=headers)
    assert reply.status == 202
    [said] = await drawings(house)
    assert (said.resumes, said.retries) == (None, None)


async def test_a_retry_says_what_it_does_again_and_draws_the_same(gateway: Gateway, ann: Client, house: House) -> None:
    task = str((await draw(ann)).body["task_id"])
    [first] = await drawings(house)
    await fail(gateway, ann, task, "provider_slow")
    await ann.post("/jobs/retry", {"ids": [task]})
    [second] = await drawings(house)
    assert (first.retries, str(second.retries), second.resumes) == (None, task, None)
    assert drawing_of(first) == drawing_of(second)
    await fail(gateway, ann, str(second.job_id), UNKNOWN)
    await hint(gateway, str(second.job_id), {"id": 7})
    [third] = await drawings(house)
    assert (third.resumes is not None, third.retries) == (True, None)
