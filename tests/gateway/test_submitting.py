"""What is accepted is there for the next look, and said to the worker."""

import asyncio
from typing import Any

import pytest

from contracts.image_generation import GenerateImage
from contracts.jobs import CheckWorker, JobCompleted
from contracts.media import FetchMedia
from contracts.scraper import ScrapePages
from tests.gateway.living import Client, Gateway, Voice
from tests.living import House, until

PAGE = "https://example.org/gallery"


async def test_an_accepted_job_is_visible_to_the_next_look(ann: Client) -> None:
    reply = await ann.post("/probes", {"service": "media"})
    assert reply.status == 202
    assert reply.headers["location"] == f"/api/v1/jobs/{reply.body['id']}"
    assert reply.headers["retry-after"] == "1"
    job = await ann.job(reply.body["id"])
    assert (job["state"], job["kind"], job["service"]) == ("pending", "jobs.check_worker.v1", "media")
    assert job["submitted_by"] == "ann"
    listed = await ann.get("/jobs")
    assert [item["id"] for item in listed.body["items"]] == [reply.body["id"]]


async def test_a_scrape_is_said_with_its_pipeline(ann: Client, house: House) -> None:
    reply = await ann.post("/scrapes", {"urls": [PAGE, f"{PAGE}/2"], "url": PAGE})
    assert reply.status == 202, reply.body
    said = await _said_to(house, "scraper")
    assert isinstance(said, ScrapePages)
    assert said.urls == (PAGE, f"{PAGE}/2")
    assert said.pipeline == ("describe", "depth", "edges")
    assert str(said.job_id) == reply.body["id"] == reply.body["root_id"]


async def test_a_scrape_says_whether_scripts_build_its_pages_first(ann: Client, house: House) -> None:
    assert (await ann.post("/scrapes", {"url": PAGE, "rendered": True})).status == 202
    said = await _said_to(house, "scraper")
    assert isinstance(said, ScrapePages)
    assert said.rendered
    assert (await ann.post("/scrapes", {"url": PAGE, "rendered": "yes"})).status == 422


async def test_media_for_a_scene_show_with_their_state(ann: Client, house: House) -> None:
    asked = {"url": "https://example.org/a.jpg", "scene_id": "scene-7", "title": "A view"}
    reply = await ann.post("/media/store", asked)
    assert reply.status == 202, reply.body
    said = await _said_to(house, "media")
    assert isinstance(said, FetchMedia)
    assert said.context.title == "A view"
    media = await ann.get("/scenes/scene-7/media")
    assert [(item["url"], item["state"]) for item in media.body["items"]] == [(asked["url"], "pending")]


async def test_a_scene_is_answered_with_its_task_and_record(ann: Client, house: House) -> None:
    path = "/chapters/ch-1/images/scenes/3"
    asked = {"scene_description": "A lighthouse", "style": "ink", "aspect_ratio": "16:9", "user_tier": "premium"}
    reply = await ann.post(path, asked)
    assert reply.status == 202, reply.body
    assert set(reply.body) == {
        "task_id",
        "record_id",
        "status",
        "message",
        "estimated_time_seconds",
        "scene_number",
        "retry_count",
    }
    assert (reply.body["status"], reply.body["scene_number"], reply.body["retry_count"]) == ("queued", 3, 0)
    said = await _said_to(house, "image_generation")
    assert isinstance(said, GenerateImage)
    assert (said.description, said.aspect_ratio, said.priority) == ("A lighthouse", "16:9", 30)
    status = await ann.get(f"{path}/status")
    assert status.body["status"] == "pending"
    assert status.body["task_id"] == status.body["metadata"]["task_id"] == reply.body["task_id"]


async def test_a_scene_that_is_being_drawn_is_not_drawn_twice(ann: Client) -> None:
    path, asked = "/chapters/ch-1/images/scenes/3", {"scene_description": "A lighthouse"}
    first, again = await asyncio.gather(ann.post(path, asked), ann.post(path, asked))
    assert first.body["task_id"] == again.body["task_id"]
    other = await ann.post(path, {"scene_description": "A harbour"})
    assert (other.status, other.body["code"]) == (409, "generation_in_progress")
    jobs = await ann.get("/jobs")
    assert len(jobs.body["items"]) == 1


async def test_the_same_key_and_body_get_the_same_answer(ann: Client) -> None:
    headers = {"Idempotency-Key": "k-1"}
    replies = await asyncio.gather(*(ann.post("/scrapes", {"url": PAGE}, headers=headers) for _ in range(5)))
    later = await ann.post("/scrapes", {"url": PAGE}, headers=headers)
    assert {reply.status for reply in (*replies, later)} == {202}
    assert len({reply.body["id"] for reply in (*replies, later)}) == 1
    assert later.headers["idempotency-replayed"] == "true"
    assert len((await ann.get("/jobs")).body["items"]) == 1


async def test_the_same_key_with_another_body_is_refused(ann: Client) -> None:
    headers = {"Idempotency-Key": "k-1"}
    await ann.post("/scrapes", {"url": PAGE}, headers=headers)
    other = await ann.post("/scrapes", {"url": f"{PAGE}/2"}, headers=headers)
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
    elsewhere = await ann.post("/probes", {"service": "media"}, headers=headers)
    assert elsewhere.status == 422


async def test_a_key_that_joined_a_drawing_is_remembered(ann: Client, gateway: Gateway) -> None:
    path, asked, headers = "/chapters/c/images/scenes/1", {"scene_description": "A view"}, {"Idempotency-Key": "k-1"}
    first = await ann.post(path, asked)
    joined = await ann.post(path, asked, headers=headers)
    voice = Voice(await ann.job(first.body["task_id"]))
    await gateway.hear(voice.says(JobCompleted, attempt=1, started_at="2025-01-01T00:00:00Z"))
    retried = await ann.post(path, asked, headers=headers)
    assert {reply.body["task_id"] for reply in (joined, retried)} == {first.body["task_id"]}
    assert retried.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"negative_prompt": "people"}, {"provider": "sketch"}, {"pipeline": []}, {"style": "ink"}],
)
async def test_another_drawing_of_a_scene_is_not_the_one_under_way(ann: Client, change: dict[str, Any]) -> None:
    path, asked = "/chapters/c/images/scenes/1", {"scene_description": "A view", "seed": 1}
    first = await ann.post(path, asked)
    other = await ann.post(path, {**asked, **change})
    assert (other.status, other.body["code"]) == (409, "generation_in_progress")
    urgent = await ann.post(path, {**asked, "user_tier": "pro"})
    assert urgent.body["task_id"] == first.body["task_id"], "only how urgent it is differs"


async def test_what_no_message_can_carry_is_refused(ann: Client) -> None:
    reply = await ann.post("/scrapes", {"urls": [f"{PAGE}/{number}/{'a' * 700}" for number in range(400)]})
    assert (reply.status, reply.body["code"]) == (413, "request_too_large")
    assert (await ann.get("/jobs")).body["items"] == []
    fits = await ann.post("/scrapes", {"urls": [f"{PAGE}/{number}/{'a' * 500}" for number in range(400)]})
    assert fits.status == 202


async def test_one_users_key_means_nothing_to_another(ann: Client, bob: Client) -> None:
    headers = {"Idempotency-Key": "k-1"}
    hers = await ann.post("/scrapes", {"url": PAGE}, headers=headers)
    his = await bob.post("/scrapes", {"url": PAGE}, headers=headers)
    assert hers.body["id"] != his.body["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/scrapes", {}),
        ("/scrapes", {"urls": []}),
        ("/scrapes", {"url": "ftp://example.org/a"}),
        ("/scrapes", {"url": "javascript:alert(1)"}),
        ("/scrapes", {"url": "https://user:pw@example.org/"}),
        ("/scrapes", {"url": "no url"}),
        ("/scrapes", {"url": PAGE, "urll": PAGE}),
        ("/scrapes", {"url": PAGE, "pipeline": ["Not A Step"]}),
        ("/scrapes", {"url": PAGE, "project_id": "no id"}),
        ("/scrapes", {"urls": [f"{PAGE}/{n}" for n in range(501)]}),
        ("/scrapes", [1, 2]),
        ("/media/store", {"url": "https://example.org/a.jpg", "title": "nul \x00"}),
        ("/media/store", {"url": "https://example.org/a.jpg", "scene_id": ""}),
        ("/probes", {"service": "gateway"}),
        ("/maps", {}),
        ("/maps", {"image_ids": [], "filter": {}}),
        ("/maps", {"filter": {"created_after": "0001-01-01T00:00:00+14:00"}}),
        ("/chapters/c/images/scenes/x", {"scene_description": "A view"}),
        ("/chapters/c/images/scenes/1", {"scene_description": ""}),
        ("/chapters/c/images/scenes/1", {"scene_description": "A view", "aspect_ratio": "wide"}),
        ("/chapters/c/images/scenes/-1", {"scene_description": "A view"}),
        ("/chapters/c/images/scenes/99999999999999999999", {"scene_description": "A view"}),
    ],
)
async def test_a_request_that_makes_no_sense_is_a_problem_and_no_job(ann: Client, path: str, body: Any) -> None:
    reply = await ann.post(path, body)
    assert (reply.status, reply.body["code"]) == (422, "validation_failed"), reply.body
    assert reply.body["errors"][0]["pointer"].startswith("/")
    assert (await ann.get("/jobs")).body["items"] == []


async def test_many_submissions_at_once_cost_few_transactions(ann: Client, gateway: Gateway, house: House) -> None:
    await ann.post("/probes", {"service": "media"})
    before = await house.value("SELECT xact_commit FROM pg_stat_database WHERE datname = 'diorama'")
    written: list[int] = []
    write = gateway.parts.desk._batcher._write

    async def counted(batch: Any) -> Any:
        written.append(len(batch))
        return await write(batch)

    gateway.parts.desk._batcher._write = counted
    replies = await asyncio.gather(*(ann.post("/probes", {"service": "media"}) for _ in range(100)))
    assert {reply.status for reply in replies} == {202}
    assert before is not None
    assert sum(written) == 100
    assert len(written) < 50


async def _said_to(house: House, service: str) -> Any:
    messages = await until(lambda: house.heard(service))
    return messages[0]


async def test_a_probe_is_said_to_its_worker(ann: Client, house: House) -> None:
    reply = await ann.post("/probes", {"service": "depth_map"})
    said = await _said_to(house, "depth_map")
    assert isinstance(said, CheckWorker)
    assert str(said.job_id) == reply.body["id"]
