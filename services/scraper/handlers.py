"""What the scraper hears: the command to scrape pages."""

from contracts.media import FetchMedia
from contracts.scraper import ImageContext, ImageFound, PageScraped, ScrapePages, SkippedImage
from services.scraper import store
from services.scraper.crawler import Crawler
from services.scraper.extraction import FoundImage, Page
from shared.handling import Reactions, Works
from shared.identifiers import child_id
from shared.jobs import Completion, Job

_SKIPPED_AT_MOST = 100


async def scrape_pages(job: Job[ScrapePages], crawler: Crawler) -> None:
    """Find the images of one page; several pages become one child job each."""
    urls = list(dict.fromkeys(job.command.urls))
    if len(urls) > 1:
        async with job.completing() as tx:
            for url in urls:
                job_id = child_id(job.id, ScrapePages.wire_name, url)
                tx.follow(ScrapePages(**job.command.child_lineage(job_id), urls=(url,)))
            tx.result(pages=len(urls))
        return
    job.progress(0.1, "reading the page")
    page = await crawler.page(urls[0])
    async with job.completing() as tx:
        await store.upsert_page(
            tx.connection,
            job.id,
            job.command.project_id,
            url=urls[0],
            title=page.title,
            images_found=len(page.images),
            skipped=[{"url": one.url, "code": one.code, "sentence": one.sentence} for one in page.skipped],
        )
        for image in page.images:
            _say_found(tx, job.command, page, image)
        tx.say(_scraped(job.command, urls[0], page))
        tx.result(images_found=len(page.images), images_skipped=len(page.skipped))


def _say_found(tx: Completion, command: ScrapePages, page: Page, image: FoundImage) -> None:
    job_id = child_id(command.job_id, FetchMedia.wire_name, image.url)
    tx.name_child(job_id, FetchMedia.wire_name)
    tx.say(
        ImageFound(
            **command.own_lineage(),
            fetch_job_id=job_id,
            url=image.url,
            alternatives=image.alternatives,
            found_in=image.found_in,
            context=ImageContext(
                page_url=page.url,
                title=_at_most(image.title),
                alt=_at_most(image.alt),
                caption=_at_most(image.caption),
                credit=_at_most(image.credit),
                licence=_at_most(image.licence),
                position=image.position,
            ),
        )
    )


def _scraped(command: ScrapePages, url: str, page: Page) -> PageScraped:
    skipped = page.skipped[:_SKIPPED_AT_MOST]
    return PageScraped(
        **command.own_lineage(),
        url=url,
        title=_at_most(page.title),
        images_found=len(page.images),
        images_skipped=len(page.skipped),
        skipped=tuple(SkippedImage(url=one.url[:300], code=one.code, sentence=one.sentence[:500]) for one in skipped),
    )


def _at_most(text: str | None) -> str | None:
    return text[:2000] if text else None


REACTIONS: Reactions = {}
WORK: Works = {ScrapePages: scrape_pages}
