"""Whoever cancels through the gateway sees the end within three seconds, and no process goes on behind his back."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.scraper import ScrapePages
from deploy.local.stack import Stack
from services.gateway.cli.client import Gateway
from tests.journeys.end_state import books_of
from tests.journeys.faults import frozen_readers
from tests.journeys.gallery import Gallery
from tests.journeys.visitors import Visitor
from tests.living import until

CANCEL_SECONDS = 3
SCRAPE = ScrapePages.wire_name
# Not one text: a path of the gateway that begins like a folder of some machines.
WORK = "/work"

Submit = Callable[[Visitor, Gallery], Awaitable[UUID]]


async def a_scene(visitor: Visitor, _gallery: Gallery) -> UUID:
    return await visitor.draws(7)


async def a_download(visitor: Visitor, gallery: Gallery) -> UUID:
    exhibition = await gallery.exhibit(f"cancelled-{visitor.user_id}", 1)
    asked = {"url": exhibition.url_of(exhibition.pictures[0])}
    return UUID((await visitor.gateway.post("/media/store", asked))["id"])


CASES = {"image_generation": a_scene, "media": a_download}
IS_IN_THE_PROCESS = {
    "image_generation": "SELECT EXISTS (SELECT FROM image_generation.generations"
    " WHERE job_id = $1 AND request_id IS NOT NULL)",
    "media": "SELECT EXISTS (SELECT FROM media.tasks WHERE id = $1 AND stage = 'decoding')",
}
"""Before that nothing hangs, however long the job has been in progress: on a busy machine it still asks and fetches."""


async def _is(visitor: Visitor, job_id: UUID, state: str) -> dict[str, Any] | None:
    job = await visitor.job(job_id)
    return job if job["state"] == state else None


@pytest.mark.parametrize("service", CASES)
async def test_running_work_that_would_never_end_is_cancelled_and_its_process_killed(
    stack: Stack, gallery: Gallery, visitor: Visitor, service: str
) -> None:
    async with books_of(stack) as books:
        with frozen_readers(stack, service) as frozen:
            job_id = await CASES[service](visitor, gallery)
            await until(lambda: _is(visitor, job_id, "in_progress"))
            await until(lambda: books.value(IS_IN_THE_PROCESS[service], job_id))
            reply = await visitor.gateway.post(f"/jobs/{job_id}/cancel", {})
            assert reply["outcome"] == "cancellation_requested"
            await until(lambda: _is(visitor, job_id, "cancelled"), seconds=CANCEL_SECONDS)

            async def one_is_gone() -> bool:
                return sum(process.lives() for process in frozen) == len(frozen) - 1

            await until(one_is_gone, seconds=CANCEL_SECONDS)


async def test_waiting_work_is_cancelled_and_never_begun(stack: Stack, gallery: Gallery, visitor: Visitor) -> None:
    exhibition = await gallery.exhibit(f"waiting-{visitor.user_id}", 1)
    async with Gateway(stack.gateway_url, await stack.token()) as oz:
        await oz.post(f"{WORK}/pause", {"kind": SCRAPE, "seconds": 600})
        try:
            asked = {"url": exhibition.url}
            job_id = UUID((await visitor.gateway.post("/scrapes", asked))["id"])
            waiting = await until(lambda: _is(visitor, job_id, "pending"))
            assert waiting
            assert waiting["waiting_for"] == "pause"
            await visitor.gateway.post(f"/jobs/{job_id}/cancel", {})
            ended = await until(lambda: _is(visitor, job_id, "cancelled"), seconds=CANCEL_SECONDS)
            assert ended
            assert ended["attempt"] == 0
        finally:
            await oz.post(f"{WORK}/resume", {"kind": SCRAPE})
