"""Chapters and scenes: registered by hand or in passing, always in a project of the caller's, and seen at a glance."""

from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from contracts.image_generation import GenerateImage, ImageGenerated
from contracts.jobs import JobCompleted, JobFailed
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.people.asking import delete, let_in, made, patch, project, refused
from tests.gateway.sayings import media_stored
from tests.living import House, until

VIEW = {"scene_description": "A view"}
BEGAN = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}


async def draw(client: Client, chapter: str, number: int, **asked: Any) -> Reply:
    return await client.post(f"/chapters/{chapter}/images/scenes/{number}", VIEW | asked)


async def chapters_of(house: House) -> set[tuple[str, str]]:
    rows = await house.rows("SELECT project_id, id FROM gateway.chapters")
    return {(str(row["project_id"]), row["id"]) for row in rows}


async def test_chapters_are_registered_changed_and_deleted(ann: Client) -> None:
    project_id = await project(ann)
    mine = {"project_id": project_id}
    first = await made(ann, "/chapters", {"id": "one", "title": "Dawn", "script_id": "s", **mine})
    second = await made(ann, "/chapters", {"title": "Noon", **mine})
    third = await made(ann, "/chapters", {"id": "three", "position": 0, **mine})
    assert (first["position"], second["position"]) == (0, 1)
    assert refused(await ann.post("/chapters", {"id": "one", **mine})) == (409, "chapter_exists")
    assert (await ann.post("/chapters", {"id": "one"})).status == 201, "another project may have one too"
    await delete(ann, f"/chapters/one?project_id={ann.project_id}")
    listed = (await ann.get("/chapters", params=mine)).body["items"]
    assert [one["id"] for one in listed] == ["one", "three", second["id"]]
    changed = await patch(ann, "/chapters/one", {"title": "Dusk", "position": 7, "script_id": None})
    assert [changed.body[name] for name in ("title", "position", "script_id", "version")] == ["Dusk", 7, None, 2]
    assert (await ann.get("/chapters", params={"script_id": "s"})).body["items"] == []
    assert (await delete(ann, f"/chapters/{third['id']}")).status == 204
    assert refused(await ann.get("/chapters/three")) == (404, "chapter_not_found")
    for wrong in ({"id": "a/b"}, {"id": " "}, {"id": ".."}, {"title": None}, {"position": -1}, {"id": "n\x00"}):
        assert (await ann.post("/chapters", wrong)).status == 422, wrong


async def test_chapters_come_in_pages_over_all_projects(ann: Client) -> None:
    projects = [await project(ann), str(ann.project_id)]
    for number in range(3):
        for project_id in projects:
            await ann.post("/chapters", {"id": f"c{number}", "project_id": project_id})
    seen, cursor = [], ""
    while cursor is not None:
        page = (await ann.get("/chapters", params={"limit": 4, **({"cursor": cursor} if cursor else {})})).body
        seen += [(one["id"], one["project_id"]) for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [(f"c{number}", project_id) for number in range(3) for project_id in sorted(projects)]


async def test_drawing_registers_a_chapter_in_passing_where_it_was_asked_for(ann: Client, house: House) -> None:
    project_id = await project(ann)
    assert (await draw(ann, "dawn", 3, project_id=project_id, script_id="s")).status == 202
    assert (await draw(ann, "noon", 1)).status == 202
    assert await chapters_of(house) == {(project_id, "dawn"), (str(ann.project_id), "noon")}
    chapter = (await ann.get("/chapters/dawn")).body
    assert chapter["position"] == (await ann.get("/chapters/noon")).body["position"] == 0
    assert (chapter["script_id"], chapter["scenes"]["total"], chapter["scenes"]["pending"]) == ("s", 1, 1)
    scene = (await ann.get("/chapters/dawn/scenes/3")).body
    assert (scene["image"]["status"], scene["image"]["scene_description"], scene["description"]) == (
        "pending",
        "A view",
        "",
    )


async def test_a_chapter_that_one_project_has_is_meant_where_none_is_named(
    ann: Client, bob: Client, house: House
) -> None:
    project_id, other = await project(ann), await project(ann, "Other")
    await made(ann, "/chapters", {"id": "dawn", "project_id": project_id})
    task = (await draw(ann, "dawn", 1)).body["task_id"]
    assert (await ann.job(task))["project_id"] == project_id
    await let_in(ann, project_id, "bob", "viewer")
    assert refused(await draw(bob, "dawn", 2)) == (403, "viewer_only")
    await let_in(ann, project_id, "bob", "editor")
    his = (await draw(bob, "dawn", 2)).body["task_id"]
    assert (await bob.job(his))["project_id"] == project_id
    assert (await draw(bob, "dawn", 2, project_id=str(bob.project_id))).status == 202, "he said which he means"
    await made(ann, "/chapters", {"id": "dawn", "project_id": other})
    for reply in (await draw(ann, "dawn", 3), await ann.get("/chapters/dawn"), await ann.get("/chapters/dawn/grid")):
        assert refused(reply) == (409, "chapter_ambiguous")
        assert {error["message"] for error in reply.body["errors"]} == {project_id, other}
    assert (await draw(ann, "dawn", 3, project_id=other)).status == 202
    assert (await ann.get("/chapters/dawn", params={"project_id": other})).body["scenes"]["total"] == 1
    assert refused(await draw(ann, "dawn", 4, project_id=str(bob.project_id))) == (403, "not_a_member")
    assert await house.value("SELECT count(*) FROM gateway.chapters") == 3


async def test_a_registered_scene_need_not_be_described_again(ann: Client, house: House) -> None:
    await made(ann, "/chapters", {"id": "dawn"})
    scene = await made(ann, "/chapters/dawn/scenes", {"title": "Pier", "description": "A pier at dawn"})
    second = await made(ann, "/chapters/dawn/scenes", {"position": 0})
    assert (scene["number"], second["number"], second["position"]) == (1, 2, 0)
    assert refused(await ann.post("/chapters/dawn/scenes", {"number": 1})) == (409, "scene_exists")
    assert (await ann.post("/chapters/dawn/images/scenes/1", {"style": "ink"})).status == 202
    [said] = await until(lambda: house.heard("image_generation"))
    assert isinstance(said, GenerateImage)
    assert (said.description, said.style) == ("A pier at dawn", "ink")
    reply = await ann.post("/chapters/dawn/images/scenes/2", {})
    assert refused(reply) == (422, "validation_failed")
    assert reply.body["errors"][0]["pointer"] == "/body/scene_description"
    changed = await patch(ann, "/chapters/dawn/scenes/2", {"description": "A quay", "title": "Quay"})
    assert (changed.body["description"], changed.body["version"]) == ("A quay", 2)
    assert (await ann.post("/chapters/dawn/images/scenes/2", {})).status == 202
    listed = (await ann.get("/chapters/dawn/scenes")).body["items"]
    assert [(one["number"], one["title"]) for one in listed] == [(2, "Quay"), (1, "Pier")]
    assert (await patch(ann, "/chapters/dawn/scenes/2", {"description": None})).status == 422
    assert refused(await ann.post("/chapters/noon/scenes", {})) == (404, "chapter_not_found")
    assert refused(await ann.get("/chapters/dawn/scenes/9")) == (404, "scene_not_found")


async def test_the_grid_shows_each_scene_and_how_its_image_came_out(ann: Client, gateway: Gateway) -> None:
    await made(ann, "/chapters", {"id": "dawn"})
    await made(ann, "/chapters/dawn/scenes", {"number": 4, "title": "Pier"})
    tasks = [(await draw(ann, "dawn", number)).body["task_id"] for number in range(4)]
    stored, generated, failed = [Voice(await ann.job(task)) for task in tasks[:3]]
    copied = {"object_key": "generated/1.png", "sha256": "ab" * 32, "size_bytes": 9, "content_type": "image/png"}
    copied |= {"width_px": 8, "height_px": 8, "provider": "sketch", "model": "m", "generation_seconds": 1.0}
    for voice in (stored, generated):
        await gateway.hear(voice.states(ImageGenerated, **copied, description="A view"))
        await gateway.hear(voice.says(JobCompleted, **BEGAN))
    await gateway.hear(failed.says(JobFailed, attempt=1, code="provider_down", sentence="It is down."))
    child = {**stored.job, "parent_id": stored.job["id"], "id": str(ann.project_id)}
    await gateway.hear(media_stored(Voice(child)))
    grid = (await ann.get("/chapters/dawn/grid")).body
    cells = {cell["number"]: cell for cell in grid["items"]}
    states = [cells[number]["status"] for number in range(5)]
    assert states == ["completed", "completed", "failed", "pending", "not_requested"]
    assert "/renditions/" in cells[0]["thumb_url"]
    assert cells[0]["image_id"]
    assert "generated/1.png" in cells[1]["thumb_url"], "until it is in the library"
    assert (cells[2]["error"], cells[2]["error_code"], cells[2]["thumb_url"]) == ("It is down.", "provider_down", None)
    assert (cells[4]["title"], cells[4]["retry_count"]) == ("Pier", 0)
    counts = {"total": 5, "not_requested": 1, "pending": 1, "in_progress": 0, "completed": 2, "failed": 1}
    assert grid["chapter"]["scenes"] == {**counts, "cancelled": 0}
    await draw(ann, "dawn", 2)
    page = (await ann.get("/chapters/dawn/grid", params={"limit": 3})).body
    assert [(cell["number"], cell["retry_count"]) for cell in page["items"]] == [(0, 0), (1, 0), (2, 1)]
    rest = (await ann.get("/chapters/dawn/grid", params={"cursor": page["next_cursor"]})).body
    assert ([cell["number"] for cell in rest["items"]], rest["next_cursor"]) == ([3, 4], None)


async def test_what_is_being_drawn_is_not_deleted(ann: Client, gateway: Gateway) -> None:
    job = Voice(await ann.job((await draw(ann, "dawn", 1)).body["task_id"]))
    await draw(ann, "noon", 1)
    assert refused(await delete(ann, "/chapters/dawn")) == (409, "chapter_in_use")
    assert refused(await delete(ann, "/chapters/dawn/scenes/1")) == (409, "scene_in_use")
    await gateway.hear(job.says(JobFailed, attempt=1, code="provider_down", sentence="It is down."))
    assert (await delete(ann, "/chapters/dawn/scenes/1")).status == 204
    assert refused(await ann.get("/chapters/dawn/images/scenes/1/status")) == (404, "scene_image_not_found")
    assert (await delete(ann, "/chapters/dawn")).status == 204
    assert [one["id"] for one in (await ann.get("/chapters")).body["items"]] == ["noon"]
    again = (await draw(ann, "dawn", 1)).body
    assert again["retry_count"] == 0, "it begins anew"


@pytest.mark.parametrize("chapter_id", ["a chapter", "Kapitel 3 \u00fc", "\u7b2c\u4e00\u7ae0", "50% & more"])
async def test_a_chapter_and_its_scenes_are_found_where_it_is_said_whatever_its_id(
    ann: Client, chapter_id: str
) -> None:
    kept = await ann.post("/chapters", {"title": "Hills at dusk", "id": chapter_id})
    assert kept.status == 201, kept.body
    shown = await ann.session.get(URL(kept.headers["location"], encoded=True))
    assert (await shown.json())["id"] == chapter_id
    scene = await ann.post(f"/chapters/{quote(chapter_id, safe='')}/scenes", {"number": 1})
    assert scene.status == 201, scene.body
    assert (await ann.session.get(URL(scene.headers["location"], encoded=True))).status == 200
