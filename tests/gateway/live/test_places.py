"""Whoever names a place that the feed has not reached, since it was put back to an earlier day, hears what happens."""

import asyncio

import pytest

from services.gateway.cli.client import EventReading, EventStream
from services.gateway.cli.client import Gateway as CommandLine
from tests.gateway.live.happening import happen
from tests.gateway.live.talks import talking
from tests.gateway.living import Client, Gateway
from tests.living import until

AHEAD = 2**40


async def test_a_stream_behind_a_place_that_was_never_reached_begins_now(ann: Client, gateway: Gateway) -> None:
    await happen(gateway, ann.project_id, "image.found")
    async with ann.events(after=AHEAD) as events:
        assert (await events.next())["type"] == "gap"
        await happen(gateway, ann.project_id, "image.stored")
        assert (await events.next())["type"] == "image.stored"


async def test_a_subscription_behind_such_a_place_begins_now_and_says_where(ann: Client, gateway: Gateway) -> None:
    await happen(gateway, ann.project_id, "image.found")
    async with talking(ann) as talk:
        hello = await talk.next()
        await talk.say("subscribe", id="a", after=AHEAD)
        assert (await talk.next_of("subscribed"))["after"] == hello["sequence"]
        assert (await talk.next())["type"] == "gap"
        await talk.next_of("caught_up")
        await happen(gateway, ann.project_id, "image.stored")
        assert (await talk.next_of("event"))["event"]["type"] == "image.stored"


async def test_whoever_comes_back_behind_what_was_let_go_hears_nothing_twice(ann: Client, gateway: Gateway) -> None:
    await happen(gateway, ann.project_id, "image.found", "job.progressed")
    async with ann.events(after=0) as events:
        _, last = await events.take(2)
    await gateway.parts.bus.pool.execute("DELETE FROM events WHERE type = 'job.progressed'")
    async with ann.events(after=last["sequence"]) as events:
        await happen(gateway, ann.project_id, "image.stored")
        assert (await events.next())["type"] == "image.stored"


async def _first_id(client: Client, path: str) -> str:
    """Follow as a browser does, and go before anything has happened; give the id that it would resume from."""
    reading = EventReading()
    async with client.session.get(f"/api/v1{path}") as response, asyncio.timeout(10):
        while not reading.last_id:
            reading.take((await response.content.readline()).decode())
    return reading.last_id


@pytest.mark.parametrize("types", ["", "?types=image.stored"])
async def test_whoever_falls_off_before_the_first_event_misses_nothing_either(
    ann: Client, gateway: Gateway, types: str
) -> None:
    await happen(gateway, ann.project_id, "image.found")
    place = await _first_id(ann, f"/events{types}")
    await happen(gateway, ann.project_id, "image.stored")
    async with ann.events(f"/events{types}", after=int(place)) as events:
        assert (await events.next())["type"] == "image.stored"


async def test_the_command_line_comes_back_to_where_it_began(ann: Client, gateway: Gateway) -> None:
    await happen(gateway, ann.project_id, "image.found")
    async with CommandLine(gateway.url, gateway.token("ann")) as line:
        stream = line.events()
        told = aiter(stream)
        first = asyncio.ensure_future(anext(told))
        await until(lambda: _stands(stream))
        gateway.parts.stream.close()
        await until(lambda: _has_come_back(stream))
        gateway.parts.stream.closing.clear()
        await happen(gateway, ann.project_id, "image.stored")
        assert (await first).type == "image.stored"


async def _stands(stream: EventStream) -> bool:
    return stream.opened.is_set()


async def _has_come_back(stream: EventStream) -> bool:
    return stream.reconnects > 0
