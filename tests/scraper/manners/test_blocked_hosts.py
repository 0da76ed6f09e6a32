"""A host that refuses us is left alone; whoever wants something there waits, and uses up no attempt."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.jobs import JobRetryScheduled
from contracts.scraper import ScrapePages
from services.scraper.handlers import scrape_pages
from shared.identifiers import uuid7
from shared.manners import Limits
from tests.living import House, lineage, until
from tests.scraper.manners.processes import with_one_book
from tests.scraper.site import Site, crawling

LIMITS = Limits(spacing_seconds=0, longest_delay_seconds=0, blocks=2, open_seconds=600)


class Blocked:
    """The scraper at work, one page at a time, on a site that blocks it; and time that passes for both."""

    def __init__(self, house: House, site: Site) -> None:
        self.house, self.site = house, site
        self.said = 0

    async def scrape(self, pages: int, ended: str) -> None:
        """Have so many more pages scraped, and wait until the state of each is this."""
        for _ in range(pages):
            self.said += 1
            await self._scrape(f"{self.site.origin}/{self.said}", ended)

    async def _scrape(self, url: str, ended: str) -> None:
        await self.house.say(ScrapePages(**lineage(uuid7()), urls=(url,)))
        await until(lambda: self._is_in_state(url, ended))

    async def _is_in_state(self, url: str, state: str) -> bool:
        query = "SELECT state, error_code FROM scraper.tasks WHERE command->'urls'->>0 = $1"
        (row,) = await self.house.rows(query, url) or [None]
        return row is not None and row["state"] == state and (state == "completed" or row["error_code"] is not None)

    async def states(self) -> list[tuple[str, str | None, int]]:
        query = "SELECT state, error_code, attempt FROM scraper.tasks ORDER BY command->'urls'->>0"
        return [(row["state"], row["error_code"], row["attempt"]) for row in await self.house.rows(query)]

    async def let_the_pause_end(self) -> None:
        """Let as much time pass as the breaker is open, and let all who wait come again."""
        await self.house.admin.execute(
            "UPDATE scraper.hosts SET open_until = now(), version = version + 1 WHERE open_until IS NOT NULL; "
            "UPDATE scraper.tasks SET run_at = now() WHERE state = 'pending'"
        )

    @property
    def asked(self) -> int:
        return sum(path != "/robots.txt" for path in self.site.asked)


@asynccontextmanager
async def a_site_that_blocks(house: House) -> AsyncIterator[Blocked]:
    async with (
        Site() as site,
        with_one_book(house, 1) as (books,),
        crawling(site, books=books, limits=LIMITS) as crawler,
        house.worker(
            "scraper", works={ScrapePages: scrape_pages}, crafts={"crawler": crawler, "books": books}, concurrency=4
        ),
    ):
        for number in range(1, 20):
            site.say(f"/{number}", status=403)
        yield Blocked(house, site)


async def test_jobs_wait_for_a_blocked_host_and_use_up_no_attempt(house: House) -> None:
    async with a_site_that_blocks(house) as trial:
        await trial.scrape(2, "failed")
        await trial.scrape(3, "pending")
        assert trial.asked == 2
        assert await trial.states() == [("failed", "http_403", 1)] * 2 + [("pending", "host_blocked", 0)] * 3

        for number in range(1, 20):
            trial.site.say(f"/{number}", "<title>Hall</title>")
        await trial.let_the_pause_end()
        await until(lambda: _all_ended(trial), every_seconds=0.1)
        assert await trial.states() == [("failed", "http_403", 1)] * 2 + [("completed", None, 1)] * 3
        assert await house.value("SELECT blocks = 0 AND open_until IS NULL FROM scraper.hosts")


async def _all_ended(trial: Blocked) -> bool:
    """Tell whether all have ended; whoever came while another one probed comes again."""
    await trial.house.admin.execute("UPDATE scraper.tasks SET run_at = now() WHERE state = 'pending'")
    return bool(await trial.house.value("SELECT bool_and(finished_at IS NOT NULL) FROM scraper.tasks"))


async def test_whoever_waits_is_told_for_what_and_until_when(house: House) -> None:
    async with a_site_that_blocks(house) as trial:
        await trial.scrape(2, "failed")
        await trial.scrape(1, "pending")
        opened_until = await house.value("SELECT open_until FROM scraper.hosts")
        await until(lambda: house.value("SELECT NOT EXISTS (SELECT FROM scraper.outbox)"))
        (told,) = (message for message in await house.heard() if isinstance(message, JobRetryScheduled))
        assert (told.code, told.waiting_for) == ("host_blocked", "limit")
        assert told.next_attempt_at >= opened_until
        assert told.sentence == (
            "127.0.0.1 has refused us 2 times in a row (403 Forbidden); "
            f"it is asked again at {opened_until:%Y-%m-%d %H:%M:%S} UTC."
        )


async def test_a_host_that_still_blocks_costs_one_page_a_pause_and_is_left_alone_for_longer(house: House) -> None:
    async with a_site_that_blocks(house) as trial:
        await trial.scrape(2, "failed")
        await trial.scrape(3, "pending")
        await trial.let_the_pause_end()
        await until(lambda: house.value("SELECT count(*) = 3 FROM scraper.tasks WHERE state = 'failed'"))
        await until(lambda: house.value("SELECT open_until > now() + interval '1000 s' FROM scraper.hosts"))
        await until(lambda: house.value("SELECT count(*) = 2 FROM scraper.tasks WHERE state = 'pending'"))
        assert trial.asked == 3
        assert await house.value("SELECT open_seconds FROM scraper.hosts") == 1200
