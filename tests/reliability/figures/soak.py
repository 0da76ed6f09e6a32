"""Half of what the house can do, for twenty minutes: nobody takes more and more memory, files or connections."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count, cycle
from uuid import UUID

from contracts.depth_map import MapDepth
from contracts.image_generation import GenerateImage
from contracts.jobs import CheckWorker
from contracts.media import AcceptUpload, FetchMedia
from contracts.scraper import ScrapePages
from deploy.database import SERVICES, WORKERS
from tests.journeys.end_state import Books, differences, until_quiet
from tests.journeys.visitors import Visitor, visiting
from tests.living import until
from tests.reliability.figures.fates import nothing_lost
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, at_most, below, nothing, simply
from tests.reliability.figures.load import IN_FLIGHT, Crowd, at_a_rate, crowd_at
from tests.reliability.figures.processes import Course, growth_percent, more_at_the_end, step_percent, watched

NEEDS = Needs()
_GROWTH_PERCENT = 1.0
_STEP_PERCENT = 2.0
"""Warm, a process holds the same from one tenth of the time to the next but for a quarter of a per cent. This is some
2 MiB of the smallest, and more than what the slope may add up to."""

_MORE_AT_MOST = 1
_RATE_SHARE = 0.95
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 300.0
WORK = (
    *((worker, CheckWorker.wire_name) for worker in WORKERS),
    *(("scraper", ScrapePages.wire_name), ("media", FetchMedia.wire_name), ("media", AcceptUpload.wire_name)),
    *(("image_generation", GenerateImage.wire_name), ("depth_map", MapDepth.wire_name)),
)
"""Every kind of work that a worker is there for, and the probes of each."""


@dataclass(frozen=True)
class Size:
    """How long and how much.

    Attributes:
        probes: handed in with each page and each scene, for all workers in turn.
        pictures: on each page.
        burst_rounds: pages, each with a scene and probes, by which the most that the house can do is measured.
        bursts: of these; the best of them counts.
        warm_seconds: not looked at; caches fill and pools open.
        seconds: looked at.

    """

    probes: int
    pictures: int
    burst_rounds: int
    bursts: int
    warm_seconds: float
    seconds: float
    look_seconds: float


FULL = Size(probes=500, pictures=6, burst_rounds=6, bursts=3, warm_seconds=300, seconds=900, look_seconds=3)
SHORT = Size(probes=40, pictures=2, burst_rounds=1, bursts=1, warm_seconds=2, seconds=4, look_seconds=0.25)


class Demand:
    """Hands in one mix over and over: a page and a scene, from which work for all follows, and probes for all.

    Attributes:
        begun: how much of it was handed in since it began anew; what was accepted of it is told later.
        accepted: how much of it was.

    """

    def __init__(self, ground: Ground, visitor: Visitor, crowd: Crowd, size: Size) -> None:
        self._ground = ground
        self._visitor = visitor
        self._crowd = crowd
        self._size = size
        self._numbers = count()
        self._turns = self._in_turn()
        self.begun = 0
        self.accepted = 0

    @property
    def projects(self) -> list[UUID]:
        return [self._visitor.project_id, self._crowd.project_id]

    @property
    def a_round(self) -> int:
        """Tell how much is handed in before the mix begins anew."""
        return self._size.probes + 2

    def begin_anew(self) -> None:
        """Have the next be the first of a round."""
        self._turns = self._in_turn()
        self.begun = 0

    async def hand_in(self) -> None:
        self.begun += 1
        await next(self._turns)()
        self.accepted += 1

    async def is_done(self) -> bool:
        """Tell whether all that was accepted has ended, with whatever follows from it."""
        await asyncio.sleep(_LOOK_SECONDS)  # looking is work as well
        ended = await self._ground.books.value(
            "SELECT count(*) FROM gateway.jobs WHERE project_id = ANY ($1) AND state NOT IN ('pending', 'in_progress')",
            self.projects,
        )
        pages, scenes = len(self._visitor.ledger.scrapes), len(self._visitor.ledger.scenes)
        return bool(ended == len(self._crowd.accepted) + (1 + 2 * self._size.pictures) * pages + 3 * scenes)

    async def is_mixed(self) -> bool:
        """Tell whether a page, a scene and a probe for each worker were handed in, with which each round begins."""
        return self.begun >= 2 + len(WORKERS)

    def _in_turn(self) -> Iterator[Callable[[], Awaitable[object]]]:
        workers = cycle(WORKERS)
        while True:
            yield partial(self._scrape, next(self._numbers))
            yield partial(self._visitor.draws, next(self._numbers))
            for _ in range(self._size.probes):
                yield partial(self._crowd.probe, next(workers))

    async def _scrape(self, number: int) -> None:
        name = f"soak-{self._visitor.user_id}-{number}"
        await self._visitor.scrapes(await self._ground.site.exhibit(name, self._size.pictures))


async def measure(ground: Ground, size: Size) -> list[Line]:
    async with visiting(ground.stack) as visitor, crowd_at(ground.stack) as crowd:
        demand = Demand(ground, visitor, crowd, size)
        most = await _most(demand, size)
        half = most / 2
        async with at_a_rate(half, demand.hand_in):
            await asyncio.sleep(size.warm_seconds)
            demand.begin_anew()
            begun_at, accepted_before = await _now(ground.books), demand.accepted
            async with watched(ground.stack, SERVICES, size.look_seconds) as courses:
                await asyncio.sleep(size.seconds)
                # On a machine so busy that this is too short for it, something of everything all the same.
                await until(demand.is_mixed, seconds=_PATIENCE_SECONDS)
            ended_at, accepted = await _now(ground.books), demand.accepted - accepted_before
        await until_quiet(ground.stack, seconds=_PATIENCE_SECONDS)
        seconds = (ended_at - begun_at).total_seconds()
        done = await _done(ground.books, demand.projects, begun_at, ended_at)
        return [
            simply(
                f"the most jobs a second, for {size.probes} probes one page and one scene, handed in and done", most
            ),
            at_least("jobs accepted a second, all the time", accepted / seconds, _RATE_SHARE * half, by_the_clock=True),
            at_least("jobs done a second, all the time", done / seconds, _RATE_SHARE * half, by_the_clock=True),
            busy(await work_since(ground.books, begun_at), size.seconds),
            *(line for name, course in courses.items() for line in [*memory(name, course), *_held(course)]),
            *await nothing_lost(ground.books, crowd.accepted, crowd.project_id),
            nothing("differences from what was promised", await differences(ground.stack, visitor)),
        ]


async def _most(demand: Demand, size: Size) -> float:
    """Give how much of the mix a second was done in the best of some bursts, after one that only warms up."""
    rates = [await _burst(demand, size.burst_rounds * demand.a_round) for _ in range(1 + size.bursts)]
    return max(rates[1:])


async def _burst(demand: Demand, jobs: int) -> float:
    """Hand in as fast as is accepted; return how much of it a second was done when all was."""
    numbers = iter(range(jobs))

    async def some() -> None:
        for _ in numbers:
            await demand.hand_in()

    begun = time.monotonic()
    demand.begin_anew()
    await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
    await until(demand.is_done, seconds=_PATIENCE_SECONDS)
    return jobs / (time.monotonic() - begun)


async def _now(books: Books) -> datetime:
    now: datetime = await books.value("SELECT clock_timestamp()")
    return now


async def _done(books: Books, projects: list[UUID], begun_at: datetime, ended_at: datetime) -> int:
    """Count the jobs that were handed in, without those that followed, that ended in a time."""
    return int(
        await books.value(
            "SELECT count(*) FROM gateway.jobs"
            " WHERE project_id = ANY ($1) AND id = root_id AND finished_at BETWEEN $2 AND $3",
            projects,
            begun_at,
            ended_at,
        )
    )


async def work_since(books: Books, begun_at: datetime) -> Counter[tuple[str, str]]:
    """Count what each worker has begun and completed since then, by kind."""
    tasks = " UNION ALL ".join(
        f"SELECT '{worker}' AS worker, kind FROM {worker}.tasks WHERE started_at >= $1 AND state = 'completed'"
        for worker in WORKERS
    )
    rows = await books.rows(f"SELECT worker, kind, count(*) AS count FROM ({tasks}) AS done GROUP BY 1, 2", begun_at)
    return Counter({(row["worker"], row["kind"]): row["count"] for row in rows})


def busy(work: Mapping[tuple[str, str], int], seconds: float) -> Line:
    """Hold that meanwhile every worker did whatever it is there for, at least once a minute."""
    rarest = min(WORK, key=lambda kind: work.get(kind, 0))
    what = f"of each kind of work of each worker, done meanwhile (the rarest: {rarest[1]} of {rarest[0]})"
    return at_least(what, work.get(rarest, 0), max(1, int(seconds // 60)))


def memory(name: str, course: Course) -> list[Line]:
    return [
        below(f"memory of any process of {name} grows by", growth_percent(course), _GROWTH_PERCENT, "%"),
        at_most("and is more at the end by", step_percent(course), _STEP_PERCENT, "%"),
    ]


def _held(course: Course) -> list[Line]:
    descriptors = more_at_the_end([one.descriptors for one in course])
    sockets = more_at_the_end([one.sockets for one in course])
    return [
        at_most("more file descriptors at its end", descriptors, _MORE_AT_MOST),
        at_most("of them connections", sockets, _MORE_AT_MOST),
        simply("and connections that clients hold", more_at_the_end([one.clients for one in course])),
    ]
