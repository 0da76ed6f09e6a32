"""Ending tasks for certain."""

import asyncio
from typing import Any


async def end(*tasks: asyncio.Future[Any], again_after_seconds: float) -> list[Any]:
    """Cancel tasks until they have ended, and give their results or what they raised, in order.

    Once is not always enough: before Python 3.12 `asyncio.wait_for`, with which aiormq connects and waits for confirms,
    takes a cancel that comes together with the answer for no cancel at all. Whoever still tidies up after
    `again_after_seconds` is disturbed in it.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again_after_seconds)
    return await asyncio.gather(*tasks, return_exceptions=True)
