"""Manifests are uploaded as images are, and read by the scraper, for nobody but whoever may write where they lie."""

from typing import Any

import orjson
import pytest

from contracts.scraper import MANIFEST_LIMIT_BYTES, ReadManifest
from services.gateway.rounds.uploads import remove_uploads
from shared.object_keys import upload_key
from tests.gateway.living import Client, Gateway, Reply
from tests.gateway.sayings import said_to
from tests.gateway.uploads.pictures import Shelf, png
from tests.living import House

LIST = b"url,caption\nhttps://example.org/a.jpg,A\n"
ANNOUNCED = {"content_type": "text/csv", "size_bytes": len(LIST), "filename": "list.csv", "pipeline": ["describe"]}


async def uploaded(client: Client, shelf: Shelf, **changes: Any) -> dict[str, Any]:
    """Announce a manifest and put it where it belongs."""
    reply = await client.post("/uploads", {**ANNOUNCED, **changes})
    assert reply.status == 201, reply.body
    await shelf.objects.put(reply.body["object_key"], LIST, content_type="text/csv")
    return dict(reply.body)


async def ask_for(client: Client, object_key: str, id_: str = "1", **more: Any) -> Reply:
    """Ask for a manifest to be read, as another system would."""
    data = {"object_key": object_key, **more}
    said = {"specversion": "1.0", "id": id_, "source": "shop", "type": ReadManifest.wire_name, "data": data}
    headers = {"Content-Type": "application/cloudevents+json"}
    return await client.send("POST", "/api/v1/events", data=orjson.dumps(said), headers=headers)


async def commands(house: House) -> list[ReadManifest]:
    return [one for one in await said_to(house, "scraper") if isinstance(one, ReadManifest)]


async def test_a_manifest_that_is_uploaded_and_completed_is_read_once(ann: Client, shelf: Shelf) -> None:
    begun = await uploaded(ann, shelf)
    assert begun["object_key"] == upload_key(begun["id"])
    first, again = [await ann.post(f"/uploads/{begun['id']}/complete") for _ in range(2)]
    assert (first.status, again.status, first.body["id"]) == (202, 202, again.body["id"])
    [command] = await commands(shelf.house)
    assert (command.object_key, command.pipeline, str(command.job_id)) == (
        begun["object_key"],
        ("describe",),
        first.body["id"],
    )
    assert (await ann.get(f"/uploads/{begun['id']}")).body["job"]["kind"] == ReadManifest.wire_name


async def test_a_manifest_with_columns_of_its_own_is_named_by_its_key(
    ann: Client, gateway: Gateway, shelf: Shelf
) -> None:
    begun = await uploaded(ann, shelf)
    reply = await ask_for(ann, begun["object_key"], columns={"url": "IMAGE"}, max_rows=5)
    assert reply.status == 202, reply.body
    [command] = await commands(shelf.house)
    assert (command.object_key, command.columns.url, command.max_rows) == (begun["object_key"], "IMAGE", 5)
    shown = (await ann.get(f"/uploads/{begun['id']}")).body
    assert (shown["state"], shown["job"]["id"]) == ("accepted", reply.body["items"][0]["job_id"])
    assert (await ask_for(ann, begun["object_key"])).body["code"] == "event_id_reused"
    later = (await ask_for(ann, begun["object_key"], "2")).body["items"][0]["job_id"]
    assert (await ann.get(f"/uploads/{begun['id']}")).body["job"]["id"] == later, "it is kept for the last of them"
    assert await remove_uploads(gateway.parts.bus.pool, gateway.parts.uploads) == 0


async def test_nobody_has_the_manifest_of_another_project_read(ann: Client, bob: Client, shelf: Shelf) -> None:
    begun = await uploaded(ann, shelf)
    key = begun["object_key"]
    assert (await ask_for(bob, key)).body["code"] == "upload_not_found"
    assert (await ask_for(bob, key, project_id=str(ann.project_id))).body["code"] == "not_a_member"
    await shelf.house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'editor')", ann.project_id
    )
    assert (await ask_for(bob, key)).body["code"] == "upload_not_found", "it is not in his own project"
    assert await commands(shelf.house) == []
    assert (await ask_for(bob, key, project_id=str(ann.project_id))).status == 202


async def test_only_what_has_arrived_as_it_was_announced_and_is_a_manifest_is_read(ann: Client, shelf: Shelf) -> None:
    begun = (await ann.post("/uploads", ANNOUNCED)).body
    missing = await ask_for(ann, begun["object_key"])
    assert (missing.status, missing.body["code"]) == (409, "upload_missing")
    await shelf.objects.put(begun["object_key"], LIST + b"more", content_type="text/csv")
    assert (await ask_for(ann, begun["object_key"])).body["code"] == "upload_size_differs"
    await shelf.objects.put(begun["object_key"], LIST, content_type="text/csv")
    await shelf.house.admin.execute("UPDATE gateway.uploads SET expires_at = now() - interval '1 minute'")
    assert (await ask_for(ann, begun["object_key"])).body["code"] == "upload_expired"
    image = (await ann.post("/uploads", {"content_type": "image/png", "size_bytes": len(png())})).body
    assert image["object_key"] is None
    await shelf.objects.put(upload_key(image["id"]), png(), content_type="image/png")
    for key in (upload_key(image["id"]), "uploads/x", "uploads/00000000-0000-4000-8000-000000000000"):
        reply = await ask_for(ann, key)
        assert (reply.status, reply.body["code"]) == (404, "upload_not_found"), key
    assert await commands(shelf.house) == []


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"size_bytes": MANIFEST_LIMIT_BYTES + 1}, 413, "file_too_large"),
        ({"content_type": "application/vnd.ms-excel"}, 415, "media_type_unsupported"),
    ],
)
async def test_what_would_not_be_read_gets_no_leave(
    ann: Client, house: House, change: dict[str, Any], status: int, code: str
) -> None:
    reply = await ann.post("/uploads", {**ANNOUNCED, **change})
    assert (reply.status, reply.body["code"]) == (status, code), reply.body
    assert await house.value("SELECT count(*) FROM gateway.uploads") == 0


async def test_a_manifest_may_be_larger_than_an_image(ann: Client) -> None:
    reply = await ann.post("/uploads", {**ANNOUNCED, "size_bytes": MANIFEST_LIMIT_BYTES})
    assert reply.status == 201
