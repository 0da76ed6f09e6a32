"""A channel that closes under those who wait on it is a broker that is away: no mistake of ours, and no wish to end."""

import asyncio

import pytest

from shared.broker import channel_errors
from tests.living import House


async def ended_with(end: BaseException | type[BaseException]) -> None:
    """Wait the way aiormq has its callers wait, for something that will never come."""
    waited_for: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(waited_for.set_exception, end)
    with channel_errors():
        await waited_for


@pytest.mark.parametrize("end", [Exception, asyncio.CancelledError])
async def test_a_wait_that_ends_with_its_channel_says_that_the_broker_is_away(end: type[BaseException]) -> None:
    with pytest.raises(ConnectionError):
        await ended_with(end)


async def test_what_has_a_name_keeps_it() -> None:
    with pytest.raises(KeyError):
        await ended_with(KeyError("a mistake of ours"))


async def test_a_task_that_is_cancelled_is_cancelled() -> None:
    async def wait_for_ever() -> None:
        with channel_errors():
            await asyncio.Event().wait()

    task = asyncio.create_task(wait_for_ever())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()


async def test_a_wait_that_takes_too_long_has_timed_out() -> None:
    with pytest.raises(TimeoutError), channel_errors():
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    with pytest.raises(TimeoutError):
        await _wait_within(0.01)


@pytest.mark.parametrize("loop", ["_relaying", "_taking_in"])
async def test_a_loop_that_ends_though_nobody_ended_it_ends_the_process(house: House, loop: str) -> None:
    with pytest.raises(RuntimeError, match="nobody ended it"):
        await _work_until_ended(house, loop)


async def _wait_within(seconds: float) -> None:
    async with asyncio.timeout(seconds):
        with channel_errors():
            await asyncio.Event().wait()


async def _work_until_ended(house: House, loop: str) -> None:
    async with house.worker("media") as worker:
        getattr(worker.bus, loop).cancel()
        await asyncio.wait((worker.bus.died,))
