"""Crawls: a site is read page by page, in short steps, so that a lost process costs no more than what it was asking."""

from typing import Any, Final

from contracts.media import FetchMedia
from contracts.scraper import ContinueCrawl, CrawlSite
from services.scraper.handlers.accounts import account, line_of
from services.scraper.handlers.steps import Step
from services.scraper.sources import Harvester
from services.scraper.sources.scopes import key_of
from services.scraper.store import crawls as store
from services.scraper.store.crawls import Claimed, CrawlRow, Line
from shared.errors import Refused, TryAgain
from shared.identifiers import child_id
from shared.jobs import Job

_URLS_A_STEP: Final = 20


async def crawl_site(job: Job[CrawlSite]) -> None:
    """Note where a crawl begins, and have its first step follow."""
    command = job.command
    seeds = {(seed.kind, key_of(seed.url)): seed for seed in reversed(command.seeds)}
    lines = [Line(kind, key, seed.url, 0, "waiting") for (kind, key), seed in reversed(seeds.items())]
    scope = command.scope.model_dump(mode="json")
    async with job.completing() as tx:
        await store.insert_crawl(
            tx.connection,
            job.id,
            command.project_id,
            scope=scope,
            seeds=[seed.url for seed in command.seeds],
            previous_id=command.previous_crawl_id,
        )
        known = await store.insert_lines(tx.connection, job.id, lines, found_on=None, job_id=job.id)
        await store.update_counts(tx.connection, job.id, pages=len(known))
        tx.follow(_step(command, job, number=1))
        tx.result(seeds=len(lines))


def _step(command: CrawlSite | ContinueCrawl, job: Job[Any], *, number: int) -> ContinueCrawl:
    crawl_id = job.id if isinstance(command, CrawlSite) else command.crawl_job_id
    job_id = child_id(job.id, ContinueCrawl.wire_name, str(number))
    return ContinueCrawl(
        **command.child_lineage(job_id), crawl_job_id=crawl_id, number=number, priority=command.priority
    )


async def continue_crawl(job: Job[ContinueCrawl], harvester: Harvester) -> None:
    """Ask the next URLs of a crawl, record each as it is read, and have another step follow while any waits.

    A step that was lost only puts back what it was asking: the next one goes on, so that however often processes die,
    no step uses up its attempts.
    """
    claimed, crawl = await _begin(job)
    if claimed:
        await Step(job, harvester, crawl).ask(claimed)
    async with job.completing() as tx:
        wait_seconds = await store.select_wait_seconds(tx.connection, crawl.id)
        for fetch_job_id in await store.select_fetches(tx.connection, job.id):
            tx.name_child(fetch_job_id, FetchMedia.wire_name)
        if wait_seconds is not None:
            tx.follow(_step(job.command, job, number=job.command.number + 1))
        tx.result(asked=len(claimed))


async def _begin(job: Job[ContinueCrawl]) -> tuple[list[Claimed], CrawlRow]:
    crawl_id = job.command.crawl_job_id
    async with job.recording() as tx:
        crawl = await store.select_crawl(tx.connection, crawl_id)
        if crawl is None:
            raise Refused("crawl_unknown", "There is no such crawl, so that nothing of it can go on.")
        given_up = await store.update_lines_lost(tx.connection, crawl_id)
        await store.update_counts(tx.connection, crawl_id, done=len(given_up))
        account(tx, job.command, crawl_id, [line_of(**row, outcome="refused") for row in given_up])
        if job.attempt > 1:
            return [], crawl
        claimed = await store.claim_lines(tx.connection, crawl_id, job.id, _URLS_A_STEP)
        wait_seconds = None if claimed else await store.select_wait_seconds(tx.connection, crawl_id)
    if wait_seconds is not None:
        raise TryAgain(
            "hosts_busy",
            "The hosts of all URLs that are left ask for patience.",
            retry_after_seconds=max(wait_seconds, 0.1),
            rate_limited=True,
        )
    return claimed, crawl
