"""A whole chapter is drawn with one request: in one look, each scene once, and each fails alone."""

import asyncio
from typing import Any

import pytest

from contracts.image_generation import GenerateImage
from tests.gateway.drawing.studios import complete, draw, fail, reported
from tests.gateway.living import Client, Gateway, Reply
from tests.gateway.people.asking import made, patch, refused
from tests.gateway.sayings import said_to
from tests.living import House, until

CHAPTER = "/chapters/dawn/images"


async def chapter(client: Client, *descriptions: str) -> None:
    await made(client, "/chapters", {"id": "dawn"})
    for description in descriptions:
        await made(client, "/chapters/dawn/scenes", {"description": description})


async def draw_all(client: Client, **asked: Any) -> Reply:
    reply = await client.post(CHAPTER, asked)
    assert reply.status in {200, 202}, reply.body
    return reply


def outcomes(reply: Reply) -> list[tuple[int, str, str | None]]:
    return [(one["scene_number"], one["outcome"], one["code"]) for one in reply.body["items"]]


async def commands(house: House) -> list[GenerateImage]:
    return [one for one in await said_to(house, "image_generation") if isinstance(one, GenerateImage)]


async def test_each_scene_gets_a_job_under_one_parent_and_fails_alone(
    gateway: Gateway, ann: Client, house: House
) -> None:
    await chapter(ann, "A pier", "", "A quay")
    reply = await draw_all(ann, style="ink", aspect_ratio="16:9", user_tier="pro")
    assert outcomes(reply) == [(1, "begun", None), (2, "skipped", "not_described"), (3, "begun", None)]
    parent = reply.body["job"]["id"]
    said = await commands(house)
    assert [(one.description, one.style, one.aspect_ratio, one.priority) for one in said] == [
        ("A pier", "ink", "16:9", 20),
        ("A quay", "ink", "16:9", 20),
    ]
    assert {(str(one.parent_job_id), str(one.root_job_id)) for one in said} == {(parent, parent)}
    tree = (await ann.job(parent))["tree"]
    assert (tree["total"], tree["pending"], tree["ended"]) == (2, 2, False)

    first, third = reply.body["items"][0]["task_id"], reply.body["items"][2]["task_id"]
    await complete(gateway, ann, first)
    await fail(gateway, ann, third)
    job = await ann.job(parent)
    assert (job["state"], job["tree"]["completed"], job["tree"]["failed"]) == ("completed", 1, 1)
    assert [failure["code"] for failure in job["tree"]["failures"]] == ["provider_away"]
    errors = {child["id"]: child["error"] for child in job["children"]["items"]}
    assert (errors[first], errors[third]["code"]) == (None, "provider_away")
    retried = await ann.post("/jobs/retry", {"ids": [third]})
    assert retried.body["items"][0]["job"]["parent_id"] == parent


async def test_asking_again_begins_nothing_that_is_done_or_under_way(
    gateway: Gateway, ann: Client, house: House
) -> None:
    await chapter(ann, "A pier", "A quay")
    first = await draw_all(ann, style="ink")
    again = await draw_all(ann)
    assert (again.status, again.body["job"], again.body["total"]) == (200, None, 0)
    assert outcomes(again) == [(1, "joined", None), (2, "joined", None)]
    assert [one["task_id"] for one in again.body["items"]] == [one["task_id"] for one in first.body["items"]]
    await complete(gateway, ann, first.body["items"][0]["task_id"])
    await fail(gateway, ann, first.body["items"][1]["task_id"])
    third = await draw_all(ann)
    assert outcomes(third) == [(1, "skipped", "drawn_already"), (2, "begun", None)]
    assert third.body["items"][0]["version"] == 1
    assert len(await commands(house)) == 3
    other = await draw_all(ann, style="oil")
    assert outcomes(other) == [(1, "begun", None), (2, "skipped", "generation_in_progress")]
    await complete(gateway, ann, other.body["items"][0]["task_id"])
    back = await draw_all(ann, style="ink", scenes=[{"number": 1}])
    assert (outcomes(back), back.body["items"][0]["version"]) == ([(1, "skipped", "drawn_already")], 1)
    asked = await draw_all(ann, again=True, scenes=[{"number": 1}])
    assert outcomes(asked) == [(1, "begun", None)]


async def test_the_same_key_begins_a_chapter_once(ann: Client, house: House) -> None:
    await chapter(ann, "A pier")
    key = {"Idempotency-Key": "k"}
    first = await ann.post(CHAPTER, {"style": "ink"}, headers=key)
    again = await ann.post(CHAPTER, {"style": "ink"}, headers=key)
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")
    assert len(await commands(house)) == 1


async def test_a_chapter_keeps_its_look_and_its_family_of_seeds(gateway: Gateway, ann: Client, house: House) -> None:
    await gateway.hear(reported())
    await chapter(ann, "A pier", "A quay")
    tasks = [one["task_id"] for one in (await draw_all(ann, style="ink", seed=5)).body["items"]]
    first, second = await commands(house)
    assert first.seed != second.seed
    assert None not in {first.seed, second.seed}
    assert (await ann.get("/chapters/dawn")).body["look"] == {"style": "ink", "seed": 5}

    for task in tasks:
        await complete(gateway, ann, task)
    await draw(ann, 1, "dawn", scene_description=None)
    [anew] = await commands(house)
    assert anew.style == "ink", "whoever draws one scene anew need not say it again"
    assert anew.seed not in {None, first.seed, second.seed}, "another of the family"

    await made(ann, "/chapters", {"id": "noon", "look": {"style": "ink", "seed": 5}})
    await draw(ann, 1, "noon")
    await draw(ann, 2, "noon", style="oil", seed=1)
    [same, own] = await commands(house)
    assert same.seed == first.seed, "the family is made of its seed and the scene alone"
    assert (own.style, own.seed) == ("oil", 1)
    changed = await patch(ann, "/chapters/noon", {"look": {"aspect_ratio": "16:9"}})
    assert changed.body["look"] == {"aspect_ratio": "16:9"}
    assert (await patch(ann, "/chapters/noon", {"look": None})).status == 422


async def test_who_heeds_no_seed_is_told_of_none(gateway: Gateway, ann: Client, house: House) -> None:
    await gateway.hear(reported("random"))
    await chapter(ann, "A pier")
    await draw_all(ann)
    [said] = await commands(house)
    assert said.seed is None


async def test_what_somebody_else_says_of_a_chapters_look_meanwhile_is_kept(ann: Client, house: House) -> None:
    await chapter(ann, "A pier")

    async def waits() -> bool:
        return bool(await house.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    async with house.admin.acquire() as admin:
        async with admin.transaction():
            await admin.execute("""UPDATE gateway.chapters SET look = '{"seed": 9}' WHERE id = 'dawn'""")
            drawing = asyncio.create_task(draw_all(ann, style="ink"))
            await until(waits)
        await drawing
    assert (await ann.get("/chapters/dawn")).body["look"] == {"style": "ink", "seed": 9}


@pytest.mark.parametrize("order", [("random", "seeding"), ("seeding", "random")])
async def test_a_seed_that_nobody_named_decides_nothing_of_who_draws(
    gateway: Gateway, ann: Client, house: House, order: tuple[str, str]
) -> None:
    await gateway.hear(reported(*order))
    await chapter(ann, "A pier")
    [scene] = (await draw_all(ann)).body["items"]
    [drawn] = await commands(house)
    assert (drawn.seed is not None, drawn.seed_asked_for) == (True, False)
    await complete(gateway, ann, scene["task_id"])
    await ann.post("/chapters/dawn/images/scenes/1/versions/1/regenerate", {})
    [anew] = await commands(house)
    assert (anew.seed not in {None, drawn.seed}, anew.seed_asked_for) == (True, False)
    await draw_all(ann, again=True, scenes=[{"number": 2, "scene_description": "A quay"}], seed=5)
    await draw(ann, 3, seed=7)
    family, named = await commands(house)
    assert (family.seed_asked_for, named.seed, named.seed_asked_for) == (False, 7, True)


async def test_what_nobody_draws_begins_no_scene_of_a_chapter(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported("random"))
    await chapter(ann, "A pier", "A quay")
    assert refused(await ann.post(CHAPTER, {"aspect_ratio": "16:9"})) == (422, "beyond_provider")
    assert (await ann.get("/chapters/dawn")).body["look"] == {}
    assert (await ann.get("/jobs")).body["items"] == []
    assert refused(await ann.post("/chapters/noon/images", {})) == (404, "chapter_not_found")
    twice = {"scenes": [{"number": 1}, {"number": 1}]}
    assert refused(await ann.post(CHAPTER, twice)) == (422, "validation_failed")


async def test_scenes_that_are_named_are_registered_in_passing(ann: Client) -> None:
    await chapter(ann)
    reply = await draw_all(ann, scenes=[{"number": 7, "scene_description": "Rain"}, {"number": 8}])
    assert outcomes(reply) == [(7, "begun", None), (8, "skipped", "not_described")]
    listed = (await ann.get("/chapters/dawn/scenes")).body["items"]
    assert [(one["number"], one["image"]["scene_description"]) for one in listed] == [(7, "Rain")]


async def test_the_end_of_the_parent_is_asked_for_once_and_ends_all(ann: Client) -> None:
    await chapter(ann, "A pier", "A quay")
    parent = (await draw_all(ann)).body["job"]["id"]
    reply = await ann.post(f"/jobs/{parent}/cancel")
    assert (reply.status, reply.body["jobs_told"]) == (202, 2)


async def test_strangers_draw_nobody_elses_chapter(ann: Client, bob: Client) -> None:
    await chapter(ann, "A pier")
    assert refused(await bob.post(CHAPTER, {})) == (404, "chapter_not_found")
    assert refused(await bob.post(CHAPTER, {"project_id": str(ann.project_id)})) == (403, "not_a_member")


async def test_a_chapter_with_more_images_than_are_shown_at_once_goes_on_behind_a_cursor(
    gateway: Gateway, ann: Client
) -> None:
    del gateway
    await chapter(ann, "A pier", "A quay", "A mole")
    await draw_all(ann)
    first = (await ann.get(CHAPTER, params={"limit": 2})).body
    rest = (await ann.get(CHAPTER, params={"limit": 2, "cursor": first["next_cursor"]})).body
    assert [one["scene_number"] for one in first["items"] + rest["items"]] == [1, 2, 3]
    assert rest["next_cursor"] is None
    assert refused(await ann.get(CHAPTER, params={"cursor": "abc"})) == (400, "cursor_invalid")
