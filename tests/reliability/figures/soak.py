"""Half of what the house can do, for twenty minutes: nobody takes more and more memory, files or connections."""

import asyncio
import time
from dataclasses import dataclass

from deploy.database import SERVICES
from tests.journeys.end_state import differences, until_quiet
from tests.journeys.visitors import visiting
from tests.living import until
from tests.reliability.figures.fates import DONE, fates_of, nothing_lost
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, at_most, below, nothing, simply
from tests.reliability.figures.load import Crowd, at_a_rate, crowd_at
from tests.reliability.figures.processes import Course, growth_percent, more_at_the_end, watched

NEEDS = Needs()
_LOADED = "media"
_GROWTH_PERCENT = 1.0
_MORE_AT_MOST = 1
_RATE_SHARE = 0.95
_BURSTS = 3
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Size:
    """How long and how much.

    Attributes:
        burst: jobs by which the most that the house can do is measured.
        warm_seconds: not looked at; caches fill and pools open.
        seconds: looked at.
        page_seconds: from one scraped page to the next, so that not only jobs that do nothing are done.

    """

    burst: int
    warm_seconds: float
    seconds: float
    look_seconds: float
    page_seconds: float
    pictures: int


FULL = Size(burst=3_000, warm_seconds=300, seconds=900, look_seconds=3, page_seconds=30, pictures=6)
SHORT = Size(burst=200, warm_seconds=2, seconds=4, look_seconds=0.25, page_seconds=4, pictures=2)


async def measure(ground: Ground, size: Size) -> list[Line]:
    async with visiting(ground.stack) as visitor, crowd_at(ground.stack) as crowd:
        most = await _most(ground, crowd, size)
        half = most / 2

        async def scrape() -> None:
            name = f"soak-{visitor.user_id}-{len(visitor.ledger.scrapes)}"
            await visitor.scrapes(await ground.site.exhibit(name, size.pictures))

        async with crowd.steadily(half, [_LOADED]), at_a_rate(1 / size.page_seconds, scrape):
            await asyncio.sleep(size.warm_seconds)
            begun, accepted_before = time.monotonic(), len(crowd.accepted)
            async with watched(ground.stack, SERVICES, size.look_seconds) as courses:
                await asyncio.sleep(size.seconds)
            rate = (len(crowd.accepted) - accepted_before) / (time.monotonic() - begun)
        await until_quiet(ground.stack, seconds=_PATIENCE_SECONDS)
        return [
            simply("the most jobs a second, done and seen to be", most),
            at_least("jobs accepted a second, all the time", rate, _RATE_SHARE * half, by_the_clock=True),
            *(line for name, course in courses.items() for line in _flat(name, course)),
            *await nothing_lost(ground.books, crowd.accepted, crowd.project_id),
            nothing("differences from what was promised", await differences(ground.stack, visitor)),
        ]


async def _most(ground: Ground, crowd: Crowd, size: Size) -> float:
    """Give the jobs a second in the best of some bursts, after one that only warms up."""
    await _burst(ground, crowd, size)
    return max([await _burst(ground, crowd, size) for _ in range(_BURSTS)])


async def _burst(ground: Ground, crowd: Crowd, size: Size) -> float:
    """Hand in jobs as fast as they are accepted; return how many a second were done when all were."""
    begun = time.monotonic()
    await crowd.burst(size.burst, _LOADED)

    async def all_done() -> bool:
        return (await fates_of(ground.books, crowd.accepted))[DONE] == len(crowd.accepted)

    await until(all_done, seconds=_PATIENCE_SECONDS)
    return size.burst / (time.monotonic() - begun)


def _flat(name: str, course: Course) -> list[Line]:
    descriptors = more_at_the_end([one.descriptors for one in course])
    sockets = more_at_the_end([one.sockets for one in course])
    return [
        below(f"memory of any process of {name} grows by", growth_percent(course), _GROWTH_PERCENT, "%"),
        at_most("more file descriptors at its end", descriptors, _MORE_AT_MOST),
        at_most("of them connections", sockets, _MORE_AT_MOST),
    ]
