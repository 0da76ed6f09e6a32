"""A crawl that ends early tells of every URL that it had seen, and nobody is told of one twice."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts.envelope import EVERYBODY
from contracts.jobs import CancelJob, JobRetryScheduled
from contracts.scraper import ContinueCrawl, CrawlScope, CrawlSite, RetryCrawl, Seed, UrlsAccounted
from services.scraper.handlers import continue_crawl, crawl_site, ended, retry_crawl, schedules
from services.scraper.handlers.ended import account_for_ended
from services.scraper.sources import Harvester
from services.scraper.store import ended as store
from shared.errors import Refused
from shared.jobs import Job
from shared.retry import ATTEMPTS
from shared.worker import Worker
from tests.living import House, lineage, until
from tests.scraper.large_site import LargeSite
from tests.scraper.site import crawling
from tests.scraper.test_accounts import has_ended_at_all, was_taken
from tests.scraper.test_crawls import outcomes

WORKS: Any = {CrawlSite: crawl_site, ContinueCrawl: continue_crawl, RetryCrawl: retry_crawl}
UNASKED = ("skipped", "crawl_ended")


@pytest.fixture
async def site() -> AsyncIterator[LargeSite]:
    async with LargeSite(60).opened() as site:
        yield site


@asynccontextmanager
async def scraping(house: House, site: LargeSite, works: Any = WORKS) -> AsyncIterator[Worker]:
    async with (
        crawling(site) as crawler,  # type: ignore[arg-type]  # all that is asked of a site is its port
        house.worker("scraper", works=works, crafts={"harvester": Harvester(crawler)}) as worker,
    ):
        yield worker


async def begun(house: House, site: LargeSite) -> CrawlSite:
    """Begin a crawl that stands before the door of its site, with URLs that wait."""
    site.close_door_after(5)
    scope = CrawlScope(max_depth=100)
    command = CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/page/0"),), scope=scope)
    await house.say(command)

    async def stands_before_the_door() -> bool:
        read = await house.value("SELECT count(*) FROM scraper.crawl_urls WHERE outcome = 'read'")
        return site.waiting > 0 and read == site.answered.total()

    await until(stands_before_the_door)
    return command


async def waiting(house: House) -> int:
    return int(await house.value("SELECT count(*) FROM scraper.crawl_urls WHERE outcome IN ('waiting', 'asked')"))


async def cancelled(house: House, site: LargeSite) -> CrawlSite:
    command = await begun(house, site)
    await house.say(CancelJob(addressee=EVERYBODY, job_id=command.job_id, cancelled_by="somebody"))
    await until(lambda: has_ended_at_all(house))
    site.open_door()
    return command


async def told(house: House, crawl_id: UUID) -> Counter[tuple[str, str, str | None]]:
    await until(lambda: has_ended_at_all(house))
    said = [one for one in await house.heard() if isinstance(one, UrlsAccounted)]
    assert {one.source_job_id for one in said} == {crawl_id}
    return Counter((line.url, line.outcome, line.code) for one in said for line in one.lines)


async def test_each_url_that_waits_in_a_crawl_that_is_cancelled_gets_its_line(house: House, site: LargeSite) -> None:
    async with scraping(house, site) as worker:
        crawl = await cancelled(house, site)
        left = await waiting(house)
        assert left > 0
        await account_for_ended(worker.bus)
        await account_for_ended(worker.bus)  # there is nothing to tell any more
        lines = await told(house, crawl.job_id)
    assert set(lines.values()) == {1}
    assert sum(line[1:] == UNASKED for line in lines) == left
    kept = await house.rows("SELECT url, outcome, code FROM scraper.crawl_urls")
    assert {(row["url"], row["outcome"], row["code"]) for row in kept} == set(lines)


async def test_without_that_look_they_have_none(house: House, site: LargeSite) -> None:
    """The control: nobody else tells of them."""
    async with scraping(house, site):
        crawl = await cancelled(house, site)
        lines = await told(house, crawl.job_id)
    assert len(lines) + await waiting(house) == await house.value("SELECT count(*) FROM scraper.crawl_urls")
    assert await waiting(house) > 0


async def test_a_crawl_whose_step_fails_tells_of_what_waits_too(house: House, site: LargeSite) -> None:
    async def failing(job: Job[ContinueCrawl], harvester: Harvester) -> None:
        if job.command.number > 1:
            raise Refused("not_foreseen", "Nobody has foreseen this.")
        await continue_crawl(job, harvester)

    async with scraping(house, site, {**WORKS, ContinueCrawl: failing}) as worker:
        command = CrawlSite(**lineage(), seeds=(Seed(url=f"{site.origin}/page/0"),), scope=CrawlScope(max_depth=100))
        await house.say(command)
        await until(lambda: was_taken(house, command.job_id))
        await until(lambda: has_ended_at_all(house))
        assert await house.value("SELECT count(*) FROM scraper.tasks WHERE error_code = 'not_foreseen'") == 1
        left = await waiting(house)
        await account_for_ended(worker.bus)
        lines = await told(house, command.job_id)
    assert left > 0
    assert sum(line[1:] == UNASKED for line in lines) == left


async def test_a_crawl_that_was_cancelled_goes_on_when_it_is_retried(house: House, site: LargeSite) -> None:
    async with scraping(house, site) as worker:
        crawl = await cancelled(house, site)
        await account_for_ended(worker.bus)
        again = RetryCrawl(**lineage() | {"project_id": crawl.project_id}, crawl_job_id=crawl.job_id)
        await house.say(again)
        await until(lambda: was_taken(house, again.job_id))
        await until(lambda: has_ended_at_all(house))
        pages = await outcomes(house, crawl.job_id, "page")
    closed = {url for url, (outcome, _) in pages.items() if outcome == "refused"}
    assert {url for url, (outcome, _) in pages.items() if outcome == "read"} == site.page_urls
    assert closed == {f"{site.origin}/closed/0"}
    assert set(pages) == site.page_urls | closed
    assert await house.value("SELECT pages_done = pages_taken FROM scraper.crawls")


async def test_a_crawl_that_goes_on_is_left_alone(
    house: House, site: LargeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scraping(house, site) as worker:
        crawl = await begun(house, site)
        left = await waiting(house)
        await account_for_ended(worker.bus)
        select = store.select_ended_crawls
        monkeypatch.setattr(store, "select_ended_crawls", lambda *_: _given(crawl.job_id))
        await account_for_ended(worker.bus)  # and also where it was retried since it was looked for
        monkeypatch.setattr(store, "select_ended_crawls", select)
        assert await waiting(house) == left
        site.open_door()
        await until(lambda: has_ended_at_all(house))
        pages = await outcomes(house, crawl.job_id, "page")
    assert site.page_urls <= pages.keys()
    assert UNASKED not in pages.values()


async def _given(crawl_id: UUID) -> list[UUID]:
    return [crawl_id]


async def test_who_has_a_crawl_retried_that_goes_on_waits_for_its_end_and_uses_no_attempt_up(
    house: House, site: LargeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "_GOES_ON_SECONDS", 0.1)
    task = "SELECT state, lease_epoch FROM scraper.tasks WHERE id = $1"
    async with scraping(house, site):
        crawl = await begun(house, site)
        again = RetryCrawl(**lineage() | {"project_id": crawl.project_id}, crawl_job_id=crawl.job_id)
        await house.say(again)

        async def has_waited_often() -> bool:
            return any(row["lease_epoch"] > ATTEMPTS for row in await house.rows(task, again.job_id))

        await until(has_waited_often)
        site.open_door()
        await until(lambda: has_ended_at_all(house))
        [row] = await house.rows(task, again.job_id)
        said = await house.heard()
    assert row["state"] == "completed"
    scheduled = [one for one in said if isinstance(one, JobRetryScheduled) and one.job_id == again.job_id]
    assert {(one.code, one.waiting_for) for one in scheduled} == {("crawl_goes_on", "limit")}


async def test_a_stranger_who_names_a_crawl_hears_nothing_of_it(house: House, site: LargeSite) -> None:
    async with scraping(house, site) as worker:
        crawl = await cancelled(house, site)
        stranger = RetryCrawl(**lineage() | {"project_id": uuid4()}, crawl_job_id=crawl.job_id)
        await house.say(stranger)
        await until(lambda: was_taken(house, stranger.job_id))
        await until(lambda: has_ended_at_all(house))
        await account_for_ended(worker.bus)
        await until(lambda: has_ended_at_all(house))
        said = [one for one in await house.heard() if isinstance(one, UrlsAccounted)]
    assert {one.project_id for one in said} == {crawl.project_id}
    assert await waiting(house) == 0


@pytest.mark.parametrize("step", range(1, 7))
async def test_wherever_whoever_tells_dies_each_line_is_told_once(
    house: House, site: LargeSite, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(ended, "_LINES_AT_ONCE", 2)
    async with scraping(house, site) as worker:
        crawl = await cancelled(house, site)
        left = await waiting(house)
        assert left > 4
        transaction, taken = worker.bus.transaction, [0]

        def died_at() -> None:
            taken[0] += 1
            if taken[0] == step:
                raise ProcessLookupError

        @asynccontextmanager
        async def mortal() -> AsyncIterator[Any]:
            died_at()
            async with transaction() as tx:
                yield tx
                died_at()
            died_at()

        with monkeypatch.context() as dying:
            dying.setattr(worker.bus, "transaction", mortal)
            with pytest.raises(ProcessLookupError):
                await account_for_ended(worker.bus)
        assert await waiting(house) == left - 2 * (step // 3)
        await account_for_ended(worker.bus)
        lines = await told(house, crawl.job_id)
    assert set(lines.values()) == {1}
    assert sum(line[1:] == UNASKED for line in lines) == left
