"""Images whose sites could not tell whether robots may have them: those are asked again, and no page for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.envelope import Command
from contracts.media import FetchMedia
from contracts.scraper import AskRobots, CrawlScope, ImageContext, ImageFound, UrlLine
from services.scraper.crawler import Crawler, Permitted, Untold
from services.scraper.extraction import FoundImage
from services.scraper.handlers.accounts import account, line_of
from services.scraper.rules import FETCH_RECIPE, image_subject
from services.scraper.sources.scopes import key_of
from services.scraper.store import crawls
from services.scraper.store import untold as store
from services.scraper.store.crawls import Line
from services.scraper.store.untold import Waiting
from shared.errors import TryAgain
from shared.identifiers import child_id
from shared.jobs import Completion, Job
from shared.retry import ATTEMPTS

_IMAGES_AT_ONCE = 1000
_CARRIED = {"url", "alternatives", "found_in", "context"}
_IMAGE_LIMIT = ("image_limit", "The crawl has as many images as it was allowed.")


def waiting(one: Untold, found: ImageFound, depth: int = 0) -> Waiting:
    """Give what is kept of an image that waits; `found` is what is said of it once it may be had."""
    image = found.model_dump(mode="json", include=_CARRIED, exclude_none=True)
    return Waiting(key_of(one.image.url), one.origin, depth, found.context.page_url or "", image)


def asking(command: Command, source_job_id: UUID, origin: str) -> AskRobots:
    """Give the job that asks an origin again, a child of the one that found images there or that asks once more."""
    job_id = child_id(command.job_id, AskRobots.wire_name, origin)
    lineage = command.child_lineage(job_id)
    return AskRobots(**lineage, source_job_id=source_job_id, origin=origin, priority=command.priority)


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of a file of an image that waited.

    Attributes:
        row: in which the image waited.
        image: what is taken of it; None where the file is not.

    """

    row: Waiting
    line: Line
    image: FoundImage | None = None


async def ask_robots(job: Job[AskRobots], crawler: Crawler) -> None:
    """Ask the site of images that wait for its rules, and tell of those that may be had.

    As long as it cannot tell them the job is tried again, like any other. With the last attempt smaller candidates at
    other sites take the place of those that wait; images that have none stay `refused` as `robots_unavailable`.
    """
    command = job.command
    async with job.recording() as tx:
        rows = await store.select_untold(tx.connection, command.source_job_id, command.origin, _IMAGES_AT_ONCE)
    images = [_image_of(row, place) for place, row in enumerate(rows)]
    permitted = await crawler.permits.sort(images)
    failure = _failure_of(permitted)
    fates = list(_fates(command.source_job_id, rows, permitted))
    is_full = len(rows) == _IMAGES_AT_ONCE
    goes_on = bool(fates) and (is_full or failure is not None)
    if failure and not fates:
        if failure.rate_limited or job.attempt < ATTEMPTS:
            raise failure
        permitted = await crawler.permits.sort(images, waits=False)
        failure = _failure_of(permitted)
        fates = list(_fates(command.source_job_id, rows, permitted))
        goes_on = bool(fates) and is_full
    async with job.failing(failure.code, failure.sentence) if failure and not goes_on else job.completing() as tx:
        found = await _settle(tx, command, fates)
        if goes_on:  # what is left is a job of its own, so that none holds all images of a site at once
            tx.follow(asking(command, command.source_job_id, command.origin))
        tx.result(images_found=found)


def _image_of(row: Waiting, place: int) -> FoundImage:
    """Give an image as it is judged; its position is that of its row."""
    return FoundImage(row.image["url"], tuple(row.image.get("alternatives", ())), row.image["found_in"], place)


def _failure_of(permitted: Permitted) -> TryAgain | None:
    return permitted.untold[0].failure if permitted.untold else None


def _fates(source_job_id: UUID, rows: Sequence[Waiting], permitted: Permitted) -> Iterator[_Fate]:
    """Tell what becomes of images, first of those that may be had; of what waits on, nothing."""
    for image in permitted.images:
        row = rows[image.position]
        fetch_job_id = child_id(source_job_id, FetchMedia.wire_name, image_subject(image.url), FETCH_RECIPE)
        yield _Fate(
            row, Line("image", key_of(image.url), image.url, row.depth, "found", None, None, fetch_job_id), image
        )
    waiting_on = {one.image.position for one in permitted.untold}
    settled = {row.image["url"]: row for place, row in enumerate(rows) if place not in waiting_on}
    for one in permitted.closed:
        if one.url in settled:
            row = settled[one.url]
            yield _Fate(row, _refused(row, one.url, one.code, one.sentence))


def _refused(row: Waiting, url: str, code: str, sentence: str) -> Line:
    # Not skipped: the line before this one, which said that it waits, was of a kind that stands higher.
    return Line("image", key_of(url), url, row.depth, "refused", code, sentence)


async def _settle(tx: Completion, command: AskRobots, fates: Sequence[_Fate]) -> int:
    """Write down and tell what became of images, each once, whoever else asks; give how many may be had."""
    source_id = command.source_job_id
    crawl = await crawls.select_crawl(tx.connection, source_id)  # locked, as by whoever notes lines
    waited = await store.delete_untold(tx.connection, source_id, [fate.row.key for fate in fates])
    settled = [fate for fate in fates if fate.row.key in waited]
    if crawl is not None:
        room = CrawlScope.model_validate(crawl.scope).max_images - crawl.images_taken
        # Two spellings of one file may be judged apart, and a statement touches each line once; what is found is first.
        once = {fate.line.key: fate for fate in reversed(settled)}
        settled = list(_within(list(reversed(once.values())), room))
        lines = [fate.line for fate in settled]
        new = await crawls.insert_lines(tx.connection, source_id, lines, found_on=None, job_id=command.job_id)
        settled = [fate for fate in settled if (fate.line.kind, fate.line.key) in new]
    found = [fate for fate in settled if fate.image is not None]
    for fate in found:
        _say_found(tx, command, fate)
    account(tx, command, source_id, [_told(fate) for fate in settled])
    if crawl is not None:
        await crawls.update_counts(tx.connection, source_id, images=len(found))
    return len(found)


def _within(fates: Sequence[_Fate], room: int) -> Iterator[_Fate]:
    """Leave out the images that are more than the crawl may take."""
    for fate in fates:
        if fate.image is None or room > 0:
            yield fate
        else:
            yield _Fate(fate.row, _refused(fate.row, fate.image.url, *_IMAGE_LIMIT))
        room -= fate.image is not None


def _say_found(tx: Completion, command: AskRobots, fate: _Fate) -> None:
    image, fetch_job_id = fate.image, fate.line.fetch_job_id
    assert image is not None  # noqa: S101 - of others nothing is found
    assert fetch_job_id is not None  # noqa: S101 - whatever is found has one
    tx.name_child(fetch_job_id, FetchMedia.wire_name)
    tx.say(
        ImageFound(
            **command.own_lineage(),
            fetch_job_id=fetch_job_id,
            url=image.url,
            alternatives=image.alternatives,
            found_in=image.found_in,
            context=ImageContext.model_validate(fate.row.image["context"]),
        )
    )


def _told(fate: _Fate) -> UrlLine:
    line = fate.line
    reason = {"code": line.code, "sentence": line.sentence}
    found_on = fate.row.found_on
    return line_of(line.kind, line.url, line.outcome, **reason, found_on=found_on, fetch_job_id=line.fetch_job_id)
