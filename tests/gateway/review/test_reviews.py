"""Reviewers see the suspicious maps first, what they decide holds at once, and nobody overrules another unseen."""

from itertools import permutations
from typing import Any

from contracts.depth_map import DepthMapReviewed, ReviewDepthMap
from services.gateway.rules.reviewing import SOUNDEST, soundness_of, warnings_of
from tests.gateway.living import Client, Gateway, Voice, types_of
from tests.gateway.review.mapped import BANDED, FLAT, ODD, SOUND, decide, ids, mapped, queue
from tests.gateway.sayings import depth_mapped, media_stored, said_to
from tests.living import House


def test_maps_without_relief_come_first_and_signals_of_another_kind_say_nothing() -> None:
    order = [FLAT, BANDED, ODD, {**SOUND, "flip_difference": 0.05}, SOUND]
    assert sorted(order, key=soundness_of) == order
    assert (soundness_of(FLAT), soundness_of(SOUND), soundness_of({})) == (0, SOUNDEST, SOUNDEST)
    strange: dict[str, Any] = {"flat": "yes", "flat_share": 7, "edge_alignment": "x", "flip_difference": True}
    assert (soundness_of(strange), warnings_of(strange)) == (SOUNDEST, [])
    assert [warnings_of(quality) for quality in order[:3]] == [["flat"], ["flat", "banding"], ["misaligned_edges"]]


async def test_the_suspicious_come_first_and_the_counts_say_how_many_are_left(ann: Client, gateway: Gateway) -> None:
    facts = [await mapped(ann, gateway, str(number), quality=q) for number, q in enumerate((SOUND, FLAT, ODD))]
    sound, flat, odd = (str(fact.asset_id) for fact in facts)
    page = await queue(ann)
    assert ids(page) == [flat, odd, sound]
    assert page["counts"] == {"unreviewed": 3, "approved": 0, "rejected": 0}
    first = page["items"][0]
    assert (first["suspicion"], first["warnings"], first["review"]["state"]) == (1.0, ["flat"], "unreviewed")
    assert set(first["image"]["urls"]) == {"original", "250"}
    await decide(ann, facts[1], "approve")
    page = await queue(ann)
    assert (ids(page), page["counts"]) == ([odd, sound], {"unreviewed": 2, "approved": 1, "rejected": 0})
    assert ids(await queue(ann, state="approved")) == [flat]
    assert ids(await queue(ann, recipe="another")) == []


async def test_a_page_leads_on_while_others_review(ann: Client, gateway: Gateway) -> None:
    facts = [await mapped(ann, gateway, str(number), quality=ODD) for number in range(5)]
    page = await queue(ann, limit="2")
    seen = ids(page)
    for fact in facts[:2]:
        await decide(ann, fact, "approve")
    while page["next_cursor"]:
        page = await queue(ann, limit="2", cursor=page["next_cursor"])
        seen += ids(page)
    assert seen == [str(fact.asset_id) for fact in facts]
    assert (await ann.get("/review/maps", params={"cursor": "x"})).body["code"] == "cursor_invalid"


async def test_a_decision_holds_at_once_and_is_said_once_with_its_number(
    ann: Client, gateway: Gateway, house: House
) -> None:
    fact = await mapped(ann, gateway)
    await said_to(house, "depth_map")
    async with ann.events() as events:
        reply = await decide(ann, fact, "reject", {"reasons": ["banding", "banding"], "note": "steps"})
        assert types_of(await events.take(2)) == ["job.submitted", "image.reviewed"]
    assert reply.status == 200
    review = reply.body
    assert (review["state"], review["reasons"], review["note"]) == ("rejected", ["banding"], "steps")
    assert (review["reviewed_by"], reply.headers["etag"]) == ("ann", f'"{review["version"]}"')
    [maps] = (await ann.get(f"/images/{fact.asset_id}/maps")).body["items"]
    assert maps["review"] == review
    [command] = await said_to(house, "depth_map")
    assert isinstance(command, ReviewDepthMap)
    assert (command.verdict, command.decision, command.map_version) == ("rejected", 1, 1)
    assert str(command.job_id) == review["job_id"]
    assert (await decide(ann, fact, "reject", {"reasons": ["banding"], "note": "steps"})).body == review
    assert (await decide(ann, fact, "undo")).body["state"] == "unreviewed"
    assert [one.decision for one in await said_to(house, "depth_map") if isinstance(one, ReviewDepthMap)] == [2]
    noted = (await ann.get(f"/audit?project_id={ann.project_id}")).body["items"]
    assert [one["action"] for one in noted if one["action"].startswith("map.")] == ["map.undo", "map.reject"]
    assert "steps" not in str(noted), "what people wrote is not kept there"


async def test_what_depth_mapping_records_is_told_once_and_newer_decisions_apply(ann: Client, gateway: Gateway) -> None:
    fact = await mapped(ann, gateway)
    review = (await decide(ann, fact, "approve")).body
    voice = Voice(await ann.job(review["job_id"]))

    def recorded(number: int, verdict: str) -> DepthMapReviewed:
        about = {"asset_id": fact.asset_id, "recipe": fact.recipe, "map_version": 1, "reviewed_at": "2026-01-01T00:00Z"}
        reviewed: DepthMapReviewed = voice.states(
            DepthMapReviewed, **about, subject_version=number, verdict=verdict, reviewed_by="zoe"
        )
        return reviewed

    async with ann.events() as events:
        await gateway.hear(recorded(1, "rejected"))
        assert (await queue(ann))["counts"]["approved"] == 1, "the number is known: it is the same decision"
        await gateway.hear(recorded(3, "rejected"))
        await gateway.hear(recorded(2, "approved"))
        told = await events.next()
        assert (told["type"], told["state"], told["reviewed_by"]) == ("image.reviewed", "rejected", "zoe")
        await ann.post("/probes", {"service": "media"})
        assert (await events.next())["type"] == "job.submitted"
    assert (await queue(ann))["counts"] == {"unreviewed": 0, "approved": 0, "rejected": 1}


async def test_maps_that_are_drawn_anew_are_unreviewed_in_whatever_order_that_is_heard(
    ann: Client, gateway: Gateway, house: House
) -> None:
    voice = Voice((await ann.post("/media/store", {"url": "https://example.org/a.jpg", "pipeline": []})).body)
    stored = media_stored(voice)
    await gateway.hear(stored)
    about = {"asset_id": stored.asset_id, "recipe": "default", "reviewed_by": "zoe", "reviewed_at": "2026-01-01T00:00Z"}
    of_old = voice.states(DepthMapReviewed, **about, subject_version=1, map_version=1, verdict="approved")
    old, new = (depth_mapped(voice, stored, version=version) for version in (1, 2))
    for order in permutations((of_old, old, new)):
        await house.admin.execute("DELETE FROM gateway.maps; DELETE FROM gateway.map_reviews")
        for fact in order:
            await gateway.hear(fact)
        assert (await queue(ann))["counts"] == {"unreviewed": 1, "approved": 0, "rejected": 0}, order
        [item] = (await queue(ann))["items"]
        assert (item["review"]["state"], item["review"]["reviewed_by"]) == ("unreviewed", None)
    for order in permutations((of_old, old)):
        await house.admin.execute("DELETE FROM gateway.maps; DELETE FROM gateway.map_reviews")
        for fact in order:
            await gateway.hear(fact)
        assert (await queue(ann))["counts"]["approved"] == 1, order


async def test_nobody_overrules_a_decision_that_he_has_not_seen(ann: Client, gateway: Gateway) -> None:
    fact = await mapped(ann, gateway)
    address = f"/images/{fact.asset_id}/maps/{fact.recipe}/review"
    seen = (await ann.get(address)).headers["etag"]
    assert (await decide(ann, fact, "approve", **{"If-Match": seen})).status == 200
    stale = await decide(ann, fact, "reject", {"reasons": ["flat"]}, **{"If-Match": seen})
    assert (stale.status, stale.body["code"]) == (412, "version_stale")
    assert (await decide(ann, fact, "approve", **{"If-Match": seen})).status == 200, "that is so already"
    seen = (await ann.get(address)).headers["etag"]
    again = fact.model_copy(update={"subject_version": 2})
    await gateway.hear(again)
    assert (await decide(ann, fact, "undo", **{"If-Match": seen})).status == 200, "nothing is to be taken back"
    unseen = await decide(ann, fact, "reject", {"note": "no"}, **{"If-Match": seen})
    assert unseen.status == 412, "these maps have never been seen"


async def test_many_are_decided_at_once_and_those_that_changed_are_left_out(ann: Client, gateway: Gateway) -> None:
    facts = [await mapped(ann, gateway, str(number)) for number in range(4)]
    maps = [{"image_id": str(fact.asset_id), "recipe": fact.recipe, "version": 1} for fact in facts]
    await decide(ann, facts[0], "reject", {"reasons": ["flat"]})
    await decide(ann, facts[1], "approve")
    wish, key = {"action": "approve", "maps": maps}, {"Idempotency-Key": "k"}
    first, again = [await ann.post("/review/maps", wish, headers=key) for _ in range(2)]
    assert first.status == 200
    assert {item["image_id"] for item in first.body["items"]} == {one["image_id"] for one in maps[2:]}
    codes = {skip["image_id"]: skip["code"] for skip in first.body["skipped"]}
    assert codes == {maps[0]["image_id"]: "version_stale", maps[1]["image_id"]: "already_so"}
    assert first.body == again.body
    nobodys = {"image_id": "00000000-0000-4000-8000-00000000ffff", "recipe": "default"}
    unknown = await ann.post("/review/maps", {"action": "undo", "maps": [maps[2], nobodys]})
    assert (unknown.status, unknown.body["code"]) == (404, "map_not_found")
    assert (await queue(ann))["counts"]["approved"] == 3


async def test_who_rejects_says_why(ann: Client, gateway: Gateway) -> None:
    fact = await mapped(ann, gateway)
    for body in ({}, {"reasons": []}, {"reasons": ["ugly"]}, {"note": "a\x00b"}, {"reasons": ["flat"], "x": 1}):
        reply = await decide(ann, fact, "reject", body)
        assert (reply.status, reply.body["code"]) == (422, "validation_failed"), body
    assert (await decide(ann, fact, "reject", {"note": "no"})).status == 200


async def test_a_stranger_and_a_viewer_review_nothing(ann: Client, bob: Client, gateway: Gateway, house: House) -> None:
    fact = await mapped(ann, gateway)
    named = {"image_id": str(fact.asset_id), "recipe": fact.recipe}
    many = {"action": "approve", "maps": [named]}
    assert (await queue(bob))["items"] == []
    assert (await queue(bob))["counts"]["unreviewed"] == 0
    assert (await bob.get(f"/review/maps?project_id={ann.project_id}")).status == 403
    assert (await bob.get(f"/images/{fact.asset_id}/maps/{fact.recipe}/review")).status == 404
    for reply in (await decide(bob, fact, "approve"), await bob.post("/review/maps", many)):
        assert (reply.status, reply.body["code"]) == (404, "map_not_found")
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert len((await queue(bob))["items"]) == 1
    for reply in (await decide(bob, fact, "approve"), await bob.post("/review/maps", many)):
        assert (reply.status, reply.body["code"]) == (403, "viewer_only")
    assert (await queue(ann))["counts"]["approved"] == 0
    assert (await decide(ann, fact, "approve")).status == 200, "whoever may, can"


async def test_maps_of_a_deleted_image_are_not_reviewed(ann: Client, gateway: Gateway) -> None:
    fact = await mapped(ann, gateway)
    await ann.send("DELETE", f"/api/v1/images/{fact.asset_id}")
    assert (await queue(ann)) == {
        "items": [],
        "next_cursor": None,
        "counts": {"unreviewed": 0, "approved": 0, "rejected": 0},
    }
    assert (await decide(ann, fact, "approve")).status == 404
