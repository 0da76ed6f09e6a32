"""A machine gets in with its key, to do what the key is good for, for as long as its maker could do it himself."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.gateway.rounds import clean_up
from services.gateway.rules.people import personal_project_of
from services.gateway.store import expiry
from services.gateway.store.tenancy import as_tenant
from shared.identifiers import uuid7
from tests.gateway.identity.holders import ask_for_key, make_key, shared_project, with_credential
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House, until

SCOPES = ("read", "write", "manage")
WORK = "/work"


def _in(delta: timedelta) -> str:
    return (datetime.now(UTC) + delta).isoformat()


@pytest.fixture
async def machine(gateway: Gateway, ann: Client) -> AsyncIterator[Client]:
    """A machine of Ann's that may look and submit."""
    made = await make_key(ann, "read", "write")
    async with with_credential(gateway, made["key"]) as client:
        client.user_id, client.project_id = f"key:{made['id']}", ann.project_id
        yield client


async def test_a_key_is_shown_once_and_kept_as_a_digest(ann: Client, gateway: Gateway, house: House) -> None:
    made = await make_key(ann, "read", "write", expires_at=_in(timedelta(days=1)))
    key = made["key"]
    assert key.startswith(f"dio_{UUID(made['id']).hex}_")
    assert len(key) == len("dio_") + 32 + len("_") + 43
    (row,) = await house.rows("SELECT api_keys::text AS whole, digest FROM gateway.api_keys")
    assert key[-43:] not in row["whole"]
    assert row["digest"] == hashlib.sha256(key.encode()).digest()
    shown = {name: value for name, value in made.items() if name != "key"}
    assert (await ann.get(f"/api-keys/{made['id']}")).body == shown
    assert (await ann.get("/api-keys")).body == {"items": [shown], "next_cursor": None}
    assert (shown["state"], shown["scopes"], shown["created_by"]) == ("active", ["read", "write"], "ann")
    async with with_credential(gateway, key) as machine:
        me = (await machine.get("/me")).body
    assert (me["user_id"], me["credential"], me["api_key_id"]) == (f"key:{made['id']}", "api_key", made["id"])
    assert me["memberships"] == [{"project_id": str(ann.project_id), "role": "owner", "personal": True}]
    assert (me["scopes"], me["roles"]) == (["read", "write"], [])
    assert me["expires_at"] is not None


async def test_what_a_machine_submits_is_submitted_by_its_key_in_its_project(machine: Client, ann: Client) -> None:
    job = (await machine.post("/probes", {"service": "media"}, headers={"Idempotency-Key": "k"})).body
    assert (job["submitted_by"], job["project_id"]) == (machine.user_id, str(ann.project_id))
    again = await machine.post("/probes", {"service": "media"}, headers={"Idempotency-Key": "k"})
    assert again.body["id"] == job["id"]
    assert (await ann.job(job["id"]))["submitted_by"] == machine.user_id
    async with ann.events(after=0) as events:
        assert (await events.next())["job"]["id"] == job["id"]


READING = ("/jobs", "/images", "/api-keys", f"{WORK}/pauses", "/events", "/chapters/c/images")
WRITING: dict[str, Any] = {
    "/probes": {"service": "media"},
    "/scrapes": {"url": "https://example.org"},
    "/media/store": {"url": "https://example.org/a.jpg"},
    "/chapters/c/images/scenes/1": {"scene_description": "A view"},
    "/jobs/retry": {"job_ids": [str(uuid7())]},
    f"/jobs/{uuid7()}/cancel": None,
}


async def test_a_key_does_what_its_scopes_say_and_nothing_else(ann: Client, gateway: Gateway) -> None:
    async with (
        with_credential(gateway, (await make_key(ann, "read"))["key"]) as reader,
        with_credential(gateway, (await make_key(ann, "write"))["key"]) as writer,
    ):
        for path, body in WRITING.items():
            reply = await reader.post(path, body)
            assert (reply.status, reply.body["code"]) == (403, "scope_missing"), path
        for path in READING:
            reply = await writer.get(path)
            assert (reply.status, reply.body["code"]) == (403, "scope_missing"), path
            if path != "/events":
                assert (await reader.get(path)).status == 200, path
        assert (await reader.post("/tickets")).status == 201
        assert (await writer.post("/tickets")).body["code"] == "scope_missing"
        assert (await writer.post("/probes", WRITING["/probes"])).status == 202
        assert (await writer.get("/me")).body["scopes"] == ["write"]
        pause = await writer.post(f"{WORK}/pause", {"kind": "media.fetch_media.v1", "seconds": 60})
        assert (pause.status, pause.body["code"]) == (403, "scope_missing")


async def test_a_key_sees_its_project_and_no_other_of_its_makers(ann: Client, gateway: Gateway, house: House) -> None:
    project_id = await shared_project(house, ann="editor")
    own = (await ann.post("/probes", {"service": "media"})).body
    made = await make_key(ann, "read", "write", project_id=project_id)
    async with with_credential(gateway, made["key"]) as machine:
        assert (await machine.get(f"/jobs/{own['id']}")).status == 404
        assert (await machine.get("/jobs")).body["items"] == []
        assert (await machine.get(f"/jobs?project_id={ann.project_id}")).body["code"] == "not_a_member"
        elsewhere = {"service": "media", "project_id": str(ann.project_id)}
        assert (await machine.post("/probes", elsewhere)).body["code"] == "not_a_member"
        job = (await machine.post("/probes", {"service": "media"})).body
        assert job["project_id"] == str(project_id)
        assert [item["id"] for item in (await machine.get("/jobs")).body["items"]] == [job["id"]]


async def test_a_key_makes_and_revokes_no_keys(ann: Client, gateway: Gateway) -> None:
    made = await make_key(ann, *SCOPES)
    async with with_credential(gateway, made["key"]) as machine:
        assert (await ask_for_key(machine, "read")).body["code"] == "users_only"
        gone = await machine.send("DELETE", f"/api/v1/api-keys/{made['id']}")
        assert gone.body["code"] == "users_only"
        assert (await machine.get(f"/api-keys/{made['id']}")).body["name"] == "a machine"


async def test_nobody_gives_away_what_he_has_not(
    ann: Client, bob: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    project_id = str(await shared_project(house, ann="editor", bob="viewer"))
    refusals = {
        "owner_only": await ask_for_key(ann, "manage", project_id=project_id),
        "viewer_only": await ask_for_key(bob, "read", project_id=project_id),
        "not_a_member": await ask_for_key(oz, "read", project_id=project_id),
        "operator_only": await ask_for_key(ann, "operate", expires_at=_in(timedelta(days=1))),
    }
    assert {code: (reply.status, reply.body["code"]) for code, reply in refusals.items()} == {
        code: (403, code) for code in refusals
    }
    for end in (None, _in(timedelta(days=91)), _in(timedelta(days=-1))):
        assert (await ask_for_key(oz, "operate", expires_at=end)).body["code"] == "expiry_invalid"
    made = await make_key(oz, "read", "operate", expires_at=_in(timedelta(days=89)))
    job = (await ann.post("/probes", {"service": "media"})).body
    async with with_credential(gateway, made["key"]) as machine:
        assert (await machine.get(f"/jobs/{job['id']}")).status == 200
        assert (await machine.get("/jobs?everybody=true")).status == 200


NONSENSE: list[dict[str, Any]] = [
    {"scopes": ["read"]},
    {"name": "n"},
    {"name": "", "scopes": ["read"]},
    {"name": "n\x00", "scopes": ["read"]},
    {"name": "n" * 201, "scopes": ["read"]},
    {"name": "n", "scopes": []},
    {"name": "n", "scopes": ["admin"]},
    {"name": "n", "scopes": "read"},
    {"name": "n", "scopes": ["read"], "expires_at": "tomorrow"},
    {"name": "n", "scopes": ["read"], "expires_at": 4_000_000_000},
    {"name": "n", "scopes": ["read"], "expires_at": "4000000000"},
    {"name": "n", "scopes": ["read"], "expires_at": "2100-01-01T00:00:00"},
    {"name": "n", "scopes": ["read"], "expires_at": _in(timedelta(seconds=-1))},
    {"name": "n", "scopes": ["read"], "secret": "mine"},
]


async def test_a_key_that_makes_no_sense_is_refused(ann: Client) -> None:
    for body in NONSENSE:
        assert (await ann.post("/api-keys", body)).status == 422, body
    assert (await ann.get("/api-keys")).body["items"] == []


async def test_a_key_dies_with_its_makers_membership_and_shrinks_with_his_role(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    project_id = await shared_project(house, ann="editor", bob="owner")
    made = await make_key(ann, "read", "write", project_id=project_id)
    async with with_credential(gateway, made["key"]) as machine:
        assert (await machine.post("/probes", {"service": "media"})).status == 202
        await house.admin.execute("UPDATE gateway.members SET role = 'viewer' WHERE user_id = 'ann'")
        assert (await machine.post("/probes", {"service": "media"})).body["code"] == "viewer_only"
        assert (await machine.get("/jobs")).status == 200
        await house.admin.execute("DELETE FROM gateway.members WHERE user_id = 'ann' AND role = 'viewer'")
        for reply in (await machine.get("/jobs"), await machine.post("/probes", {"service": "media"})):
            assert (reply.status, reply.body["code"]) == (401, "api_key_invalid")
        async with as_tenant(gateway.parts.pool, [project_id]) as connection:
            await connection.execute(
                "INSERT INTO members (project_id, user_id, role) VALUES ($1, 'ann', 'owner')", project_id
            )
        assert (await machine.get("/jobs")).status == 401, "and it stays dead when he comes back"
        (kept,) = (await bob.get("/api-keys?revoked=true")).body["items"]
        assert (kept["state"], kept["revoked_by"]) == ("revoked", None)


async def test_a_member_who_is_removed_by_a_request_takes_his_keys_along(
    ann: Client, gateway: Gateway, house: House
) -> None:
    project_id = await shared_project(house, ann="editor")
    await make_key(ann, "read", project_id=project_id)
    await make_key(ann, "read")
    async with as_tenant(gateway.parts.pool, [project_id]) as connection:
        assert await connection.execute("DELETE FROM members WHERE user_id = 'ann'") == "DELETE 1"
    (left,) = await house.rows("SELECT project_id FROM gateway.api_keys WHERE revoked_at IS NULL")
    assert left["project_id"] == ann.project_id


async def test_the_rights_of_a_key_are_looked_at_whenever_it_is_used(
    ann: Client, gateway: Gateway, house: House
) -> None:
    """Also where nothing has revoked it."""
    made = await make_key(ann, "read")
    async with with_credential(gateway, made["key"]) as machine:
        await house.admin.execute("UPDATE gateway.api_keys SET created_by = 'carl'")
        reply = await machine.get("/jobs")
    assert (reply.status, reply.body["code"]) == (401, "api_key_ownerless")


async def test_a_revoked_key_works_nowhere_once_it_is_forgotten(ann: Client, gateway: Gateway, house: House) -> None:
    made = await make_key(ann, "read")
    async with Gateway(gateway_settings(house.servers, membership_seconds=0.5)) as other:
        async with with_credential(other, made["key"]) as there, with_credential(gateway, made["key"]) as here:
            assert ((await here.get("/jobs")).status, (await there.get("/jobs")).status) == (200, 200)
            address = f"/api/v1/api-keys/{made['id']}"
            assert (await ann.send("DELETE", address)).status == 204
            assert (await here.get("/jobs")).body["code"] == "api_key_invalid"

            async def turned_away() -> bool:
                reply = await there.get("/jobs")
                return reply.status == 401 and reply.body["code"] == "api_key_invalid"

            await until(turned_away, seconds=5)
        assert (await ann.send("DELETE", address)).status == 404
        assert (await ann.send("GET", address)).status == 404
        assert (await ann.get("/api-keys")).body["items"] == []
        (kept,) = (await ann.get("/api-keys?revoked=true")).body["items"]
        assert (kept["state"], kept["revoked_by"]) == ("revoked", "ann")
    await house.admin.execute("UPDATE gateway.api_keys SET revoked_at = now() - interval '91 days'")
    await make_key(ann, "read")
    await clean_up(gateway.parts.bus.pool, {expiry.REVOKED_KEYS: timedelta(days=90)})
    assert await house.value("SELECT count(*) FROM gateway.api_keys") == 1


async def test_a_remembered_key_costs_no_look_and_only_its_own_secret_is_remembered(ann: Client, house: House) -> None:
    made = await make_key(ann, "read")
    async with Gateway(gateway_settings(house.servers, membership_seconds=600)) as patient:
        forged = made["key"][:-1] + ("A" if made["key"][-1] != "A" else "B")
        async with with_credential(patient, made["key"]) as machine, with_credential(patient, forged) as thief:
            assert (await machine.get("/me")).status == 200
            await house.admin.execute("DELETE FROM gateway.api_keys")
            assert (await machine.get("/me")).status == 200
            assert (await thief.get("/me")).body["code"] == "api_key_invalid"
            assert (await machine.get("/me")).status == 200
            async with patient.client("ann") as ann_there:
                await house.admin.execute(
                    "INSERT INTO gateway.api_keys (id, project_id, name, scopes, digest, created_by)"
                    " VALUES ($1, $2, 'n', '{read}', $3, 'ann')",
                    UUID(made["id"]),
                    ann.project_id,
                    bytes(32),
                )
                assert (await ann_there.send("DELETE", f"/api/v1/api-keys/{made['id']}")).status == 204
            assert (await machine.get("/me")).status == 401, "here it is revoked at once"


async def test_a_key_ends_when_it_was_to_end(ann: Client, gateway: Gateway, house: House) -> None:
    made = await make_key(ann, "read", expires_at=_in(timedelta(hours=1)))
    async with with_credential(gateway, made["key"]) as machine:
        assert (await machine.get("/me")).status == 200
        await house.admin.execute("UPDATE gateway.api_keys SET expires_at = now()")
        reply = await machine.get("/me")
    assert (reply.status, reply.body["code"]) == (401, "api_key_expired")
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert (await ann.get(f"/api-keys/{made['id']}")).body["state"] == "expired"


async def test_the_last_use_is_noted_once_a_minute(machine: Client, house: House) -> None:
    async def last_used() -> datetime:
        await machine.get("/me")
        return datetime.fromisoformat(str(await house.value("SELECT last_used_at FROM gateway.api_keys")))

    first = await last_used()
    assert await last_used() == first
    await house.admin.execute("UPDATE gateway.api_keys SET last_used_at = now() - interval '61 seconds'")
    assert await last_used() > first


async def test_an_idempotency_key_brings_the_key_back_without_its_secret(ann: Client, house: House) -> None:
    asked = {"name": "n", "scopes": ["read"]}
    first = await ann.post("/api-keys", asked, headers={"Idempotency-Key": "k"})
    again = await ann.post("/api-keys", asked, headers={"Idempotency-Key": "k"})
    assert (first.status, again.status, again.headers["idempotency-replayed"]) == (201, 201, "true")
    assert again.body == {**first.body, "key": None}
    assert again.headers["location"] == f"/api/v1/api-keys/{first.body['id']}"
    kept = await house.value("SELECT string_agg(idempotency_keys::text, '') FROM gateway.idempotency_keys")
    assert first.body["key"][-43:] not in kept
    assert first.body["id"] in kept


@pytest.mark.parametrize("credential", ["dio_", "dio_x_y", f"dio_{'0' * 32}_{'A' * 43}", f"dio_{'0' * 32}_{'A' * 43}="])
async def test_what_only_looks_like_a_key_lets_nobody_in(gateway: Gateway, credential: str) -> None:
    async with with_credential(gateway, credential) as thief:
        reply = await thief.get("/jobs")
    assert (reply.status, reply.body["code"]) == (401, "api_key_invalid")


async def test_a_stranger_learns_nothing_of_keys(ann: Client, bob: Client, gateway: Gateway, house: House) -> None:
    made = await make_key(ann, "read")
    address = f"/api/v1/api-keys/{made['id']}"
    for method in ("GET", "DELETE"):
        reply = await bob.send(method, address)
        assert (reply.status, reply.body["code"]) == (404, "api_key_not_found")
    assert (await bob.get(f"/api-keys?project_id={ann.project_id}")).body["code"] == "not_a_member"
    assert (await bob.get("/api-keys")).body["items"] == []
    assert await house.value("SELECT count(*) FROM gateway.api_keys WHERE revoked_at IS NULL") == 1
    async with as_tenant(gateway.parts.pool, [personal_project_of("bob")]) as connection:
        assert await connection.fetchval("SELECT count(*) FROM api_keys") == 0
        assert await connection.execute("UPDATE api_keys SET scopes = '{write}'") == "UPDATE 0"
        assert await connection.execute("DELETE FROM api_keys") == "DELETE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO api_keys (id, project_id, name, scopes, digest, created_by)"
                " VALUES ($1, $2, 'n', '{read}', $3, 'bob')",
                uuid7(),
                ann.project_id,
                bytes(32),
            )


async def test_members_revoke_their_own_keys_and_owners_those_of_everybody(
    ann: Client, bob: Client, house: House
) -> None:
    project_id = await shared_project(house, ann="owner", bob="editor")
    anns, bobs, others = [await make_key(client, "read", project_id=project_id) for client in (ann, bob, bob)]
    refused = await bob.send("DELETE", f"/api/v1/api-keys/{anns['id']}")
    assert (refused.status, refused.body["code"]) == (403, "owner_only")
    assert (await bob.send("DELETE", f"/api/v1/api-keys/{bobs['id']}")).status == 204
    assert (await ann.send("DELETE", f"/api/v1/api-keys/{others['id']}")).status == 204
    assert [key["id"] for key in (await bob.get("/api-keys")).body["items"]] == [anns["id"]]


async def test_a_project_has_as_many_keys_as_somebody_can_look_through(
    ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.routes.api_keys._MANY", 3)
    made = [await make_key(ann, "read") for _ in range(3)]
    assert (await ask_for_key(ann, "read")).body["code"] == "too_many_api_keys"
    assert (await ann.send("DELETE", f"/api/v1/api-keys/{made[0]['id']}")).status == 204
    made.append(await make_key(ann, "read"))
    first = (await ann.get("/api-keys?limit=2")).body
    rest = (await ann.get(f"/api-keys?limit=2&cursor={first['next_cursor']}")).body
    assert [key["id"] for key in first["items"] + rest["items"]] == [key["id"] for key in reversed(made[1:])]
    assert rest["next_cursor"] is None
