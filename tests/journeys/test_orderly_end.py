"""Every service is told to end under load: it ends in time, and after its return the work goes on where it was."""

import asyncio

from deploy.database import SERVICES
from deploy.local.stack import Stack
from tests.journeys.end_state import books_of, differences, until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.visitors import Visitor

PICTURES = 12
LET_IN = 4


async def test_services_end_in_time_under_load_and_what_they_give_back_uses_up_no_attempt(
    stack: Stack, gallery: Gallery, visitor: Visitor
) -> None:
    exhibition = await gallery.exhibit("orderly", PICTURES)
    exhibition.picture_door.close_after(LET_IN)
    await visitor.scrapes(exhibition)
    await visitor.draws(1)
    await exhibition.picture_door.waited_at.wait()
    await asyncio.gather(*(stack.supervisor.hold(service) for service in SERVICES))
    ends = {service: stack.supervisor.child(service).last_error for service in SERVICES}
    async with books_of(stack) as books:
        given_back = await books.rows("SELECT attempt FROM media.tasks WHERE state = 'pending' AND lease_epoch > 0")
        running = await books.value("SELECT count(*) FROM media.tasks WHERE state = 'in_progress'")
    exhibition.picture_door.open()
    await asyncio.gather(*(stack.supervisor.start_again(service) for service in SERVICES))
    await until_quiet(stack)

    assert ends == dict.fromkeys(SERVICES, "it ended with exit status 0")
    assert given_back, "nothing was in work"
    assert {row["attempt"] for row in given_back} == {0}
    assert running == 0
    assert await differences(stack, visitor) == []
    jobs = await visitor.gateway.items("/jobs")
    assert {(job["kind"], job["attempt"]) for job in jobs} == {(job["kind"], 1) for job in jobs}
