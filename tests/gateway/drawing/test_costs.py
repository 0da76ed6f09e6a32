"""What pictures cost is shown with each job and version, by user and by day, and against the budget."""

from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.image_generation import GenerateImage
from contracts.jobs import JobCompleted, JobStarted
from tests.gateway.drawing.studios import BEGAN, SEEDING, complete, draw, drawn, fail, keep, reported
from tests.gateway.living import Client, Gateway, Voice
from tests.living import House


async def test_each_job_and_version_tells_what_it_cost(gateway: Gateway, ann: Client) -> None:
    task = (await draw(ann, samples=2)).body["task_id"]
    waiting = (await ann.job(task))["drawing"]
    assert (waiting["pictures"], waiting["cost_micros"], waiting["waiting_before"]) == ([], None, 0)
    voice = await complete(gateway, ann, task, samples=2)
    stored = await keep(gateway, voice, 1)
    drawing = (await ann.job(task))["drawing"]
    assert (drawing["cost_micros"], drawing["chapter_id"], drawing["scene_number"]) == (6000, "c", 1)
    assert [(one["sample"], one["number"], one["cost_micros"]) for one in drawing["pictures"]] == [
        (0, 1, 3000),
        (1, 2, 3000),
    ]
    assert drawing["pictures"][1]["image_id"] == str(stored.asset_id)
    versions = (await ann.get("/chapters/c/images/scenes/1/versions")).body["items"]
    assert [one["cost_micros"] for one in versions] == [3000, 3000]
    free = (await ann.post("/images/generate", {"description": "A lake"})).body["job"]["id"]
    await complete(gateway, ann, free, cost_micros=None)
    assert (await ann.job(free))["drawing"]["cost_micros"] is None, "nobody knows the price"
    probe = (await ann.post("/probes", {"service": "media"})).body["id"]
    assert (await ann.job(probe))["drawing"] is None


def _today() -> str:
    return str(datetime.now(UTC).date())


async def test_costs_are_counted_by_user_and_day(gateway: Gateway, ann: Client, oz: Client) -> None:
    await complete(gateway, ann, (await draw(ann, samples=2)).body["task_id"], samples=2)
    usage = (await ann.get("/analytics/usage", params={"group_by": ["day", "user"]})).body
    drew = [one for one in usage["items"] if one["images_generated"]]
    assert [(one["day"], one["submitted_by"], one["cost_micros"]) for one in drew] == [(_today(), "ann", 6000)]
    assert (await oz.get("/analytics/usage")).body["total"]["cost_micros"] == 6000


async def test_the_time_of_a_job_counts_once_however_many_pictures_it_drew(gateway: Gateway, ann: Client) -> None:
    await complete(gateway, ann, (await draw(ann, samples=4)).body["task_id"], samples=4, generation_seconds=2.5)
    total = (await ann.get("/analytics/usage")).body["total"]
    assert (total["images_generated"], total["generation_seconds"]) == (4, 2.5)


async def test_how_long_it_takes_and_what_waits_before_it_is_told(gateway: Gateway, ann: Client) -> None:
    await gateway.hear(reported())
    for number in range(3):
        await complete(gateway, ann, (await draw(ann, number)).body["task_id"], generation_seconds=30.0)
    first, second = [(await draw(ann, 10 + number)).body["task_id"] for number in range(2)]
    urgent = (await draw(ann, 20, user_tier="premium")).body["task_id"]
    told = {task: (await ann.job(task))["drawing"] for task in (first, second, urgent)}
    assert [told[task]["waiting_before"] for task in (urgent, first, second)] == [0, 1, 2]
    assert {one["estimated_seconds"] for one in told.values()} == {30.0}
    now = datetime.now(UTC).isoformat()
    await gateway.hear(Voice(await ann.job(first)).says(JobStarted, attempt=1, started_at=now, worker="w"))
    begun = (await ann.job(first))["drawing"]
    assert begun["waiting_before"] is None
    assert 0 < begun["left_seconds"] <= 30


async def budget(client: Client) -> dict[str, Any]:
    reply = await client.get("/images/providers")
    assert reply.status == 200, reply.body
    return dict(reply.body)


async def test_what_is_left_of_the_budget_is_told_to_each_user(
    gateway: Gateway, ann: Client, bob: Client, oz: Client
) -> None:
    nobody = await budget(ann)
    assert (nobody["default"], nobody["offers"], nobody["budget"]["left_micros"]) == (None, [], None)
    dear = SEEDING.model_copy(update={"paid": True, "price_micros": 3000})
    terms = {"offers": (dear,), "budget_micros": 100_000, "owner_budget_micros": 20_000}
    await gateway.hear(reported().model_copy(update=terms))
    await complete(gateway, ann, (await draw(ann, 1)).body["task_id"])
    await fail(gateway, ann, (await draw(ann, 2, samples=2)).body["task_id"], "outcome_unknown")
    await fail(gateway, ann, (await draw(ann, 3)).body["task_id"], "provider_refused")
    begun = Voice(await ann.job((await draw(ann, 4)).body["task_id"]))
    await gateway.hear(begun.says(JobStarted, attempt=1, started_at="2025-01-01T00:00:00Z", worker="w"))
    await draw(ann, 5)

    mine = await budget(ann)
    assert mine["budget"] == {
        "day": _today(),
        "limit_micros": 20_000,
        "spent_micros": 3000,
        "reserved_micros": 9000,
        "left_micros": 8000,
    }
    assert mine["budget_of_all"] is None
    assert [(one["name"], one["price_micros"]) for one in mine["offers"]] == [("seeding", 3000)]
    assert (await budget(bob))["budget"]["left_micros"] == 20_000
    of_all = (await budget(oz))["budget_of_all"]
    assert (of_all["limit_micros"], of_all["spent_micros"], of_all["left_micros"]) == (100_000, 3000, 88_000)


async def test_what_was_lost_and_found_again_counts_once(gateway: Gateway, ann: Client) -> None:
    dear = SEEDING.model_copy(update={"paid": True, "price_micros": 3000})
    await gateway.hear(reported().model_copy(update={"offers": (dear,), "owner_budget_micros": 20_000}))

    async def counts() -> tuple[int, int]:
        told = (await budget(ann))["budget"]
        return told["spent_micros"], told["reserved_micros"]

    lost = (await draw(ann)).body["task_id"]
    await fail(gateway, ann, lost, "outcome_unknown")
    assert await counts() == (0, 3000)
    heir = (await ann.post(f"/jobs/{lost}/resume", {"request_id": "12345"})).body["job"]["id"]
    assert await counts() == (0, 3000), "it waits, and the money is not free meanwhile"
    begun = Voice(await ann.job(heir))
    await gateway.hear(begun.says(JobStarted, attempt=1, started_at="2025-01-01T00:00:00Z", worker="w"))
    assert await counts() == (0, 3000)
    await gateway.hear(drawn(begun), begun.says(JobCompleted, **BEGAN))
    assert await counts() == (3000, 0)


async def test_what_was_lost_and_paid_for_again_counts_twice(gateway: Gateway, ann: Client) -> None:
    dear = SEEDING.model_copy(update={"paid": True, "price_micros": 3000})
    await gateway.hear(reported().model_copy(update={"offers": (dear,), "owner_budget_micros": 20_000}))
    lost = (await draw(ann)).body["task_id"]
    await fail(gateway, ann, lost, "outcome_unknown")
    [again] = (await ann.post("/jobs/retry", {"ids": [lost]})).body["items"]
    await complete(gateway, ann, again["job"]["id"])
    told = (await budget(ann))["budget"]
    assert (told["spent_micros"], told["reserved_micros"]) == (3000, 3000)


@pytest.mark.parametrize(
    ("paid", "price", "samples", "costs"),
    [(True, 3000, 2, 6000), (True, None, 1, None), (False, None, 4, 0), (False, 3000, 1, 0)],
)
def test_the_price_of_a_request_is_that_of_all_its_pictures(
    *, paid: bool, price: int | None, samples: int, costs: int | None
) -> None:
    offers = (SEEDING.model_copy(update={"paid": paid, "price_micros": price}),)
    asked = GenerateImage.model_construct(samples=samples, provider=None)
    assert reported().model_copy(update={"offers": offers}).price_of(asked) == costs
    strange = GenerateImage.model_construct(samples=samples, provider="nobody")
    assert reported().price_of(strange) is None


async def test_a_tenant_sees_no_pictures_of_another(gateway: Gateway, ann: Client, bob: Client, house: House) -> None:
    await complete(gateway, ann, (await draw(ann)).body["task_id"])
    assert (await bob.get("/analytics/usage")).body["total"]["cost_micros"] == 0
    assert await house.value("SELECT count(*) FROM gateway.pictures") == 1
