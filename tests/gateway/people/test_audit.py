"""Who did what is noted in the transaction that does it, and stays as it was noted."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from contracts.jobs import JobFailed
from services.gateway.rounds import clean_up
from services.gateway.store import expiry
from services.gateway.store.tenancy import as_tenant
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.people.asking import delete, let_in, made, patch, project, put, refused, stored_image
from tests.gateway.sayings import command_of, set_aside
from tests.living import House

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def acts(client: Client, **asked: Any) -> list[tuple[str, str, str]]:
    """Give who did what to what, the first first."""
    reply = await client.get("/audit", params={"limit": 200, **asked})
    assert reply.status == 200, reply.body
    return [(one["actor"], one["action"], one["subject"]["id"]) for one in reversed(reply.body["items"])]


async def test_each_change_is_noted_once_with_who_did_it(ann: Client, bob: Client, gateway: Gateway) -> None:
    home = await project(ann)
    await let_in(ann, home, "bob", "viewer")
    await let_in(ann, home, "bob", "editor")
    await let_in(ann, home, "bob", "editor")
    ada = (await made(bob, "/customers", {"name": "Ada", "project_id": home}))["id"]
    image = await stored_image(ann, gateway, home)
    for _ in range(2):
        await put(bob, f"/customers/{ada}/images/{image}")
    await delete(bob, f"/customers/{ada}/images/{image}")
    await patch(bob, f"/customers/{ada}", {"email": "ada@example.org"})
    await patch(bob, f"/customers/{ada}", {})
    assert refused(await patch(bob, f"/customers/{ada}", {"notes": "x"}, headers={"If-Match": '"1"'}))[0] == 412
    await delete(bob, f"/customers/{ada}")
    await made(bob, "/chapters", {"id": "dawn", "project_id": home})
    await made(bob, "/chapters/dawn/scenes", {"number": 1})
    await patch(bob, "/chapters/dawn/scenes/1", {"title": "x"})
    await delete(bob, "/chapters/dawn/scenes/1")
    await patch(bob, "/chapters/dawn", {"title": "x"})
    await delete(bob, "/chapters/dawn")
    for number in (1, 2):
        scene = {"scene_description": "A view", "project_id": home}
        await bob.post(f"/chapters/noon/images/scenes/{number}", scene)
    await delete(bob, f"/projects/{home}/members/bob")
    await patch(ann, f"/projects/{home}", {"name": "x"})
    assert await acts(ann, project_id=home) == [
        ("ann", "project.create", home),
        ("ann", "member.add", "bob"),
        ("ann", "member.update", "bob"),
        ("bob", "customer.create", ada),
        ("bob", "customer.add_image", ada),
        ("bob", "customer.remove_image", ada),
        ("bob", "customer.update", ada),
        ("bob", "customer.delete", ada),
        ("bob", "chapter.create", "dawn"),
        ("bob", "scene.create", "dawn/1"),
        ("bob", "scene.update", "dawn/1"),
        ("bob", "scene.delete", "dawn/1"),
        ("bob", "chapter.update", "dawn"),
        ("bob", "chapter.delete", "dawn"),
        ("bob", "chapter.create", "noon"),
        ("bob", "member.remove", "bob"),
        ("ann", "project.update", home),
    ]
    [edit] = (await ann.get("/audit", params={"action": "customer.update"})).body["items"]
    assert edit["details"] == {"fields": ["email"]}, "what people wrote is not kept"
    [change] = (await ann.get("/audit", params={"action": "member.update"})).body["items"]
    assert change["details"] == {"role": "editor", "was": "viewer"}


async def test_what_is_done_to_jobs_and_letters_is_noted(ann: Client, oz: Client, gateway: Gateway) -> None:
    jobs = [Voice((await ann.post("/probes", {"service": "media"})).body) for _ in range(3)]
    ids = [str(job.job["id"]) for job in jobs]
    await gateway.hear(jobs[1].says(JobFailed, attempt=1, code="timeout", sentence="Too slow."))
    letters = [command_of(jobs[2]), set_aside()]
    await gateway.hear(*letters)
    await ann.post(f"/jobs/{ids[0]}/cancel", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    await ann.post("/jobs/retry", {"ids": [ids[1]], "dry_run": True})
    for _ in range(2):
        await ann.post("/jobs/retry", {"ids": [ids[1]]})
    await ann.post("/dead-letters/redrive", {"ids": [str(letters[0].dead_letter_id)]})
    await oz.post("/dead-letters/discard", {"filter": {}})
    work, kind = "/work", "media.fetch_media.v1"
    await oz.post(f"{work}/pause", {"kind": kind, "seconds": 60})
    await oz.post(f"{work}/resume", {"kind": kind})
    assert (await oz.post(f"{work}/resume", {"kind": kind})).status == 404
    hers = [
        ("ann", "job.cancel", ids[0]),
        ("ann", "job.retry", ids[1]),
        ("ann", "dead_letter.redrive", str(letters[0].dead_letter_id)),
    ]
    assert await acts(ann) == hers
    his = [
        ("oz", "dead_letter.discard", str(letters[1].dead_letter_id)),
        ("oz", "work.pause", kind),
        ("oz", "work.resume", kind),
    ]
    assert await acts(oz) == hers + his
    assert await acts(oz, project_id=str(ann.project_id)) == hers
    [cancel] = (await ann.get("/audit", params={"subject_id": ids[0]})).body["items"]
    assert (cancel["trace_id"], cancel["details"]) == (TRACE, {"kind": "jobs.check_worker.v1", "jobs": 1})
    other = (await ann.post("/probes", {"service": "media"})).body["id"]
    await oz.post(f"/jobs/{other}/cancel")
    assert await acts(ann) == [*hers, ("oz", "job.cancel", other)], "she sees what operators did to hers"


async def test_only_owners_and_operators_look(ann: Client, bob: Client, oz: Client) -> None:
    home = await project(ann)
    assert refused(await bob.get("/audit", params={"project_id": home})) == (403, "not_a_member")
    await let_in(ann, home, "bob", "editor")
    assert refused(await bob.get("/audit", params={"project_id": home})) == (403, "owner_only")
    assert await acts(bob) == []
    assert len(await acts(oz, project_id=home)) == 2
    await let_in(ann, home, "bob", "owner")
    assert len(await acts(bob, project_id=home)) == 3


async def test_acts_are_found_by_what_is_known_of_them_and_come_in_pages(ann: Client) -> None:
    customers = [(await made(ann, "/customers", {"name": name}))["id"] for name in "abc"]
    await delete(ann, f"/customers/{customers[1]}")
    assert len(await acts(ann, subject_kind="customer")) == 4
    assert [act[1] for act in await acts(ann, subject_id=customers[1])] == ["customer.create", "customer.delete"]
    assert await acts(ann, actor="bob") == []
    page = (await ann.get("/audit", params={"limit": 3})).body
    rest = (await ann.get("/audit", params={"limit": 3, "cursor": page["next_cursor"]})).body
    assert [len(page["items"]), len(rest["items"]), rest["next_cursor"]] == [3, 1, None]
    assert await acts(ann, created_before=page["items"][0]["at"], action="customer.delete") == []
    assert len(await acts(ann, created_after=page["items"][0]["at"])) == 1


async def test_what_was_noted_stays_as_it_is_until_its_time_is_over(
    ann: Client, gateway: Gateway, house: House
) -> None:
    await made(ann, "/customers", {"name": "Ada"})
    await made(ann, "/chapters", {"id": "dawn"})
    async with as_tenant(gateway.parts.pool, [ann.project_id], operator=True) as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_entries") == 2
    for statement in ("UPDATE audit_entries SET actor = 'bob'", "DELETE FROM audit_entries", "TRUNCATE audit_entries"):
        async with as_tenant(gateway.parts.pool, [ann.project_id], operator=True) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    async with gateway.parts.bus.pool.acquire() as projection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await projection.execute("UPDATE audit_entries SET actor = 'bob'")
    year = timedelta(days=gateway.settings.audit_retention_days)
    await clean_up(gateway.parts.bus.pool, {expiry.AUDIT: year})
    assert len(await acts(ann)) == 2
    await house.admin.execute(
        "UPDATE gateway.audit_entries SET at = at - interval '366 days' WHERE action = 'customer.create'"
    )
    await clean_up(gateway.parts.bus.pool, {expiry.AUDIT: year})
    assert [act[1] for act in await acts(ann)] == ["chapter.create"]


async def test_nothing_is_changed_where_it_cannot_be_noted(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await made(ann, "/customers", {"name": "Ada"})

    async def broken(*_: Any) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr("services.gateway.routes.auditing.insert_audit", broken)
    assert (await patch(ann, f"/customers/{ada['id']}", {"name": "Eve"})).status == 500
    assert (await ann.get(f"/customers/{ada['id']}")).body["name"] == "Ada"
