"""Waiting for a picture that a provider has taken the request for."""

import asyncio
from contextlib import suppress
from typing import Final

from contracts.image_generation import GenerateImage
from services.image_generation.handlers.asking import MOST_FAILURES, Asked
from services.image_generation.handlers.noting import is_guarded, let_go, note_trouble
from services.image_generation.handlers.telling import Telling
from services.image_generation.providers import Done, Pending, Watched
from services.image_generation.rules.trouble import Delayed, Denied, Trouble
from shared.database import until_answered
from shared.errors import Refused, TryAgain
from shared.jobs import Job

_SHORTEST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 10.0
_LONGEST_PATIENCE_SECONDS: Final = 60.0
_UNTIL_SOMEBODY_ACTS_SECONDS: Final = 300.0
_LET_GO_SECONDS: Final = 2.0
"""Whoever cancels waits no longer for a provider that does not answer."""


async def follow(job: Job[GenerateImage], asked: Asked, deadline_seconds: float) -> Done:
    """Ask until the pictures are there; what is paid for is asked for patiently, whatever passes meanwhile."""
    try:
        async with asyncio.timeout(deadline_seconds):
            return await _ask_again_and_again(job, asked)
    except TimeoutError:
        name = asked.provider.name
        raise TryAgain("provider_slow", f"{name} gave no picture within {deadline_seconds:.0f} s.") from None
    except asyncio.CancelledError:
        if job.cancel_requested:  # otherwise another process goes on with what may be paid for
            with suppress(TimeoutError):
                async with asyncio.timeout(_LET_GO_SECONDS):
                    await asked.provider.cancel(asked.submitted)
        raise


async def _ask_again_and_again(job: Job[GenerateImage], asked: Asked) -> Done:
    telling = Telling(job, asked.provider.name, asked.estimate_seconds, asked.asked_seconds_ago)
    telling.report(Pending())
    pause_seconds = 0.0
    noted: set[Trouble] = set()
    while True:
        async with telling.by_the_clock():
            answer = await _ask(job, asked, noted)
        if isinstance(answer, Done):
            return answer
        telling.report(answer)
        pause_seconds = _pause_after(pause_seconds, answer)
        await _wait(job, asked, max(pause_seconds, min(answer.patience_seconds, _LONGEST_PATIENCE_SECONDS)), telling)


def _pause_after(before_seconds: float, answer: Pending) -> float:
    """Wait at first for as long as it says that it takes, then half as long again each time."""
    wanted = before_seconds * 1.5 if before_seconds else answer.eta_seconds or 0.0
    return min(max(wanted, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)


async def _wait(job: Job[GenerateImage], asked: Asked, seconds: float, telling: Telling) -> None:
    """Wait before the next question; a hint that there is news is a reason to ask, and no more than that."""
    if isinstance(asked.provider, Watched):
        await asked.provider.watch(asked.submitted, seconds, telling.report)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await job.hinted.wait()
            await asyncio.sleep(min(seconds, _SHORTEST_PAUSE_SECONDS))  # for whoever hints all the time
    job.hinted.clear()


async def _ask(job: Job[GenerateImage], asked: Asked, noted: set[Trouble]) -> Pending | Done:
    """Ask once; a trouble is `noted` once, for a request that nobody finds again says little about its account."""
    try:
        return await asked.provider.poll(asked.submitted)
    except Delayed as failure:
        if failure.trouble is Trouble.FAILED:
            await _give_up(job, asked, failure)
            raise
        if failure.trouble not in noted:
            told = failure
            await until_answered(lambda: _note(job, asked, told), "note what a provider has answered")
            noted.add(failure.trouble)
        if failure.trouble is Trouble.BUSY and (failure.retry_after_seconds or 0) > _LONGEST_PATIENCE_SECONDS:
            raise  # whoever may be asked only then gives his place at the bench to somebody else
        return Pending(patience_seconds=failure.retry_after_seconds or 0.0)
    except Denied as failure:
        if failure.trouble not in {Trouble.KEY, Trouble.CREDIT}:
            raise
        # It is drawn and paid for: the job waits until an operator has seen to the account.
        patience = _UNTIL_SOMEBODY_ACTS_SECONDS
        raise TryAgain(failure.code, failure.sentence, retry_after_seconds=patience, rate_limited=True) from failure


async def _note(job: Job[GenerateImage], asked: Asked, failure: Delayed) -> None:
    if is_guarded(asked.provider.capabilities):
        async with job.recording() as tx:
            await note_trouble(tx.connection, asked.provider.name, failure.trouble, failure)


async def _give_up(job: Job[GenerateImage], asked: Asked, failure: Delayed) -> None:
    """Let go of a request that the provider gave up, for it costs nothing; make it again only so often."""
    await until_answered(lambda: _let_go(job), "let go of what a provider has given up")
    if asked.failures + 1 >= MOST_FAILURES:
        raise Refused(failure.code, failure.sentence) from failure


async def _let_go(job: Job[GenerateImage]) -> None:
    async with job.recording() as tx:
        await let_go(tx, job, failed=True)
