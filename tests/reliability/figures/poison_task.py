"""A task that kills its worker ends failed after its attempts, and whatever ran beside it is not punished."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.retry import CRASHES
from tests.journeys.end_state import until_quiet
from tests.journeys.visitors import Visitor, visiting
from tests.living import until
from tests.reliability.figures.fates import ENDED
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, exactly, simply
from tests.reliability.figures.poisoned import POISON

NEEDS = Needs(launchers={"scraper": ("-m", "tests.reliability.figures.poisoned")})
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Size:
    neighbours: int


FULL = Size(neighbours=6)
SHORT = Size(neighbours=3)


async def measure(ground: Ground, size: Size) -> list[Line]:
    scraper = ground.stack.supervisor.child("scraper")
    async with visiting(ground.stack) as visitor:
        crashes_before, begun = scraper.crashes, time.monotonic()
        neighbours, open_pages = await _neighbours_at_work(ground, visitor, size)
        poison = UUID((await visitor.gateway.post("/scrapes", {"url": f"{ground.site.address}/{POISON}/"}))["id"])
        await until(lambda: _crashed(ground, crashes_before), seconds=_PATIENCE_SECONDS)
        open_pages()
        await until(lambda: _ended(ground, poison), seconds=_PATIENCE_SECONDS)
        failed_seconds = time.monotonic() - begun
        await until_quiet(ground.stack)
        job = await visitor.job(poison)
        [truth] = await ground.books.rows("SELECT crashes, attempt FROM scraper.tasks WHERE id = $1", poison)
        beside = await ground.books.rows("SELECT state, crashes FROM scraper.tasks WHERE id = ANY ($1)", neighbours)
        return [
            exactly("the poison ends", f"{job['state']}: {job['error']['code']}", "failed: worker_lost"),
            exactly("crashes that were charged to it", truth["crashes"], CRASHES),
            exactly("attempts that it used up", truth["attempt"], CRASHES),
            exactly("times that it killed its process", scraper.crashes - crashes_before, CRASHES + 1),
            exactly(
                "its neighbours, by state and crashes charged",
                _told(Counter((row["state"], row["crashes"]) for row in beside)),
                _told(Counter({("completed", 0): size.neighbours})),
            ),
            simply("failed after", failed_seconds, "s"),
        ]


async def _neighbours_at_work(ground: Ground, visitor: Visitor, size: Size) -> tuple[list[UUID], Callable[[], None]]:
    """Have pages be read that do not arrive, so that they are at work when the process dies."""
    exhibitions = [
        await ground.site.exhibit(f"neighbour-{number}-{visitor.user_id}", 1) for number in range(size.neighbours)
    ]
    for exhibition in exhibitions:
        exhibition.page_door.close_after(0)
    jobs = [await visitor.scrapes(exhibition) for exhibition in exhibitions]
    await asyncio.wait_for(exhibitions[0].page_door.waited_at.wait(), _PATIENCE_SECONDS)
    await until(lambda: _in_work(ground, jobs), seconds=_PATIENCE_SECONDS)

    def open_pages() -> None:
        for exhibition in exhibitions:
            exhibition.page_door.open()

    return jobs, open_pages


async def _in_work(ground: Ground, jobs: Sequence[UUID]) -> bool:
    count = await ground.books.value(
        "SELECT count(*) FROM scraper.tasks WHERE id = ANY ($1) AND state = 'in_progress'", jobs
    )
    return bool(count == len(jobs))


async def _crashed(ground: Ground, crashes_before: int) -> bool:
    return ground.stack.supervisor.child("scraper").crashes > crashes_before


async def _ended(ground: Ground, job_id: UUID) -> bool:
    return await ground.books.value("SELECT state FROM gateway.jobs WHERE id = $1", job_id) in ENDED


def _told(counts: Mapping[tuple[str, int], int]) -> str:
    return ", ".join(f"{count} {state} with {crashes}" for (state, crashes), count in sorted(counts.items()))
