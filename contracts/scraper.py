"""What the scraper obeys and says."""

from typing import Annotated, ClassVar, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.envelope import Command, Event, Record
from contracts.jobs import Code, Sentence

Url = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Moment = Annotated[
    str, StringConstraints(max_length=40), Field(description="ISO 8601 as exact as it was said: a day, or a moment")
]


Rendered = Annotated[
    bool, Field(description="have scripts build each page, in a browser, before it is read; it then counts as changed")
]


class ScrapePages(Command):
    """Find the images of these pages. Several pages become one child job each."""

    wire_name: ClassVar = "scraper.scrape_pages.v1"
    urls: tuple[Url, ...] = Field(min_length=1, max_length=500)
    only_changed: bool = Field(
        default=False,
        description="a page that is the version which this project has seen already, says its server, gives no images",
    )
    rendered: Rendered = False


class ImageContext(Record):
    """What the page says about an image."""

    page_url: Url | None = None
    title: Text | None = None
    alt: Text | None = None
    caption: Text | None = None
    credit: Text | None = None
    licence: Text | None = None
    position: int | None = Field(default=None, ge=0, description="place on the page, from 0")
    description: Text | None = None
    heading: Text | None = Field(default=None, description="the nearest before the image, of its own section")
    published_at: Moment | None = Field(default=None, description="of the image, where the page tells it")
    page_title: Text | None = None
    page_author: Text | None = None
    page_licence: Text | None = Field(default=None, description="of the page; what others made may be shown there too")
    page_published_at: Moment | None = None


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
    description: Text | None = None
    author: Text | None = None
    licence: Text | None = Field(default=None, description="a URL or the words of the page")
    published_at: Moment | None = None
    modified_at: Moment | None = None
    site_name: Text | None = None
    language: str | None = Field(default=None, max_length=80, description="a BCP 47 tag, as the page declares it")
    canonical_url: Url | None = Field(default=None, description="what the page calls itself")
    images_found: int = Field(ge=0)
    images_skipped: int = Field(ge=0)
    skipped: tuple[SkippedImage, ...] = Field(default=(), max_length=100, description="the first of them")


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=500)]
SourceKind = Literal["page", "sitemap", "feed"]


class CrawlScope(Record):
    """How far a crawl goes. What it begins with is always asked; of the rest, only what is within all of these."""

    max_depth: int = Field(default=3, ge=0, le=1000, description="links from a seed; 0: the seeds and what they list")
    max_pages: int = Field(default=1000, ge=1, le=1_000_000)
    max_images: int = Field(default=100_000, ge=1, le=10_000_000)
    same_site: bool = Field(default=True, description="only hosts of the seeds, and hosts below these")
    include: tuple[Pattern, ...] = Field(
        default=(), max_length=50, description="`*` is any text; a pattern without `://` is one of path and query"
    )
    exclude: tuple[Pattern, ...] = Field(default=(), max_length=50, description="likewise; wins over `include`")


class Seed(Record):
    """Where a crawl begins: a page, or a list of pages."""

    url: Url
    kind: SourceKind = "page"


class CrawlSite(Command):
    """Find the images of a site, page by page. Its work follows in steps, each a child of the one before."""

    wire_name: ClassVar = "scraper.crawl_site.v1"
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=500)
    scope: CrawlScope = CrawlScope()
    previous_crawl_id: UUID | None = Field(
        default=None,
        description="an earlier crawl of the project, whose images are not fetched again; nor are pages sent again that"
        " have not changed since the project has read them",
    )
    rendered: Rendered = False


class ContinueCrawl(Command):
    """Ask the next few URLs of a crawl. The scraper gives itself these; a lost one costs no more than its own pages."""

    wire_name: ClassVar = "scraper.continue_crawl.v1"
    crawl_job_id: UUID
    number: int = Field(ge=1, description="steps of a crawl are counted from 1")


class AskRobots(Command):
    """Ask a site once more for its rules, and tell of the images that waited for them. The scraper gives itself these.

    The page that shows the images is not asked again.
    """

    wire_name: ClassVar = "scraper.ask_robots.v1"
    source_job_id: UUID = Field(description="the crawl, or the job of the single page, in which they were seen")
    origin: str = Field(min_length=1, max_length=4096, description="scheme, host and port, as of a URL")


class UrlLine(Record):
    """What became of one URL."""

    url: Url
    kind: Literal["page", "sitemap", "feed", "image"]
    outcome: Literal["read", "found", "stored", "duplicate", "skipped", "refused"]
    code: Code | None = Field(default=None, description="why, where it was not taken")
    sentence: Sentence | None = None
    found_on: Url | None = None
    fetch_job_id: UUID | None = Field(default=None, description="of an image that is found: under it media fetches it")


class UrlsAccounted(Event):
    """Said when it is known what became of URLs of a source: one line for each, and each once for each outcome.

    Of an image that is `found`, media says whether it was stored or refused.
    """

    wire_name: ClassVar = "scraper.urls_accounted.v1"
    source_job_id: UUID = Field(description="the crawl or the import in which they were seen")
    lines: tuple[UrlLine, ...] = Field(min_length=1, max_length=200)


Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ManifestColumns(Record):
    """How a manifest calls what is known of each image; a column that it has not is no failure, except `url`."""

    url: Column = "url"
    title: Column = "title"
    alt: Column = "alt"
    caption: Column = "caption"
    credit: Column = "credit"
    licence: Column = "licence"
    page_url: Column = "page_url"


MANIFEST_LIMIT_BYTES: Final = 1024 * 1024 * 1024
"""Of a manifest as it is sent."""


class ReadManifest(Command):
    """Read a list of images, CSV with a header or lines of JSON, gzipped or not, or Parquet, and have them fetched.

    It comes from a link or from an upload; exactly one of the two is named.
    """

    wire_name: ClassVar = "scraper.read_manifest.v1"
    url: Url | None = None
    object_key: Annotated[str, StringConstraints(pattern=r"^uploads/[A-Za-z0-9-]{1,64}$")] | None = None
    columns: ManifestColumns = ManifestColumns()
    max_rows: int = Field(default=1_000_000, ge=1, le=10_000_000)


class RetryCrawl(Command):
    """Ask once more what a crawl could not read, and go on with what it had not asked; the rest is left alone."""

    wire_name: ClassVar = "scraper.retry_crawl.v1"
    crawl_job_id: UUID


class ScheduleCrawl(Command):
    """Crawl again and again; each time only images that no time before has found are fetched.

    Pages that have not changed are not sent again, where their servers can tell. The name says which schedule of the
    project it is: one of the same name is replaced, or ended without `every_minutes`.
    """

    wire_name: ClassVar = "scraper.schedule_crawl.v1"
    name: str = Field(min_length=1, max_length=200)
    every_minutes: int | None = Field(default=None, ge=5, le=366 * 24 * 60)
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=500)
    scope: CrawlScope = CrawlScope()
    rendered: Rendered = False
