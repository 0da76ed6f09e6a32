"""A project is there for its members at once, and goes only when nothing in it would be lost."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from contracts.jobs import JobCancelled, JobCompleted
from services.gateway.store import projection
from tests.gateway.living import Client, Gateway, Voice, gateway_settings
from tests.gateway.people.asking import delete, let_in, made, owners_of, patch, project, put, refused, stored_image
from tests.living import House

PROBE = {"service": "media"}


@pytest.fixture
async def elsewhere(gateway: Gateway, house: House) -> AsyncIterator[Gateway]:
    """A second gateway, which remembers memberships for long."""
    assert gateway.parts.health.started
    async with Gateway(gateway_settings(house.servers, membership_seconds=600)) as other:
        await other.until_well()
        yield other


async def test_whoever_makes_a_project_owns_it_and_works_in_it_at_once(ann: Client, bob: Client) -> None:
    made_ = await made(ann, "/projects", {"name": " Lighthouses ", "description": "A book."})
    assert (made_["name"], made_["role"], made_["personal"], made_["version"]) == ("Lighthouses", "owner", False, 1)
    listed = (await ann.get("/projects")).body["items"]
    assert [one["id"] for one in listed] == [made_["id"], str(ann.project_id)]
    assert (await ann.post("/probes", PROBE | {"project_id": made_["id"]})).status == 202
    assert refused(await bob.get(f"/projects/{made_['id']}")) == (404, "project_not_found")
    assert made_["id"] not in [one["id"] for one in (await bob.get("/projects")).body["items"]]


async def test_the_same_key_makes_one_project(ann: Client) -> None:
    headers = {"Idempotency-Key": "k-1"}
    replies = await asyncio.gather(*(ann.post("/projects", {"name": "Once"}, headers=headers) for _ in range(4)))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.body["id"] for reply in replies}) == 1
    assert refused(await ann.post("/projects", {"name": "Other"}, headers=headers)) == (422, "idempotency_key_reused")
    assert len((await ann.get("/projects")).body["items"]) == 2


async def test_projects_come_in_pages(ann: Client) -> None:
    names = [f"p{number}" for number in range(3)]
    for name in names:
        await project(ann, name)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await ann.get("/projects", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).body
        seen += [one["name"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [*reversed(names), "Personal"]


async def test_only_owners_change_and_delete_a_project(ann: Client, bob: Client, gateway: Gateway) -> None:
    project_id = await project(ann)
    async with gateway.client("eve") as stranger:
        for role in ("viewer", "editor"):
            await let_in(ann, project_id, "bob", role)
            assert (await bob.get(f"/projects/{project_id}")).body["role"] == role
            assert refused(await patch(bob, f"/projects/{project_id}", {"name": "Mine"})) == (403, "owner_only")
            assert refused(await delete(bob, f"/projects/{project_id}")) == (403, "owner_only")
        assert refused(await patch(stranger, f"/projects/{project_id}", {"name": "x"})) == (404, "project_not_found")
        assert refused(await delete(stranger, f"/projects/{project_id}")) == (404, "project_not_found")
    changed = await patch(ann, f"/projects/{project_id}", {"name": "Harbours"})
    assert (changed.body["name"], changed.body["version"]) == ("Harbours", 2)
    for wrong in ({"name": None}, {"name": " "}, {"title": "x"}, {"name": "x\x00"}):
        assert (await patch(ann, f"/projects/{project_id}", wrong)).status == 422
    personal = f"/projects/{ann.project_id}"
    assert (await patch(ann, personal, {"name": "Ann's"})).body["name"] == "Ann's"
    assert refused(await delete(ann, personal)) == (409, "personal_project")
    assert (await ann.get(personal)).body["personal"] is True


async def test_a_project_that_holds_something_is_not_deleted_and_says_what(
    ann: Client, gateway: Gateway, house: House
) -> None:
    project_id = await project(ann)
    await ann.post("/chapters", {"id": "c", "project_id": project_id})
    await ann.post("/customers", {"name": "Ada", "project_id": project_id})
    job = (await ann.post("/chapters/c/images/scenes/1", {"scene_description": "A view"})).body["task_id"]
    image_id = await stored_image(ann, gateway, project_id)
    reply = await delete(ann, f"/projects/{project_id}")
    assert refused(reply) == (409, "project_not_empty")
    assert "1 image and 3 unfinished jobs" in reply.body["detail"]
    first, *others = [Voice(one) for one in (await ann.get("/jobs", params={"project_id": project_id})).body["items"]]
    await gateway.hear(first.says(JobCompleted, attempt=1, started_at="2025-01-01T00:00:00Z"))
    await gateway.hear(*(one.says(JobCancelled) for one in others))
    assert "1 image." in (await delete(ann, f"/projects/{project_id}")).body["detail"]
    await house.admin.execute("UPDATE gateway.assets SET deleted_at = now() WHERE id = $1::uuid", image_id)
    assert (await delete(ann, f"/projects/{project_id}")).status == 204
    assert (await ann.get(f"/projects/{project_id}")).status == 404
    assert (await ann.get(f"/jobs/{job}")).status == 404
    for table in ("members", "chapters", "scenes", "customers", "image_generations"):
        left = await house.value(f"SELECT count(*) FROM gateway.{table} WHERE project_id = $1::uuid", project_id)
        assert left == 0, table


async def _handed_in_while_deleted(ann: Client, house: House) -> list[str]:
    """Delete projects and hand work in to them at the same time; give those that went with work in them."""
    projects = [await project(ann) for _ in range(6)]
    scene = {"scene_description": "A view"}
    for project_id in projects:
        await asyncio.gather(
            delete(ann, f"/projects/{project_id}"),
            *(ann.post("/probes", PROBE | {"project_id": project_id}) for _ in range(3)),
            ann.post(f"/chapters/{project_id}/images/scenes/1", scene | {"project_id": project_id}),
        )
    lost = await house.rows(
        "SELECT DISTINCT project_id FROM gateway.jobs WHERE project_id NOT IN (SELECT id FROM gateway.projects)"
    )
    return [str(row["project_id"]) for row in lost]


async def test_no_job_is_handed_in_to_a_project_that_is_deleted_meanwhile(
    elsewhere: Gateway, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with elsewhere.client("ann") as ann:
        assert await _handed_in_while_deleted(ann, house) == []
        gone = await project(ann)
        await house.admin.execute("DELETE FROM gateway.projects WHERE id = $1::uuid", gone)
        both = await asyncio.gather(
            ann.post("/probes", PROBE | {"project_id": gone}), ann.post("/probes", PROBE), return_exceptions=False
        )
        assert [reply.status for reply in both] == [403, 202], "a neighbour in the batch is taken in"

        async def unlooked(connection: Any, jobs: Any, **_: bool) -> set[UUID]:
            return await insert_jobs(connection, jobs)

        insert_jobs = projection.insert_jobs
        monkeypatch.setattr(projection, "insert_jobs", unlooked)
        gone = await project(ann)
        await house.admin.execute("DELETE FROM gateway.projects WHERE id = $1::uuid", gone)
        assert (await ann.post("/probes", PROBE | {"project_id": gone})).status == 202, "the test is not blind"


async def test_what_changed_here_is_seen_elsewhere_by_whom_it_concerns(
    ann: Client, bob: Client, elsewhere: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with elsewhere.client("ann") as her, elsewhere.client("bob") as him:
        assert (await her.get("/jobs")).status == (await him.get("/jobs")).status == 200, "both are remembered there"
        project_id = await project(ann)
        assert (await her.get("/jobs", params={"project_id": project_id})).status == 200
        assert (await her.get("/projects")).body["items"][0]["id"] == project_id
        assert (await him.post("/probes", PROBE | {"project_id": project_id})).status == 403
        await let_in(ann, project_id, "bob", "viewer")
        assert refused(await him.post("/probes", PROBE | {"project_id": project_id})) == (403, "viewer_only")
        await let_in(ann, project_id, "bob", "editor")
        assert (await him.post("/probes", PROBE | {"project_id": project_id})).status == 202
        customer = await made(bob, "/customers", {"name": "Ada", "project_id": project_id})
        assert (await him.get(f"/customers/{customer['id']}")).status == 200
        assert (await delete(bob, f"/projects/{project_id}/members/bob")).status == 204
        assert (await him.get(f"/projects/{project_id}")).status == 404, "what he did himself he sees at once"

        async def blind(_request: Any) -> bool:
            return False

        monkeypatch.setattr("services.gateway.routes.second_looks._were_others", blind)
        project_id = await project(ann)
        assert (await her.get("/jobs", params={"project_id": project_id})).status == 403, "it was the second look"


async def test_a_user_belongs_to_so_many_projects_and_no_more(
    ann: Client, bob: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.people.projects.MEMBERSHIPS_LIMIT", 2)
    project_id = await project(ann)
    assert refused(await ann.post("/projects", {"name": "Third"})) == (409, "too_many_projects")
    await project(bob)
    reply = await put(ann, f"/projects/{project_id}/members/bob", {"role": "viewer"})
    assert refused(reply) == (409, "too_many_projects")
    assert await owners_of(house, project_id) == {"ann"}
