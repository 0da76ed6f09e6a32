"""Crawls that are asked once more, and crawls that begin again and again."""

import asyncio
from typing import Final

import structlog

from contracts.envelope import Lineage
from contracts.scraper import AskRobots, ContinueCrawl, CrawlSite, RetryCrawl, ScheduleCrawl
from services.scraper.handlers.permits import asking
from services.scraper.store import again as store
from services.scraper.store.untold import select_untold_origins
from shared.bus import Bus
from shared.database import AWAY
from shared.errors import Refused, TryAgain
from shared.identifiers import child_id
from shared.jobs import Job
from shared.outbox import Transaction

SCHEDULES_LIMIT: Final = 100
"""Of one project; each of them is work for ever."""

_LOOK_SECONDS: Final = 5.0
_GOES_ON_SECONDS: Final = 10.0
_AT_ONCE: Final = 20

_log = structlog.get_logger(__name__)


async def retry_crawl(job: Job[RetryCrawl]) -> None:
    """Ask once more what a crawl could not read, once it does nothing else."""
    command = job.command
    async with job.completing() as tx:
        if not await store.select_crawl_of(tx.connection, command.crawl_job_id, command.project_id):
            raise Refused("crawl_unknown", "The project has no such crawl.")
        if await store.has_open_step(tx.connection, command.crawl_job_id, ContinueCrawl.wire_name):
            raise TryAgain(
                "crawl_goes_on",
                "The crawl still goes on; what failed is asked when it has ended.",
                retry_after_seconds=_GOES_ON_SECONDS,
                rate_limited=True,  # nothing has failed, so that waiting uses no attempt up
            )
        again = await store.update_lines_again(tx.connection, command.crawl_job_id)
        if again:
            job_id = child_id(job.id, ContinueCrawl.wire_name, "1")
            lineage = command.child_lineage(job_id)
            tx.follow(ContinueCrawl(**lineage, crawl_job_id=command.crawl_job_id, number=1, priority=command.priority))
        origins = await select_untold_origins(tx.connection, command.crawl_job_id)
        for origin in origins:
            tx.follow(asking(command, command.crawl_job_id, origin))
        tx.result(asked_again=again, **({"sites_asked_again": len(origins)} if origins else {}))


async def schedule_crawl(job: Job[ScheduleCrawl]) -> None:
    """Begin, change or end a schedule."""
    command = job.command
    async with job.completing() as tx:
        if command.every_minutes is None:
            await store.delete_schedule(tx.connection, command.project_id, command.name)
        elif not await store.upsert_schedule(
            tx.connection,
            command.project_id,
            command.name,
            every_minutes=command.every_minutes,
            command=command.model_dump(mode="json", exclude_none=True),
            limit=SCHEDULES_LIMIT,
        ):
            raise Refused("schedules_too_many", f"A project has at most {SCHEDULES_LIMIT} schedules; end one first.")
        tx.result(name=command.name, every_minutes=command.every_minutes)


async def keep_schedules(bus: Bus) -> None:
    """Begin crawls as they become due, until cancelled."""
    while True:
        try:
            async with bus.transaction() as tx:
                await begin_due(tx)
        except AWAY as error:
            _log.warning("schedules_paused", error=repr(error))
        await asyncio.sleep(_LOOK_SECONDS)


async def begin_due(tx: Transaction) -> None:
    """Begin the crawls that are due, each as a job of its own that knows which one came before."""
    # A site elsewhere that does not tell its rules for a day keeps no crawl from its next time.
    for due in await store.select_due_schedules(tx.connection, _AT_ONCE, besides=AskRobots.wire_name):
        command = ScheduleCrawl.model_validate(due["command"])
        job_id = child_id(command.job_id, CrawlSite.wire_name, f"{due['next_at']} {due['last_crawl_id']}")
        lineage = {name: getattr(command, name) for name in Lineage.model_fields}
        lineage |= {"job_id": job_id, "root_job_id": job_id, "parent_job_id": None}
        crawl = CrawlSite(
            **lineage,
            seeds=command.seeds,
            scope=command.scope,
            previous_crawl_id=due["last_crawl_id"],
            rendered=command.rendered,
        )
        tx.work(crawl)
        await store.update_schedule_begun(tx.connection, due["project_id"], due["name"], job_id)
