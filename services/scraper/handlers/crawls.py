"""Crawls: a site is read page by page, in short steps, so that a lost process costs no more than what it was asking."""

from typing import Any, Final

from contracts.media import FetchMedia
from contracts.scraper import ContinueCrawl, CrawlSite
from services.scraper.handlers.accounts import account, line_of
from services.scraper.handlers.permits import asking
from services.scraper.handlers.remembering import Known, remembered, without
from services.scraper.handlers.steps import Step
from services.scraper.sources import Harvester
from services.scraper.sources.scopes import key_of
from services.scraper.store import crawls as store
from services.scraper.store.crawls import CrawlRow, Line
from services.scraper.store.untold import select_untold_origins
from shared.errors import Refused, TryAgain
from shared.identifiers import child_id
from shared.jobs import Job

_URLS_A_STEP: Final = 20
_HANDS_OVER_AT: Final = 3


async def crawl_site(job: Job[CrawlSite], harvester: Harvester) -> None:
    """Note where a crawl begins, and have its first step follow."""
    command = job.command
    if command.rendered:
        harvester.check_can_render()
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
            rendered=command.rendered,
        )
        known = await store.insert_lines(tx.connection, job.id, lines, found_on=None, job_id=job.id)
        lists = sum(kind != "page" for kind, _ in known)
        await store.update_counts(tx.connection, job.id, pages=len(known), lists=lists)
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

    A step that is lost goes on with what is left of it. One that is lost again and again leaves it to the next, so that
    however often processes die, none uses up its attempts.
    """
    crawl, left = await _begin(job)
    step = Step(job, harvester, crawl)
    if job.attempt < _HANDS_OVER_AT:
        while left > 0 and (claimed := await _claim(job, crawl, left)):
            await step.ask(claimed)
            left -= len(claimed)
    async with job.completing() as tx:
        waits = await store.select_wait_seconds(tx.connection, crawl.id) is not None
        for fetch_job_id in await store.select_fetches(tx.connection, job.id):
            tx.name_child(fetch_job_id, FetchMedia.wire_name)
        for origin in await select_untold_origins(tx.connection, crawl.id, job.id):
            tx.follow(asking(job.command, crawl.id, origin))
        if waits:
            tx.follow(_step(job.command, job, number=job.command.number + 1))
        tx.result(asked=_URLS_A_STEP - left, **({"urls_left_out": step.left_out} if step.left_out else {}))


async def _begin(job: Job[ContinueCrawl]) -> tuple[CrawlRow, int]:
    """Put back what was lost; give the crawl, and how many URLs this step may still ask."""
    crawl_id = job.command.crawl_job_id
    async with job.recording() as tx:
        crawl = await store.select_crawl(tx.connection, crawl_id)
        if crawl is None:
            raise Refused("crawl_unknown", "There is no such crawl, so that nothing of it can go on.")
        given_up = await store.update_lines_lost(tx.connection, crawl_id)
        if given_up:
            await store.update_counts(tx.connection, crawl_id, done=len(given_up))
            account(tx, job.command, crawl_id, [line_of(**row, outcome="refused") for row in given_up])
        asked = await store.count_asked_in(tx.connection, job.id)
    return crawl, max(0, _URLS_A_STEP - asked)


async def _claim(job: Job[ContinueCrawl], crawl: CrawlRow, left: int) -> list[Known]:
    """Take the next URLs; raise TryAgain where a step could ask nothing at all, for now."""
    async with job.recording() as tx:
        claimed = await store.claim_lines(tx.connection, crawl.id, job.id, left)
        wait_seconds = None if claimed else await store.select_wait_seconds(tx.connection, crawl.id)
        known = await remembered(tx, job.command.project_id, claimed) if crawl.previous_id else without(claimed)
    if wait_seconds is not None and left == _URLS_A_STEP:
        raise TryAgain(
            "hosts_busy",
            "The hosts of all URLs that are left ask for patience.",
            retry_after_seconds=max(wait_seconds, 0.1),
            rate_limited=True,
        )
    return known
