"""Two gateways beside each other behave as one."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.gateway.living import Client, Gateway, gateway_settings
from tests.living import House


@pytest.fixture
async def ann_elsewhere(gateway: Gateway, house: House) -> AsyncIterator[Client]:
    """The same user at a second gateway."""
    assert gateway.parts.health.started
    async with Gateway(gateway_settings(house.servers)) as other:
        await other.until_well()
        async with other.client("ann") as client:
            yield client


async def test_a_key_means_the_same_at_both(ann: Client, ann_elsewhere: Client) -> None:
    async def post(client: Client, key: str) -> str:
        reply = await client.post("/probes", {"service": "media"}, headers={"Idempotency-Key": key})
        assert reply.status == 202, reply.body
        return str(reply.body["id"])

    keys = [f"key-{number}" for number in range(20)]
    pairs = await asyncio.gather(*(asyncio.gather(post(ann, key), post(ann_elsewhere, key)) for key in keys))
    assert all(here == there for here, there in pairs)
    assert len(set(map(tuple, pairs))) == 20
    assert len((await ann.get("/jobs")).body["items"]) == 20


async def test_a_scene_is_begun_once(ann: Client, ann_elsewhere: Client) -> None:
    async def post(client: Client, number: int) -> str:
        reply = await client.post(f"/chapters/c/images/scenes/{number}", {"scene_description": "A view"})
        assert reply.status == 202, reply.body
        return str(reply.body["task_id"])

    pairs = await asyncio.gather(
        *(asyncio.gather(post(ann, number), post(ann_elsewhere, number)) for number in range(10))
    )
    assert all(here == there for here, there in pairs)
    assert len((await ann.get("/jobs")).body["items"]) == 10


async def test_what_happens_at_one_is_followed_at_the_other(ann: Client, ann_elsewhere: Client) -> None:
    async with ann_elsewhere.events() as events:
        job = (await ann.post("/probes", {"service": "media"})).body
        assert (await events.next())["job"]["id"] == job["id"]
        assert (await ann_elsewhere.get(f"/jobs/{job['id']}")).status == 200
