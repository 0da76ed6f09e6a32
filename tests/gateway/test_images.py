"""What is known of images, however late and often it is said."""

from itertools import permutations
from typing import Any

from contracts.depth_map import MapDepth
from contracts.jobs import JobCompleted, JobFailed
from contracts.media import CleanCopiesMade, CleanCopy, CopiedAsset, MediaDeleted, MediaDescribed, NamedColour
from shared.objects import ObjectStore
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import SHA, depth_mapped, media_stored, stored_map, track_of, video_stored
from tests.living import House, until

DONE: dict[str, Any] = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}
RED = NamedColour(hex="#ff0000", name="red", share=1.0)


async def _fetch(ann: Client) -> Voice:
    return Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg"})).body)


async def test_a_stored_image_shows_its_steps_as_they_come(ann: Client, gateway: Gateway) -> None:
    fetch = await _fetch(ann)
    stored = media_stored(fetch)
    await gateway.hear(stored)
    image = (await ann.get(f"/images/{stored.asset_id}")).body
    assert {step: known["state"] for step, known in image["steps"].items()} == {
        "store": "completed",
        "describe": "pending",
        "depth": "pending",
        "edges": "pending",
    }
    assert (image["processing_status"], image["ai_progress"]) == ("pending", {"current": 0, "total": 3})
    described = fetch.states(
        MediaDescribed, asset_id=stored.asset_id, subject_version=2, origin="pixels", palette=[RED]
    )
    await gateway.hear(described, fetch.says(JobCompleted, **DONE))
    image = (await ann.get(f"/images/{stored.asset_id}")).body
    assert image["palette"] == [RED.model_dump()]
    assert (image["processing_status"], image["ai_progress"]) == ("in_progress", {"current": 1, "total": 3})
    await gateway.hear(depth_mapped(fetch, stored))
    maps = Voice(await ann.job(image["steps"]["depth"]["job_id"]))
    await gateway.hear(maps.says(JobCompleted, **DONE))
    image = (await ann.get(f"/images/{stored.asset_id}")).body
    assert (image["processing_status"], image["ai_progress"]) == ("completed", {"current": 3, "total": 3})
    assert set(image["urls"]) == {"original", "250", "depth", "edges", "depth_preview", "depth_coloured"}
    assert image["expires_at"]


async def test_a_step_that_failed_says_why(ann: Client, gateway: Gateway) -> None:
    fetch = await _fetch(ann)
    stored = media_stored(fetch)
    await gateway.hear(stored)
    maps = Voice((await ann.get("/jobs", params={"kind": MapDepth.wire_name})).body["items"][0])
    await gateway.hear(maps.says(JobFailed, attempt=3, code="no_model", sentence="There is no model."))
    image = (await ann.get(f"/images/{stored.asset_id}")).body
    assert image["steps"]["depth"]["error"] == {"code": "no_model", "sentence": "There is no model."}


async def test_only_newer_facts_apply_and_what_is_deleted_stays_deleted(
    ann: Client, gateway: Gateway, house: House
) -> None:
    fetch = await _fetch(ann)
    facts = [
        media_stored(fetch, version=1, thumbhash="old"),
        media_stored(fetch, version=2, thumbhash="new"),
        fetch.states(MediaDeleted, asset_id=media_stored(fetch).asset_id, subject_version=3),
    ]
    for order in permutations(facts):
        await house.admin.execute("TRUNCATE gateway.assets")
        for fact in order:
            await gateway.hear(fact)
        assert (await ann.get(f"/images/{facts[0].asset_id}")).status == 404
        assert (await ann.get("/images")).body["items"] == []
    for order in permutations(facts[:2]):
        await house.admin.execute("TRUNCATE gateway.assets")
        await gateway.hear(*order)
        assert (await ann.get(f"/images/{facts[0].asset_id}")).body["thumbhash"] == "new"


async def test_bytes_that_are_stored_again_after_a_deletion_are_shown_again(
    ann: Client, gateway: Gateway, house: House
) -> None:
    fetch = await _fetch(ann)
    facts = [
        media_stored(fetch, version=1, thumbhash="old"),
        fetch.states(MediaDeleted, asset_id=media_stored(fetch).asset_id, subject_version=2),
        media_stored(fetch, version=3, thumbhash="new"),
    ]
    for order in permutations(facts):
        for batches in ([order], [[fact] for fact in order]):
            await house.admin.execute("TRUNCATE gateway.assets")
            for batch in batches:
                await gateway.hear(*batch)
            assert (await ann.get(f"/images/{facts[0].asset_id}")).body["thumbhash"] == "new"


async def test_maps_of_an_older_version_do_not_come_back(ann: Client, gateway: Gateway) -> None:
    fetch = await _fetch(ann)
    stored = media_stored(fetch)
    new, old = depth_mapped(fetch, stored, version=2), depth_mapped(fetch, stored, version=1)
    await gateway.hear(stored, new)
    await gateway.hear(old)
    (maps,) = (await ann.get(f"/images/{stored.asset_id}/maps")).body["items"]
    assert "/2.png" in maps["depth"]["url"]
    assert (maps["kind"], maps["recipe"], maps["depth"]["width_px"]) == ("inverse_relative", "default", 800)


async def test_normals_lie_beside_the_depth_where_they_were_drawn(ann: Client, gateway: Gateway) -> None:
    fetch = await _fetch(ann)
    stored = media_stored(fetch)
    await gateway.hear(stored, depth_mapped(fetch, stored))
    assert "normals" not in (await ann.get(f"/images/{stored.asset_id}")).body["urls"]
    (maps,) = (await ann.get(f"/images/{stored.asset_id}/maps")).body["items"]
    assert maps["normals"] is None
    normals = stored_map(stored, "normals", version=2)
    await gateway.hear(depth_mapped(fetch, stored, version=2, normals=normals))
    (maps,) = (await ann.get(f"/images/{stored.asset_id}/maps")).body["items"]
    assert (normals.key in maps["normals"]["url"], maps["normals"]["size_bytes"]) == (True, normals.size_bytes)
    assert normals.key in (await ann.get(f"/images/{stored.asset_id}")).body["urls"]["normals"]
    file = await ann.get(f"/images/{stored.asset_id}/file", params={"variant": "normals"})
    assert (file.status, normals.key in file.headers["location"]) == (307, True)


async def test_a_copy_of_an_image_of_before_is_handed_out_in_whatever_order_it_is_heard(
    ann: Client, gateway: Gateway, house: House
) -> None:
    fetch = await _fetch(ann)
    stored = media_stored(fetch, clean_copy=None)
    copy = CleanCopy(
        key="media/renditions/clean.jpg", content_type="image/jpeg", size_bytes=9, sha256=SHA, width_px=800,
        height_px=600, lossless=True,
    )  # fmt: skip
    asset = CopiedAsset(asset_id=stored.asset_id, project_id=fetch.job["project_id"])
    made = CleanCopiesMade(service="media", sha256=SHA, clean_copy=copy, assets=(asset,))
    deleted = fetch.states(MediaDeleted, asset_id=stored.asset_id, subject_version=2)
    path = f"/images/{stored.asset_id}"
    for order in permutations((stored, made)):
        await house.admin.execute("TRUNCATE gateway.assets; DELETE FROM gateway.events")
        for fact in order:
            await gateway.hear(fact)
            assert (await ann.get(path)).status == (404 if order[0] is made and fact is made else 200)
        await gateway.hear(made, stored)
        shown = (await ann.get(path)).body
        assert (copy.key in shown["urls"]["original"], shown["source_url"]) == (True, stored.source_url)
        told = await house.value("SELECT count(*) FROM gateway.events WHERE type = 'image.copied'")
        assert told == (1 if order[0] is stored else 0), "whoever hears of the image then hears of it with its copy"
        assert [image["id"] for image in (await ann.get("/search/images")).body["items"]] == [str(stored.asset_id)]
        await gateway.hear(deleted)
        await gateway.hear(made)
        assert (await ann.get(path)).status == 404


async def test_a_video_shows_what_it_is_and_links_its_sound_and_subtitles(ann: Client, gateway: Gateway) -> None:
    fetch = await _fetch(ann)
    tracks = (track_of("audio"), track_of("subtitles", "en"))
    still, stored = media_stored(fetch, sha256="cd" * 32), video_stored(fetch, tracks=tracks)
    await gateway.hear(still, stored)
    shown = (await ann.get(f"/images/{stored.asset_id}")).body
    assert set(shown["urls"]) == {"250", "1440", "preview"}, "the video itself is not handed out"
    video = shown["video"]
    assert (video["container"], video["duration_seconds"], video["audio_codec"]) == ("mp4", 72.4, "aac")
    assert [(one["kind"], one["language"]) for one in video["tracks"]] == [("audio", None), ("subtitles", "en")]
    for told, track in zip(video["tracks"], tracks, strict=True):
        assert (track.key in told["url"], "key" in told, told["content_type"]) == (True, False, track.content_type)
    preview = await ann.get(f"/images/{stored.asset_id}/file", params={"variant": "preview"})
    assert (preview.status, "preview.webp" in preview.headers["location"]) == (307, True)
    assert (await ann.get(f"/images/{still.asset_id}")).body["video"] is None
    for moves, found in (("true", stored), ("false", still)):
        for path in ("/images", "/search/images"):
            listed = (await ann.get(path, params={"video": moves})).body["items"]
            assert [image["id"] for image in listed] == [str(found.asset_id)], (path, moves)


async def test_the_tracks_of_a_video_that_was_known_without_them_are_shown(
    ann: Client, gateway: Gateway, house: House
) -> None:
    fetch = await _fetch(ann)
    bare, whole = video_stored(fetch), video_stored(fetch, tracks=(track_of("audio"),), already_stored=True)
    for order in permutations((bare, whole)):
        await house.admin.execute("TRUNCATE gateway.assets")
        for fact in order:
            await gateway.hear(fact)
        shown = (await ann.get(f"/images/{bare.asset_id}")).body
        assert [one["kind"] for one in shown["video"]["tracks"]] == ["audio"]


async def test_images_of_a_tree_are_found_by_its_root(ann: Client, gateway: Gateway) -> None:
    scrape = (await ann.post("/scrapes", {"url": "https://example.org"})).body
    child = Voice({**scrape, "id": "00000000-0000-4000-8000-000000000001", "parent_id": scrape["id"]})
    stored = media_stored(child)
    await gateway.hear(stored)
    other = await _fetch(ann)
    await gateway.hear(media_stored(other, sha256="cd" * 32))
    found = (await ann.get("/images", params={"job_id": scrape["id"]})).body["items"]
    assert [image["id"] for image in found] == [str(stored.asset_id)]
    unmapped = (await ann.get("/images", params={"mapped": "false"})).body["items"]
    assert len(unmapped) == 2
    assert (await ann.get("/images", params={"mapped": "true"})).body["items"] == []


async def test_images_come_in_pages_each_once(ann: Client, gateway: Gateway) -> None:
    fetch = await _fetch(ann)
    await gateway.hear(*(media_stored(fetch, sha256=f"{number:064x}") for number in range(7)))
    seen: list[str] = []
    cursor = None
    while True:
        page = (await ann.get("/images", params={"limit": "3", **({"cursor": cursor} if cursor else {})})).body
        seen += [image["id"] for image in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 7


async def test_a_file_is_found_behind_a_presigned_url(ann: Client, gateway: Gateway) -> None:
    fetch = await _fetch(ann)
    stored = media_stored(fetch)
    await gateway.hear(stored)
    async with ObjectStore.of(gateway.settings) as objects:
        await objects.ensure_bucket()
        await objects.put(stored.original_key, b"the bytes", content_type="image/jpeg")
    reply = await ann.get(f"/images/{stored.asset_id}/file")
    assert reply.status == 307
    async with ann.session.get(reply.headers["location"], headers={"Authorization": ""}) as response:
        assert (response.status, await response.read()) == (200, b"the bytes")
    missing = await ann.get(f"/images/{stored.asset_id}/file", params={"variant": "depth"})
    assert (missing.status, missing.body["code"]) == (404, "variant_not_found")


async def test_maps_are_drawn_of_one_of_many_and_of_what_a_filter_finds(
    ann: Client, gateway: Gateway, house: House
) -> None:
    fetch = await _fetch(ann)
    images = [media_stored(fetch, sha256=f"{number:064x}", pipeline=()) for number in range(3)]
    await gateway.hear(*images)
    ids = [str(image.asset_id) for image in images]
    one = await ann.post("/maps", {"image_id": ids[0]})
    assert (one.status, one.body["total"]) == (202, 1)
    assert one.body["items"][0]["image_id"] == ids[0]
    many = await ann.post("/maps", {"image_ids": ids[1:]})
    assert {job["image_id"] for job in many.body["items"]} == set(ids[1:])
    by_filter = await ann.post("/maps", {"filter": {"mapped": False}})
    assert (by_filter.body["total"], by_filter.body["more"]) == (3, False)
    nothing = await ann.post("/maps", {"filter": {"mapped": True}})
    assert (nothing.status, nothing.body["total"]) == (202, 0)
    unknown = await ann.post("/maps", {"image_ids": [ids[0], "00000000-0000-4000-8000-00000000ffff"]})
    assert (unknown.status, unknown.body["code"]) == (404, "image_not_found")
    commands: list[MapDepth] = []

    async def all_said() -> bool:
        commands.extend(one for one in await house.heard("depth_map") if isinstance(one, MapDepth))
        return len(commands) == 6

    await until(all_said)
    assert commands[0].original_key == images[0].original_key
    assert SHA not in {command.sha256 for command in commands}
