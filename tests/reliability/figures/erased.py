"""The broker's disk is taken away under load, three times: nothing is lost, and nobody has to do anything."""

import time
from dataclasses import dataclass

import aio_pika
from aio_pika.exceptions import ChannelNotFoundEntity

from tests.journeys.end_state import differences, until_quiet
from tests.journeys.visitors import visiting
from tests.living import until
from tests.reliability.figures.fates import DONE, fates_of, nothing_lost
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, exactly, nothing, simply
from tests.reliability.figures.load import Crowd, crowd_at

NEEDS = Needs()
_PATIENCE_SECONDS = 180.0
_MARK = "figures.mark"


@dataclass(frozen=True)
class Size:
    erasures: int
    jobs_per_second: float
    jobs_between: int
    pictures: int


FULL = Size(erasures=3, jobs_per_second=100, jobs_between=500, pictures=24)
SHORT = Size(erasures=1, jobs_per_second=20, jobs_between=40, pictures=4)


async def measure(ground: Ground, size: Size) -> list[Line]:
    erased = 0
    recoveries: list[float] = []
    async with visiting(ground.stack) as visitor, crowd_at(ground.stack) as crowd:
        async with crowd.steadily(size.jobs_per_second):
            for number in range(size.erasures):
                await visitor.scrapes(await ground.site.exhibit(f"erased-{number}-{visitor.user_id}", size.pictures))
                await _more(crowd, size.jobs_between)
                await _put_a_mark(ground)
                recoveries.append(await _erase(ground, crowd))
                erased += not await _has_the_mark(ground)
        await until_quiet(ground.stack, seconds=_PATIENCE_SECONDS)
        return [
            exactly("times that the broker lost its disk", erased, size.erasures),
            at_least("jobs handed in meanwhile", len(crowd.accepted), size.erasures * size.jobs_between),
            simply("until all that was accepted before was done, at most", max(recoveries), "s"),
            *await nothing_lost(ground.books, crowd.accepted, crowd.project_id),
            nothing("differences from what was promised", await differences(ground.stack, visitor)),
        ]


async def _more(crowd: Crowd, jobs: int) -> None:
    enough = len(crowd.accepted) + jobs

    async def there_are() -> bool:
        return len(crowd.accepted) >= enough

    await until(there_are, seconds=_PATIENCE_SECONDS)


async def _erase(ground: Ground, crowd: Crowd) -> float:
    """Erase the broker; return the seconds until every job that was accepted before it came back is done."""
    begun = time.monotonic()
    await ground.stack.erase_broker()
    before = dict(crowd.accepted)

    async def all_done() -> bool:
        return (await fates_of(ground.books, before))[DONE] == len(before)

    await until(all_done, seconds=_PATIENCE_SECONDS)
    return time.monotonic() - begun


async def _put_a_mark(ground: Ground) -> None:
    """Declare a durable queue, which only the loss of the disk can take away."""
    async with await aio_pika.connect(ground.stack.rabbitmq_url) as connection:
        await (await connection.channel()).declare_queue(_MARK, durable=True)


async def _has_the_mark(ground: Ground) -> bool:
    async with await aio_pika.connect(ground.stack.rabbitmq_url) as connection:
        try:
            await (await connection.channel()).declare_queue(_MARK, passive=True)
        except ChannelNotFoundEntity:
            return False
    return True
