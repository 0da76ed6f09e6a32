"""Whoever names a place that the feed has not reached, since it was put back to an earlier day, hears what happens."""

from tests.gateway.live.happening import happen
from tests.gateway.live.talks import talking
from tests.gateway.living import Client, Gateway

AHEAD = 2**40


async def test_a_stream_behind_a_place_that_was_never_reached_begins_now(ann: Client, gateway: Gateway) -> None:
    await happen(gateway, ann.project_id, "image.found")
    async with ann.events(after=AHEAD) as events:
        await happen(gateway, ann.project_id, "image.stored")
        assert (await events.next())["type"] == "image.stored"


async def test_a_subscription_behind_such_a_place_begins_now_and_says_where(ann: Client, gateway: Gateway) -> None:
    await happen(gateway, ann.project_id, "image.found")
    async with talking(ann) as talk:
        hello = await talk.next()
        await talk.say("subscribe", id="a", after=AHEAD)
        assert (await talk.next_of("subscribed"))["after"] == hello["sequence"]
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
