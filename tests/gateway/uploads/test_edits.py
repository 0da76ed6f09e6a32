"""What people say of images stays said, and what they delete is gone at once."""

from itertools import permutations
from typing import Any

from contracts.jobs import JobCancelled, JobCompleted, JobFailed
from contracts.media import DeleteMedia, MediaDeleted
from contracts.scraper import ImageContext
from tests.gateway.living import Client, Gateway, Reply, Voice, types_of
from tests.gateway.sayings import media_stored, said_to
from tests.gateway.uploads.pictures import image_of
from tests.living import House

FOUND = ImageContext(title="found", alt="found too", credit="Somebody", licence="CC0")
DONE: dict[str, Any] = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}


async def _patch(client: Client, image_id: str, body: Any, **headers: str) -> Reply:
    return await client.send("PATCH", f"/api/v1/images/{image_id}", json=body, headers=headers)


async def _delete(client: Client, image_id: str, **headers: str) -> Reply:
    return await client.send("DELETE", f"/api/v1/images/{image_id}", headers=headers)


async def _ids(client: Client, query: str = "") -> list[str]:
    return [image["id"] for image in (await client.get(f"/images{query}")).body["items"]]


async def test_what_somebody_says_of_an_image_wins_over_what_was_found_with_it(ann: Client, gateway: Gateway) -> None:
    image_id = await image_of(ann, gateway, context=FOUND)
    before = (await ann.get(f"/images/{image_id}")).body
    assert (before["title"], before["alt"], before["caption"], before["tags"]) == ("found", "found too", None, [])
    assert (before["credit"], before["licence"], before["version"], before["edited_by"]) == ("Somebody", "CC0", 1, None)
    async with ann.events() as events:
        reply = await _patch(ann, image_id, {"title": "Mine", "tags": [" Sea ", "CAFE\u0301", "sea"]})
        assert (await events.next())["type"] == "image.edited"
    assert (reply.status, reply.headers["etag"][:3]) == (200, '"2.')
    assert (reply.body["title"], reply.body["alt"], reply.body["tags"]) == ("Mine", "found too", ["café", "sea"])
    shown = await ann.get(f"/images/{image_id}")
    assert (shown.body["title"], shown.body["edited_by"], shown.headers["etag"]) == (
        "Mine",
        "ann",
        reply.headers["etag"],
    )
    assert (await ann.get("/images")).body["items"][0]["tags"] == ["café", "sea"]
    emptied = await _patch(ann, image_id, {"title": None, "alt": ""})
    assert (emptied.body["title"], emptied.body["alt"], emptied.body["version"]) == ("found", "", 3)


async def test_a_late_fact_never_overwrites_an_edit(ann: Client, gateway: Gateway) -> None:
    job = (await ann.post("/media/store", {"url": "https://example.org/a.jpg", "pipeline": []})).body
    facts = [media_stored(Voice(job), context=FOUND, version=version) for version in (1, 2)]
    await gateway.hear(facts[0])
    image_id = str(facts[0].asset_id)
    await _patch(ann, image_id, {"title": "Mine", "tags": ["sea"]})
    await gateway.hear(*facts)
    image = (await ann.get(f"/images/{image_id}")).body
    assert (image["title"], image["tags"], image["version"]) == ("Mine", ["sea"], 2)


async def test_an_edit_of_what_has_changed_meanwhile_is_refused(ann: Client, gateway: Gateway) -> None:
    image_id = await image_of(ann, gateway)
    seen = (await ann.get(f"/images/{image_id}")).headers["etag"]
    assert (await _patch(ann, image_id, {"title": "first"}, **{"If-Match": seen})).status == 200
    for headers in ({"If-Match": seen}, {"If-Match": 'W/"2"'}, {"If-Match": '"x", "y"'}):
        for late in (
            await _patch(ann, image_id, {"title": "late"}, **headers),
            await _delete(ann, image_id, **headers),
        ):
            assert (late.status, late.body["code"], late.headers["etag"]) == (412, "version_stale", '"2"')
    for headers in ({"If-Match": '"1", "2"'}, {"If-Match": "*"}, {}):
        assert (await _patch(ann, image_id, {"title": "last wins"}, **headers)).status == 200
    tagged = (await ann.post("/images/bulk", {"action": "tag", "ids": [image_id], "tags": ["sea"]})).body
    assert tagged["items"][0]["version"] == 6, "it counts the same, however an image is edited"
    assert (await _delete(ann, image_id, **{"If-Match": '"6"'})).status == 202


async def test_an_edit_that_makes_no_sense_changes_nothing(ann: Client, gateway: Gateway) -> None:
    image_id = await image_of(ann, gateway)
    bad: list[Any] = [
        *({}, {"tags": None}, {"tags": [""]}, {"tags": [" \t"]}, {"tags": ["a,b"]}, {"tags": ["a\nb\x07"]}),
        *({"tags": ["x" * 81]}, {"tags": [f"t{n}" for n in range(51)]}, {"title": "nul \0"}, {"title": "x" * 2001}),
        *({"credit": "me"}, {"favourite": True}, []),
    ]
    for body in bad:
        reply = await _patch(ann, image_id, body)
        assert (reply.status, reply.body["code"]) == (422, "validation_failed"), body
    assert (await ann.get(f"/images/{image_id}")).body["version"] == 1


async def test_images_are_found_by_all_of_their_tags_and_tags_are_counted(
    ann: Client, bob: Client, gateway: Gateway
) -> None:
    images = [await image_of(ann, gateway, bytes([number])) for number in range(3)]
    for image_id, tags in zip(images, (["sea", "sky"], ["sea"], ["sky", "größe"]), strict=True):
        await _patch(ann, image_id, {"tags": tags})
    assert set(await _ids(ann, "?tag=sea")) == set(images[:2])
    assert await _ids(ann, "?tag=SEA&tag=sky") == [images[0]]
    assert await _ids(ann, "?tag=land") == await _ids(bob, "?tag=sea") == []
    first = (await ann.get("/tags?limit=2")).body
    rest = (await ann.get("/tags", params={"limit": "2", "cursor": first["next_cursor"]})).body
    counts = [(item["tag"], item["count"]) for item in first["items"] + rest["items"]]
    assert (counts, rest["next_cursor"]) == ([("grösse", 1), ("sea", 2), ("sky", 2)], None)
    assert [item["tag"] for item in (await ann.get("/tags?prefix=S")).body["items"]] == ["sea", "sky"]
    assert (await bob.get("/tags")).body["items"] == []
    assert (await bob.get(f"/tags?project_id={ann.project_id}")).status == 403
    for cursor in ("x", "AAAA"):
        assert (await ann.get("/tags", params={"cursor": cursor})).body["code"] == "cursor_invalid"
    await _delete(ann, images[2])
    assert [item["tag"] for item in (await ann.get("/tags")).body["items"]] == ["sea", "sky"]
    mapped = await ann.post("/maps", {"filter": {"tag": ["Sky"]}})
    assert [job["image_id"] for job in mapped.body["items"]] == [images[0]]


async def test_a_page_of_tags_goes_on_behind_the_longest_tag_in_any_script(ann: Client, gateway: Gateway) -> None:
    tags = sorted(("достопримечательности города", "\N{MUSICAL SYMBOL G CLEF}" * 80, '"' * 80))
    await _patch(ann, await image_of(ann, gateway), {"tags": tags})
    listed, cursor = [], None
    for _ in tags:
        reply = await ann.get("/tags", params={"limit": "1", **({"cursor": cursor} if cursor else {})})
        assert reply.status == 200, reply.body
        listed += [item["tag"] for item in reply.body["items"]]
        cursor = reply.body["next_cursor"]
    assert (sorted(listed), cursor) == (tags, None)


async def test_a_deleted_image_is_gone_at_once_and_said_to_media(ann: Client, gateway: Gateway, house: House) -> None:
    image_id = await image_of(ann, gateway)
    async with ann.events() as events:
        reply = await _delete(ann, image_id)
        assert types_of(await events.take(2)) == ["job.submitted", "image.deleting"]
    assert (reply.status, reply.body["kind"]) == (202, DeleteMedia.wire_name)
    assert (await ann.job(reply.body["id"]))["state"] == "pending"
    await _check_gone(ann, image_id)
    [command] = [one for one in await said_to(house) if isinstance(one, DeleteMedia)]
    assert (str(command.asset_id), str(command.job_id)) == (image_id, reply.body["id"])
    voice = Voice(reply.body)
    await gateway.hear(voice.says(JobCompleted, **DONE))
    await _check_gone(ann, image_id)
    await gateway.hear(voice.states(MediaDeleted, asset_id=image_id, subject_version=2))
    await _check_gone(ann, image_id)


async def _check_gone(client: Client, image_id: str) -> None:
    address = f"/images/{image_id}"
    replies = [await client.get(path) for path in (address, f"{address}/file", f"{address}/maps")]
    replies += [await _patch(client, image_id, {"title": "t"}), await _delete(client, image_id)]
    replies += [await client.post("/maps", {"image_id": image_id})]
    assert {reply.status for reply in replies} == {404}
    assert await _ids(client) == []


async def test_an_image_that_could_not_be_deleted_is_there_again_with_the_reason(ann: Client, gateway: Gateway) -> None:
    image_id = await image_of(ann, gateway)
    await _patch(ann, image_id, {"title": "Mine"})
    first = Voice((await _delete(ann, image_id)).body)
    await gateway.hear(first.says(JobFailed, attempt=3, code="no_disk", sentence="The disk is gone."))
    image = (await ann.get(f"/images/{image_id}")).body
    error = {"code": "no_disk", "sentence": "The disk is gone."}
    assert image["deletion"] == {"job_id": first.job["id"], "state": "failed", "error": error}
    assert image["title"] == "Mine"
    await ann.post("/jobs/retry", {"ids": [first.job["id"]]})
    assert await _ids(ann) == [], "it is being deleted again"
    jobs = (await ann.get("/jobs", params={"kind": DeleteMedia.wire_name})).body["items"]
    again = Voice(next(job for job in jobs if job["retried_from"] == first.job["id"]))
    await gateway.hear(again.says(JobCancelled, cancelled_by="ann"))
    assert (await ann.get(f"/images/{image_id}")).body["deletion"]["state"] == "cancelled"
    assert (await _delete(ann, image_id)).status == 202


async def test_what_is_stored_again_after_its_deletion_is_there_again_without_its_edits(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = (await ann.post("/media/store", {"url": "https://example.org/a.jpg", "pipeline": []})).body
    old, new = (media_stored(Voice(job), context=FOUND, version=version) for version in (1, 3))
    image_id = str(old.asset_id)
    deleted = Voice(job).states(MediaDeleted, asset_id=old.asset_id, subject_version=2)
    for order in permutations((deleted, new, old)):
        await house.admin.execute("TRUNCATE gateway.assets, gateway.image_edits, gateway.image_tags")
        await gateway.hear(old)
        await _patch(ann, image_id, {"title": "Mine", "tags": ["sea"]})
        await _delete(ann, image_id)
        for number, fact in enumerate(order):
            await gateway.hear(fact)
            assert (await _ids(ann) == [image_id]) is (new in order[: number + 1]), order
        image = (await ann.get(f"/images/{image_id}")).body
        assert image["deletion"] is None
        if order.index(deleted) < order.index(new):
            assert (image["title"], image["tags"]) == ("found", [])


async def test_what_is_stored_again_is_without_its_edits_also_where_its_deletion_is_heard_with_it_or_later(
    ann: Client, gateway: Gateway
) -> None:
    job = (await ann.post("/media/store", {"url": "https://example.org/a.jpg", "pipeline": []})).body
    for at, together in ((1, True), (3, False)):
        old, new = (media_stored(Voice(job), context=FOUND, version=version) for version in (at, at + 2))
        await gateway.hear(old)
        await _patch(ann, str(old.asset_id), {"title": "Mine", "tags": ["sea"]})
        await _delete(ann, str(old.asset_id))
        deleted = Voice(job).states(MediaDeleted, asset_id=old.asset_id, subject_version=at + 1)
        await (gateway.hear(deleted, new) if together else gateway.hear(new))
        image = (await ann.get(f"/images/{old.asset_id}")).body
        assert (image["title"], image["tags"], image["version"]) == ("found", [], 1), together
        await gateway.hear(deleted)
        assert (await ann.get(f"/images/{old.asset_id}")).body["title"] == "found"


async def test_what_is_deleted_under_a_key_is_deleted_once(ann: Client, gateway: Gateway) -> None:
    image_id = await image_of(ann, gateway)
    first, again = [await _delete(ann, image_id, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert (first.status, first.body["id"]) == (again.status, again.body["id"])
    assert (await _delete(ann, image_id)).status == 404
    await image_of(ann, gateway, b"another")
    wish, key = {"action": "delete", "filter": {}}, {"Idempotency-Key": "k-2"}
    first, again = [await ann.post("/images/bulk", wish, headers=key) for _ in range(2)]
    assert (first.body["total"], first.body) == (1, again.body)


async def test_a_stranger_and_a_viewer_edit_nothing(ann: Client, bob: Client, gateway: Gateway, house: House) -> None:
    image_id = await image_of(ann, gateway)
    bulk = {"action": "delete", "ids": [image_id]}
    for reply in (await _patch(bob, image_id, {"title": "t"}), await _delete(bob, image_id)):
        assert (reply.status, reply.body["code"]) == (404, "image_not_found")
    assert (await bob.post("/images/bulk", bulk)).status == 404
    of_ann = {"action": "delete", "filter": {}, "project_id": str(ann.project_id)}
    assert (await bob.post("/images/bulk", of_ann)).status == 403
    assert (await bob.post("/images/bulk", {"action": "delete", "filter": {}})).body["items"] == []
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    for reply in (
        await _patch(bob, image_id, {"title": "t"}),
        await _delete(bob, image_id),
        await bob.post("/images/bulk", bulk),
        await bob.post("/images/bulk", of_ann),
    ):
        assert (reply.status, reply.body["code"]) == (403, "viewer_only")
    assert (await bob.post("/images/bulk", {"action": "delete", "filter": {}})).body["items"] == []
    assert (await ann.get(f"/images/{image_id}")).body["version"] == 1
