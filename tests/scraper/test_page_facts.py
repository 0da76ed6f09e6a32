"""What was read of a page is said to all who hear of it."""

from collections.abc import Sequence
from typing import Any

from contracts.jobs import JobCompleted
from contracts.scraper import ImageFound, PageScraped, ScrapePages
from services.scraper.crawler import NO_VALIDATORS, Permitted, Visit
from services.scraper.crawler.validators import Validators
from services.scraper.extraction import FoundImage, extract
from services.scraper.handlers import scrape_pages
from tests.living import House, lineage, until

URL = "https://gallery.example/east"
MARKUP = """
<html lang=en><head><title>East room</title><meta name=description content="All about it">
<meta name=author content="Ann Lee"><meta property=article:published_time content=2017-07-04T10:00Z>
<meta property=article:modified_time content=2017-07-05><meta property=og:site_name content=Gallery><link rel=license href=https://licence.example/by>
<link rel=canonical href=/rooms/east></head><body><h1>The hall</h1>
<figure><img src=a.jpg alt=A title=T><figcaption>At noon</figcaption><i class=credit>Bo</i>
<i itemprop=description>Light</i></figure>
<script type="application/ld+json">{"@type":"ImageObject","url":"a.jpg","dateCreated":"2016-01-02"}</script>
"""


class OpenSites:
    """Lets everything be taken."""

    async def sort(self, images: Sequence[FoundImage]) -> Permitted:
        return Permitted(tuple(images))


class OnePage:
    """A crawler that knows one page."""

    permits = OpenSites()

    async def visit(self, url: str, known: Validators = NO_VALIDATORS, *, rendered: bool = False) -> Visit:
        assert not rendered
        return Visit(extract(MARKUP.encode(), url=url), known)


async def test_a_page_and_its_images_are_told_with_all_that_was_read_of_them(house: House) -> None:
    said: list[Any] = []

    async def ended() -> bool:
        said.extend(await house.heard())
        return any(isinstance(one, JobCompleted) for one in said)

    crafts = {"crawler": OnePage(), "books": None}  # which are asked of pages that may be unchanged
    async with house.worker("scraper", works={ScrapePages: scrape_pages}, crafts=crafts):
        await house.say(ScrapePages(**lineage(), urls=(URL,)))
        await until(ended)
    [image] = [one for one in said if isinstance(one, ImageFound)]
    assert image.context.model_dump(exclude_none=True) == {
        "page_url": URL,
        "title": "T",
        "alt": "A",
        "caption": "At noon",
        "credit": "Bo",
        "position": 0,
        "description": "Light",
        "heading": "The hall",
        "published_at": "2016-01-02",
        "page_title": "East room",
        "page_author": "Ann Lee",
        "page_licence": "https://licence.example/by",
        "page_published_at": "2017-07-04T10:00:00+00:00",
    }
    [page] = [one for one in said if isinstance(one, PageScraped)]
    assert (page.title, page.description, page.author) == ("East room", "All about it", "Ann Lee")
    assert (page.licence, page.published_at) == ("https://licence.example/by", "2017-07-04T10:00:00+00:00")
    assert page.modified_at == "2017-07-05"
    assert (page.site_name, page.language) == ("Gallery", "en")
    assert page.canonical_url == "https://gallery.example/rooms/east"
