"""A provider that draws at once, and what tests wish of it."""

import asyncio
from dataclasses import replace
from typing import Any

from contracts.image_generation import GenerateImage
from services.image_generation.providers import Done, GenerationRequest, Pending, Submitted
from services.image_generation.providers.provider import Capabilities, GeneratedPicture
from services.image_generation.rules import Pace
from services.image_generation.rules.trouble import Trouble, failure_of
from shared.errors import Failure
from tests.image_generation.ateliers import PICTURE
from tests.image_generation.shift import Outcome, Shift
from tests.living import House, lineage

PRICED = Capabilities(
    costs_money=True, seeds=True, negative_prompts=True, most_samples=4, pace=Pace(1, 1), price_micros=10_000
)


class Painter:
    """Draws at once, unless it is told to fail; counts how many it has in hand."""

    def __init__(self, name: str = "painter", **can: Any) -> None:
        self.name = name
        self.capabilities = replace(PRICED, **can)
        self.troubles: list[Failure] = []
        self.asked = 0
        self.in_hand = 0
        self.most_in_hand = 0
        self.polls: list[Failure | Pending] = []
        self.slow = False
        self.crowd = 0  # gives nothing before so many were in hand at once
        self._crowded = asyncio.Event()

    async def submit(self, request: GenerationRequest) -> Submitted:
        self.asked += 1
        await asyncio.sleep(0)
        if self.troubles:
            raise self.troubles.pop(0)
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        if self.most_in_hand >= self.crowd:
            self._crowded.set()
        return Submitted(request.track_id, {"samples": str(request.samples)})

    async def poll(self, submitted: Submitted) -> Pending | Done:
        if self.polls:
            answer = self.polls.pop(0)
            if isinstance(answer, Failure):
                raise answer
            return answer
        if self.crowd:
            await asyncio.wait_for(self._crowded.wait(), 20)
        if self.slow:
            await asyncio.sleep(0.02)
        self.in_hand -= 1
        count = int(submitted.resume.get("samples", "1"))
        return Done(tuple(GeneratedPicture(PICTURE, "image/png", 64, 48, seed) for seed in range(count)), "a brush")

    async def cancel(self, submitted: Submitted) -> None: ...


class AtOnce(Painter):
    """Gives the pictures with its answer, and to nobody who asks later unless it is asked by name."""

    async def submit(self, request: GenerationRequest) -> Submitted:
        submitted = await super().submit(request)
        return replace(submitted, done=await super().poll(submitted))


def trouble(kind: Trouble, seconds: float | None = None) -> Failure:
    return failure_of("painter", kind, "", seconds)


def wish(**more: Any) -> GenerateImage:
    return GenerateImage(**{**lineage(), "description": "a lake", **more})


async def made(house: House, *painters: Painter, count: int = 1, patient: bool = True, **options: Any) -> list[Outcome]:
    shift = Shift(house, {painter.name: painter for painter in painters}, options, patient=patient)
    commands = [wish() for _ in range(count)]
    outcomes = await shift.work(commands)
    return [outcomes[command.job_id] for command in commands]


async def let_time_pass(house: House, seconds: float) -> None:
    await house.admin.execute(
        "UPDATE image_generation.accounts SET closed_until = closed_until - $1::float8 * interval '1 s'", seconds
    )
