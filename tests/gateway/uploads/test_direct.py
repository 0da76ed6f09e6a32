"""Files sent past the gateway, straight into the object store, and completed there."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import aiohttp

from contracts.media import AcceptUpload
from services.gateway.rounds.uploads import remove_uploads
from shared.object_keys import upload_key
from tests.gateway.living import Client, Gateway, Reply
from tests.gateway.sayings import said_to
from tests.gateway.uploads.pictures import Shelf, image_of, png, stored
from tests.living import House

ANNOUNCED = {"content_type": "image/png", "size_bytes": len(png()), "filename": "a.png", "title": "A view"}


async def _announced(client: Client, **changes: Any) -> dict[str, Any]:
    reply = await client.post("/uploads", {**ANNOUNCED, **changes})
    assert reply.status == 201, reply.body
    return dict(reply.body)


async def _put(begun: dict[str, Any], body: bytes) -> int:
    async with (
        aiohttp.ClientSession() as browser,
        browser.request(begun["method"], begun["url"], data=body, headers=begun["headers"]) as response,
    ):
        return response.status


async def _complete(client: Client, upload_id: str, **options: Any) -> Reply:
    return await client.post(f"/uploads/{upload_id}/complete", **options)


async def test_a_file_goes_straight_into_the_store_and_is_taken_in_once(
    ann: Client, gateway: Gateway, shelf: Shelf
) -> None:
    begun = await _announced(ann, tags=["Sea"], sha256=sha256(png()).hexdigest())
    assert (begun["state"], begun["job"]) == ("waiting", None)
    assert (await ann.send("GET", begun["links"]["self"])).body["state"] == "waiting"
    early = await _complete(ann, begun["id"])
    assert (early.status, early.body["code"]) == (409, "upload_missing")
    assert await _put(begun, png() + b"more") == 403, "nothing else than was announced"
    assert await _put(begun, png()) == 200
    first, again = await _complete(ann, begun["id"]), await _complete(ann, begun["id"])
    assert (first.status, again.status) == (202, 202)
    assert first.body["id"] == again.body["id"]
    assert first.headers["location"] == again.headers["location"] == f"/api/v1/jobs/{first.body['id']}"
    [command] = [one for one in await said_to(shelf.house) if isinstance(one, AcceptUpload)]
    assert (command.object_key, command.context.title) == (upload_key(begun["id"]), "A view")
    assert await shelf.objects.get(command.object_key) == png()
    shown = (await ann.get(f"/uploads/{begun['id']}")).body
    assert (shown["state"], shown["job"]["id"], shown["expires_at"]) == ("accepted", first.body["id"], None)
    late = await ann.send("DELETE", f"/api/v1/uploads/{begun['id']}")
    assert (late.status, late.body["code"]) == (409, "upload_completed")
    fact = stored(first.body, png())
    await gateway.hear(fact)
    assert (await ann.get(f"/images/{fact.asset_id}")).body["tags"] == ["sea"]


async def test_what_is_not_what_was_announced_is_not_taken_in(ann: Client, shelf: Shelf) -> None:
    begun = await _announced(ann)
    await shelf.objects.put(upload_key(begun["id"]), b"short", content_type="image/png")
    reply = await _complete(ann, begun["id"])
    assert (reply.status, reply.body["code"]) == (409, "upload_size_differs")
    assert await _put(begun, png()) == 200, "it can be sent again"
    assert (await _complete(ann, begun["id"])).status == 202


async def test_an_upload_that_is_over_is_told_so_and_removed_later(ann: Client, gateway: Gateway, shelf: Shelf) -> None:
    begun = await _announced(ann)
    assert await _put(begun, png()) == 200
    pool, uploads = gateway.parts.bus.pool, gateway.parts.uploads
    assert await remove_uploads(pool, uploads) == 0
    await shelf.house.admin.execute("UPDATE gateway.uploads SET expires_at = now() - interval '1 minute'")
    assert (await ann.get(f"/uploads/{begun['id']}")).body["state"] == "expired"
    reply = await _complete(ann, begun["id"])
    assert (reply.status, reply.body["code"]) == (410, "upload_expired")
    assert await remove_uploads(pool, uploads) == 0, "what is on its way may still arrive"
    await shelf.house.admin.execute("UPDATE gateway.uploads SET expires_at = now() - $1::interval", timedelta(hours=2))
    assert await remove_uploads(pool, uploads) == 1
    assert await shelf.keys() == []
    assert (await _complete(ann, begun["id"])).status == 404


async def test_an_upload_that_is_given_up_is_gone(ann: Client, gateway: Gateway, shelf: Shelf) -> None:
    begun = await _announced(ann)
    assert await _put(begun, png()) == 200
    assert (await ann.send("DELETE", f"/api/v1/uploads/{begun['id']}")).status == 204
    assert await shelf.keys() == []
    for reply in (await ann.get(f"/uploads/{begun['id']}"), await _complete(ann, begun["id"])):
        assert (reply.status, reply.body["code"]) == (404, "upload_not_found")
    assert (await ann.send("DELETE", f"/api/v1/uploads/{begun['id']}")).status == 404
    assert await _put(begun, png()) == 200, "its address still works"
    await shelf.house.admin.execute("UPDATE gateway.uploads SET expires_at = now() - interval '2 hours'")
    await remove_uploads(gateway.parts.bus.pool, gateway.parts.uploads)
    assert await shelf.keys() == []


async def test_a_file_that_the_project_has_need_not_be_sent(ann: Client, bob: Client, gateway: Gateway) -> None:
    image_id = await image_of(ann, gateway, png())
    known = {**ANNOUNCED, "sha256": sha256(png()).hexdigest()}
    key = {"Idempotency-Key": "k-1"}
    first, again = [await ann.post("/uploads", ANNOUNCED, headers=key) for _ in range(2)]
    assert (first.status, first.body) == (again.status, again.body), "the same announcement is made once"
    reply = await ann.post("/uploads", known)
    assert (reply.status, reply.body["duplicate"], reply.body["image"]["id"]) == (200, True, image_id)
    assert (await bob.post("/uploads", known)).status == 201, "another project is told nothing"
    await ann.send("DELETE", f"/api/v1/images/{image_id}")
    going = await ann.post("/uploads", known)
    assert (going.status, going.body["code"]) == (409, "image_being_deleted")


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"content_type": "text/html"}, 415, "media_type_unsupported"),
    ({"content_type": "image/svg+xml"}, 415, "media_type_unsupported"),
    ({"size_bytes": 50 * 1024 * 1024 + 1}, 413, "file_too_large"),
    ({"size_bytes": 0}, 422, "validation_failed"),
    ({"sha256": "AB" * 32}, 422, "validation_failed"),
    ({"filename": "nul \0"}, 422, "validation_failed"),
    ({"tags": ["a,b"]}, 422, "validation_failed"),
    ({"project_id": "00000000-0000-4000-8000-000000000000"}, 403, "not_a_member"),
    ({"customer": 1}, 422, "validation_failed"),
]


async def test_what_cannot_be_taken_in_gets_no_leave(ann: Client, house: House) -> None:
    for change, status, code in REFUSED:
        reply = await ann.post("/uploads", {**ANNOUNCED, **change})
        assert (reply.status, reply.body["code"]) == (status, code), reply.body
    assert await house.value("SELECT count(*) FROM gateway.uploads") == 0


async def test_an_upload_is_nobody_elses(ann: Client, bob: Client, shelf: Shelf) -> None:
    begun = await _announced(ann)
    await _put(begun, png())
    path = f"/api/v1/uploads/{begun['id']}"
    for method, address in (("GET", path), ("DELETE", path), ("POST", f"{path}/complete")):
        assert (await bob.send(method, address)).status == 404, method
    assert await shelf.keys() == [upload_key(begun["id"])]
    await shelf.house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert (await bob.get(f"/uploads/{begun['id']}")).status == 200
    for method, address in (("DELETE", path), ("POST", f"{path}/complete")):
        assert (await bob.send(method, address)).body["code"] == "viewer_only", method
    mine = {**ANNOUNCED, "project_id": str(ann.project_id)}
    assert (await bob.post("/uploads", mine)).body["code"] == "viewer_only"
