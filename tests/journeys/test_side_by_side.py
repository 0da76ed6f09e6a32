"""Two processes of every service do the same work once."""

import asyncio

import pytest

from deploy.local.stack import Stack
from tests.journeys.end_state import books_of, differences, until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.visitors import visiting
from tests.living import until

PICTURES = 12


async def test_two_processes_of_every_service_do_the_same_work_once(
    stack: Stack, twin: Stack, gallery: Gallery
) -> None:
    async with visiting(stack) as ann, visiting(twin) as bob:
        await ann.scrapes(await gallery.exhibit("side-by-side-1", PICTURES))
        await bob.scrapes(await gallery.exhibit("side-by-side-2", PICTURES))
        await asyncio.gather(ann.draws(1), bob.draws(1))
        await until_quiet(stack)

        assert await differences(stack, ann) == []
        assert await differences(twin, bob) == []
        async with books_of(stack) as books:
            for service in ("media", "depth_map"):
                workers = await books.rows(
                    f"SELECT DISTINCT worker FROM {service}.tasks WHERE project_id IN ($1, $2)",
                    *(visitor.project_id for visitor in (ann, bob)),
                )
                assert len(workers) == 2, f"one process of {service} did everything"


@pytest.mark.usefixtures("twin")
async def test_a_frozen_worker_whose_work_was_taken_over_changes_nothing(stack: Stack, gallery: Gallery) -> None:
    frozen = stack.supervisor.pid("media")
    exhibition = await gallery.exhibit("frozen", PICTURES)
    exhibition.picture_door.close_after(0)
    async with visiting(stack) as visitor, books_of(stack) as books:
        held = "SELECT count(*) FROM media.tasks WHERE state = 'in_progress' AND project_id = $1 AND worker LIKE $2"
        taken_over = (
            "SELECT count(*) FROM media.tasks WHERE state = 'completed' AND project_id = $1 AND lease_epoch > 1"
        )
        await visitor.scrapes(exhibition)
        await until(lambda: books.value(held, visitor.project_id, f"%/{frozen}/%"))
        stack.supervisor.pause("media")
        try:
            exhibition.picture_door.open()
            await until(lambda: books.value(taken_over, visitor.project_id), seconds=30)
        finally:
            stack.supervisor.resume("media")
        await until_quiet(stack)

        assert await differences(stack, visitor) == []
