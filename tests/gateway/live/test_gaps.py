"""Whoever comes back too late to be told all is told so, instead of being left to believe that nothing happened."""

import asyncio
from typing import Any

import pytest

from services.gateway.rules.feed import Extent, Start, start_behind
from services.gateway.stream import Item, Stream
from tests.gateway.live.happening import happen
from tests.gateway.live.talks import talking
from tests.gateway.living import Client, Gateway
from tests.living import House, until


@pytest.mark.parametrize(
    ("extent", "position", "start"),
    [
        ((11, 20, 20), 0, Start(0)),
        ((11, 20, 20), 10, Start(10)),
        ((11, 20, 20), 15, Start(15)),
        ((11, 20, 20), 20, Start(20)),
        ((11, 20, 20), 9, Start(10, gap=True)),
        ((11, 20, 20), 21, Start(20, gap=True)),
        ((11, 18, 20), 20, Start(20)),
        ((0, 0, 20), 0, Start(0)),
        ((0, 0, 20), 20, Start(20)),
        ((0, 0, 20), 19, Start(19, gap=True)),
        ((0, 0, 20), 21, Start(0, gap=True)),
        ((0, 0, 0), 0, Start(0)),
        ((0, 0, 0), 5, Start(0, gap=True)),
    ],
    ids=[
        "all that is kept",
        "exactly what was let go",
        "the middle",
        "everything",
        "all but one of what was let go",
        "more than there ever was",
        "what was let go last",
        "all of nothing",
        "all of what was let go",
        "all but one, where nothing is kept",
        "more than there ever was, where nothing is kept",
        "the beginning of a feed",
        "more than a new feed has",
    ],
)
def test_a_gap_is_told_where_something_may_be_missing(
    extent: tuple[int, int, int], position: int, start: Start
) -> None:
    assert start_behind(Extent(*extent), position) == start


async def _let_go(house: House, type_: str) -> None:
    await house.admin.execute("DELETE FROM gateway.events WHERE type = $1", type_)


async def _sequence_of(house: House, type_: str) -> int:
    return int(await house.value("SELECT max(sequence) FROM gateway.events WHERE type = $1", type_))


def _gap(position: int) -> dict[str, Any]:
    detail = "Not all that happened since then can be told any more; read anew what you know."
    return {"type": "gap", "after": position, "detail": detail}


async def test_whoever_was_away_for_longer_than_is_kept_is_told_so_once(
    ann: Client, gateway: Gateway, house: House
) -> None:
    await happen(gateway, ann.project_id, "image.found", "image.stored", "image.described")
    seen = await _sequence_of(house, "image.found")
    async with ann.events(after=seen) as events:
        assert [event["type"] for event in await events.take(2)] == ["image.stored", "image.described"]
    await _let_go(house, "image.found")
    async with ann.events(after=seen) as events:  # nothing that came after it is missing
        assert (await events.next())["type"] == "image.stored"
    await _let_go(house, "image.stored")
    async with ann.events(after=seen) as events:
        place = int((await events.line_starting("id: ")).removeprefix("id: "))
        assert await events.next() == _gap(seen)
        assert (await events.next())["type"] == "image.described"
    async with ann.events(after=place) as events:
        assert (await events.next())["type"] == "image.described"


async def test_a_subscription_is_told_of_a_gap_as_well(ann: Client, gateway: Gateway, house: House) -> None:
    await happen(gateway, ann.project_id, "image.found", "image.stored", "image.described")
    seen = await _sequence_of(house, "image.found")
    await _let_go(house, "image.found")
    await _let_go(house, "image.stored")
    async with talking(ann) as talk:
        await talk.say("subscribe", id="late", after=seen)
        assert await talk.next_of("gap", "event") == {**_gap(seen), "subscription": "late"}
        assert (await talk.next_of("event"))["event"]["type"] == "image.described"
        await talk.subscribe("new")
        await talk.say("subscribe", id="in time", after=await _sequence_of(house, "image.described"))
        assert (await talk.next_of("gap", "caught_up"))["type"] == "caught_up"


async def _put_back(house: House) -> None:
    """Have the feed be as on the day before: shorter, and with it all connections anew."""
    await house.admin.execute("DELETE FROM gateway.events")
    await house.admin.execute("ALTER TABLE gateway.events ALTER sequence RESTART WITH 1")
    await house.admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('gateway', 'gateway_projection')"
    )


async def test_who_follows_while_the_database_is_put_back_is_let_go_and_told_when_he_comes_back(
    ann: Client, gateway: Gateway, house: House
) -> None:
    await happen(gateway, ann.project_id, *["image.found"] * 5)
    seen = await _sequence_of(house, "image.found")
    async with ann.events() as events, talking(ann) as talk:
        await talk.subscribe("a")
        await _put_back(house)
        with pytest.raises(EOFError):
            await events.next()
        assert await talk.farewell() == ("feed_put_back", 1013)

    async def answers() -> bool:
        return (await ann.get("/jobs")).status == 200

    await until(answers)
    async with ann.events(after=seen) as events:
        assert await events.next() == _gap(seen)
        await happen(gateway, ann.project_id, "image.stored")
        stored = await events.next()
    assert stored["type"] == "image.stored"
    assert stored["sequence"] <= seen
    async with ann.events(after=stored["sequence"]) as events:
        await happen(gateway, ann.project_id, "image.described")
        assert (await events.next())["type"] == "image.described"


async def test_a_feed_that_lost_its_last_rows_was_not_put_back_but_one_that_never_gave_them_was() -> None:
    extent, asked = Extent(1, 7, 7), asyncio.Event()

    async def read(_after: int, _limit: int) -> list[Item]:
        return []

    async def extent_now() -> Extent:
        asked.set()
        return extent

    stream = Stream(read, extent_now, doubt_seconds=0)
    running = asyncio.create_task(stream.run())
    async with stream.follow(lambda _row: True) as place:
        for let_go in (0, 2):
            extent = Extent(1, 7 - let_go, 7)
            asked.clear()
            stream.wake()
            await asked.wait()
            assert await place.take(0.05) == []
            assert not place.closed
        extent = Extent(1, 5, 6)
        stream.wake()
        assert await place.take(15) == []
        assert (place.closed, place.put_back, place.overflowed) == (True, True, False)
        assert await stream.position() == 5
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
