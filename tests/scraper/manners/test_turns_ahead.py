"""Who is alone with a host takes turns in advance, so that it need not write down each of them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scraper.crawler.politeness import Politeness
from shared.errors import TryAgain
from shared.manners import Decide, Host, Limits, T, breaker
from tests.scraper.site import Clock, Notebook

HOST = "gallery.example"
SPACING_SECONDS = 0.25
LIMITS = Limits(spacing_seconds=SPACING_SECONDS, patience_seconds=1000, ahead_seconds=2)
ROUNDING_SECONDS = 0.002


@dataclass
class Counting(Notebook):
    """A notebook that counts how often something is written into it."""

    changes: int = 0

    async def change(self, name: str, decide: Decide[Host, T]) -> T:
        self.changes += 1
        return await super().change(name, decide)


@dataclass
class House:
    """Some processes that share a book, and when each of their requests begins."""

    count: int
    limits: Limits = LIMITS
    clock: Clock = field(default_factory=Clock)
    begun: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = Counting(self.clock)
        self.processes = [
            Politeness(self.book, self.limits, clock=self.clock, sleep=self.clock.sleep) for _ in range(self.count)
        ]

    async def visit(self, process: int = 0, *, latency_seconds: float = 0.0) -> float:
        """Take a turn and ask the host; give the time that was slept before."""
        before = self.clock.now
        await self.processes[process].turn(HOST)
        slept = self.clock.now - before
        self.begun.append(self.clock.now)
        async with self.processes[process].noting(HOST):
            self.clock.now += latency_seconds
        return slept

    def are_spaced(self) -> bool:
        return all(later - earlier >= SPACING_SECONDS - ROUNDING_SECONDS for earlier, later in pairwise(self.begun))


VISITS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 0, 0.1, 0.3, 1, 5])), min_size=2, max_size=60)


@given(VISITS)
def test_however_many_are_taken_in_advance_two_requests_are_never_closer_than_the_host_is_asked(
    visits: list[tuple[int, float]],
) -> None:
    async def visit_all() -> House:
        house = House(3)
        for process, pause in visits:
            house.clock.now += pause
            await house.visit(process)
        return house

    assert asyncio.run(visit_all()).are_spaced()


async def test_who_is_alone_with_a_host_writes_down_few_of_its_turns() -> None:
    house = House(1)
    for _ in range(40):
        await house.visit()
    assert house.book.changes <= 8
    assert house.begun[-1] - house.begun[0] == pytest.approx(39 * SPACING_SECONDS, abs=0.01), "none is wasted"


async def test_two_that_ask_the_same_host_take_turns_one_by_one() -> None:
    house = House(2)
    for _ in range(20):
        await house.visit(0)
    first = await house.visit(1)
    assert first <= LIMITS.ahead_seconds + SPACING_SECONDS
    waits = [await house.visit(process) for process in (0, 1) * 10]
    assert max(waits) <= 2 * SPACING_SECONDS
    assert house.are_spaced()


async def test_who_comes_back_after_a_while_takes_one_turn() -> None:
    house = House(1)
    for _ in range(8):
        await house.visit()
    house.clock.now += 60
    await house.visit()
    assert house.book.hosts[HOST].next_at == pytest.approx(house.clock.now + SPACING_SECONDS, abs=0.01)


async def test_a_refusal_ends_all_turns_and_gives_back_what_was_not_used() -> None:
    house = House(2)
    for _ in range(8):
        await house.visit()
    await house.processes[0].turn(HOST)
    with pytest.raises(TryAgain):
        async with house.processes[0].noting(HOST):
            raise TryAgain("http_503", "Busy.", retry_after_seconds=1.0)
    assert house.book.hosts[HOST].next_at == pytest.approx(house.clock.now + 1.0, abs=0.01)
    assert house.book.hosts[HOST].blocks == 1
    assert [await house.visit(process) for process in (0, 1)] == pytest.approx([1.0, 2 * SPACING_SECONDS], abs=0.01)


async def test_a_slow_answer_ends_turns_that_are_too_close() -> None:
    house = House(1)
    for _ in range(8):
        await house.visit()
    await house.visit(latency_seconds=3)
    await house.visit()
    await house.visit()
    assert house.begun[-1] - house.begun[-2] >= 1.5, "halfway from three seconds to what is fast again"


async def test_what_a_fast_host_answers_is_told_with_the_next_turn() -> None:
    house = House(1)
    await house.visit(latency_seconds=2)
    assert house.book.hosts[HOST] == Host(next_at=house.begun[0] + SPACING_SECONDS)
    await house.visit()
    assert house.book.hosts[HOST].delay_seconds == 2
    assert house.book.changes == 2


async def test_an_answer_after_refusals_is_told_at_once() -> None:
    house = House(2)
    for process in (0, 1):
        await house.processes[process].turn(HOST)
        with pytest.raises(TryAgain):
            async with house.processes[process].noting(HOST):
                raise TryAgain("http_503", "Busy.")
    assert house.book.hosts[HOST].blocks == 2
    await house.visit(0)
    assert house.book.hosts[HOST].blocks == 0


async def test_a_host_that_is_asked_without_a_pause_is_still_probed_by_one() -> None:
    house = House(1, Limits(spacing_seconds=0, longest_delay_seconds=0, blocks=1, open_seconds=60))
    await house.processes[0].turn(HOST)
    with pytest.raises(TryAgain):
        async with house.processes[0].noting(HOST):
            raise TryAgain("http_503", "Busy.")
    house.clock.now += 60
    await house.processes[0].turn(HOST)
    with pytest.raises(TryAgain, match="host_blocked"):
        await house.processes[0].turn(HOST)


async def end(house: House, probe: float | None, failure: TryAgain | None) -> None:
    """Have a request of the first process end as it does, whenever it began."""
    with suppress(TryAgain):
        async with house.processes[0].noting(HOST, probe=probe):
            if failure:
                raise failure


BLOCK = TryAgain("http_503", "Busy.")
SILENCE = TryAgain("timed_out", "It did not answer.")


@pytest.mark.parametrize("heedless", [False, True])
@pytest.mark.parametrize("ending", [None, BLOCK, SILENCE])
async def test_what_was_asked_before_a_host_was_closed_decides_nothing_while_another_probes(
    monkeypatch: pytest.MonkeyPatch, ending: TryAgain | None, *, heedless: bool
) -> None:
    """With its negative control: whatever ends is taken for the probe."""
    if heedless:
        monkeypatch.setattr(breaker, "decides", lambda *_: True)
    house = House(1, Limits(spacing_seconds=0, longest_delay_seconds=0, blocks=1, open_seconds=60))
    late, blocked = [await house.processes[0].turn(HOST) for _ in range(2)]
    assert late is None
    await end(house, blocked, BLOCK)
    house.clock.now += 60
    probe = await house.processes[0].turn(HOST)
    probed = house.book.hosts[HOST]
    await end(house, late, ending)
    assert (house.book.hosts[HOST] != probed) is heedless
    if not heedless:
        await end(house, probe, None)
        assert house.book.hosts[HOST].open_until is None, "what the probe is told counts"
