"""Many images at once: what a dry run says is what is done then, and asking again reaches all."""

from typing import Any

import pytest

from contracts.media import DeleteMedia
from services.gateway.routes import edits
from tests.gateway.living import Client, Gateway
from tests.gateway.sayings import said_to
from tests.gateway.uploads.pictures import image_of
from tests.living import House


async def _images(client: Client, gateway: Gateway, count: int) -> list[str]:
    return [await image_of(client, gateway, bytes([number])) for number in range(count)]


async def _bulk(client: Client, **body: Any) -> dict[str, Any]:
    reply = await client.post("/images/bulk", body)
    assert reply.status == (202 if body["action"] == "delete" and not body.get("dry_run") else 200), reply.body
    return dict(reply.body)


async def _dry_and_real(client: Client, **body: Any) -> dict[str, Any]:
    """Do something; a dry run before says the same, and does nothing."""
    before = (await client.get("/images")).body["items"]
    dry = await _bulk(client, **body, dry_run=True)
    after = (await client.get("/images")).body["items"]
    assert [(image["id"], image["version"]) for image in before] == [(image["id"], image["version"]) for image in after]
    real = await _bulk(client, **body)
    for name in ("total", "skipped", "more", "action"):
        assert dry[name] == real[name], name
    assert [(item["id"], item["outcome"]) for item in dry["items"]] == [
        (item["id"], item["outcome"]) for item in real["items"]
    ]
    return real


async def test_images_are_tagged_untagged_and_deleted_as_a_dry_run_says(
    ann: Client, gateway: Gateway, house: House
) -> None:
    images = await _images(ann, gateway, 3)
    tagged = await _dry_and_real(ann, action="tag", ids=images[:2], tags=["Sea", "sky"])
    assert [(item["outcome"], item["version"]) for item in tagged["items"]] == [("tagged", 2)] * 2
    assert (await ann.get(f"/images/{images[0]}")).body["tags"] == ["sea", "sky"]
    again = await _dry_and_real(ann, action="tag", ids=images, tags=["sea"])
    assert [item["id"] for item in again["items"]] == [images[2]]
    assert [(one["id"], one["code"]) for one in again["skipped"]] == [(one, "already_tagged") for one in images[:2]]
    untagged = await _dry_and_real(ann, action="untag", filter={"tag": ["sky"]}, tags=["sky", "land"])
    assert [item["id"] for item in untagged["items"]] == images[:2]
    assert (await ann.get(f"/images/{images[0]}")).body["tags"] == ["sea"]
    none = await _dry_and_real(ann, action="untag", ids=images[:1], tags=["sky"])
    assert [one["code"] for one in none["skipped"]] == ["not_tagged"]
    deleted = await _dry_and_real(ann, action="delete", ids=images[:2])
    assert [image["id"] for image in (await ann.get("/images")).body["items"]] == [images[2]]
    said = [one for one in await said_to(house) if isinstance(one, DeleteMedia)]
    assert [(str(one.asset_id), str(one.job_id)) for one in said] == [
        (item["id"], item["job_id"]) for item in deleted["items"]
    ]


async def test_asking_again_while_there_are_more_reaches_all(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "MANY", 2)
    images = await _images(ann, gateway, 5)
    for action, tags in (("tag", ["sea"]), ("untag", ["sea"]), ("delete", [])):
        reached: list[str] = []
        more = True
        while more:
            done = await _dry_and_real(ann, action=action, filter={}, tags=tags)
            reached += [item["id"] for item in done["items"]]
            more = done["more"]
        assert reached == images, action
    assert (await ann.get("/images")).body["items"] == []


async def test_what_has_no_room_for_more_tags_stands_in_nobodys_way(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, free = await _images(ann, gateway, 2)
    tags = [f"t{number:02}" for number in range(49)]
    await ann.send("PATCH", f"/api/v1/images/{full}", json={"tags": tags})
    named = await _dry_and_real(ann, action="tag", ids=[full], tags=["a", "b"])
    assert [one["code"] for one in named["skipped"]] == ["too_many_tags"]
    monkeypatch.setattr(edits, "MANY", 1)
    found = await _dry_and_real(ann, action="tag", filter={}, tags=["a", "b"])
    assert ([item["id"] for item in found["items"]], found["more"]) == ([free], False)
    last = await _dry_and_real(ann, action="tag", ids=[full], tags=["a", "t00"])
    assert last["total"] == 1, "exactly the most"


async def test_a_wish_that_makes_no_sense_changes_nothing(ann: Client, gateway: Gateway) -> None:
    image_id = await image_of(ann, gateway)
    bad: list[Any] = [
        *({}, {"action": "tag"}, {"action": "tag", "ids": [image_id]}, {"action": "tag", "filter": {}, "tags": []}),
        *(
            {"action": "delete"},
            {"action": "delete", "ids": [image_id], "tags": ["a"]},
            {"action": "delete", "ids": []},
        ),
        *({"action": "delete", "ids": [image_id], "filter": {}}, {"action": "hide", "filter": {}}),
        *({"action": "delete", "filter": {"colour": "red"}}, {"action": "delete", "ids": [image_id] * 501}),
    ]
    for body in bad:
        reply = await ann.post("/images/bulk", body)
        assert (reply.status, reply.body["code"]) == (422, "validation_failed"), body
    unknown = "00000000-0000-4000-8000-00000000ffff"
    reply = await ann.post("/images/bulk", {"action": "delete", "ids": [image_id, unknown]})
    assert (reply.status, reply.body["code"]) == (404, "image_not_found")
    assert unknown in reply.body["errors"][0]["message"]
    assert len((await ann.get("/images")).body["items"]) == 1
