"""The demo's journey: hand work in, follow it by the event stream, and look at the truth until all has ended."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar
from uuid import UUID

from deploy.demo.completeness import Expectation, missing
from deploy.demo.inspection import faults
from deploy.demo.pictures import SCENE_DESCRIPTION, SCENE_SEED
from deploy.demo.standing import ENDED, Scene, Standing, look
from services.gateway.cli.client import Gateway, Told

T = TypeVar("T")

CHAPTER: Final = "demo"
SCENE_NUMBER: Final = 1

_SHORTEST_PAUSE_SECONDS: Final = 0.3
_LONGEST_PAUSE_SECONDS: Final = 2.0
_SETTLING_SECONDS: Final = 10.0
"""Facts and news of jobs travel side by side; what is missing when the last job has ended may be about to arrive."""

Show = Callable[[Standing], None]


class Journey:
    """One run of the demo.

    Attributes:
        standing: the latest look; None before the first.
        told: the ids of the jobs whose end the event stream has told.

    """

    def __init__(self, gateway: Gateway, expected: Expectation | None, show: Show) -> None:
        self._gateway = gateway
        self._expected = expected
        self._show = show
        self._news = asyncio.Event()
        self.stream = gateway.events()
        self.standing: Standing | None = None
        self.told: set[str] = set()

    async def run(self, url: str) -> list[str]:
        """Go from the page to the last map; tell in sentences what is missing at the end.

        Raises GatewayProblem, and GatewayAway where the gateway stays away.
        """
        listening = asyncio.create_task(self._listen())
        try:
            await self._unless_ended(listening, self.stream.opened.wait())
            scrape_id, scene = await self._hand_in(url)
            return await self._unless_ended(listening, self._follow(scrape_id, scene))
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    def missing(self) -> list[str]:
        """List what is missing by the latest look."""
        if self.standing is None:
            return ["The gateway has not answered yet."]
        return missing(self.standing, self.told, self._expected)

    async def _unless_ended(self, listening: "asyncio.Task[None]", doing: Coroutine[Any, Any, T]) -> T:
        """Do something while the stream is read; what refuses the stream for good is raised here."""
        task = asyncio.create_task(doing)
        try:
            await asyncio.wait((task, listening), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                listening.result()
            return await task
        finally:
            task.cancel()

    async def _listen(self) -> None:
        async for told in self.stream:
            self.hear(told)

    def hear(self, told: Told) -> None:
        """Take note of an event: of the end of a job for good, of anything else as a reason to look."""
        job = told.data.get("job")
        if isinstance(job, dict) and job.get("state") in ENDED:
            self.told.add(job["id"])
        self._news.set()

    async def _hand_in(self, url: str) -> tuple[UUID, Scene]:
        scrape = await self._gateway.post("/scrapes", {"url": url})
        body = {"scene_description": SCENE_DESCRIPTION, "aspect_ratio": "16:9", "style": "oil", "seed": SCENE_SEED}
        scene = await self._gateway.post(f"/chapters/{CHAPTER}/images/scenes/{SCENE_NUMBER}", body)
        return UUID(scrape["id"]), Scene(CHAPTER, SCENE_NUMBER, UUID(scene["task_id"]))

    async def _follow(self, scrape_id: UUID, scene: Scene) -> list[str]:
        while not (standing := await self._look(scrape_id, scene)).has_ended:
            await self._until_news()
        ended = time.monotonic()
        while standing.found and self.missing() and time.monotonic() - ended < _SETTLING_SECONDS:
            await self._until_news()
            standing = await self._look(scrape_id, scene)
        return [*self.missing(), *await faults(self._gateway, standing)]

    async def _look(self, scrape_id: UUID, scene: Scene) -> Standing:
        self._news.clear()
        self.standing = await look(self._gateway, scrape_id, scene)
        self._show(self.standing)
        return self.standing

    async def _until_news(self) -> None:
        """Wait for an event, neither so briefly that looking is all that is done, nor for long without one."""
        await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_PAUSE_SECONDS):
                await self._news.wait()
