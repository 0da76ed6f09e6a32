"""Batches of maps: of a chapter, of what was rejected, and of what a recipe has not drawn yet."""

from hashlib import sha256
from typing import Any

import pytest

from contracts.depth_map import MapDepth
from contracts.jobs import JobFailed
from contracts.media import FetchMedia, MediaDeleted
from shared.identifiers import uuid7
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.review.mapped import decide, mapped
from tests.gateway.sayings import depth_mapped, media_stored, video_stored
from tests.living import House, until


async def drawn(client: Client, wanted: dict[str, Any], **more: Any) -> set[str]:
    reply = await client.post("/maps", {"filter": wanted, **more})
    assert reply.status == 202, reply.body
    return {job["image_id"] for job in reply.body["items"]}


async def test_what_was_rejected_is_drawn_anew_and_awaits_another_review(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    good, bad, new = [await mapped(ann, gateway, name) for name in ("good", "bad", "new")]
    await decide(ann, good, "approve")
    await decide(ann, bad, "reject", {"reasons": ["flat"]})
    for state, fact in (("approved", good), ("rejected", bad), ("unreviewed", new)):
        page = (await ann.get("/images", params={"map_state": state})).body
        assert [image["id"] for image in page["items"]] == [str(fact.asset_id)]
    assert await drawn(bob, {"map_state": "rejected"}, redraw=True) == set()
    assert await drawn(ann, {"map_state": "rejected"}, redraw=True) == {str(bad.asset_id)}
    commands: list[MapDepth] = []

    async def said() -> bool:
        commands.extend(one for one in await house.heard("depth_map") if isinstance(one, MapDepth))
        return bool(commands)

    await until(said)
    assert [(one.asset_id, one.recipe, one.redraw) for one in commands] == [(bad.asset_id, "default", True)]
    voice = Voice((await ann.get("/jobs", params={"limit": "1"})).body["items"][0])
    stored = media_stored(voice).model_copy(update={"asset_id": bad.asset_id})
    await gateway.hear(depth_mapped(voice, stored, version=2))
    assert await drawn(ann, {"map_state": "rejected"}) == set()


async def test_a_batch_goes_on_with_what_the_recipe_has_not_drawn(ann: Client, gateway: Gateway) -> None:
    old, new = await mapped(ann, gateway, "old", recipe="cues"), await mapped(ann, gateway, "new", recipe="onnx")
    assert await drawn(ann, {"without_recipe": "onnx"}, recipe="onnx") == {str(old.asset_id)}
    assert await drawn(ann, {"without_recipe": "cues"}) == {str(new.asset_id)}
    assert await drawn(ann, {"without_recipe": "another"}) == {str(old.asset_id), str(new.asset_id)}


async def test_the_maps_of_a_chapter_are_drawn_with_one_call(ann: Client, gateway: Gateway, house: House) -> None:
    scene, _ = await mapped(ann, gateway, "scene"), await mapped(ann, gateway, "other")
    await ann.post("/chapters/dawn/images/scenes/1", {"scene_description": "A view"})
    await house.admin.execute("UPDATE gateway.image_generations SET asset_id = $1", scene.asset_id)
    assert await drawn(ann, {"chapter_id": "dawn"}) == {str(scene.asset_id)}
    assert await drawn(ann, {"chapter_id": "noon"}) == set()
    assert (await ann.post("/maps", {"filter": {"map_state": "odd"}})).status == 422


async def stored(client: Client, gateway: Gateway, name: str, *, video: bool = False) -> str:
    wish = {"url": "https://example.org/a.jpg", "pipeline": []}
    voice = Voice((await client.post("/media/store", wish)).body)
    fact = (video_stored if video else media_stored)(voice, sha256=sha256(name.encode()).hexdigest())
    await gateway.hear(fact)
    return str(fact.asset_id)


async def test_a_batch_passes_over_videos_of_which_no_maps_are_drawn(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would come first each time, and once there are as many as one batch has, nothing else would ever come."""
    monkeypatch.setattr("services.gateway.routes.work.MAPS_LIMIT", 1)
    await stored(ann, gateway, "film", video=True)
    picture = await stored(ann, gateway, "picture")

    assert await drawn(ann, {"mapped": False}) == {picture}
    assert (await ann.post("/maps", {"filter": {"mapped": False}})).body["more"] is False


async def test_what_cannot_be_drawn_is_in_nobody_s_way(
    ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.work.MAPS_LIMIT", 1)
    broken, whole = await stored(ann, gateway, "broken"), await stored(ann, gateway, "whole")
    reply = await ann.post("/maps", {"filter": {"mapped": False}})
    assert (reply.body["items"][0]["image_id"], reply.body["more"]) == (broken, True)
    voice = Voice(reply.body["items"][0])
    await gateway.hear(voice.says(JobFailed, attempt=1, code="picture_unreadable", sentence="It is broken."))

    reply = await ann.post("/maps", {"filter": {"mapped": False}})
    assert (reply.body["items"][0]["image_id"], reply.body["more"]) == (whole, True)
    monkeypatch.setattr("services.gateway.routes.work.MAPS_LIMIT", 2)
    assert await drawn(ann, {"mapped": False}) == {broken, whole}, "it is tried again, behind the others"


async def test_maps_that_were_rejected_and_have_newer_ones_beside_them_are_not_drawn_anew(
    ann: Client, gateway: Gateway
) -> None:
    """Else those that another recipe has drawn in their place would lose their approval with each such batch."""
    old = await mapped(ann, gateway, "a", recipe="cues")
    await decide(ann, old, "reject", {"reasons": ["flat"]})
    assert await drawn(ann, {"map_state": "rejected"}, redraw=True) == {str(old.asset_id)}
    new = await mapped(ann, gateway, "a", recipe="onnx")
    assert await drawn(ann, {"map_state": "rejected"}, redraw=True) == set()
    await decide(ann, new, "approve")
    assert await drawn(ann, {"map_state": "rejected"}, redraw=True) == set()
    await decide(ann, new, "reject", {"reasons": ["inverted"]})
    assert await drawn(ann, {"map_state": "rejected"}, redraw=True) == {str(new.asset_id)}
    shown = (await ann.get("/images", params={"map_state": "rejected"})).body["items"]
    assert [image["id"] for image in shown] == [str(new.asset_id)]


async def test_maps_of_a_deleted_image_are_gone_until_depth_mapping_tells_of_them_again(
    ann: Client, gateway: Gateway
) -> None:
    """They are removed where the image stays away, and what leads to nothing is not shown."""
    fact = await mapped(ann, gateway)
    await decide(ann, fact, "approve")
    voice = Voice((await ann.get("/jobs", params={"limit": "1", "kind": FetchMedia.wire_name})).body["items"][0])
    await gateway.hear(voice.states(MediaDeleted, asset_id=fact.asset_id, subject_version=2))
    await gateway.hear(media_stored(voice, version=3, sha256=sha256(b"a").hexdigest()))
    assert (await ann.get(f"/images/{fact.asset_id}/maps")).body["items"] == []
    assert await drawn(ann, {"mapped": False}) == {str(fact.asset_id)}

    await gateway.hear(fact.model_copy(update={"job_id": uuid7()}))
    [shown] = (await ann.get(f"/images/{fact.asset_id}/maps")).body["items"]
    assert shown["review"]["state"] == "approved"
