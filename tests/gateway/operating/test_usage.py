"""How much is done is counted once, by day, project, user and kind."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.image_generation import ImageGenerated
from contracts.jobs import CheckWorker, JobCancelled, JobCompleted, JobFailed
from services.gateway.routes.operating import usage as usage_routes
from services.gateway.store import usage as usage_store
from services.gateway.store.usage import count_usage
from shared.database import Connection
from tests.gateway.live.happening import happen
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.operating.doing import FETCH, ended, fetching
from tests.gateway.sayings import command_of, media_stored
from tests.house.sources import HOUSE
from tests.living import House


async def usage(client: Client, **asked: Any) -> dict[str, Any]:
    reply = await client.get("/analytics/usage", params=asked)
    assert reply.status == 200, reply.body
    return dict(reply.body)


async def test_usage_is_counted_once_by_day_project_user_and_kind(
    ann: Client, bob: Client, oz: Client, gateway: Gateway
) -> None:
    jobs = [await fetching(ann, number) for number in range(3)]
    his = await fetching(bob)
    stored = media_stored(jobs[0], size_bytes=500)
    await gateway.hear(
        ended(jobs[0], JobCompleted),
        stored,
        media_stored(jobs[1], already_stored=True, version=2),
        ended(jobs[1], JobFailed, code="x_y", sentence="s"),
        ended(jobs[2], JobCancelled),
        ended(his, JobCompleted),
    )
    scene = Voice((await ann.post("/probes", {"service": "media"})).body)
    generated = {"object_key": "k", "sha256": "ab" * 32, "size_bytes": 1, "content_type": "image/png", "width_px": 1}
    generated |= {"height_px": 1, "model": "m", "generation_seconds": 1.25, "description": "d"}
    paid = (("a", True), ("b", False), ("c", None))
    await gateway.hear(*(scene.states(ImageGenerated, provider=name, paid=paid, **generated) for name, paid in paid))
    mine = await usage(ann)
    [day] = mine["items"]
    assert (day["day"], day["project_id"]) == (str(datetime.now(UTC).date()), str(ann.project_id))
    counts = {name: day[name] for name in ("jobs_completed", "jobs_failed", "jobs_cancelled", "images_stored")}
    assert counts == {"jobs_completed": 1, "jobs_failed": 1, "jobs_cancelled": 1, "images_stored": 1}
    assert (day["bytes_stored"], day["images_generated"], day["paid_calls"]) == (500, 3, 1)
    assert day["generation_seconds"] == 3.75
    assert mine["total"]["jobs_completed"] == 1
    by_kind = (await usage(ann, group_by=["user", "kind"]))["items"]
    assert [(one["submitted_by"], one["kind"], one["bytes_stored"]) for one in by_kind] == [
        ("ann", CheckWorker.wire_name, 0),
        ("ann", FETCH, 500),
    ]
    everybody = await usage(oz)
    assert (len(everybody["items"]), everybody["total"]["jobs_completed"]) == (2, 2)
    assert (await usage(oz, user="bob"))["total"]["jobs_completed"] == 1
    for _ in range(2):
        await count_usage(gateway.parts.bus.pool)
    await gateway.hear(media_stored(jobs[0]), ended(jobs[0], JobCompleted))
    assert (await usage(oz))["total"] == {**everybody["total"], "images_stored": 2, "bytes_stored": 1500}


async def test_what_was_done_before_there_was_a_counter_is_counted_alike(
    ann: Client, gateway: Gateway, house: House
) -> None:
    jobs = [await fetching(ann, number) for number in range(3)]
    failed = ended(jobs[1], JobFailed, code="x_y", sentence="s")
    stored = media_stored(jobs[0], size_bytes=500)
    await gateway.hear(ended(jobs[0], JobCompleted), stored, failed, ended(jobs[2], JobCancelled))
    asked = {"group_by": ["day", "user", "kind"]}
    counted = (await usage(ann, **asked))["items"]
    assert (counted[0]["images_stored"], counted[0]["jobs_failed"]) == (1, 1)
    migration = HOUSE / "services" / "gateway" / "migrations" / "0012_operators.sql"
    statements = re.findall(r"INSERT INTO usage_days .*?;", migration.read_text(), re.DOTALL)
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL search_path TO gateway")
        await connection.execute("DELETE FROM usage_days")
        for statement in statements:
            await connection.execute(statement)
    assert len(statements) == 3
    assert (await usage(ann, **asked))["items"] == counted


async def test_what_failed_by_its_dead_letter_and_was_done_after_all_did_not_fail(
    ann: Client, oz: Client, gateway: Gateway
) -> None:
    job = await fetching(ann)
    await gateway.hear(command_of(job))
    assert (await usage(ann))["total"]["jobs_failed"] == 1
    await gateway.hear(ended(job, JobCompleted))
    assert (await ann.job(job.job["id"]))["state"] == "completed"
    total = (await usage(oz))["total"]
    assert (total["jobs_completed"], total["jobs_failed"]) == (1, 0)


async def test_a_counter_that_forgets_its_mark_would_be_found_out(ann: Client, gateway: Gateway, house: House) -> None:
    """Negative control."""
    await gateway.hear(ended(await fetching(ann), JobCompleted))
    assert (await usage(ann))["total"]["jobs_completed"] == 1
    await house.admin.execute("DELETE FROM gateway.usage_mark")
    assert (await usage(ann))["total"]["jobs_completed"] == 2


async def test_several_gateways_count_everything_once(ann: Client, gateway: Gateway, monkeypatch: Any) -> None:
    monkeypatch.setattr(usage_store, "_PAGE", 2)
    jobs = [await fetching(ann, number) for number in range(8)]
    await gateway.hear(*(ended(job, JobCompleted) for job in jobs))
    await asyncio.gather(*(count_usage(gateway.parts.bus.pool) for _ in range(3)))
    assert (await usage(ann))["total"]["jobs_completed"] == 8


async def test_counting_ends_though_something_happens_all_the_while(
    ann: Client, gateway: Gateway, monkeypatch: Any
) -> None:
    counted, count = 0, usage_store.upsert_usage

    async def count_while_more_happens(connection: Connection, limit: int) -> int:
        nonlocal counted
        counted += 1
        assert counted < 50, "whoever asks how much was done waits for ever"
        looked_at = await count(connection, limit)
        await happen(gateway, ann.project_id, "image.found")
        return looked_at

    await gateway.hear(ended(await fetching(ann), JobCompleted))
    monkeypatch.setattr(usage_store, "upsert_usage", count_while_more_happens)
    assert (await usage(ann))["total"]["jobs_completed"] == 1


async def test_nobody_sees_the_usage_of_a_project_that_he_does_not_own(
    ann: Client, bob: Client, gateway: Gateway, house: House
) -> None:
    await gateway.hear(ended(await fetching(ann), JobCompleted))
    hers = {"project_id": str(ann.project_id)}
    assert (await bob.get("/analytics/usage", params=hers)).body["code"] == "not_a_member"
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'editor')", ann.project_id
    )
    assert (await bob.get("/analytics/usage", params=hers)).body["code"] == "owner_only"
    assert (await usage(bob))["total"]["jobs_completed"] == 0
    await count_usage(gateway.parts.bus.pool)
    async with gateway.parts.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM usage_days") == 0, "the second wall"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"since": "2024-01-01", "until": "2025-06-01"}, "range_invalid"),
        ({"since": "2025-01-02", "until": "2025-01-01"}, "range_invalid"),
        ({"since": "0001-01-01"}, "range_invalid"),
        ({"until": "0001-01-02"}, None),
        ({"until": "9999-12-31"}, None),
        ({"since": "9999-12-31"}, "range_invalid"),
        ({"group_by": "hour"}, "validation_failed"),
        ({"since": "x"}, "validation_failed"),
        ({"since": "86400"}, "validation_failed"),
    ],
)
async def test_a_range_that_makes_no_sense_is_refused(oz: Client, asked: dict[str, str], code: str | None) -> None:
    reply = await oz.get("/analytics/usage", params=asked)
    assert (reply.status, reply.body.get("code")) == ((422, code) if code else (200, None))


def test_the_groups_of_the_address_are_those_of_the_store() -> None:
    assert set(usage_store.GROUPS) == set(usage_routes.Group.__args__)
