"""Other systems say commands for workers as CloudEvents, each once, and nothing that is not theirs to say."""

from typing import Any
from uuid import uuid4

import orjson

from contracts.depth_map import MapDepth
from contracts.image_generation import GenerateImage
from contracts.media import FetchMedia, MediaStored
from contracts.scraper import CrawlSite, ReadManifest, ScrapePages
from services.gateway.rules.outsiders import MAY_SAY
from tests.gateway.living import Client, Gateway, Reply
from tests.gateway.review.mapped import mapped
from tests.gateway.sayings import said_to
from tests.living import House

ONE, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
URL = "https://example.org/a.jpg"


def event(id_: str = "1", type_: str = FetchMedia.wire_name, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": id_, "source": "shop", "type": type_, "data": {"url": URL}, **more}


async def say(client: Client, said: Any, media_type: str = ONE, **headers: str) -> Reply:
    sent = {"Content-Type": media_type, **headers}
    return await client.send("POST", "/api/v1/events", data=orjson.dumps(said), headers=sent)


async def test_an_event_becomes_a_job_in_every_mode(ann: Client, house: House) -> None:
    binary = {"ce-specversion": "1.0", "ce-id": "b", "ce-source": "shop%20two", "ce-type": ScrapePages.wire_name}
    replies = [
        await say(ann, event("a", data={"url": URL, "pipeline": ["describe"]}, anything="else")),
        await say(ann, {"urls": ["https://example.org"]}, "application/json", **binary),
        await say(ann, [event("c"), event("d", GenerateImage.wire_name, data=DRAWING)], BATCH),
    ]
    assert [reply.status for reply in replies] == [202, 202, 202]
    items = [item for reply in replies for item in reply.body["items"]]
    assert [(item["source"], item["id"], item["outcome"]) for item in items] == [
        ("shop", "a", "accepted"),
        ("shop two", "b", "accepted"),
        ("shop", "c", "accepted"),
        ("shop", "d", "accepted"),
    ]
    assert replies[0].headers["location"] == items[0]["link"] == f"/api/v1/jobs/{items[0]['job_id']}"
    [fetch, other] = [one for one in await said_to(house, "media") if isinstance(one, FetchMedia)]
    assert (fetch.url, fetch.pipeline, fetch.submitted_by, fetch.project_id) == (
        URL,
        ("describe",),
        "ann",
        ann.project_id,
    )
    assert [str(one.job_id) for one in (fetch, other)] == [items[0]["job_id"], items[2]["job_id"]]
    assert [one.wire_name for one in await said_to(house, "scraper")] == [ScrapePages.wire_name]
    for item in items:
        assert (await ann.job(item["job_id"]))["state"] == "pending"


async def test_of_an_event_in_headers_a_key_stands_for_what_they_say_too(ann: Client) -> None:
    first = {"ce-specversion": "1.0", "ce-id": "a", "ce-source": "shop", "ce-type": FetchMedia.wire_name}
    headers = {"Idempotency-Key": "k", **first}
    replies = [await say(ann, {"url": URL}, "application/json", **headers, **more) for more in ({}, {"ce-extra": "x"})]
    assert [reply.status for reply in replies] == [202, 202]
    assert replies[1].headers["idempotency-replayed"] == "true"
    other = await say(ann, {"url": URL}, "application/json", **{**headers, "ce-id": "b"})
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


async def test_another_system_has_a_site_crawled(ann: Client, house: House) -> None:
    asked = {"seeds": [{"url": "https://example.org/"}], "scope": {"max_pages": 7}}
    reply = await say(ann, event(type_=CrawlSite.wire_name, data=asked))
    assert reply.status == 202, reply.body
    [crawl] = await said_to(house, "scraper")
    assert isinstance(crawl, CrawlSite)
    assert (crawl.scope.max_pages, crawl.submitted_by, crawl.project_id) == (7, "ann", ann.project_id)


async def test_another_system_has_a_manifest_read_from_a_link(ann: Client, house: House) -> None:
    asked = {"url": "https://example.org/list.parquet", "columns": {"url": "URL", "caption": "TEXT"}, "max_rows": 9}
    reply = await say(ann, event(type_=ReadManifest.wire_name, data=asked))
    assert reply.status == 202, reply.body
    [command] = await said_to(house, "scraper")
    assert isinstance(command, ReadManifest)
    assert (command.url, command.columns.caption, command.max_rows) == (asked["url"], "TEXT", 9)


DRAWING = {"description": "a forest", "aspect_ratio": "1:1"}


async def test_what_is_said_again_is_the_same_job_and_an_id_means_one_thing(ann: Client, house: House) -> None:
    first = (await say(ann, event())).body["items"][0]
    again = (await say(ann, [event(), event(), event("2")], BATCH)).body["items"]
    assert [(item["outcome"], item["job_id"] == first["job_id"]) for item in again] == [
        ("known", True),
        ("known", True),
        ("accepted", False),
    ]
    assert len(await said_to(house, "media")) == 2
    for said, media_type in ((event(data={"url": f"{URL}?"}), ONE), ([event("3"), event("2", subject="x")], BATCH)):
        reply = await say(ann, said, media_type)
        if media_type == ONE:
            assert (reply.status, reply.body["code"]) == (422, "event_id_reused")
        else:
            assert reply.status == 202, "the subject is not part of what was said"
    two = [event("9"), event("9", data={"url": f"{URL}?"})]
    assert (await say(ann, two, BATCH)).body["code"] == "event_id_reused"
    assert await house.value("SELECT count(*) FROM gateway.received_events WHERE id = '9'") == 0


async def test_nobody_says_facts_or_what_is_not_as_its_contract_says(ann: Client, house: House) -> None:
    for said, code in (
        (event(type_=MediaStored.wire_name), "event_type_refused"),
        (event(type_="media.accept_upload.v1", data={"object_key": "uploads/x"}), "event_type_refused"),
        (event(type_="depth_map.review_depth_map.v1"), "event_type_refused"),
        (event(type_="jobs.cancel_job.v1"), "event_type_refused"),
        (event(type_="media.unheard_of.v1"), "event_type_unknown"),
        (event(data={}), "event_invalid"),
        (event(data={"url": "ftp://example.org"}), "event_invalid"),
        (event(type_=ScrapePages.wire_name, data={"urls": []}), "event_invalid"),
        (event(type_=CrawlSite.wire_name, data={"seeds": [{"url": "ftp://example.org"}]}), "event_invalid"),
        (event(type_=ReadManifest.wire_name, data={}), "event_invalid"),
        (event(type_=ReadManifest.wire_name, data={"url": "ftp://example.org"}), "event_invalid"),
        (event(type_=ReadManifest.wire_name, data={"url": URL, "object_key": "uploads/x"}), "event_invalid"),
        (event(type_=ReadManifest.wire_name, data={"object_key": "media/originals/x"}), "event_invalid"),
        (event(data={"url": URL, "context": {"title": "a\x00b"}}), "validation_failed"),
        (event(data={"url": URL, "project_id": "mine"}), "validation_failed"),
        (event(specversion="0.3"), "validation_failed"),
        (event(data="text"), "validation_failed"),
        (event(""), "validation_failed"),
        ([event()], "validation_failed"),
    ):
        reply = await say(ann, said)
        assert (reply.status, reply.body["code"]) == (422, code), said
    for body in ([], [event(str(number)) for number in range(101)], event()):
        assert (await say(ann, body, BATCH)).status == 422
    mixed = await say(ann, [event("1"), event("2", "media.unheard_of.v1")], BATCH)
    assert (mixed.status, mixed.body["errors"][0]["pointer"]) == (422, "/body/1/type")
    for media_type in ("application/json", "text/plain"):
        assert (await say(ann, event(), media_type)).status == 415, "without the headers it is no event"
    assert await house.value("SELECT count(*) FROM gateway.jobs") == 0, "of a batch all is taken or nothing"
    assert (await say(ann, event())).status == 202


async def test_an_outsider_speaks_for_himself_alone(ann: Client, house: House) -> None:
    claims = {"submitted_by": "oz", "parent_job_id": str(uuid4()), "root_job_id": str(uuid4()), "priority": 100}
    reply = await say(ann, event(data={"url": URL, "job_id": str(uuid4()), **claims}))
    [command] = await said_to(house, "media")
    assert isinstance(command, FetchMedia)
    assert (command.submitted_by, command.parent_job_id, command.root_job_id, command.priority) == (
        "ann",
        None,
        command.job_id,
        0,
    )
    assert str(command.job_id) == reply.body["items"][0]["job_id"]


async def test_maps_are_drawn_of_images_of_the_project_and_of_no_object_that_somebody_names(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    fact = await mapped(ann, gateway)
    await said_to(house, "depth_map")
    claims = {"original_key": "media/originals/of/another.jpg", "sha256": "cd" * 32}
    wish = event(type_=MapDepth.wire_name, data={"asset_id": str(fact.asset_id), **claims})
    assert (await say(ann, wish)).status == 202
    [command] = await said_to(house, "depth_map")
    assert isinstance(command, MapDepth)
    known = await house.rows("SELECT original_key, sha256 FROM gateway.assets WHERE id = $1", fact.asset_id)
    assert (command.original_key, command.sha256) == tuple(known[0])
    for type_ in (MapDepth.wire_name, "media.describe_media.v1"):
        reply = await say(bob, event(type_=type_, data={"asset_id": str(fact.asset_id)}))
        assert (reply.status, reply.body["code"]) == (404, "image_not_found")
    assert (await say(ann, event("2", "media.describe_media.v1", data={"asset_id": str(fact.asset_id)}))).status == 202


async def test_a_stranger_says_nothing_into_a_project_and_what_he_says_is_not_what_others_said(
    ann: Client, bob: Client, house: House
) -> None:
    into = event(data={"url": URL, "project_id": str(ann.project_id)})
    assert (await say(ann, into)).body["items"][0]["outcome"] == "accepted"
    assert (await say(bob, into)).body["code"] == "not_a_member"
    assert (await say(bob, event())).body["items"][0]["outcome"] == "accepted", "his id 1 is another"
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert (await say(bob, into)).body["code"] == "viewer_only"
    assert await house.value("SELECT count(*) FROM gateway.jobs") == 2


def test_no_command_that_names_objects_of_the_store_is_taken_as_it_is_said() -> None:
    naming = {"original_key", "object_key"}
    looked_at = {MapDepth.wire_name, ReadManifest.wire_name}
    assert {name for name, command in MAY_SAY.items() if naming & command.model_fields.keys()} == looked_at
