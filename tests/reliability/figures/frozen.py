"""A worker is frozen past its lease and then goes on: another has taken over, and its writes are refused."""

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from deploy.local.stack import Stack
from tests.journeys.end_state import books_of, differences, until_quiet
from tests.journeys.visitors import Visitor, visiting
from tests.reliability.figures.fates import nothing_lost
from tests.reliability.figures.freezes import Freeze, Work, freeze
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, at_most, exactly, nothing, simply
from tests.reliability.figures.load import Crowd, crowd_at
from tests.reliability.figures.witnessed import END, RECORD, RENEWAL, START

FETCHES, DRAWS = "media", "image_generation"
"""Who downloads writes at its end alone; who draws also writes down whom it asks, in the middle of its work."""

NEEDS = Needs(
    processes={FETCHES: 2, DRAWS: 2},
    launchers={service: ("-m", "tests.reliability.figures.witnessed", service) for service in (FETCHES, DRAWS)},
)
_MARGIN_SECONDS = 5.0


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes:
        anywhere: freezes of who downloads, at no special moment.
        in_transactions: in the middle of a transaction, with all its locks.
        drawing: freezes of who draws.
        probes_per_second: what goes on meanwhile. Whatever the frozen process has taken from its queue and not yet
            written down is delivered anew once the broker misses its heartbeats, which takes half a minute.

    """

    anywhere: int
    in_transactions: int
    drawing: int
    pictures: int
    scenes: int
    probes_per_second: float
    warm_pictures: int
    warm_jobs: int


FULL = Size(
    anywhere=5,
    in_transactions=3,
    drawing=3,
    pictures=16,
    scenes=8,
    probes_per_second=40,
    warm_pictures=100,
    warm_jobs=1_000,
)
SHORT = Size(
    anywhere=1,
    in_transactions=0,
    drawing=1,
    pictures=6,
    scenes=4,
    probes_per_second=0,
    warm_pictures=1,
    warm_jobs=1,
)


async def measure(ground: Ground, size: Size) -> list[Line]:
    async with (
        visiting(ground.stack) as visitor,
        visiting(ground.stack) as painter,
        crowd_at(ground.stack) as crowd,
        books_of(ground.stack) as books,
    ):
        await _warm_up(ground, visitor, crowd, size)
        fetching, drawing = await asyncio.gather(
            _freezes_of_fetches(ground, visitor, crowd, size),
            _freezes_of_draws(replace(ground, books=books), painter, size),
        )
        undone = await _left_undone(ground.stack)
        return [
            *lines(fetching, drawing, size, ground.seconds_of(FETCHES, "LEASE_SECONDS", 15)),
            nothing("things left undone", undone),
            *await nothing_lost(ground.books, crowd.accepted, crowd.project_id),
            *[
                nothing("differences from what was promised", await differences(ground.stack, one))
                for one in (visitor, painter)
            ],
        ]


async def _left_undone(stack: Stack) -> list[str]:
    """Wait until all is done, and tell what is not; where a worker writes what is not its own, that may be for ever."""
    try:
        await until_quiet(stack)
    except AssertionError as problem:
        return [str(problem)]
    return []


def lines(fetching: Sequence[Freeze], drawing: Sequence[Freeze], size: Size, lease_seconds: float) -> list[Line]:
    freezes = [*fetching, *drawing]
    writes = sum((one.writes for one in freezes), Counter())
    # In the middle of a transaction one may be on its way to the database, which writes it while the lease still holds.
    starts = sum((one.writes for one in freezes if one.held_back), Counter())
    held = {service: sum(one.held for one in of) for service, of in ((FETCHES, fetching), (DRAWS, drawing))}
    in_time = lease_seconds + _MARGIN_SECONDS
    return [
        at_least("freezes of a worker at work", len(freezes), size.anywhere + size.in_transactions + size.drawing),
        at_least("of them in the middle of a transaction", _with_locks(fetching), size.in_transactions),
        at_least("jobs that it had in work", sum(held.values()), len(freezes)),
        at_most("all taken from it at the latest after", max(one.taken_seconds for one in freezes), in_time, "s"),
        at_most(
            "the first begun by another at the latest after", max(one.begun_seconds for one in freezes), in_time, "s"
        ),
        simply("the last, one after the other as is meant, after", max(one.rerun_seconds for one in freezes), "s"),
        exactly("of them charged with more than one attempt", sum(one.charged for one in freezes), 0),
        exactly("jobs that did not end while it was frozen", sum(one.stuck for one in freezes), 0),
        _refused("ends that it tried to write when it went on", writes, END, _half(held[FETCHES])),
        _refused("facts in the middle of its work", writes, RECORD, _half(held[DRAWS])),
        _refused("beginnings of its work", starts, START, _half(sum(one.held for one in freezes if one.held_back))),
        _refused("renewals of its leases", writes, RENEWAL, 1),
    ]


def _with_locks(freezes: Sequence[Freeze]) -> int:
    return sum(one.open_transactions > 0 for one in freezes)


def _half(held: int) -> int:
    return math.ceil(held / 2)


def _refused(what: str, writes: Counter[tuple[str, bool]], kind: str, at_least_tried: int) -> Line:
    """Hold that it tried, where nothing can be refused that was not tried, and that nothing was written."""
    refused, written = writes[kind, False], writes[kind, True]
    tried = refused + written
    met = tried >= at_least_tried and not written
    return Line(what, f"{refused} of {tried} refused", f"all of at least {at_least_tried}", met)


async def _warm_up(ground: Ground, visitor: Visitor, crowd: Crowd, size: Size) -> None:
    """Have each connection see each statement: one that is new to it is asked for in two steps."""
    await visitor.scrapes(await ground.site.exhibit(f"warm-{visitor.user_id}", size.warm_pictures))
    await crowd.burst(size.warm_jobs, FETCHES)
    await until_quiet(ground.stack)


async def _freezes_of_fetches(ground: Ground, visitor: Visitor, crowd: Crowd, size: Size) -> list[Freeze]:
    freezes = []
    for number in range(size.anywhere + size.in_transactions):
        exhibition = await ground.site.exhibit(f"frozen-{visitor.user_id}-{number}", size.pictures)
        exhibition.picture_door.close_after(0)
        work = Work(
            service=FETCHES,
            project_id=visitor.project_id,
            begin=partial(visitor.scrapes, exhibition),
            go_on=exhibition.picture_door.open,
            jobs=size.pictures,
        )
        async with crowd.steadily(size.probes_per_second, [FETCHES]):
            freezes.append(await freeze(ground, work, crowd.accepted, in_transaction=number >= size.anywhere))
    return freezes


async def _freezes_of_draws(ground: Ground, painter: Visitor, size: Size) -> list[Freeze]:
    """Freeze who draws when he has to write down whom he asks, for which he is let go."""
    freezes = []
    for number in range(size.drawing):
        scenes = range(number * size.scenes, (number + 1) * size.scenes)

        async def begin(scenes: Iterable[int] = scenes) -> None:
            await asyncio.gather(*map(painter.draws, scenes))

        work = Work(
            service=DRAWS,
            project_id=painter.project_id,
            begin=begin,
            go_on=lambda: None,
            jobs=size.scenes,
        )
        freezes.append(await freeze(ground, work, (), in_transaction=False))
    return freezes
