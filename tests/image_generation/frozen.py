"""Workers that freeze while a provider answers them, and lose their job meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from contracts.image_generation import GenerateImage
from services.image_generation.providers import GenerationRequest, Submitted
from tests.image_generation.painters import Painter
from tests.image_generation.shift import Shift
from tests.living import House

SETTLED_MEANWHILE: Final = (
    "let_go_at = now()",
    "taken_over_by = gen_random_uuid()",
    "generated_at = now()",
    "request_id = 'another'",
    "payments = payments + 1",
    "paid = false",
)
"""What may become of a generation before a provider answers whoever has lost it, each as an assignment in SQL."""


class Slow(Painter):
    """Takes the first request, and says so only when it is let; `at_once` it has drawn by then."""

    def __init__(self, *, at_once: bool = False, **can: Any) -> None:
        super().__init__(**can)
        self.began, self.answers = asyncio.Event(), asyncio.Event()
        self._at_once = at_once

    async def submit(self, request: GenerationRequest) -> Submitted:
        submitted = await super().submit(request)
        if self.began.is_set():
            return submitted
        self.began.set()
        await self.answers.wait()
        return replace(submitted, done=await super().poll(submitted)) if self._at_once else submitted


@asynccontextmanager
async def frozen(house: House, painter: Slow, command: GenerateImage, **changed: Any) -> AsyncIterator[Shift]:
    """Have a worker freeze with a request that was paid for, and lose its job; it goes on where this is left.

    Gives the shift of whoever takes the job over.
    """
    first, successor = (Shift(house, {"painter": painter}, **some) for some in (changed, {}))
    working = asyncio.create_task(first.work([command]))
    await painter.began.wait()
    await first.take_over(command.job_id)
    try:
        yield successor
    finally:
        painter.answers.set()
        await working


async def lose(house: House, painter: Slow, command: GenerateImage, **changed: Any) -> None:
    """Have a job end as one of which nobody knows the outcome, before the provider answers whoever had it first."""
    async with frozen(house, painter, command, **changed) as successor:
        outcome = (await successor.work([command]))[command.job_id]
        assert (outcome.state, outcome.code, outcome.known) == ("failed", "outcome_unknown", False)
