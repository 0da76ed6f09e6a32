"""Nothing that was drawn for a scene is lost: all versions stay, one is shown, and each tells what it goes back to."""

from typing import Any

from contracts.image_generation import GenerateImage
from contracts.jobs import JobCompleted, JobFailed
from contracts.media import MediaDeleted
from tests.gateway.drawing.studios import BEGAN, complete, draw, drawn, fail, keep, reported, status
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.people.asking import let_in, project, refused
from tests.gateway.sayings import said_to
from tests.living import House

SCENE = "/chapters/c/images/scenes/1"
VERSIONS = f"{SCENE}/versions"


async def versions(client: Client, **params: Any) -> dict[str, Any]:
    reply = await client.get(VERSIONS, params=params)
    assert reply.status == 200, reply.body
    return dict(reply.body)


async def twice_drawn(gateway: Gateway, client: Client) -> tuple[Voice, Voice]:
    first = await complete(gateway, client, (await draw(client)).body["task_id"])
    second = await complete(gateway, client, (await draw(client, style="ink")).body["task_id"], cost_micros=5000)
    return first, second


async def test_a_scene_shows_its_newest_version_until_one_is_chosen(
    gateway: Gateway, ann: Client, house: House
) -> None:
    first, second = await twice_drawn(gateway, ann)
    old, new = await keep(gateway, first), await keep(gateway, second, sha256="cd" * 32)
    listed = await versions(ann)
    assert [(one["number"], one["shown"], one["style"]) for one in listed["items"]] == [
        (2, True, "ink"),
        (1, False, ""),
    ]
    assert [one["image_id"] for one in listed["items"]] == [str(new.asset_id), str(old.asset_id)]
    assert (listed["shown"], listed["chosen"], listed["image_id"]) == (2, None, str(new.asset_id))

    chosen = await ann.post(f"{VERSIONS}/1/choose")
    assert (chosen.status, chosen.body["shown"], chosen.body["chosen"]) == (200, 1, 1)
    assert (await status(ann))["image_id"] == str(old.asset_id)
    third = await complete(gateway, ann, (await draw(ann, style="oil")).body["task_id"])
    await keep(gateway, third, sha256="ef" * 32)
    assert (await status(ann))["image_id"] == str(old.asset_id), "what was chosen holds, whatever is drawn after it"
    assert await house.value("SELECT count(*) FROM gateway.audit_entries WHERE action = 'scene.choose'") == 1

    await ann.post(f"{VERSIONS}/3/choose")
    undone = await ann.post(f"{VERSIONS}/undo")
    assert (undone.body["shown"], undone.body["chosen"]) == (1, 1), "what was chosen before holds again"
    undone = await ann.post(f"{VERSIONS}/undo")
    assert (undone.body["shown"], undone.body["chosen"]) == (3, None), "and then the newest"
    assert (await ann.post(f"{VERSIONS}/undo")).body == undone.body, "there is nothing left to take back"


async def test_clients_are_told_of_each_choice_and_whoever_has_not_seen_it_does_not_undo_it(
    gateway: Gateway, ann: Client
) -> None:
    await twice_drawn(gateway, ann)
    seen = (await ann.get(VERSIONS)).headers["etag"]
    async with ann.events() as events:
        chosen = await ann.post(f"{VERSIONS}/1/choose", headers={"If-Match": seen})
        assert chosen.status == 200
        told = await events.until_type("image.chosen")
    assert told["shown"] == told["chosen"] == told["scene_number"] == 1
    assert told["chosen_by"] == "ann"
    assert refused(await ann.post(f"{VERSIONS}/2/choose", headers={"If-Match": seen})) == (412, "version_stale")
    again = await ann.post(f"{VERSIONS}/1/choose", headers={"If-Match": seen})
    assert again.body == chosen.body, "choosing the same once more changes nothing"
    assert refused(await ann.post(f"{VERSIONS}/undo", headers={"If-Match": seen})) == (412, "version_stale")
    assert refused(await ann.post(f"{VERSIONS}/9/choose")) == (404, "version_not_found")


async def test_a_scene_shows_what_it_has_until_there_is_something_new(gateway: Gateway, ann: Client) -> None:
    first = await complete(gateway, ann, (await draw(ann)).body["task_id"])
    await keep(gateway, first)
    before = await status(ann)
    task = (await draw(ann, style="ink")).body["task_id"]
    during = await status(ann)
    assert (during["status"], during["image_id"], during["task_id"]) == ("pending", before["image_id"], task)
    await fail(gateway, ann, task)
    after = await status(ann)
    assert (after["status"], after["image_id"], after["error_code"]) == (
        "failed",
        before["image_id"],
        "provider_away",
    )
    assert after["image_url"] == before["image_url"]
    assert len((await versions(ann))["items"]) == 1
    assert refused(await ann.get("/chapters/c/images/scenes/2/versions")) == (404, "scene_image_not_found")


async def test_each_sample_is_a_version_and_the_first_is_shown(gateway: Gateway, ann: Client, house: House) -> None:
    task = (await draw(ann, samples=3)).body["task_id"]
    [said] = await said_to(house, "image_generation")
    assert isinstance(said, GenerateImage)
    assert said.samples == 3
    voice = await complete(gateway, ann, task, samples=3)
    stored = [await keep(gateway, voice, sample, sha256=f"{sample}" * 64) for sample in (2, 0, 1)]
    listed = await versions(ann, limit=2)
    assert [(one["number"], one["sample"]) for one in listed["items"]] == [(3, 2), (2, 1)]
    rest = await versions(ann, limit=2, cursor=listed["next_cursor"])
    assert [(one["number"], one["shown"]) for one in rest["items"]] == [(1, True)]
    images = [one["image_id"] for one in (*listed["items"], *rest["items"])]
    assert images == [str(stored[at].asset_id) for at in (0, 2, 1)]
    assert (await status(ann))["image_id"] == str(stored[1].asset_id)
    assert (await ann.post(f"{VERSIONS}/3/choose")).body["image_id"] == str(stored[0].asset_id)


async def test_what_is_heard_of_late_or_twice_changes_no_version(gateway: Gateway, ann: Client) -> None:
    first = Voice(await ann.job((await draw(ann)).body["task_id"]))
    await fail(gateway, ann, first.job["id"])
    second = await complete(gateway, ann, (await draw(ann, style="ink")).body["task_id"])
    kept = await keep(gateway, second)
    await complete(gateway, ann, second.job["id"])
    await complete(gateway, ann, first.job["id"])
    listed = await versions(ann)
    assert [(one["number"], one["task_id"]) for one in listed["items"]] == [
        (2, first.job["id"]),
        (1, second.job["id"]),
    ]
    assert (listed["shown"], listed["image_id"]) == (1, str(kept.asset_id)), "the newest is what was asked for last"


async def test_a_picture_that_is_in_the_library_before_it_is_heard_of_is_known_all_the_same(
    gateway: Gateway, ann: Client
) -> None:
    voice = Voice(await ann.job((await draw(ann)).body["task_id"]))
    stored = await keep(gateway, voice)
    await complete(gateway, ann, voice.job["id"])
    assert (await status(ann))["image_id"] == str(stored.asset_id)


async def test_a_version_whose_image_is_deleted_is_not_shown(gateway: Gateway, ann: Client) -> None:
    first, second = await twice_drawn(gateway, ann)
    old = await keep(gateway, first)
    new = await keep(gateway, second, sha256="cd" * 32)
    await ann.post(f"{VERSIONS}/2/choose")
    gone = second.states(MediaDeleted, asset_id=new.asset_id, subject_version=2)
    await gateway.hear(gone)
    listed = await versions(ann)
    assert (listed["shown"], listed["image_id"]) == (1, str(old.asset_id))
    assert [(one["deleted"], one["image_url"] is None) for one in listed["items"]] == [(True, True), (False, False)]
    await ann.post(f"{VERSIONS}/1/choose")
    assert refused(await ann.post(f"{VERSIONS}/2/choose")) == (409, "version_deleted")


async def test_where_the_chosen_version_is_deleted_a_scene_shows_what_is_drawn_after_it(
    gateway: Gateway, ann: Client
) -> None:
    first = await complete(gateway, ann, (await draw(ann)).body["task_id"])
    old = await keep(gateway, first)
    await ann.post(f"{VERSIONS}/1/choose")
    await gateway.hear(first.states(MediaDeleted, asset_id=old.asset_id, subject_version=2))
    assert (await status(ann))["image_url"] is None

    second = await complete(gateway, ann, (await draw(ann, style="ink")).body["task_id"])
    new = await keep(gateway, second, sha256="cd" * 32)
    assert (await versions(ann))["shown"] == 2
    assert (await status(ann))["image_id"] == str(new.asset_id)


async def test_a_picture_that_comes_late_is_shown_where_all_that_is_newer_was_deleted(
    gateway: Gateway, ann: Client
) -> None:
    late = (await draw(ann)).body["task_id"]
    await fail(gateway, ann, late)
    second = await complete(gateway, ann, (await draw(ann, style="ink")).body["task_id"])
    new = await keep(gateway, second)
    await gateway.hear(second.states(MediaDeleted, asset_id=new.asset_id, subject_version=2))
    await gateway.hear(drawn(Voice(await ann.job(late))))
    assert (await versions(ann))["shown"] == 2


async def test_an_image_that_is_being_deleted_is_shown_by_no_scene_until_that_has_failed(
    gateway: Gateway, ann: Client
) -> None:
    first, second = await twice_drawn(gateway, ann)
    await keep(gateway, first)
    new = await keep(gateway, second, sha256="cd" * 32)
    job = Voice((await ann.send("DELETE", f"/api/v1/images/{new.asset_id}")).body)
    scenes = [*(await ann.get("/chapters/c/images")).body["items"], await status(ann)]
    assert [(one["image_id"], one["image_url"]) for one in scenes] == [(None, None)] * 2
    [cell] = (await ann.get("/chapters/c/grid")).body["items"]
    assert (cell["image_id"], cell["thumb_url"]) == (None, None)
    listed = await versions(ann)
    assert [(one["deleted"], one["image_url"] is None) for one in listed["items"]] == [(True, True), (False, False)]
    assert refused(await ann.post(f"{VERSIONS}/2/choose")) == (409, "version_deleted")
    await gateway.hear(job.says(JobFailed, attempt=3, code="no_disk", sentence="The disk is gone."))
    assert (await status(ann))["image_id"] == str(new.asset_id)
    assert (await status(ann))["image_url"]


async def test_a_version_is_drawn_anew_from_another_seed_and_tells_where_it_comes_from(
    gateway: Gateway, ann: Client, house: House
) -> None:
    await gateway.hear(reported())
    asked = {"style": "ink", "aspect_ratio": "16:9", "seed": 7, "negative_prompt": "people", "user_tier": "pro"}
    first = await complete(gateway, ann, (await draw(ann, **asked)).body["task_id"])
    await complete(gateway, ann, (await draw(ann)).body["task_id"])
    await said_to(house, "image_generation")

    taken = await ann.post(f"{VERSIONS}/1/regenerate", {"style": "oil"})
    assert taken.status == 202, taken.body
    again = await ann.post(f"{VERSIONS}/1/regenerate", {"style": "oil"})
    assert again.body["task_id"] == taken.body["task_id"], "it is being drawn already"
    [said] = await said_to(house, "image_generation")
    assert isinstance(said, GenerateImage)
    assert (said.style, said.aspect_ratio, said.negative_prompt, said.priority) == ("oil", "16:9", "people", 0)
    assert said.seed not in {None, 7}
    await complete(gateway, ann, taken.body["task_id"])
    newest = (await versions(ann))["items"][0]
    assert (newest["from_version"], newest["from_task_id"]) == (1, first.job["id"])

    await ann.post(f"{VERSIONS}/1/regenerate", {"seed": 7})
    [said] = await said_to(house, "image_generation")
    assert (said.seed, said.style) == (7, "ink")  # type: ignore[attr-defined]
    assert refused(await ann.post(f"{VERSIONS}/9/regenerate")) == (404, "version_not_found")


async def test_each_sample_is_drawn_anew_from_its_own_seed(gateway: Gateway, ann: Client, house: House) -> None:
    await gateway.hear(reported())
    first = Voice(await ann.job((await draw(ann, samples=2, seed=7)).body["task_id"]))
    pictures = [drawn(first, sample, seed=7 + sample) for sample in range(2)]
    await gateway.hear(*pictures, first.says(JobCompleted, **BEGAN))
    await said_to(house, "image_generation")
    taken = await ann.post(f"{VERSIONS}/2/regenerate")
    assert refused(await ann.post(f"{VERSIONS}/1/regenerate")) == (409, "generation_in_progress")
    [said] = await said_to(house, "image_generation")
    assert isinstance(said, GenerateImage)
    assert said.seed not in {None, 7, 8}
    await complete(gateway, ann, taken.body["task_id"])
    assert (await versions(ann))["items"][0]["from_version"] == 2


async def test_a_deleted_scene_begins_anew(gateway: Gateway, ann: Client, house: House) -> None:
    await twice_drawn(gateway, ann)
    await ann.post(f"{VERSIONS}/1/choose")
    reply = await ann.send("DELETE", "/api/v1/chapters/c/scenes/1")
    assert reply.status == 204
    assert await house.value("SELECT count(*) FROM gateway.picture_choices") == 0
    await complete(gateway, ann, (await draw(ann, style="oil")).body["task_id"])
    listed = await versions(ann)
    assert [(one["number"], one["shown"]) for one in listed["items"]] == [(1, True)]


async def test_strangers_see_no_version_and_viewers_choose_none(gateway: Gateway, ann: Client, bob: Client) -> None:
    await twice_drawn(gateway, ann)
    assert refused(await bob.get(VERSIONS)) == (404, "scene_image_not_found")
    for path in (f"{VERSIONS}/1/choose", f"{VERSIONS}/undo", f"{VERSIONS}/1/regenerate"):
        assert refused(await bob.post(path)) == (404, "scene_image_not_found")
    shared = await project(ann)
    await complete(gateway, ann, (await draw(ann, project_id=shared)).body["task_id"])
    assert refused(await ann.get(VERSIONS)) == (409, "chapter_ambiguous")
    await let_in(ann, shared, "bob", "viewer")
    assert (await bob.get(VERSIONS)).body["shown"] == 1
    for path in (f"{VERSIONS}/1/choose", f"{VERSIONS}/undo", f"{VERSIONS}/1/regenerate"):
        assert refused(await bob.post(path)) == (403, "viewer_only")
