"""Single pages, and the rows of manifests that somebody else has read."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.envelope import Lineage
from contracts.media import FetchMedia
from contracts.scraper import ImageContext, ImageFound, ImportManifest, PageScraped, ScrapePages, SkippedImage
from services.scraper.crawler import NO_VALIDATORS, Crawler, Untold, Validators
from services.scraper.extraction import FoundImage, Page
from services.scraper.handlers.permits import asking, waiting
from services.scraper.manners import SharedBooks
from services.scraper.rules import FETCH_RECIPE, SCRAPE_RECIPE, URL_LIMIT_CHARACTERS, image_subject, page_subject
from services.scraper.sources.harvest import page_as_permitted
from services.scraper.store import pages as store
from services.scraper.store.pages import Version
from services.scraper.store.untold import insert_untold
from shared.errors import Refused
from shared.identifiers import child_id
from shared.jobs import Completion, Job

_SKIPPED_AT_MOST = 100
_MANIFEST = "manifest"


async def scrape_pages(job: Job[ScrapePages], crawler: Crawler, books: SharedBooks) -> None:
    """Find the images of one page; several pages become one child job each."""
    if len(job.command.urls) > 1:
        await _scrape_each(job)
        return
    (url,) = job.command.urls
    job.progress(0.1, "reading the page")
    compares = job.command.only_changed and not job.command.rendered
    seen = await books.seen(job.command.project_id, url) if compares else None
    visit = await crawler.visit(url, seen.validators if seen else NO_VALIDATORS, rendered=job.command.rendered)
    if visit.page is None:
        await _tell_unchanged(job, url, seen.title if seen else None)
        return
    permitted = await crawler.permits.sort(visit.page.images)
    page = page_as_permitted(visit.page, permitted)
    async with job.completing() as tx:
        await store.upsert_page(
            tx.connection,
            job.id,
            job.command.project_id,
            url=url,
            title=page.title,
            images_found=len(page.images),
            skipped=[{"url": one.url, "code": one.code, "sentence": one.sentence} for one in page.skipped],
            # As long as images wait, the page is not one whose images were asked for.
            version=None if permitted.untold else _version(url, visit.validators),
        )
        for image in page.images:
            _say_found(tx, job.command, page, image)
        if permitted.untold:
            await _have_wait(tx, job, page, permitted.untold)
        tx.say(page_scraped(job.command, url, page))
        tx.result(images_found=len(page.images), images_skipped=len(page.skipped))


async def _have_wait(tx: Completion, job: Job[ScrapePages], page: Page, untold: Sequence[Untold]) -> None:
    """Have images wait until their sites can tell whether robots may have them; a job for each site asks it again."""
    found = (image_found(job.command, job.id, page.url, one.image, page) for one in untold)
    rows = [waiting(one, fact) for one, fact in zip(untold, found, strict=True)]
    await insert_untold(tx.connection, job.id, job.command.project_id, job.id, rows)
    for origin in dict.fromkeys(one.origin for one in untold):
        tx.follow(asking(job.command, job.id, origin))
    tx.result(images_waiting=len(rows))


def _version(url: str, validators: Validators) -> Version | None:
    if not validators:
        return None
    return Version(page_subject(url), SCRAPE_RECIPE, validators.etag, validators.last_modified)


async def _tell_unchanged(job: Job[ScrapePages], url: str, title: str | None) -> None:
    """End the job of a page that is as it was when its images were asked for."""
    async with job.completing() as tx:
        tx.say(
            PageScraped(**job.command.own_lineage(), url=url, title=at_most(title), images_found=0, images_skipped=0)
        )
        tx.result(images_found=0, images_skipped=0, unchanged=True)


async def _scrape_each(job: Job[ScrapePages]) -> None:
    """Make a child job of each page; two spellings of one page are one."""
    pages = {_subject_of(url): url for url in reversed(job.command.urls)}
    async with job.completing() as tx:
        for subject, url in reversed(pages.items()):
            job_id = child_id(job.id, ScrapePages.wire_name, subject, SCRAPE_RECIPE)
            manner = {"only_changed": job.command.only_changed, "rendered": job.command.rendered}
            tx.follow(ScrapePages(**job.command.child_lineage(job_id), urls=(url,), **manner))
        tx.result(pages=len(pages))


def _subject_of(url: str) -> str:
    try:
        return page_subject(url)
    except Refused:
        return url  # its own job says what is wrong with it


def _say_found(tx: Completion, command: ScrapePages, page: Page, image: FoundImage) -> None:
    job_id = child_id(command.job_id, FetchMedia.wire_name, image_subject(image.url), FETCH_RECIPE)
    tx.name_child(job_id, FetchMedia.wire_name)
    tx.say(image_found(command, job_id, page.url, image, page))


def image_found(
    command: Lineage, fetch_job_id: UUID, page_url: str, image: FoundImage, page: Page | None
) -> ImageFound:
    """Tell of an image of a page, or of a list that is none, which media fetches under the job that is named."""
    return ImageFound(
        **command.own_lineage(),
        fetch_job_id=fetch_job_id,
        url=image.url,
        alternatives=image.alternatives,
        found_in=image.found_in,
        context=ImageContext(
            page_url=page_url,
            title=at_most(image.title),
            alt=at_most(image.alt),
            caption=at_most(image.caption),
            credit=at_most(image.credit),
            licence=at_most(image.licence),
            position=image.position,
            description=at_most(image.description),
            heading=at_most(image.heading),
            published_at=image.published_at,
            **_of_its_page(page),
        ),
    )


def _of_its_page(page: Page | None) -> dict[str, Any]:
    if page is None:
        return {}
    return {
        "page_title": at_most(page.title),
        "page_author": at_most(page.author),
        "page_licence": at_most(page.licence),
        "page_published_at": page.published_at,
    }


def page_scraped(command: Lineage, url: str, page: Page) -> PageScraped:
    """Tell what a page says of itself, and how many images it has."""
    skipped = page.skipped[:_SKIPPED_AT_MOST]
    return PageScraped(
        **command.own_lineage(),
        url=url,
        title=at_most(page.title),
        description=at_most(page.description),
        author=at_most(page.author),
        licence=at_most(page.licence),
        published_at=page.published_at,
        modified_at=page.modified_at,
        site_name=at_most(page.site_name),
        language=page.language[:80] if page.language else None,
        canonical_url=_if_carried(page.canonical_url),
        images_found=len(page.images),
        images_skipped=len(page.skipped),
        skipped=tuple(SkippedImage(url=one.url[:300], code=one.code, sentence=one.sentence[:500]) for one in skipped),
    )


async def import_manifest(job: Job[ImportManifest]) -> None:
    """Have the image of each row fetched; whoever sent the manifest has read it and refused what is no row."""
    async with job.completing() as tx:
        for row in job.command.rows:
            tx.name_child(row.fetch_job_id, FetchMedia.wire_name)
            tx.say(
                ImageFound(
                    **job.command.own_lineage(),
                    fetch_job_id=row.fetch_job_id,
                    url=row.url,
                    found_in=_MANIFEST,
                    context=row.context,
                )
            )
        tx.result(rows=len(job.command.rows))


def _if_carried(url: str | None) -> str | None:
    return url if url and len(url) <= URL_LIMIT_CHARACTERS else None


def at_most(text: str | None) -> str | None:
    """Shorten a text to what the contract carries."""
    return text[:2000] if text else None
