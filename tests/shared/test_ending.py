"""What is ended has ended."""

import asyncio

from shared.ending import end


async def _deaf(times: int, cancels: list[None]) -> str:
    """Take so many cancels for none, and then end."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancels.append(None)
            if len(cancels) > times:
                raise


async def test_a_task_that_takes_cancels_for_none_is_cancelled_until_it_has_ended() -> None:
    cancels: list[None] = []
    task = asyncio.create_task(_deaf(2, cancels))
    await asyncio.sleep(0)
    [result] = await end(task, again_after_seconds=0.01)
    assert isinstance(result, asyncio.CancelledError)
    assert len(cancels) == 3


async def test_who_tidies_up_is_left_to_it() -> None:
    tidied = asyncio.Event()

    async def tidy() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await tidied.wait()

    task = asyncio.create_task(tidy())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.05, tidied.set)
    [result] = await end(task, again_after_seconds=20)
    assert isinstance(result, asyncio.CancelledError)


async def test_what_ended_a_task_before_is_given() -> None:
    async def fails() -> None:
        raise ValueError("first")

    task = asyncio.create_task(fails())
    await asyncio.wait([task])
    [result] = await end(task, again_after_seconds=1)
    assert isinstance(result, ValueError)
