"""Commands and news vanish without a trace: the gateway notices the silence and asks.

Where somebody answers all is well again; where nobody ever does, the job ends with a reason.
"""

import time
from collections import Counter
from dataclasses import dataclass

import aio_pika

from contracts.envelope import routing_key_of
from contracts.jobs import ReportJobs
from shared.topology import queue_of
from tests.journeys.end_state import until_quiet, waiting_messages
from tests.living import until
from tests.reliability.figures.fates import DONE, fates_of, nothing_lost
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line, at_least, at_most, exactly, simply
from tests.reliability.figures.load import Crowd, crowd_at

SERVICE = "media"
_GONE = "image_generation"
_PATIENCE_WITH_GONE_SECONDS = 45.0
"""Longer than the gateway needs until it hears an answer of somebody who was only away."""
NEEDS = Needs(environment={"gateway": {"WORKER_PATIENCE_HOURS": str(_PATIENCE_WITH_GONE_SECONDS / 3600)}})
_ASKED_AFTER_SECONDS = (10.0, 20.0, 40.0)
"""The gateway's pauses before its questions."""
_HEALED_SECONDS = sum(_ASKED_AFTER_SECONDS[:2])
_ENDED_SECONDS = _ASKED_AFTER_SECONDS[0] + _PATIENCE_WITH_GONE_SECONDS + _ASKED_AFTER_SECONDS[-1]
"""Patience begins with the first question, and its end is noticed when another one is due."""
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Size:
    """How much vanishes.

    Attributes:
        jobs: of which the commands, and as many of which the news vanish.
        abandoned: jobs whose worker never comes back.

    """

    jobs: int
    abandoned: int


FULL = Size(jobs=1_000, abandoned=100)
SHORT = Size(jobs=30, abandoned=0)


async def measure(ground: Ground, size: Size) -> list[Line]:
    async with crowd_at(ground.stack) as crowd:
        lines = await _heals(ground, crowd, size)
    if size.abandoned:
        async with crowd_at(ground.stack) as crowd:
            lines += await _gives_up(ground, crowd, size.abandoned)
    return lines


async def _heals(ground: Ground, crowd: Crowd, size: Size) -> list[Line]:
    asked_before = await _asked(ground)
    news = await _lose_news(ground, crowd, size.jobs)
    commands, open_jobs = await _lose_commands(ground, crowd, size.jobs)
    begun = time.monotonic()
    # Looking is work as well.
    await until(lambda: _all_done(ground, crowd), seconds=_PATIENCE_SECONDS, every_seconds=0.2)
    healed_seconds = time.monotonic() - begun
    await until_quiet(ground.stack)
    return [
        at_least("news of jobs that vanished", news, size.jobs),
        at_least("commands that vanished", commands, size.jobs),
        at_least("jobs of which nothing more would be heard", open_jobs, size.jobs),
        at_least("questions of the gateway", await _asked(ground) - asked_before, 2),
        at_most("healed after", healed_seconds, _HEALED_SECONDS, "s"),
        *await nothing_lost(ground.books, crowd.accepted, crowd.project_id),
    ]


async def _gives_up(ground: Ground, crowd: Crowd, jobs: int) -> list[Line]:
    """Take a worker away for ever, and see his jobs end with a reason."""
    gone = await ground.hold(_GONE)
    begun = time.monotonic()
    await crowd.burst(jobs, _GONE)

    async def none_is_open() -> bool:
        return not (await _ends(ground, crowd))[None]

    await until(none_is_open, seconds=_PATIENCE_SECONDS)
    ended_seconds = time.monotonic() - begun
    ends = await _ends(ground, crowd)
    await ground.start(gone)
    await until_quiet(ground.stack)
    fates = await fates_of(ground.books, crowd.accepted)
    done_after_all = sum(count for (_, true), count in fates.items() if true == "completed")
    return [
        exactly("jobs of a worker that is gone, failed as worker_gone", ends["worker_gone"], jobs),
        at_most(
            f"with {_PATIENCE_WITH_GONE_SECONDS:.0f} s of patience, failed after", ended_seconds, _ENDED_SECONDS, "s"
        ),
        # He hears of them before he hears that they are not wanted any more, and these take no time.
        simply("of them done when he came back after all", done_after_all),
    ]


async def _ends(ground: Ground, crowd: Crowd) -> Counter[str | None]:
    """Count jobs by the reason for which they failed; None are those that did not, yet."""
    rows = await ground.books.rows(
        "SELECT CASE state WHEN 'failed' THEN error_code END AS code, count(*) AS count"
        " FROM gateway.jobs WHERE id = ANY ($1) GROUP BY 1",
        list(crowd.accepted),
    )
    return Counter({row["code"]: row["count"] for row in rows})


async def _lose_news(ground: Ground, crowd: Crowd, jobs: int) -> int:
    """Have jobs be done while the gateway is away, and take the news of them out of its queue."""
    workers = await ground.hold(SERVICE)
    for _ in range(jobs):
        await crowd.probe(SERVICE)
    await until(lambda: _waiting(ground, SERVICE, jobs), seconds=_PATIENCE_SECONDS)
    gateways = await ground.hold("gateway")
    await ground.start(workers)
    await until(lambda: _waiting(ground, "gateway", jobs), seconds=_PATIENCE_SECONDS)
    await until(lambda: _all_said(ground), seconds=_PATIENCE_SECONDS)
    news = await _purge(ground, "gateway")
    await ground.start(gateways)
    return news


async def _lose_commands(ground: Ground, crowd: Crowd, jobs: int) -> tuple[int, int]:
    """Take the commands of jobs out of their worker's queue while he is away; tell also how many jobs are open then.

    When he is back the gateway may have asked about them already: how long his start takes is up to the machine.
    """
    workers = await ground.hold(SERVICE)
    for _ in range(jobs):
        await crowd.probe(SERVICE)
    await until(lambda: _waiting(ground, SERVICE, jobs), seconds=_PATIENCE_SECONDS)
    commands = await _purge(ground, SERVICE)
    open_jobs = len(crowd.accepted) - (await fates_of(ground.books, crowd.accepted))[DONE]
    await ground.start(workers)
    return commands, open_jobs


async def _waiting(ground: Ground, service: str, messages: int) -> bool:
    return (await waiting_messages(ground.stack)).get(queue_of(service), 0) >= messages


async def _all_said(ground: Ground) -> bool:
    return not await ground.books.value(f"SELECT count(*) FROM {SERVICE}.outbox")


async def _purge(ground: Ground, service: str) -> int:
    async with await aio_pika.connect(ground.stack.rabbitmq_url) as connection:
        queue = await (await connection.channel()).get_queue(queue_of(service), ensure=False)
        return (await queue.purge()).message_count or 0


async def _asked(ground: Ground) -> int:
    """Count how often the gateway has asked for news of jobs."""
    pattern = f"{routing_key_of(ReportJobs)}.%"
    return int(await ground.books.value("SELECT count(*) FROM gateway.said WHERE routing_key LIKE $1", pattern))


async def _all_done(ground: Ground, crowd: Crowd) -> bool:
    return (await fates_of(ground.books, crowd.accepted))[DONE] == len(crowd.accepted)
