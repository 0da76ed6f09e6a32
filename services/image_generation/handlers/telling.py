"""Telling how far a picture is, also while a provider keeps silent."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.image_generation import GenerateImage
from services.image_generation.providers import Pending
from services.image_generation.rules.advance import advance
from shared.jobs import Job

_EVERY_SECONDS = 1.0


class Telling:
    """Tells of one request.

    Args:
        name: of the provider.
        estimate_seconds: how long such a picture takes.
        elapsed_seconds: since it was asked, by another process.

    """

    def __init__(
        self, job: Job[GenerateImage], name: str, estimate_seconds: float, elapsed_seconds: float = 0.0
    ) -> None:
        self._job = job
        self._name = name
        self._estimate_seconds = estimate_seconds
        self._begun = time.monotonic() - elapsed_seconds

    def report(self, pending: Pending) -> None:
        """Tell what the provider has told."""
        shown = advance(
            self._name,
            progress=pending.progress,
            ahead=pending.ahead,
            eta_seconds=pending.eta_seconds,
            elapsed_seconds=time.monotonic() - self._begun,
            estimate_seconds=self._estimate_seconds,
        )
        self._job.progress(shown.share, shown.stage)

    @asynccontextmanager
    async def by_the_clock(self) -> AsyncIterator[None]:
        """Tell every second how far it should be, for as long as an answer is waited for."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            self.report(Pending())
