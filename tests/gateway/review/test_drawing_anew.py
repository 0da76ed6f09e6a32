"""Batches of maps: of a chapter, of what was rejected, and of what a recipe has not drawn yet."""

from typing import Any

from contracts.depth_map import MapDepth
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.review.mapped import decide, mapped
from tests.gateway.sayings import depth_mapped, media_stored
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
