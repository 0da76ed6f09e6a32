"""Whose turn it is: nobody takes the lanes of others, and what has waited goes out once there is somewhere to go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.gateway.store.deliveries import update_claimed
from tests.gateway.live.happening import happen
from tests.gateway.live.receiving import change, logged, webhook
from tests.gateway.living import Client, Gateway
from tests.living import House
from tests.shared.strangers import Stranger, answer

WAITING = "UPDATE gateway.webhook_deliveries SET due_at = now() + interval '20 hours' WHERE state = 'pending'"


@pytest.fixture
async def gateway(teller: Gateway) -> Gateway:
    return teller


@pytest.fixture
def resting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the gateway itself take nothing, so that a test can."""
    monkeypatch.setattr("services.gateway.rounds.webhooks.HEALTHY_LANES", 0)
    monkeypatch.setattr("services.gateway.rounds.webhooks.FAILING_LANES", 0)


async def _taken(gateway: Gateway, lanes: int) -> list[Any]:
    async with gateway.parts.bus.pool.acquire() as connection:
        return [due.project_id for due in await update_claimed(connection, lanes, 0)]


@pytest.mark.usefixtures("resting")
async def test_a_project_with_many_webhooks_leaves_the_next_lane_to_others(
    ann: Client, bob: Client, gateway: Gateway, receiver: Stranger
) -> None:
    for number in range(10):
        await webhook(ann, receiver, f"/{number}")
    await webhook(bob, receiver)
    await happen(gateway, ann.project_id, *["image.stored"] * 3)
    assert await _taken(gateway, 12) == [ann.project_id] * 12
    for _ in range(2):
        await happen(gateway, bob.project_id, "image.stored")
        assert await _taken(gateway, 1) == [bob.project_id]
    assert await _taken(gateway, 4) == [ann.project_id] * 4


@pytest.mark.usefixtures("resting")
async def test_a_lane_is_not_kept_for_a_receiver_that_has_its_share(
    ann: Client, gateway: Gateway, receiver: Stranger
) -> None:
    for number in range(10):
        await webhook(ann, receiver, f"/{number}")
    await happen(gateway, ann.project_id, *["image.stored"] * 3)
    for _ in range(20):
        assert await _taken(gateway, 1) == [ann.project_id]
    assert await _taken(gateway, 1) == []


async def test_a_receiver_that_is_gone_does_not_switch_off_a_webhook_that_leads_elsewhere_by_now(
    ann: Client, gateway: Gateway, receiver: Stranger, other_receiver: Stranger
) -> None:
    receiver.answers["/old"] = answer(status=410)
    receiver.hangs.add("/old")
    hook = await webhook(ann, receiver, "/old")
    await happen(gateway, ann.project_id, "image.stored")
    await receiver.until(lambda: len(receiver.asked) == 1)
    moved = await change(ann, hook, url=f"http://127.0.0.1:{other_receiver.port}/new")
    assert moved.status == 200
    receiver.release()
    (item,) = await logged(ann, hook, state="delivered")
    shown = (await ann.get(f"/webhooks/{hook['id']}")).body
    assert (shown["active"], shown["disabled_reason"], shown["failing_since"]) == (True, None, None)
    detail = (await ann.get(f"/webhooks/{hook['id']}/deliveries/{item['id']}")).body
    assert [attempt["status_code"] for attempt in detail["attempt_log"]] == [410, 200]


async def test_a_new_receiver_is_given_all_attempts_also_of_what_the_old_one_has_failed_last(
    ann: Client, gateway: Gateway, receiver: Stranger, other_receiver: Stranger, house: House
) -> None:
    receiver.answers["/old"] = other_receiver.otherwise = answer(status=500)
    receiver.hangs.add("/old")
    hook = await webhook(ann, receiver, "/old")
    await happen(gateway, ann.project_id, "image.stored")
    await receiver.until(lambda: len(receiver.asked) == 1)
    await house.admin.execute("UPDATE gateway.webhook_deliveries SET attempts = 9")
    await change(ann, hook, url=f"http://127.0.0.1:{other_receiver.port}/new")
    receiver.release()
    await other_receiver.until(lambda: len(other_receiver.asked) == 1)
    (item,) = await logged(ann, hook, attempts=1)
    assert item["state"] == "pending"


async def _waits_for_hours(ann: Client, gateway: Gateway, receiver: Stranger, house: House) -> dict[str, Any]:
    """Make a webhook for which something waits that has failed."""
    receiver.otherwise = answer(status=500)
    hook = await webhook(ann, receiver)
    await happen(gateway, ann.project_id, "image.stored")
    await logged(ann, hook, attempts=1)
    await house.admin.execute(WAITING)
    (item,) = await logged(ann, hook)
    assert datetime.fromisoformat(item["next_attempt_at"]) - datetime.now(UTC) > timedelta(hours=19)
    return hook


async def test_what_has_waited_is_sent_at_once_when_a_webhook_is_switched_on_again(
    ann: Client, gateway: Gateway, receiver: Stranger, house: House
) -> None:
    hook = await _waits_for_hours(ann, gateway, receiver, house)
    await change(ann, hook, active=False)
    (item,) = await logged(ann, hook)
    assert item["next_attempt_at"] is None, "nothing is attempted while it is switched off"
    receiver.otherwise = answer()
    await change(ann, hook, active=True)
    await logged(ann, hook, state="delivered")


async def test_what_has_waited_is_sent_at_once_when_a_webhook_is_led_elsewhere(
    ann: Client, gateway: Gateway, receiver: Stranger, other_receiver: Stranger, house: House
) -> None:
    hook = await _waits_for_hours(ann, gateway, receiver, house)
    await change(ann, hook, description="What changes nothing for its receiver hurries nothing.")
    (item,) = await logged(ann, hook)
    assert datetime.fromisoformat(item["next_attempt_at"]) - datetime.now(UTC) > timedelta(hours=19)
    await change(ann, hook, url=f"http://127.0.0.1:{other_receiver.port}/new")
    await logged(ann, hook, state="delivered")
