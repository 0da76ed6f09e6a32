"""A failed job is done again as a new one that counts instead, once, however often it is asked for."""

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest

from contracts.depth_map import MapDepth
from contracts.jobs import CheckWorker, JobChildrenNamed, JobCompleted, JobFailed
from contracts.media import FetchMedia
from contracts.scraper import ImageFound
from services.gateway.routes import retrying
from services.gateway.rules.retrying import NEVER_PAID_FOR
from services.gateway.store import retrying as store
from shared.identifiers import child_id, uuid7
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import media_stored, said_to
from tests.living import House

DONE: dict[str, Any] = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}
SCENE = "/chapters/c/images/scenes/1"


async def failed(ann: Client, gateway: Gateway, code: str = "http_404") -> Voice:
    job = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)
    return await fail(gateway, job, code)


async def fail(gateway: Gateway, job: Voice, code: str = "http_404") -> Voice:
    await gateway.hear(job.says(JobFailed, attempt=1, code=code, sentence="It is not there."))
    return job


async def retry(client: Client, *jobs: Voice, **more: Any) -> Any:
    reply = await client.post("/jobs/retry", {"ids": [job.job["id"] for job in jobs], **more})
    assert reply.status in {200, 202}, reply.body
    return reply.body


def outcomes(answer: dict[str, Any]) -> set[tuple[str, str]]:
    return {(item["id"], item["outcome"]) for item in answer["items"]}


def ids(jobs: Iterable[Voice]) -> set[str]:
    return {job.job["id"] for job in jobs}


async def test_a_failed_job_is_done_again_as_a_new_one(ann: Client, gateway: Gateway, house: House) -> None:
    job = await failed(ann, gateway)
    [first] = await said_to(house)
    answer = await retry(ann, job)
    [item] = answer["items"]
    assert (item["id"], item["outcome"], answer["total"]) == (job.job["id"], "retried", 1)
    new = await ann.job(item["job"]["id"])
    assert (new["state"], new["retried_from"], new["kind"]) == ("pending", job.job["id"], FetchMedia.wire_name)
    old = await ann.job(job.job["id"])
    assert (old["state"], old["retried_as"]) == ("failed", new["id"]), "what has failed remains so"
    [again] = await said_to(house)
    assert again.job_id == again.root_job_id == UUID(new["id"])
    assert again.url == first.url


async def test_whoever_asks_again_is_told_of_the_same_new_job(ann: Client, gateway: Gateway, house: House) -> None:
    job = await failed(ann, gateway)
    await said_to(house)
    answers = await asyncio.gather(*(retry(ann, job) for _ in range(5)))
    assert len({answer["items"][0]["job"]["id"] for answer in answers}) == 1
    assert sorted(answer["items"][0]["outcome"] for answer in answers) == ["already_retried"] * 4 + ["retried"]
    assert len(await said_to(house)) == 1


async def test_a_retry_that_fails_is_done_again_in_its_turn(ann: Client, gateway: Gateway) -> None:
    first = await failed(ann, gateway)
    second = await fail(gateway, Voice((await retry(ann, first))["items"][0]["job"]))
    third = (await retry(ann, second))["items"][0]["job"]
    assert third["retried_from"] == second.job["id"]
    assert len({first.job["id"], second.job["id"], third["id"]}) == 3


async def test_of_a_lineage_the_latest_job_counts(ann: Client, gateway: Gateway) -> None:
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    fetch_id = child_id(UUID(scrape.job["id"]), FetchMedia.wire_name, "a")
    found = scrape.states(ImageFound, fetch_job_id=fetch_id, url="https://example.org/a.jpg", found_in="img")
    child = {"job_id": str(fetch_id), "kind": FetchMedia.wire_name}
    await gateway.hear(
        found, scrape.says(JobChildrenNamed, children=[child]), scrape.says(JobCompleted, children_total=1, **DONE)
    )
    fetch = await fail(gateway, Voice(await ann.job(fetch_id)))
    tree = (await ann.job(scrape.job["id"]))["tree"]
    assert (tree["total"], tree["failed"], tree["ended"]) == (1, 1, True)
    new = Voice((await retry(ann, fetch))["items"][0]["job"])
    assert (new.job["parent_id"], new.job["root_id"]) == (scrape.job["id"], scrape.job["id"])
    tree = (await ann.job(scrape.job["id"]))["tree"]
    assert (tree["total"], tree["failed"], tree["pending"], tree["ended"]) == (1, 0, 1, False)
    stored = media_stored(new)
    maps_id = child_id(UUID(new.job["id"]), MapDepth.wire_name, str(stored.asset_id), "default")
    await gateway.hear(stored, new.says(JobCompleted, **DONE))
    await gateway.hear(Voice(await ann.job(maps_id)).says(JobCompleted, **DONE))
    tree = (await ann.job(scrape.job["id"]))["tree"]
    assert (tree["total"], tree["completed"], tree["failed"], tree["ended"]) == (2, 2, 0, True)


async def test_a_filter_finds_what_has_failed_and_was_not_done_again(ann: Client, gateway: Gateway) -> None:
    gone, other, done = [await failed(ann, gateway, code) for code in ("http_404", "timeout", "http_404")]
    await retry(ann, done)
    dry = await ann.post("/jobs/retry", {"filter": {"error_code": "http_404"}, "dry_run": True})
    assert (dry.status, outcomes(dry.body), dry.body["total"]) == (200, {(gone.job["id"], "retried")}, 1)
    assert (await ann.job(gone.job["id"]))["retried_as"] is None, "a dry run changes nothing"
    found = (await ann.post("/jobs/retry", {"filter": {"error_code": "http_404"}})).body
    assert {item["id"] for item in found["items"]} == ids([gone])
    assert (await ann.post("/jobs/retry", {"filter": {"kind": CheckWorker.wire_name}})).body["items"] == []
    rest = (await ann.post("/jobs/retry", {"filter": {}})).body
    assert {item["id"] for item in rest["items"]} == ids([other])


@pytest.mark.parametrize("name", ["error_code", "kind", "service"])
async def test_an_empty_condition_is_refused(ann: Client, name: str) -> None:
    assert (await ann.post("/jobs/retry", {"filter": {name: ""}})).status == 422
    assert (await ann.get("/jobs", params={name: ""})).status == 422


async def test_a_filter_that_finds_many_says_that_there_are_more(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [await failed(ann, gateway) for _ in range(3)]
    monkeypatch.setattr(retrying, "RETRIES_LIMIT", 2)
    first, second = [(await ann.post("/jobs/retry", {"filter": {}})).body for _ in range(2)]
    assert (first["total"], first["more"], second["total"], second["more"]) == (2, True, 1, False)
    assert {item["id"] for item in first["items"] + second["items"]} == ids(jobs)


@pytest.mark.parametrize(
    "code",
    [
        *("outcome_unknown", "worker_gone", "worker_lost", "never_received", "deadline_exceeded"),
        *("provider_unknown", "handler_failed", "a_code_of_tomorrow"),
    ],
)
async def test_what_may_have_been_paid_for_is_not_done_again_unawares(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    free = await failed(ann, gateway, code)
    task = (await ann.post(SCENE, {"scene_description": "A view"})).body["task_id"]
    job = await fail(gateway, Voice(await ann.job(task)), code)
    everything: dict[str, Any] = {"filter": {}, "dry_run": True}
    found = (await ann.post("/jobs/retry", everything)).body
    assert {item["id"] for item in found["items"]} == ids([free]), "what costs nothing is not left out"
    named = {"filter": {"error_code": code}, "dry_run": True}
    assert (await ann.post("/jobs/retry", named)).body["total"] == 2
    assert (await retry(ann, job, dry_run=True))["total"] == 1
    monkeypatch.setattr(store, "NEVER_PAID_FOR", (code,))
    assert (await ann.post("/jobs/retry", everything)).body["total"] == 2, "it is the code that keeps it out"


@pytest.mark.parametrize("code", NEVER_PAID_FOR)
async def test_an_image_whose_wish_was_refused_at_once_has_cost_nothing(
    ann: Client, gateway: Gateway, code: str
) -> None:
    task = (await ann.post(SCENE, {"scene_description": "A view"})).body["task_id"]
    job = await fail(gateway, Voice(await ann.job(task)), code)
    found = (await ann.post("/jobs/retry", {"filter": {}, "dry_run": True})).body
    assert {item["id"] for item in found["items"]} == ids([job])


async def test_a_filter_gets_past_what_cannot_be_done_again(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "RETRIES_LIMIT", 1)
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    child = {"job_id": str(uuid7()), "kind": FetchMedia.wire_name}
    await gateway.hear(scrape.says(JobChildrenNamed, children=[child]))
    await fail(gateway, Voice(await ann.job(child["job_id"])))
    cancelled = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    found = cancelled.states(ImageFound, fetch_job_id=uuid7(), url="https://example.org/a.jpg", found_in="img")
    await gateway.hear(found)
    await fail(gateway, Voice(await ann.job(found.fetch_job_id)))
    await ann.post(f"/jobs/{cancelled.job['id']}/cancel")
    task = (await ann.post(SCENE, {"scene_description": "A view"})).body["task_id"]
    await fail(gateway, Voice(await ann.job(task)), "provider_failed")
    await ann.post(SCENE, {"scene_description": "Another view"})
    job = await failed(ann, gateway)
    answer = (await ann.post("/jobs/retry", {"filter": {}})).body
    assert (outcomes(answer), answer["skipped"], answer["more"]) == ({(job.job["id"], "retried")}, [], False)


async def test_a_scene_follows_the_retry_of_its_task(ann: Client, gateway: Gateway) -> None:
    task = (await ann.post(SCENE, {"scene_description": "A view"})).body["task_id"]
    job = await fail(gateway, Voice(await ann.job(task)), "provider_failed")
    assert (await ann.get(f"{SCENE}/status")).body["status"] == "failed"
    new = (await retry(ann, job))["items"][0]["job"]
    status = (await ann.get(f"{SCENE}/status")).body
    assert (status["status"], status["task_id"], status["retry_count"]) == ("pending", new["id"], 1)
    assert status["error"] is None


async def test_a_task_whose_scene_was_drawn_anew_is_not_paid_for_again(ann: Client, gateway: Gateway) -> None:
    task = (await ann.post(SCENE, {"scene_description": "A view"})).body["task_id"]
    job = await fail(gateway, Voice(await ann.job(task)), "provider_failed")
    await ann.post(SCENE, {"scene_description": "Another view"})
    assert [one["code"] for one in (await retry(ann, job))["skipped"]] == ["scene_drawn_anew"]


async def test_media_of_a_scene_follow_the_retry_of_their_job(ann: Client, gateway: Gateway) -> None:
    asked = {"url": "https://example.org/a.jpg", "scene_id": "s"}
    job = await fail(gateway, Voice((await ann.post("/media/store", asked)).body))
    new = (await retry(ann, job))["items"][0]["job"]
    [shown] = (await ann.get("/scenes/s/media")).body["items"]
    assert (shown["job_id"], shown["state"]) == (new["id"], "pending")


async def test_what_cannot_be_done_again_is_skipped_with_its_reason(ann: Client, gateway: Gateway) -> None:
    waiting = Voice((await ann.post("/probes", {"service": "media"})).body)
    scrape = Voice((await ann.post("/scrapes", {"url": "https://example.org"})).body)
    child = {"job_id": str(uuid7()), "kind": FetchMedia.wire_name}
    await gateway.hear(scrape.says(JobChildrenNamed, children=[child]))
    unknown = await fail(gateway, Voice(await ann.job(child["job_id"])))
    assert {one["code"] for one in (await retry(ann, waiting, unknown))["skipped"]} == {
        "not_failed",
        "command_unknown",
    }
    await ann.post(f"/jobs/{scrape.job['id']}/cancel")
    answer = await retry(ann, unknown)
    assert [one["code"] for one in answer["skipped"]] == ["tree_cancelled"]
    assert (answer["items"], answer["total"]) == ([], 0)
    missing = await ann.post("/jobs/retry", {"ids": [str(uuid7())]})
    assert (missing.status, missing.body["code"]) == (404, "job_not_found")


async def test_only_operators_do_the_jobs_of_others_again(
    ann: Client, bob: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    job = await failed(ann, gateway)
    assert (await bob.post("/jobs/retry", {"ids": [job.job["id"]]})).status == 404
    assert (await bob.post("/jobs/retry", {"filter": {}})).body["items"] == []
    assert (await bob.post("/jobs/retry", {"filter": {"everybody": True}})).body["code"] == "operator_only"
    mine = {"filter": {"project_id": str(ann.project_id)}}
    assert (await bob.post("/jobs/retry", mine)).body["code"] == "not_a_member"
    await bob.get("/jobs")
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert (await bob.post("/jobs/retry", {"ids": [job.job["id"]]})).body["code"] == "viewer_only"
    assert (await bob.post("/jobs/retry", {"filter": {}})).body["items"] == []
    assert (await oz.post("/jobs/retry", {"filter": {}})).body["items"] == [], "unless he says so he means his own"
    answer = (await oz.post("/jobs/retry", {"filter": {"everybody": True}})).body
    assert outcomes(answer) == {(job.job["id"], "retried")}
    new = answer["items"][0]["job"]
    assert (new["project_id"], new["submitted_by"]) == (str(ann.project_id), "oz")


async def test_the_same_key_gets_the_same_answer_though_nothing_is_left_to_do(ann: Client, gateway: Gateway) -> None:
    await failed(ann, gateway)
    headers = {"Idempotency-Key": "k-1"}
    first, again = [await ann.post("/jobs/retry", {"filter": {}}, headers=headers) for _ in range(2)]
    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    assert (await ann.post("/jobs/retry", {"filter": {}})).body["total"] == 0


async def test_operators_see_and_cancel_the_jobs_of_everybody(ann: Client, bob: Client, oz: Client) -> None:
    job = (await ann.post("/probes", {"service": "media"})).body
    assert (await oz.get("/jobs")).body["items"] == []
    for query in ({"everybody": "true"}, {"project_id": str(ann.project_id)}):
        assert [one["id"] for one in (await oz.get("/jobs", params=query)).body["items"]] == [job["id"]]
    assert (await bob.get("/jobs", params={"everybody": "true"})).body["code"] == "operator_only"
    assert (await oz.get(f"/jobs/{job['id']}")).body["submitted_by"] == "ann"
    assert (await oz.post(f"/jobs/{job['id']}/cancel")).body["jobs_told"] == 1
