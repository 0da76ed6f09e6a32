"""Many callers share one write, and none suffers for another."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.batching import Batcher

Answers = Sequence[int | Exception]


class Ledger:
    """Doubles numbers in batches; refuses negative ones, and can be held."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.writing = 0

    async def write(self, items: list[int]) -> Answers:
        self.batches.append(items)
        self.writing += 1
        assert self.writing == 1, "one batch at a time"
        await self.open.wait()
        self.writing -= 1
        if any(item < 0 for item in items):
            raise ValueError(min(items))
        return [item * 2 for item in items]


async def test_what_is_submitted_at_once_is_written_at_once() -> None:
    ledger = Ledger()
    batcher: Batcher[int, int] = Batcher(ledger.write)
    answers = await asyncio.gather(*(batcher.submit(number) for number in range(10)))
    assert answers == [number * 2 for number in range(10)]
    assert ledger.batches == [list(range(10))]


async def test_what_comes_while_one_batch_is_written_makes_the_next_one() -> None:
    ledger = Ledger()
    ledger.open.clear()
    batcher: Batcher[int, int] = Batcher(ledger.write, limit=4)
    first = asyncio.ensure_future(batcher.submit(0))
    while not ledger.batches:
        await asyncio.sleep(0)
    rest = [asyncio.ensure_future(batcher.submit(number)) for number in range(1, 10)]
    ledger.open.set()
    assert await asyncio.gather(first, *rest) == [number * 2 for number in range(10)]
    assert ledger.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]


async def test_a_bad_item_does_not_take_its_neighbours_with_it() -> None:
    async def write(items: list[int]) -> Answers:
        if -1 in items:
            raise ValueError("minus one")
        return items

    batcher: Batcher[int, int] = Batcher(write)
    answers = await asyncio.gather(*(batcher.submit(item) for item in (1, -1, 2)), return_exceptions=True)
    assert answers[0::2] == [1, 2]
    assert isinstance(answers[1], ValueError)


async def test_an_item_may_be_answered_with_an_error_of_its_own() -> None:
    async def write(items: list[int]) -> Answers:
        return [item if item > 0 else ValueError(item) for item in items]

    batcher: Batcher[int, int] = Batcher(write)
    answers = await asyncio.gather(*(batcher.submit(item) for item in (1, -1, 2)), return_exceptions=True)
    assert answers[0::2] == [1, 2]
    assert isinstance(answers[1], ValueError)


async def test_a_lost_connection_is_told_to_all_at_once() -> None:
    calls: list[int] = []

    async def write(items: list[int]) -> Answers:
        calls.append(len(items))
        raise ConnectionResetError

    batcher: Batcher[int, int] = Batcher(write)
    answers = await asyncio.gather(*(batcher.submit(item) for item in range(5)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {ConnectionResetError}
    assert calls == [5]


async def test_a_caller_who_goes_away_does_not_disturb_the_others() -> None:
    ledger = Ledger()
    ledger.open.clear()
    batcher: Batcher[int, int] = Batcher(ledger.write)
    going, staying = (asyncio.ensure_future(batcher.submit(number)) for number in (1, 2))
    while not ledger.batches:
        await asyncio.sleep(0)
    going.cancel()
    ledger.open.set()
    assert await staying == 4
    assert ledger.batches == [[1, 2]]
    with pytest.raises(asyncio.CancelledError):
        await going


async def test_after_draining_everything_is_written() -> None:
    ledger = Ledger()
    ledger.open.clear()
    batcher: Batcher[int, int] = Batcher(ledger.write, limit=1)
    waiting = [asyncio.ensure_future(batcher.submit(number)) for number in range(3)]
    while not ledger.batches:
        await asyncio.sleep(0)
    draining = asyncio.ensure_future(batcher.drain())
    ledger.open.set()
    await draining
    assert all(one.done() for one in waiting)


async def test_after_a_failure_the_next_item_is_written_as_if_nothing_had_happened() -> None:
    ledger = Ledger()
    batcher: Batcher[int, int] = Batcher(ledger.write)
    with pytest.raises(ValueError, match="-1"):
        await batcher.submit(-1)
    assert await batcher.submit(3) == 6
