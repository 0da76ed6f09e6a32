"""Hearing what a provider answers, also where another attempt has the job by now."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog

from contracts.image_generation import GenerateImage
from shared.errors import Refused
from shared.jobs import Job, LostLease

T = TypeVar("T")

_UNTIL_STORED_SECONDS: Final = 60.0
"""Beyond the wait for a picture, for the store and the database: about what a restart of either takes."""

_log = structlog.get_logger(__name__)


async def heard_out(job: Job[GenerateImage], provider: str, work: Coroutine[Any, Any, T], deadline_seconds: float) -> T:
    """Wait for work that has to be heard out where only the lease was lost: nobody else is told what is told to it.

    Also where its request has not left yet, for from here that is not to be seen. That is given up a while after
    `deadline_seconds`, the longest that anybody waits for a picture, for it takes a place at the bench. Whoever cancels
    the job, or stops this process, ends it at once. Where its deadline does, whatever it is Refused for then is raised.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait((task,))
    except asyncio.CancelledError:
        try:
            if job.lease_lost:
                await asyncio.wait((task,), timeout=deadline_seconds + _UNTIL_STORED_SECONDS)
        finally:
            failure = await _failure_of(task, job, provider)
        if failure is not None and _tells_more(job, failure):
            raise failure from None
        raise
    return task.result()


async def _failure_of(task: asyncio.Task[Any], job: Job[GenerateImage], provider: str) -> BaseException | None:
    """End work of which nobody waits for the end any more, and tell what has become of it."""
    if not task.done():
        if job.lease_lost:
            _log.warning("not_heard_out", job_id=str(job.id), provider=provider)
        task.cancel()
        await asyncio.wait((task,))
    failure = None if task.cancelled() else task.exception()
    if failure is not None and not isinstance(failure, LostLease) and not _tells_more(job, failure):
        _log.error("failed_while_heard_out", job_id=str(job.id), provider=provider, exc_info=failure)
    return failure


def _tells_more(job: Job[GenerateImage], failure: BaseException) -> bool:
    return job.overdue and isinstance(failure, Refused)
