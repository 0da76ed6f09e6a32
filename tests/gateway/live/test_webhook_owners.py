"""A webhook belongs to its project: its members see it, its writers change it, and nobody else knows of it."""

from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.gateway.routes.deliveries import DeliveryDetail, DeliveryList
from services.gateway.routes.webhooks import WebhookList, WebhookReply, WebhookWithSecret
from services.gateway.store.tenancy import as_tenant
from tests.gateway.live.happening import happen
from tests.gateway.live.receiving import change, logged, webhook
from tests.gateway.living import Client, Gateway
from tests.living import House
from tests.shared.strangers import Stranger

URL = "https://example.org/hook"

REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no url": ({}, 422, "validation_failed"),
    "an inner address": ({"url": "https://10.0.0.1/"}, 400, "address_refused"),
    "an inner name": ({"url": "https://metadata/"}, 400, "address_refused"),
    "another port": ({"url": "https://example.org:22/"}, 400, "url_port_refused"),
    "another scheme": ({"url": "ftp://example.org/"}, 422, "validation_failed"),
    "credentials": ({"url": "https://a:b@example.org/"}, 422, "validation_failed"),
    "a NUL": ({"url": URL, "description": "a\u0000"}, 422, "validation_failed"),
    "an event that does not exist": ({"url": URL, "event_types": ["job.exploded"]}, 422, "validation_failed"),
    "too many events": ({"url": URL, "event_types": ["job.*"] * 51}, 422, "validation_failed"),
    "a description that is too long": ({"url": URL, "description": "x" * 501}, 422, "validation_failed"),
    "a field too many": ({"url": URL, "secret": "mine"}, 422, "validation_failed"),
}


@pytest.fixture
async def gateway(teller: Gateway) -> Gateway:
    return teller


async def test_what_cannot_be_told_is_refused_at_once(ann: Client) -> None:
    for why, (body, status, code) in REFUSED.items():
        reply = await ann.post("/webhooks", body)
        assert (reply.status, reply.body["code"]) == (status, code), (why, reply.body)
    assert (await ann.get("/webhooks")).body["items"] == []


async def test_it_is_made_once_shown_changed_and_deleted(ann: Client) -> None:
    body = {"url": URL, "event_types": ["job.*"], "description": "Ours"}
    made = [await ann.post("/webhooks", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert made[0].body == made[1].body
    hook = made[0].body
    assert (made[0].status, made[0].headers["etag"]) == (201, '"1"')
    assert WebhookWithSecret.model_validate(hook).secret.startswith("whsec_")
    assert made[0].headers["location"] == hook["links"]["self"]
    listed = await ann.get("/webhooks")
    assert [one["id"] for one in listed.body["items"]] == [hook["id"]]
    WebhookList.model_validate(listed.body)
    shown = await ann.get(f"/webhooks/{hook['id']}")
    assert (shown.headers["etag"], shown.body["event_types"]) == ('"1"', ["job.*"])
    WebhookReply.model_validate(shown.body)
    changed = await change(ann, hook, version=1, description="Theirs", event_types=[])
    assert (changed.status, changed.headers["etag"], changed.body["url"]) == (200, '"2"', URL)
    assert (changed.body["description"], changed.body["event_types"]) == ("Theirs", [])
    stale = await change(ann, hook, version=1, description="Whose?")
    assert (stale.status, stale.body["code"], stale.headers["etag"]) == (412, "version_stale", '"2"')
    assert (await change(ann, hook, url="https://192.168.0.1/")).body["code"] == "address_refused"
    stale = await ann.send("DELETE", f"/api/v1/webhooks/{hook['id']}", headers={"If-Match": '"1"'})
    assert stale.status == 412
    assert (await ann.send("DELETE", f"/api/v1/webhooks/{hook['id']}")).status == 204
    assert (await ann.get(f"/webhooks/{hook['id']}")).body["code"] == "webhook_not_found"


async def test_it_is_known_who_has_others_told_what_happens(ann: Client, bob: Client) -> None:
    hook = (await ann.post("/webhooks", {"url": URL})).body
    await change(ann, hook, description="Ours", active=False)
    await change(ann, hook)
    await ann.post(f"/webhooks/{hook['id']}/rotate", {"keep_previous_hours": 1})
    await ann.send("DELETE", f"/api/v1/webhooks/{hook['id']}")
    noted = (await ann.get("/audit", params={"subject_kind": "webhook"})).body["items"]
    assert {one["subject"]["id"] for one in noted} == {hook["id"]}
    assert [(one["action"], one["details"]) for one in reversed(noted)] == [
        ("webhook.create", {}),
        ("webhook.update", {"fields": ["active", "description"]}),
        ("webhook.rotate", {"keep_previous_hours": 1}),
        ("webhook.delete", {}),
    ]
    assert (await bob.get("/audit", params={"subject_kind": "webhook"})).body["items"] == []


async def test_a_list_goes_on_where_it_was_and_shows_only_what_was_asked_for(
    ann: Client, gateway: Gateway, receiver: Stranger
) -> None:
    hooks = [await webhook(ann, receiver, active=number == 0) for number in range(3)]
    first = (await ann.get("/webhooks?limit=2")).body
    await webhook(ann, receiver, active=False)
    second = (await ann.get(f"/webhooks?limit=2&cursor={first['next_cursor']}")).body
    assert [one["id"] for one in first["items"] + second["items"]] == [one["id"] for one in reversed(hooks)]
    assert [one["id"] for one in (await ann.get("/webhooks?active=true")).body["items"]] == [hooks[0]["id"]]
    await happen(gateway, ann.project_id, *["image.stored"] * 5)
    await logged(ann, hooks[0], 5, state="delivered")
    log, seen, cursor = f"/webhooks/{hooks[0]['id']}/deliveries?limit=2&state=delivered", [], ""
    while cursor is not None:
        page = DeliveryList.model_validate((await ann.get(f"{log}{cursor and '&cursor='}{cursor}")).body)
        seen += [one.id for one in page.items]
        cursor = page.next_cursor
    assert len(set(seen)) == len(seen) == 5
    assert (await ann.get(f"/webhooks/{hooks[0]['id']}/deliveries?state=failed")).body["items"] == []
    assert (await ann.get(f"/webhooks/{hooks[0]['id']}/deliveries?state=lost")).status == 422
    detail = await ann.get(f"/webhooks/{hooks[0]['id']}/deliveries/{seen[0]}")
    DeliveryDetail.model_validate(detail.body)


async def test_a_project_has_only_so_many(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.gateway.routes.webhooks._IN_A_PROJECT", 2)
    statuses = [(await ann.post("/webhooks", {"url": URL})).status for _ in range(3)]
    assert statuses == [201, 201, 409]


async def _everything(client: Client, hook: dict[str, Any], delivery_id: Any) -> dict[str, int]:
    """Give what each address answers to this client."""
    own = f"/api/v1/webhooks/{hook['id']}"
    asked = {
        f"GET {own}": {},
        f"PATCH {own}": {"json": {"description": "mine"}},
        f"POST {own}/rotate": {},
        f"POST {own}/test": {},
        f"GET {own}/deliveries": {},
        f"GET {own}/deliveries/{delivery_id}": {},
        f"POST {own}/deliveries/{delivery_id}/resend": {},
        f"DELETE {own}": {},
    }
    replies = {what: await client.send(*what.split(" "), **options) for what, options in asked.items()}
    return {what.replace(own, ""): reply.status for what, reply in replies.items()}


async def test_a_stranger_finds_nothing_and_a_viewer_changes_nothing(
    ann: Client, bob: Client, gateway: Gateway, receiver: Stranger, house: House
) -> None:
    hook = await webhook(ann, receiver)
    await happen(gateway, ann.project_id, "image.stored")
    (item,) = await logged(ann, hook, state="delivered")
    assert set((await _everything(bob, hook, item["id"])).values()) == {404}
    assert (await bob.get("/webhooks")).body["items"] == []
    theirs = {"url": URL, "project_id": str(ann.project_id)}
    assert (await bob.post("/webhooks", theirs)).status == 403
    assert (await bob.get(f"/webhooks?project_id={ann.project_id}")).status == 403
    own = await webhook(bob, receiver)
    assert (await bob.get(f"/webhooks/{own['id']}/deliveries/{item['id']}")).status == 404
    assert (await bob.post(f"/webhooks/{own['id']}/deliveries/{item['id']}/resend")).status == 404
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    answers = await _everything(bob, hook, item["id"])
    assert {status for what, status in answers.items() if what.startswith("GET")} == {200}
    assert {status for what, status in answers.items() if not what.startswith("GET")} == {403}
    assert set((await _everything(ann, hook, item["id"])).values()) <= {200, 202, 204}, "the look is not blind"


async def test_the_database_keeps_strangers_from_webhooks_and_everybody_from_secrets(
    ann: Client, bob: Client, gateway: Gateway, receiver: Stranger
) -> None:
    hook = await webhook(ann, receiver)
    await happen(gateway, ann.project_id, "image.stored")
    tables = ("webhooks", "webhook_deliveries")
    async with as_tenant(gateway.parts.pool, [bob.project_id]) as connection:
        assert [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables] == [0, 0]
        assert await connection.execute("UPDATE webhooks SET url = 'x'") == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO webhook_secrets (webhook_id, project_id, secret) VALUES ($1, $2, 's')",
                UUID(hook["id"]),
                ann.project_id,
            )
    async with as_tenant(gateway.parts.pool, [], operator=True) as connection:
        assert await connection.execute("UPDATE webhooks SET url = 'x'") == "UPDATE 0"
        assert await connection.fetchval("SELECT count(*) FROM webhook_deliveries") == 0
    async with as_tenant(gateway.parts.pool, [ann.project_id]) as connection:
        assert [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables] == [1, 1]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT secret FROM webhook_secrets")


async def test_what_does_not_exist_is_not_found(ann: Client, receiver: Stranger) -> None:
    hook = await webhook(ann, receiver)
    nothing = await _everything(ann, {"id": uuid4()}, uuid4())
    assert set(nothing.values()) == {404}
    assert (await ann.get(f"/webhooks/{hook['id']}/deliveries/{uuid4()}")).body["code"] == "delivery_not_found"
