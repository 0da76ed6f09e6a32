"""A page that has not changed is not sent again, and what was found there is not asked again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.scraper import ImageFound, PageScraped, ScrapePages
from services.scraper.crawler import NO_VALIDATORS, Validators
from services.scraper.crawler.validators import validators_in
from services.scraper.handlers import scrape_pages
from services.scraper.manners import SharedBooks
from shared.errors import Refused
from shared.identifiers import uuid7
from tests.living import House, lineage, until
from tests.scraper.manners.processes import with_one_book
from tests.scraper.site import Site, crawling

DATE = "Sat, 28 Nov 2026 10:00:00 GMT"
HALL = "<title>Hall</title><img src=a.jpg>"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        site.say("/", HALL, headers=[("ETag", '"1"'), ("Last-Modified", DATE)])
        yield site


async def test_a_known_version_is_not_sent_again(site: Site) -> None:
    async with crawling(site) as crawler:
        first = await crawler.visit(f"{site.origin}/")
        assert first.page
        assert first.validators == Validators('"1"', DATE)
        again = await crawler.visit(f"{site.origin}/", first.validators)
        assert again.page is None
        assert again.validators == first.validators
        assert site.conditions[-1] == {"If-None-Match": '"1"', "If-Modified-Since": DATE}


async def test_another_version_is_read(site: Site) -> None:
    async with crawling(site) as crawler:
        first = await crawler.visit(f"{site.origin}/")
        site.say("/", "<title>Attic</title>", headers=[("ETag", '"2"'), ("Last-Modified", DATE)])
        second = await crawler.visit(f"{site.origin}/", first.validators)
        assert second.page
        assert second.page.title == "Attic"
        assert second.validators.etag == '"2"'


async def test_without_a_known_version_no_condition_is_set_and_no_304_is_believed(site: Site) -> None:
    async with crawling(site) as crawler:
        await crawler.visit(f"{site.origin}/")
        assert site.conditions == [{}, {}]
        site.say("/", status=304)
        with pytest.raises(Refused, match="http_304"):
            await crawler.visit(f"{site.origin}/")


async def test_a_page_that_lies_elsewhere_has_no_version_here(site: Site) -> None:
    site.say("/old", status=301, headers=[("Location", "/")])
    async with crawling(site) as crawler:
        visit = await crawler.visit(f"{site.origin}/old")
        assert visit.page
        assert visit.validators == NO_VALIDATORS


@pytest.mark.parametrize(
    ("headers", "validators"),
    [
        ({"ETag": 'W/"a b"'}, (None, None)),
        ({"etag": 'W/"ab"'}, ('W/"ab"', None)),
        ({"ETag": "ab"}, (None, None)),
        ({"ETag": '"' + "a" * 300 + '"'}, (None, None)),
        ({"Last-Modified": DATE}, (None, DATE)),
        ({"Last-Modified": "yesterday"}, (None, None)),
        ({"Last-Modified": "0"}, (None, None)),
        ({"Last-Modified": "1 Jan 99999999999 00:00:00 GMT"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_a_version_is_what_the_standard_calls_one(
    headers: dict[str, str], validators: tuple[str | None, str | None]
) -> None:
    assert validators_in(headers) == Validators(*validators)


@given(st.dictionaries(st.sampled_from(["ETag", "Last-Modified"]), st.text()))
def test_whatever_a_server_calls_its_version_can_be_sent_back(headers: dict[str, str]) -> None:
    for value in validators_in(headers).conditions.values():
        assert value.isascii()
        assert value.isprintable()


class Scraping:
    """The scraper at work, and what a project gets from it."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def scrape(self, *urls: str, only_changed: bool = True, project: UUID | None = None) -> UUID:
        """Have pages scraped and wait for the end, also of their children; give the job."""
        command = ScrapePages(**lineage(uuid7()), urls=urls, only_changed=only_changed)
        command = command.model_copy(update={"project_id": project}) if project else command
        await self.house.say(command)
        await until(lambda: self._is_done(command.job_id))
        return command.job_id

    async def _is_done(self, job_id: UUID) -> bool:
        state = "SELECT count(*) FILTER (WHERE state = 'completed') = count(*) AND count(*) > 0 FROM scraper.tasks"
        return bool(await self.house.value(f"{state} WHERE root_job_id = $1", job_id))

    async def found(self) -> int:
        """Count the images that were said since the last time."""
        await until(self._all_is_said)
        return sum(isinstance(message, ImageFound) for message in await self.house.heard())

    async def _all_is_said(self) -> bool:
        return bool(await self.house.value("SELECT NOT EXISTS (SELECT FROM scraper.outbox)"))


@asynccontextmanager
async def scraping(house: House, site: Site) -> AsyncIterator[Scraping]:
    async with (
        with_one_book(house, 1) as (books,),
        crawling(site, books=books) as crawler,
        house.worker("scraper", works={ScrapePages: scrape_pages}, crafts={"crawler": crawler, "books": books}),
    ):
        yield Scraping(house)


async def test_what_was_found_on_an_unchanged_page_is_not_asked_again(house: House, site: Site) -> None:
    async with scraping(house, site) as scraper:
        url = f"{site.origin}/"
        await scraper.scrape(url)
        assert await scraper.found() == 1
        await scraper.scrape(url)
        messages = await house.heard()
        assert not [message for message in messages if isinstance(message, ImageFound)]
        site.say("/", HALL, headers=[("ETag", '"2"')])
        await scraper.scrape(url)
        assert await scraper.found() == 1


async def test_a_page_is_read_whole_for_whoever_asks_for_all_of_it_and_for_other_projects(
    house: House, site: Site
) -> None:
    async with scraping(house, site) as scraper:
        url = f"{site.origin}/"
        await scraper.scrape(url)
        assert await scraper.found() == 1
        await scraper.scrape(url, only_changed=False)
        assert await scraper.found() == 1
        await scraper.scrape(url, project=UUID(int=7))
        assert await scraper.found() == 1


async def test_the_pages_of_a_list_are_asked_as_the_list_is(house: House, site: Site) -> None:
    site.say("/other", "<img src=b.jpg>", headers=[("Last-Modified", DATE)])
    async with scraping(house, site) as scraper:
        urls = f"{site.origin}/", f"{site.origin}/other"
        await scraper.scrape(*urls)
        assert await scraper.found() == 2
        await scraper.scrape(*urls)
        pages = [message for message in await house.heard() if isinstance(message, PageScraped)]
        assert [page.images_found for page in pages] == [0, 0]


async def test_a_version_whose_images_were_not_said_is_not_known(house: House, site: Site) -> None:
    async with scraping(house, site) as scraper:
        site.say("/", b"x", content_type="image/png", headers=[("ETag", '"1"')])
        await house.say(ScrapePages(**lineage(uuid7()), urls=(f"{site.origin}/",), only_changed=True))
        await until(lambda: house.value("SELECT count(*) FROM scraper.tasks WHERE state = 'failed'"))
        site.say("/", HALL, headers=[("ETag", '"1"')])
        await scraper.scrape(f"{site.origin}/")
        assert await scraper.found() == 1


async def test_a_version_read_by_another_recipe_is_not_known(house: House) -> None:
    async with with_one_book(house, 1) as (books,):
        assert await _seen(books) is None
        await house.admin.execute(
            "INSERT INTO scraper.validators (project_id, url, recipe, etag) VALUES ($1, $2, 'page.1', $3)",
            UUID(int=7),
            "https://gallery.example/",
            '"1"',
        )
        assert await _seen(books) == Validators('"1"', None)
        await house.admin.execute("UPDATE scraper.validators SET recipe = 'page.0'")
        assert await _seen(books) is None


async def _seen(books: SharedBooks) -> Validators | None:
    seen = await books.seen(UUID(int=7), "HTTPS://gallery.example:443/")
    return seen.validators if seen else None
