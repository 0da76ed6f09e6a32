"""Hearing what a provider answers, also where another process has the job by now."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from contracts.image_generation import GenerateImage
from shared.jobs import Job

T = TypeVar("T")


async def heard_out(job: Job[GenerateImage], work: Coroutine[Any, Any, T]) -> T:
    """Wait for work that has to be heard out where only the lease was lost: nobody else is told what is told to it.

    Whoever cancels the job, or stops this process, ends it at once.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        if job.lease_lost:
            await asyncio.wait((task,))
        raise
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # for whoever is interrupted asks for none
    return task.result()
