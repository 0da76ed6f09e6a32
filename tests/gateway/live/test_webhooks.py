"""Other systems are told what happens: once noted, sent until it is taken, under one id, by whichever gateway lives."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.gateway.store import deliveries as store
from services.gateway.store.deliveries import Attempt, Due
from services.gateway.store.tenancy import DatabaseAwayError
from shared.addresses import Policy
from tests.gateway.live.happening import happen
from tests.gateway.live.receiving import change, logged, proven, proves, webhook
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House, until
from tests.shared.outer_world import NAMES
from tests.shared.strangers import Stranger, StubResolver, answer, redirect

OVERDUE = "UPDATE gateway.webhook_deliveries SET due_at = now() WHERE state = 'pending'"


@pytest.fixture
async def gateway(teller: Gateway) -> Gateway:
    return teller


@pytest.fixture
async def twin(teller: Gateway, house: House) -> AsyncIterator[Gateway]:
    """A second gateway that may reach the same receivers."""
    async with Gateway(gateway_settings(house.servers, outbound_allow=teller.settings.outbound_allow)) as other:
        await other.until_well()
        yield other


async def test_what_was_asked_for_is_sent_once_and_signed(ann: Client, gateway: Gateway, receiver: Stranger) -> None:
    hook = await webhook(ann, receiver, "/a?b=c", event_types=["job.*", "image.deleted"])
    job = (await ann.post("/probes", {"service": "media"})).body
    await happen(gateway, ann.project_id, "image.stored", "job.progressed", "image.deleted")
    items = await logged(ann, hook, 2, state="delivered")
    assert [one["type"] for one in items] == ["image.deleted", "job.submitted"]
    assert len(receiver.asked) == 2
    by_id = {asked.headers["webhook-id"]: asked for asked in receiver.asked}
    for item in items:
        asked = by_id[item["message_id"]]
        assert (asked.method, asked.target) == ("POST", "/a?b=c")
        assert asked.headers["content-type"] == "application/json"
        told = proven(asked, hook["secret"])
        assert (told["type"], told["data"]["sequence"]) == (item["type"], item["sequence"])
        detail = (await ann.get(f"/webhooks/{hook['id']}/deliveries/{item['id']}")).body
        assert detail["body"] == told
        (attempt,) = detail["attempt_log"]
        assert (attempt["status_code"], attempt["response_excerpt"], attempt["error"]) == (200, "thanks", None)
    assert proven(by_id[items[1]["message_id"]], hook["secret"])["data"]["job"]["id"] == job["id"]


async def test_nothing_is_noted_for_projects_of_others_or_for_what_is_switched_off(
    ann: Client, bob: Client, gateway: Gateway, receiver: Stranger, house: House
) -> None:
    mine, off = await webhook(ann, receiver), await webhook(ann, receiver, "/off", active=False)
    await bob.post("/probes", {"service": "media"})
    await happen(gateway, ann.project_id, "image.stored")
    await logged(ann, mine, state="delivered")
    assert await house.value("SELECT count(*) FROM gateway.webhook_deliveries") == 1
    assert (off["active"], off["disabled_reason"]) == (False, "by_request")
    assert (await change(ann, off, active=True)).body["disabled_reason"] is None
    await happen(gateway, ann.project_id, "image.stored")
    await logged(ann, off, state="delivered")


async def test_what_an_operator_does_to_a_job_is_told_to_its_project(
    ann: Client, oz: Client, gateway: Gateway, receiver: Stranger
) -> None:
    assert gateway.parts.health.started
    job = (await ann.post("/probes", {"service": "media"})).body
    hook = await webhook(ann, receiver, event_types=["job.cancel_requested"])
    assert (await oz.post(f"/jobs/{job['id']}/cancel")).status == 202
    await logged(ann, hook, state="delivered")


async def test_what_was_not_taken_is_sent_again_under_the_same_id(
    ann: Client, gateway: Gateway, receiver: Stranger, house: House
) -> None:
    hook = await webhook(ann, receiver)
    receiver.otherwise = answer(b"x" * 5000, status=500)
    await happen(gateway, ann.project_id, "image.stored")
    (item,) = await logged(ann, hook, attempts=1)
    assert (item["state"], item["error"]["code"], len(item["response_excerpt"])) == ("pending", "http_500", 1024)
    assert timedelta(seconds=2) < _when(item["next_attempt_at"]) - _when(item["attempted_at"]) < timedelta(seconds=7)
    assert (await ann.get(f"/webhooks/{hook['id']}")).body["failing_since"]
    receiver.otherwise = answer(status=204)
    await house.admin.execute(OVERDUE)
    (item,) = await logged(ann, hook, state="delivered")
    assert (item["attempts"], item["error"], item["next_attempt_at"]) == (2, None, None)
    first, second = receiver.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == item["message_id"]
    assert proven(first, hook["secret"]) == proven(second, hook["secret"])
    assert (await ann.get(f"/webhooks/{hook['id']}")).body["failing_since"] is None


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_receiver_that_is_gone_or_fails_for_days_is_switched_off_and_its_owner_is_told(
    ann: Client, gateway: Gateway, receiver: Stranger, house: House
) -> None:
    receiver.answers = {"/gone": answer(status=410), "/failing": answer(status=502)}
    hooks = {
        reason: await webhook(ann, receiver, f"/{reason}", event_types=["image.*"]) for reason in ("gone", "failing")
    }
    since = "UPDATE gateway.webhooks SET failing_since = now() - interval '5 days 1 minute' WHERE id = $1"
    await house.admin.execute(since, UUID(hooks["failing"]["id"]))
    async with ann.events() as events:
        await happen(gateway, ann.project_id, "image.stored")
        told = [await events.until_type("webhook.disabled") for _ in hooks]
    assert {one["reason"]: one["webhook_id"] for one in told} == {name: hook["id"] for name, hook in hooks.items()}
    await happen(gateway, ann.project_id, "image.deleted")
    for reason, hook in hooks.items():
        shown = (await ann.get(f"/webhooks/{hook['id']}")).body
        assert (shown["active"], shown["disabled_reason"], shown["version"]) == (False, reason, 2)
        (item,) = await logged(ann, hook, attempts=1)
        assert item["state"] == ("failed" if reason == "gone" else "pending")
        assert (await ann.post(f"/webhooks/{hook['id']}/test")).body["code"] == "webhook_disabled"
        receiver.answers.clear()
        shown = (await change(ann, hook, active=True)).body
        assert (shown["active"], shown["disabled_reason"], shown["failing_since"]) == (True, None, None)
    await happen(gateway, ann.project_id, "image.mapped")
    for hook in hooks.values():
        items = await logged(ann, hook, type="image.mapped", state="delivered")
        assert {one["type"] for one in items} == {"image.stored", "image.mapped"}


async def test_only_2xx_in_time_will_do_and_a_receiver_may_ask_for_patience(
    ann: Client, gateway: Gateway, receiver: Stranger, other_receiver: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers["/moved"] = redirect(f"http://127.0.0.1:{other_receiver.port}/", 307)
    receiver.answers["/unknown"] = answer(status=404)
    receiver.answers["/busy"] = answer(status=503, headers=[("Retry-After", "3600")])
    receiver.hangs.add("/hangs")
    answering = {"/moved": "http_307", "/unknown": "http_404", "/busy": "http_503"}
    hooks = {path: await webhook(ann, receiver, path, event_types=["image.stored"]) for path in answering}
    await happen(gateway, ann.project_id, "image.stored")
    for path, code in answering.items():
        await _failed_once(ann, hooks[path], code, is_patient=path == "/busy")
    monkeypatch.setattr("services.gateway.rounds.webhooks.DEADLINE_SECONDS", 0.3)  # for those above it may be too short
    hanging = await webhook(ann, receiver, "/hangs", event_types=["image.deleted"])
    await happen(gateway, ann.project_id, "image.deleted")
    await _failed_once(ann, hanging, "fetch_timeout", is_patient=False)
    assert other_receiver.connections == 0


async def _failed_once(ann: Client, hook: dict[str, Any], code: str, *, is_patient: bool) -> None:
    (item,) = await logged(ann, hook, attempts=1)
    assert (item["state"], item["error"]["code"]) == ("pending", code)
    wait = _when(item["next_attempt_at"]) - _when(item["attempted_at"])
    assert (wait > timedelta(minutes=59)) == is_patient, hook["url"]


async def test_a_receiver_that_hangs_holds_nobody_else_up(
    ann: Client, gateway: Gateway, receiver: Stranger, other_receiver: Stranger
) -> None:
    receiver.hangs.add("/dead")
    dead, alive = await webhook(ann, receiver, "/dead"), await webhook(ann, other_receiver)
    await happen(gateway, ann.project_id, *["image.stored"] * 40)
    await logged(ann, alive, 40, state="delivered")
    assert receiver.most_open <= 2
    assert (await ann.get(f"/webhooks/{dead['id']}/deliveries?state=delivered")).body["items"] == []
    receiver.release()
    await logged(ann, dead, 40, state="delivered")
    ids = [asked.headers["webhook-id"] for asked in receiver.asked]
    assert len(set(ids)) == len(ids) == 40


async def test_two_gateways_send_each_event_once(
    ann: Client, gateway: Gateway, twin: Gateway, receiver: Stranger
) -> None:
    hook = await webhook(ann, receiver)
    for sender in (gateway, twin) * 5:
        await happen(sender, ann.project_id, *["image.stored"] * 8)
    items = await logged(ann, hook, 80, state="delivered")
    assert sorted(asked.headers["webhook-id"] for asked in receiver.asked) == sorted(one["message_id"] for one in items)


async def test_what_a_killed_gateway_had_sent_is_sent_again_under_the_same_id(
    ann: Client, gateway: Gateway, receiver: Stranger, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[Due] = []
    note = store.update_attempted

    async def die_once(connection: Any, due: Due, attempt: Attempt) -> bool:
        noted.append(due)
        if len(noted) == 1:
            raise DatabaseAwayError("killed between sending and noting")
        return await note(connection, due, attempt)

    monkeypatch.setattr(store, "update_attempted", die_once)
    hook = await webhook(ann, receiver)
    await happen(gateway, ann.project_id, "image.stored")
    await receiver.until(lambda: len(receiver.asked) == 1)

    async def lease_holds() -> bool:
        return bool(noted) and bool(
            await house.value("SELECT bool_and(due_at > now()) FROM gateway.webhook_deliveries")
        )

    await until(lease_holds)
    await house.admin.execute(OVERDUE)
    (item,) = await logged(ann, hook, state="delivered")
    first, second = receiver.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == item["message_id"]
    assert item["attempts"] == 1
    async with gateway.parts.bus.pool.acquire() as connection:
        late = Attempt(500, "http_500", "Late.", "", 1, 5.0)
        assert not await note(connection, noted[0], late), "a lease that was lost changes nothing"
    assert await logged(ann, hook) == [item]


async def test_it_can_be_sent_once_more_and_pinged(ann: Client, gateway: Gateway, receiver: Stranger) -> None:
    hook = await webhook(ann, receiver, event_types=["image.*"])
    reply = await ann.post(f"/webhooks/{hook['id']}/test")
    assert (reply.status, reply.body["type"], reply.body["sequence"]) == (202, "ping", None)
    (ping,) = await logged(ann, hook, state="delivered")
    assert reply.headers["location"] == f"/api/v1/webhooks/{hook['id']}/deliveries/{ping['id']}"
    assert proven(receiver.asked[0], hook["secret"])["data"]["webhook_id"] == hook["id"]
    receiver.otherwise = answer(status=400)
    await happen(gateway, ann.project_id, "image.stored")
    (item, _) = await logged(ann, hook, attempts=1, status_code=400)
    receiver.otherwise = answer()
    resend = f"/webhooks/{hook['id']}/deliveries/{item['id']}/resend"
    again = [await ann.post(resend, headers={"Idempotency-Key": "again"}) for _ in range(2)]
    assert [reply.status for reply in again] == [202, 202]
    assert again[1].headers["idempotency-replayed"] == "true"
    (item, _) = await logged(ann, hook, 2, state="delivered")
    detail = (await ann.get(f"/webhooks/{hook['id']}/deliveries/{item['id']}")).body
    assert [attempt["status_code"] for attempt in detail["attempt_log"]] == [400, 200]
    assert len({asked.headers["webhook-id"] for asked in receiver.asked[1:]}) == 1
    assert len(receiver.asked) == 3
    receiver.otherwise = answer(status=500)
    await ann.post(f"/webhooks/{hook['id']}/test")
    await logged(ann, hook, state="failed")
    assert (await ann.get(f"/webhooks/{hook['id']}")).body["failing_since"] is None, "a ping says nothing of a receiver"


async def test_a_new_secret_signs_beside_the_last_one(ann: Client, gateway: Gateway, receiver: Stranger) -> None:
    hook = await webhook(ann, receiver)
    second = (await ann.post(f"/webhooks/{hook['id']}/rotate")).body
    assert timedelta(hours=23) < _when(second["previous_secret_expires_at"]) - datetime.now(UTC) < timedelta(hours=25)
    await happen(gateway, ann.project_id, "image.stored")
    await receiver.until(lambda: len(receiver.asked) == 1)
    third = (await ann.post(f"/webhooks/{hook['id']}/rotate", {"keep_previous_hours": 0})).body
    assert third["previous_secret_expires_at"] is None
    await logged(ann, hook, state="delivered")
    await happen(gateway, ann.project_id, "image.stored")
    await logged(ann, hook, 2, state="delivered")
    before, after = receiver.asked
    secrets = [one["secret"] for one in (hook, second, third)]
    assert [proves(before, secret) for secret in secrets] == [True, True, False]
    assert [proves(after, secret) for secret in secrets] == [False, False, True]
    assert "secret" not in (await ann.get(f"/webhooks/{hook['id']}")).body


async def test_nothing_inside_is_ever_dialled(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port is one that may be dialled, at another address: so names are believed until they are dialled."""
    monkeypatch.setattr("services.gateway.rounds.webhooks.POLL_SECONDS", 0.05)
    async with Stranger() as trap:
        settings = gateway_settings(house.servers, outbound_allow=frozenset({("127.0.0.9", trap.port)}))
        async with Gateway(settings) as gateway, gateway.client("ann") as caller:
            outbound = gateway.parts.outbound
            monkeypatch.setattr(outbound._session.connector, "_resolver", StubResolver(NAMES))
            for literal in ("127.0.0.1", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):  # noqa: S104
                url = f"http://{literal}:{trap.port}/"
                assert (await caller.post("/webhooks", {"url": url})).body["code"] == "address_refused", url
            url = f"http://inner.example:{trap.port}/"
            hook = (await caller.post("/webhooks", {"url": url})).body
            await happen(gateway, caller.project_id, "image.stored")
            (item,) = await logged(caller, hook, attempts=1)
            assert (item["state"], item["error"]["code"]) == ("pending", "address_refused")
            assert "127.0.0.1" not in item["error"]["sentence"]
            assert trap.connections == 0

            monkeypatch.setattr(Policy, "check_address", lambda *_: None)
            await house.admin.execute(OVERDUE)
            await logged(caller, hook, state="delivered")
            assert trap.connections == 1, "with a guard that says yes to all the trap is sprung"
