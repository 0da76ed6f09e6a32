"""Whoever is put off comes again one after the other, and not sooner than it makes sense."""

import asyncio
from contextlib import suppress
from itertools import pairwise

import pytest

from services.media.places import Door, Places
from services.media.places.here import Here
from shared.addresses import Url, parse_url
from shared.errors import TryAgain
from shared.manners import Host, Limits
from tests.media.places.replicas import HASTY, NAMES, Notebook

MOST = 2
JOBS = 200
NOW = 1000.0
PLACE = parse_url(f"http://{NAMES[0]}/a")


class Process:
    """A process of media for which no time passes, but when it is told."""

    def __init__(self, host: Host | None = None, limits: Limits = HASTY) -> None:
        self.now = NOW
        self.book = Notebook({PLACE.host: Door(host or Host())}, now=lambda: self.now)
        self.places = Places(self.book, limits, most=MOST, clock=lambda: self.now)

    async def download(self, seconds: float, place: Url = PLACE) -> None:
        async with self.places.at(place):
            self.now += seconds

    async def broken_off(self, seconds: float) -> None:
        """Download from a host that sends on and on, until the deadline."""
        with suppress(asyncio.CancelledError):
            async with self.places.at(PLACE):
                self.now += seconds
                raise asyncio.CancelledError

    async def put_off(self) -> float:
        """Ask for a place that there is not; give when it is worth asking again."""
        with pytest.raises(TryAgain) as caught:
            await self.download(0)
        assert caught.value.rate_limited
        return self.now + (caught.value.retry_after_seconds or 0.0)


REFUSING = {
    "asks for patience": Host(next_at=NOW + 30),
    "closed": Host(open_until=NOW + 60, open_seconds=60, blocks=5, blocked_by="http_403"),
    "closed, and somebody probes": Host(open_until=NOW - 1, open_seconds=60, blocks=5, probe_until=NOW + 100),
}


@pytest.mark.parametrize("herd", [False, True])
@pytest.mark.parametrize("host", REFUSING.values(), ids=REFUSING)
async def test_those_whom_a_host_refuses_do_not_all_come_back_at_once(
    monkeypatch: pytest.MonkeyPatch, host: Host, *, herd: bool
) -> None:
    """With its negative control: without a place in line all that ask within the same moments come back in one."""
    if herd:
        monkeypatch.setattr(Here, "put_off", lambda _here, _now, _most, _spacing, asked_seconds: asked_seconds)
    process = Process(host)
    again = []
    for _ in range(JOBS):
        again.append(await process.put_off())
        process.now += 0.001
    apart = [later - earlier for earlier, later in pairwise(sorted(again))]
    assert min(again) >= (NOW + 9 if host.probe_until else host.open_until or host.next_at)
    assert (min(apart) > 0.9 / MOST) is not herd
    if not herd:
        assert again == sorted(again), "whoever came first is first again"


async def test_however_many_are_put_off_the_last_comes_soon_enough_and_none_with_all_others() -> None:
    process = Process(REFUSING["closed"])
    again = [await process.put_off() for _ in range(10 * JOBS)]
    assert max(again) <= NOW + 1.1 * 60 + 300
    assert max(again.count(moment) for moment in set(again)) < 10 * JOBS / 100


async def full(process: Process) -> list[asyncio.Task[None]]:
    """Have all places taken, one after the other, by downloads that do not end; who is put off has ended."""
    holding = []
    for _ in range(MOST):
        begun = asyncio.Event()
        holding.append(asyncio.create_task(hold(process, begun)))
        await begun.wait()
    return holding


async def hold(process: Process, begun: asyncio.Event) -> None:
    try:
        async with process.places.at(PLACE):
            begun.set()
            await asyncio.Event().wait()
    finally:
        begun.set()


async def let_go(holding: list[asyncio.Task[None]]) -> None:
    for one in holding:
        one.cancel()
    await asyncio.gather(*holding, return_exceptions=True)


@pytest.mark.parametrize("deaf", [False, True])
async def test_a_host_that_sends_on_until_the_deadline_has_nobody_stand_in_line(
    monkeypatch: pytest.MonkeyPatch, *, deaf: bool
) -> None:
    """With its negative control: who learns from downloads alone that end by themselves believes that it is fast."""
    end = Here.end

    def end_deaf(here: Here, now: float, seconds: float = 0.0, *, by_itself: bool = False) -> None:
        end(here, now, seconds if by_itself else 0.0, by_itself=by_itself)

    if deaf:
        monkeypatch.setattr(Here, "end", end_deaf)
    process = Process(limits=Limits(spacing_seconds=0, longest_delay_seconds=0, patience_seconds=2))
    await process.broken_off(120)
    holding = await full(process)
    asking = asyncio.create_task(process.put_off())
    for _ in range(20):
        await asyncio.sleep(0)
    assert asking.done() is not deaf, "nobody waits for seconds where it takes minutes"
    if not deaf:
        assert await asking > process.now + 60
    await let_go([*holding, asking])


async def test_downloads_that_are_broken_off_early_teach_nothing() -> None:
    process = Process(limits=Limits(spacing_seconds=0, longest_delay_seconds=0, patience_seconds=2))
    await process.download(120)
    for _ in range(10):
        await process.broken_off(0.01)
    holding = await full(process)
    assert await process.put_off() > process.now + 60
    await let_go(holding)


@pytest.mark.parametrize("content", [False, True])
async def test_a_slow_host_has_as_many_downloads_open_as_there_are_places(
    monkeypatch: pytest.MonkeyPatch, *, content: bool
) -> None:
    """With its negative control: who is content with what he asked for first has others wait for a single place."""
    if content:
        monkeypatch.setattr("services.media.places.here._in_steps", lambda wanted, _: wanted - 1 or 1)
    process = Process(limits=Limits(spacing_seconds=0, longest_delay_seconds=0, patience_seconds=2))
    await process.download(120)
    holding = await full(process)
    assert any(one.done() for one in holding) is content
    await let_go(holding)


async def test_however_long_a_host_holds_places_nobody_is_put_off_for_longer_than_minutes() -> None:
    process = Process()
    await process.broken_off(100_000)
    holding = await full(process)
    again = [await process.put_off() - process.now for _ in range(10)]
    assert max(again) <= 1.1 * 300
    await let_go(holding)
