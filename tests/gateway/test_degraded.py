"""Without its database or its broker the gateway is degraded, not dead; and it recovers by itself."""

from collections.abc import AsyncIterator

import pytest

from contracts.jobs import CheckWorker
from tests.gateway.living import Client, Gateway, gateway_settings
from tests.gateway.switch import Switch
from tests.living import House, until


@pytest.fixture
async def database(house: House) -> AsyncIterator[Switch]:
    async with Switch(house.servers.database_url("gateway")) as switch:
        yield switch


@pytest.fixture
async def broker(house: House) -> AsyncIterator[Switch]:
    async with Switch(house.servers.rabbitmq_url) as switch:
        yield switch


@pytest.fixture
async def cut_off(house: House, database: Switch, broker: Switch) -> AsyncIterator[Gateway]:
    """A gateway that starts while neither its database nor its broker is there."""
    theirs = house.servers.database_url("gateway_projection")
    projections = database.url.replace(house.servers.database_url("gateway").split("@")[0], theirs.split("@")[0])
    settings = gateway_settings(
        house.servers, database_url=database.url, projection_database_url=projections, rabbitmq_url=broker.url
    )
    async with Gateway(settings) as gateway:
        yield gateway


async def _post_probe(client: Client) -> bool:
    reply = await client.post("/probes", {"service": "media"})
    assert reply.status in {202, 503}, reply.body
    return reply.status == 202


async def test_it_starts_without_anything_and_says_so(cut_off: Gateway) -> None:
    async with cut_off.client() as ann:
        assert (await ann.send("GET", "/livez")).status == 200
        assert (await ann.send("GET", "/readyz")).status == 503
        health = await ann.send("GET", "/health")
        assert (health.status, health.body["status"], health.body["database"]) == (200, "degraded", False)
        assert (await ann.get("/health/database")).body["status"] == "unhealthy"
        for reply in (
            await ann.get("/jobs"),
            await ann.get("/images"),
            await ann.get("/events"),
            await ann.post("/probes", {"service": "media"}),
            await ann.post("/scrapes", {"url": "https://example.org"}, headers={"Idempotency-Key": "k"}),
        ):
            assert (reply.status, reply.body["code"]) == (503, "database_unavailable"), reply.body
            assert reply.headers["content-type"] == "application/problem+json"
            assert int(reply.headers["retry-after"]) >= 1


async def test_it_recovers_by_itself(cut_off: Gateway, database: Switch, broker: Switch) -> None:
    async with cut_off.client() as ann:
        assert not await _post_probe(ann)
        database.on()
        broker.on()
        await until(lambda: _post_probe(ann))
        await cut_off.until_well()
        assert (await ann.send("GET", "/readyz")).status == 200


async def test_with_only_the_broker_away_work_is_accepted_and_said_later(
    cut_off: Gateway, database: Switch, broker: Switch, house: House
) -> None:
    database.on()
    async with cut_off.client() as ann:
        await until(lambda: _post_probe(ann))
        assert (await ann.send("GET", "/readyz")).status == 503
        assert (await ann.get("/jobs")).body["items"]
        assert await house.heard("media") == []
        broker.on()
        (said,) = await until(lambda: house.heard("media"))
        assert isinstance(said, CheckWorker)


async def test_a_database_that_goes_away_and_comes_back_loses_nothing(
    cut_off: Gateway, database: Switch, broker: Switch
) -> None:
    database.on()
    broker.on()
    async with cut_off.client() as ann:
        await until(lambda: _post_probe(ann))
        await cut_off.until_well()
        before = (await ann.get("/jobs")).body["items"]
        for _ in range(2):
            await database.off()
            assert (await ann.get("/jobs")).body["code"] == "database_unavailable"
            assert (await ann.send("GET", "/livez")).status == 200
            database.on()

            async def answered() -> bool:
                return (await ann.get("/jobs")).status == 200

            await until(answered)
        await until(lambda: _post_probe(ann))
        after = (await ann.get("/jobs")).body["items"]
        assert {job["id"] for job in before} < {job["id"] for job in after}
        await cut_off.until_well()


async def test_a_stream_ends_with_its_database_and_resumes_where_it_ended(
    cut_off: Gateway, database: Switch, broker: Switch
) -> None:
    database.on()
    broker.on()
    async with cut_off.client() as ann:
        await until(lambda: _post_probe(ann))
        async with ann.events(after=0) as events:
            first = await events.next()
        await database.off()
        database.on()
        await until(lambda: _post_probe(ann))
        async with ann.events(after=first["sequence"]) as events:
            second = await events.next()
            assert second["sequence"] > first["sequence"]
            assert second["job"]["id"] != first["job"]["id"]
