"""Telling how far a picture is, also while a provider keeps silent."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from contracts.image_generation import GenerateImage
from services.image_generation.providers import Pending
from services.image_generation.rules.advance import advance
from shared.jobs import Job

_EVERY_SECONDS = 1.0


class Telling:
    """Tells of one request: what a provider leaves out is as it told before, and nothing ever goes back.

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
        self._told, self._told_at = Pending(), time.monotonic()
        self._furthest = 0.0

    def report(self, pending: Pending) -> None:
        """Tell what the provider has told."""
        now = time.monotonic()
        progress, eta_seconds = pending.progress, pending.eta_seconds
        self._told = replace(
            pending,
            progress=self._told.progress if progress is None else progress,
            eta_seconds=self._left(now) if eta_seconds is None else eta_seconds,
        )
        self._told_at = now
        self._tell(now)

    def _tell(self, now: float) -> None:
        shown = advance(
            self._name,
            progress=self._told.progress,
            ahead=self._told.ahead,
            eta_seconds=self._left(now),
            elapsed_seconds=now - self._begun,
            estimate_seconds=self._estimate_seconds,
        )
        self._furthest = max(self._furthest, shown.share)
        self._job.progress(self._furthest, shown.stage)

    def _left(self, now: float) -> float | None:
        told = self._told.eta_seconds
        return None if told is None else max(0.0, told - (now - self._told_at))

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
            self._tell(time.monotonic())
