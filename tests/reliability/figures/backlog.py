"""A worker comes back to a long backlog: it drains, and the API stays quick and everybody's memory as it was."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle

from deploy.database import SERVICES
from tests.journeys.end_state import until_quiet
from tests.living import until
from tests.reliability.figures.fates import DONE, fates_of, nothing_lost
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, at_most, exactly, percentile, simply
from tests.reliability.figures.load import Crowd, at_a_rate, crowd_at
from tests.reliability.figures.processes import Course, growth_percent, step_percent, watched

NEEDS = Needs()
_HELD = "media"
_OTHER = "scraper"
_P99_MS = 250.0
_REQUESTS_PER_SECOND = 20.0
_REQUESTS_SHARE = 0.9
_GROWTH_PERCENT = 10.0
"""Half a KiB that is kept of each of 20,000 jobs is 10 MiB, which is about as much of what a process holds."""

_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 600.0


@dataclass(frozen=True)
class Size:
    jobs: int
    warm_jobs: int


FULL = Size(jobs=20_000, warm_jobs=1_000)
SHORT = Size(jobs=1_000, warm_jobs=10)


async def measure(ground: Ground, size: Size) -> list[Line]:
    async with crowd_at(ground.stack) as crowd, crowd_at(ground.stack) as others:
        await crowd.burst(size.warm_jobs)  # what only the first jobs need is there when memory is looked at
        await until_quiet(ground.stack)
        held = await ground.hold(_HELD)
        handed_in_seconds = await crowd.burst(size.jobs, _HELD)
        owner = crowd.counted_anew()
        async with _go_on(others, owner), watched(ground.stack, SERVICES, _LOOK_SECONDS) as courses:
            begun = time.monotonic()
            await ground.start(held)
            await until(lambda: _all_done(ground, crowd), seconds=_PATIENCE_SECONDS)
            drained_seconds = time.monotonic() - begun
        await until_quiet(ground.stack)
        seconds = [*others.seconds, *owner.seconds]
        expected = _REQUESTS_SHARE * _REQUESTS_PER_SECOND * drained_seconds
        accepted = {**crowd.accepted, **others.accepted}
        return [
            simply("jobs handed in a second while their worker was away", size.jobs / handed_in_seconds),
            simply("jobs drained a second, with the worker's start", size.jobs / drained_seconds),
            at_least("requests to the API meanwhile", len(seconds), expected, by_the_clock=True),
            at_most("their p99", 1000 * percentile(seconds, 99), _P99_MS, "ms"),
            exactly("answers other than 200 and 202", others.other_answers + owner.other_answers, 0),
            exactly("unanswered", others.unanswered + owner.unanswered, 0),
            *(line for name, course in courses.items() for line in memory(name, course)),
            *await nothing_lost(ground.books, accepted, crowd.project_id, others.project_id),
        ]


@asynccontextmanager
async def _go_on(others: Crowd, owner: Crowd) -> AsyncIterator[None]:
    """Use the API as people do: hand in jobs, look at lists and at jobs; whose backlog it is looks at his list."""
    turns = cycle(((_hand_in, others), (_list, others), (_look_at_own, others), (_list, owner)))

    def act() -> Awaitable[None]:
        do, crowd = next(turns)
        return do(crowd)

    async with at_a_rate(_REQUESTS_PER_SECOND, act):
        yield


async def _hand_in(crowd: Crowd) -> None:
    await crowd.probe(_OTHER)


async def _list(crowd: Crowd) -> None:
    await crowd.look("/jobs?limit=50")


async def _look_at_own(crowd: Crowd) -> None:
    for job_id in list(crowd.accepted)[-1:]:
        await crowd.look(f"/jobs/{job_id}")


async def _all_done(ground: Ground, crowd: Crowd) -> bool:
    await asyncio.sleep(_LOOK_SECONDS)  # looking is work as well
    return (await fates_of(ground.books, crowd.accepted))[DONE] == len(crowd.accepted)


def memory(name: str, course: Course) -> list[Line]:
    settled = course[len(course) // 4 :]  # the one that has come back still opens what it needs
    return [
        at_most(f"memory of any process of {name} grows by", growth_percent(settled), _GROWTH_PERCENT, "%"),
        at_most("and is more at the end by", step_percent(settled), _GROWTH_PERCENT, "%"),
    ]
