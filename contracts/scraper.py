"""What the scraper obeys and says."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.envelope import Command, Event, Record
from contracts.jobs import Code, Sentence

Url = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Text = Annotated[str, StringConstraints(max_length=2000)]


class ScrapePages(Command):
    """Find the images of these pages. Several pages become one child job each."""

    wire_name: ClassVar = "scraper.scrape_pages.v1"
    urls: tuple[Url, ...] = Field(min_length=1, max_length=500)


class ImageContext(Record):
    """What the page says about an image."""

    page_url: Url | None = None
    title: Text | None = None
    alt: Text | None = None
    caption: Text | None = None
    credit: Text | None = None
    licence: Text | None = None
    position: int | None = Field(default=None, ge=0, description="place on the page, from 0")


class ManifestRow(Record):
    """A row of a manifest: an image, and what is said about it there."""

    fetch_job_id: UUID = Field(description="the job under which media fetches it")
    url: Url
    context: ImageContext = ImageContext()


class ImportManifest(Command):
    """Have the images of a manifest's rows fetched, each as a child job. A long manifest comes as several commands."""

    wire_name: ClassVar = "scraper.import_manifest.v1"
    rows: tuple[ManifestRow, ...] = Field(min_length=1, max_length=500)


class ImageFound(Event):
    """Said for every image that a page shows, once it is known; media answers by fetching it as a child job."""

    wire_name: ClassVar = "scraper.image_found.v1"
    fetch_job_id: UUID = Field(description="the job under which media fetches it")
    url: Url
    alternatives: tuple[Url, ...] = Field(default=(), max_length=20, description="other candidates of the picture")
    found_in: str = Field(max_length=40, description="`img`, `srcset`, `picture`, `og:image`, `json-ld` ...")
    context: ImageContext = ImageContext()


class SkippedImage(Record):
    """An image of the page that was not taken, and why."""

    url: str = Field(max_length=300)
    code: Code
    sentence: Sentence


class PageScraped(Event):
    """Said when a page was read to its end."""

    wire_name: ClassVar = "scraper.page_scraped.v1"
    url: Url
    title: Text | None = None
    images_found: int = Field(ge=0)
    images_skipped: int = Field(ge=0)
    skipped: tuple[SkippedImage, ...] = Field(default=(), max_length=100, description="the first of them")
