"""Who belongs to a project decides what he may do in it, and a project is never without an owner."""

import asyncio
from typing import Any

import pytest

from tests.gateway.living import Client, Gateway
from tests.gateway.people.asking import delete, let_in, owners_of, project, put, refused
from tests.living import House


async def test_members_are_let_in_changed_and_sent_out_by_owners(ann: Client, bob: Client, gateway: Gateway) -> None:
    project_id = await project(ann)
    path = f"/projects/{project_id}/members"
    assert refused(await bob.get(path)) == (404, "project_not_found")
    await let_in(ann, project_id, "bob", "editor")
    again = await put(ann, f"{path}/bob", {"role": "editor"})
    assert again.body["version"] == 1, "nothing was changed"
    assert [(one["user_id"], one["role"]) for one in (await bob.get(path)).body["items"]] == [
        ("ann", "owner"),
        ("bob", "editor"),
    ]
    assert refused(await put(bob, f"{path}/bob", {"role": "owner"})) == (403, "owner_only")
    assert refused(await delete(bob, f"{path}/ann")) == (403, "owner_only")
    assert refused(await put(ann, f"{path}/bob", {"role": "king"})) == (422, "validation_failed")
    assert refused(await delete(ann, f"{path}/nobody")) == (404, "member_not_found")
    assert (await delete(ann, f"{path}/bob")).status == 204
    assert (await bob.get(f"/projects/{project_id}")).status == 404
    async with gateway.client("eve") as eve:
        assert refused(await put(eve, f"{path}/eve", {"role": "owner"})) == (404, "project_not_found")
        assert refused(await delete(eve, f"{path}/ann")) == (404, "project_not_found")


async def test_members_come_in_pages(ann: Client) -> None:
    project_id = await project(ann)
    users = [f"user-{number}" for number in range(4)]
    for user_id in users:
        await let_in(ann, project_id, user_id, "viewer")
    seen, cursor = [], ""
    while cursor is not None:
        asked = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await ann.get(f"/projects/{project_id}/members", params=asked)).body
        seen += [one["user_id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["ann", *users]


async def test_everybody_may_leave_but_the_last_owner(ann: Client, bob: Client) -> None:
    project_id = await project(ann)
    for role in ("viewer", "editor", "owner"):
        await let_in(ann, project_id, "bob", role)
        assert (await delete(bob, f"/projects/{project_id}/members/bob")).status == 204
        assert (await bob.get(f"/projects/{project_id}")).status == 404
    await let_in(ann, project_id, "bob", "editor")
    assert refused(await delete(ann, f"/projects/{project_id}/members/ann")) == (409, "last_owner")
    reply = await put(ann, f"/projects/{project_id}/members/ann", {"role": "editor"})
    assert refused(reply) == (409, "last_owner")
    await let_in(ann, project_id, "bob", "owner")
    assert (await delete(ann, f"/projects/{project_id}/members/ann")).status == 204


async def test_a_personal_project_keeps_its_user_as_owner(ann: Client, bob: Client) -> None:
    await let_in(ann, str(ann.project_id), "bob", "owner")
    path = f"/projects/{ann.project_id}/members/ann"
    assert refused(await delete(bob, path)) == (409, "personal_project")
    assert refused(await put(bob, path, {"role": "viewer"})) == (409, "personal_project")
    assert (await delete(ann, path.replace("/ann", "/bob"))).status == 204


async def _both_go(ann: Client, bob: Client, house: House, rounds: int) -> list[set[str]]:
    """Have both owners of a project go at the same moment, each in his way; give who owns each project then."""
    owners = []
    for number in range(rounds):
        project_id = await project(ann)
        await let_in(ann, project_id, "bob", "owner")
        path = f"/projects/{project_id}/members"
        match number % 3:
            case 0:
                ways = [delete(ann, f"{path}/ann"), delete(bob, f"{path}/bob")]
            case 1:
                ways = [delete(ann, f"{path}/bob"), delete(bob, f"{path}/ann")]
            case _:
                ways = [put(ann, f"{path}/ann", {"role": "viewer"}), put(bob, f"{path}/bob", {"role": "viewer"})]
        replies = await asyncio.gather(*ways)
        assert all(reply.status < 500 for reply in replies)
        owners.append(await owners_of(house, project_id))
    return owners


async def test_of_two_owners_who_go_at_once_one_remains(ann: Client, bob: Client, house: House) -> None:
    assert [len(owners) for owners in await _both_go(ann, bob, house, 9)] == [1] * 9


async def test_without_the_lock_both_would_be_gone(
    ann: Client, bob: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_counted = asyncio.Barrier(2)
    count = "services.gateway.store.members.select_other_owner"

    async def counted_together(*_: Any) -> str:
        await asyncio.wait_for(both_counted.wait(), 10)
        return "the other one"

    async def unlocked(*_: Any) -> None:
        pass

    monkeypatch.setattr(count, counted_together)
    for module in ("members", "projects"):
        monkeypatch.setattr(f"services.gateway.routes.people.{module}.lock_project", unlocked, raising=False)
    monkeypatch.setattr("services.gateway.store.projects.lock_project", unlocked)
    assert await _both_go(ann, bob, house, 1) == [set()]
