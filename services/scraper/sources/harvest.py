"""What one source of a crawl gives: pages to ask, images, and what was left there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter

from services.scraper.crawler import NO_VALIDATORS, UNTOLD, Crawler, Permitted, Untold, Validators, version_of
from services.scraper.extraction import FoundImage, Page, SkippedImage, bytes_of, page_of
from services.scraper.rules import ANY_PLACE, URL_LIMIT_CHARACTERS, parsed
from services.scraper.sources.documents import DOCUMENT_LIMIT_BYTES, Entry, read_feed, read_sitemap
from services.scraper.sources.memory import Memory, memory_of
from shared.addresses import Url, join
from shared.errors import Refused
from shared.sandbox import Sandbox

PATIENCE_SECONDS: Final = 12 * 60 * 60.0
"""Half of what a job may wait for, so that no step of a crawl ends before the URLs that it waits with."""

_UNFOLLOWED: Final = frozenset({"nofollow", "none"})
_ACCEPT: Final = "application/xml,text/xml,application/rss+xml,application/atom+xml,text/plain;q=0.8,*/*;q=0.5"
_ENTRIES: Final = TypeAdapter(list[Entry])
_READERS: Final = {"sitemap": read_sitemap, "feed": read_feed}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a sitemap or a feed names; `broken` tells why that is not all."""

    entries: list[Entry]
    broken: Refused | None = None


ReadDocument = Callable[[bytes, str], Awaitable[Listing]]
"""Reads a sitemap or a feed, wherever that runs: its bytes and which of the two it is."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A URL that a source names, and what is at it: `page`, `sitemap` or `feed`."""

    kind: str
    url: str


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a source gives.

    Attributes:
        url: where it was read from, after redirects.
        page: what it says of itself, where it is a page.
        links: what it leads to, one step further from the seeds.
        listed: what it names as the site's own, no further from the seeds than itself.
        untold: images that wait until their sites can tell whether robots may have them.
        memory: what is kept of it for the next time.
        is_unchanged: it was not sent, for it is as it was kept.
        broken: it is a list that could not be read to its end, and why.

    """

    url: str
    page: Page | None = None
    images: Sequence[FoundImage] = ()
    skipped: Sequence[SkippedImage] = ()
    links: Sequence[str] = ()
    listed: Sequence[Listed] = ()
    untold: Sequence[Untold] = ()
    memory: Memory | None = None
    is_unchanged: bool = False
    broken: Refused | None = None


def read_document(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Read a sitemap or a feed, as the sandbox calls it; `options` has the `kind`. Raises what breaks it at once."""
    listing = _listing(payload, options["kind"])
    broken = listing.broken and {"code": listing.broken.code, "sentence": listing.broken.sentence}
    return {"broken": broken}, [_ENTRIES.dump_json(listing.entries)]


def _listing(document: bytes, kind: str) -> Listing:
    entries: list[Entry] = []
    try:
        entries.extend(_READERS[kind](document))
    except Refused as broken:
        if not entries:
            raise
        return Listing(entries, broken)
    return Listing(entries)


def read_in(sandbox: Sandbox) -> ReadDocument:
    """Read documents in a process that can be killed, and that knows nothing worth taking."""

    async def read_confined(document: bytes, kind: str) -> Listing:
        told, blobs = await sandbox.run(read_document, document, kind=kind)
        try:
            (blob,) = blobs
            broken = told["broken"] and Refused(str(told["broken"]["code"]), str(told["broken"]["sentence"]))
            return Listing(_ENTRIES.validate_json(blob), broken or None)
        except (ValueError, LookupError, TypeError) as error:
            raise Refused("decoder_failed", "What was read of this document makes no sense.") from error

    return read_confined


async def read_in_thread(document: bytes, kind: str) -> Listing:
    """Read a document beside the event loop, which has heartbeats to keep."""
    return await asyncio.to_thread(_listing, document, kind)


class Harvester:
    """Reads sources of every kind, as their hosts ask for it.

    Args:
        crawler: asks politely.
        read: reads a document; `read_in(sandbox)` where documents come from strangers.
        patience_seconds: for so long a crawl waits for a host that asks for patience again and again.

    """

    def __init__(
        self, crawler: Crawler, read: ReadDocument = read_in_thread, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._crawler = crawler
        self._read = read
        self.patience_seconds = patience_seconds

    def check_can_render(self) -> None:
        """Raise Refused (`rendering_unavailable`) where no page can be shown as scripts build it."""
        self._crawler.check_can_render()

    async def harvest(self, kind: str, url: str, known: Memory | None = None, *, rendered: bool = False) -> Harvest:
        """Ask for a `page` (also as scripts build it), `sitemap` or `feed`, and read it unless it is as it is known.

        Of its images only those are given that robots may have now, whenever the source was sent.

        Raises Refused and TryAgain as `Crawler.visit`, `read_sitemap` and `read_feed`.
        """
        harvest = await self._harvested(kind, url, known, rendered=rendered)
        return _as_permitted(harvest, await self._crawler.permits.sort(harvest.images))

    async def _harvested(self, kind: str, url: str, known: Memory | None = None, *, rendered: bool = False) -> Harvest:
        if rendered and kind == "page":
            return of_page(await self._crawler.page(url, rendered=True))
        asked = await (self._page(url, known) if kind == "page" else self._document(kind, url, known))
        if asked is not None:
            return asked
        if known is None:
            raise Refused("http_304", "This source says that it has not changed, though nobody asked.")
        try:
            return await asyncio.to_thread(_remembered, kind, url, known)
        except ValueError:
            return await self._harvested(kind, url)

    async def _page(self, url: str, known: Memory | None) -> Harvest | None:
        visit = await self._crawler.visit(url, known.validators if known else NO_VALIDATORS)
        if visit.page is None:
            return None
        page = visit.page
        return await _kept(of_page(page), visit.validators, lambda: bytes_of(page))

    async def _document(self, kind: str, url: str, known: Memory | None) -> Harvest | None:
        fetched = await self._crawler.document(
            url, known.validators if known else NO_VALIDATORS, accept=_ACCEPT, max_bytes=DOCUMENT_LIMIT_BYTES
        )
        if fetched is None:
            return None
        listing = await self._read(fetched.body or b"", kind)
        harvest = await asyncio.to_thread(of_document, fetched.final_url, kind, listing.entries)
        if listing.broken is not None:  # of what is half read nobody remembers that it was read
            return replace(harvest, broken=listing.broken)
        return await _kept(harvest, version_of(fetched), lambda: _ENTRIES.dump_json(listing.entries))


def _as_permitted(harvest: Harvest, permitted: Permitted) -> Harvest:
    page = harvest.page and page_as_permitted(harvest.page, permitted)
    skipped = (*permitted.closed, *harvest.skipped)
    return replace(harvest, page=page, images=permitted.images, skipped=skipped, untold=permitted.untold)


def page_as_permitted(page: Page, permitted: Permitted) -> Page:
    """Give a page without the images that may not be had, or not yet."""
    waiting = (SkippedImage(one.image.url, UNTOLD, one.failure.sentence) for one in permitted.untold)
    return replace(page, images=permitted.images, skipped=(*permitted.closed, *waiting, *page.skipped))


async def _kept(harvest: Harvest, version: Validators, gave: Callable[[], bytes]) -> Harvest:
    if not version:
        return harvest
    return replace(harvest, memory=await asyncio.to_thread(lambda: memory_of(version, gave())))


def _remembered(kind: str, url: str, known: Memory) -> Harvest:
    gave = known.unpacked()
    if kind == "page":
        return replace(of_page(page_of([gave])), is_unchanged=True)
    return replace(of_document(url, kind, _ENTRIES.validate_json(gave)), is_unchanged=True)


def of_page(page: Page) -> Harvest:
    """Give what a page gives; one that asks not to be followed leads nowhere."""
    links = page.links if _UNFOLLOWED.isdisjoint(page.directives) else ()
    return Harvest(page.url, page, page.images, page.skipped, links)


def of_document(url: str, kind: str, entries: Sequence[Entry]) -> Harvest:
    """Give what a sitemap or feed lists; what is no web address is none."""
    location = parsed(url)
    listed = [
        Listed("sitemap" if entry.is_sitemap else "page", place)
        for entry in entries
        if entry.url and (place := _joined(location, entry.url))
    ]
    return Harvest(url, images=list(_images(location, kind, entries)), listed=listed)


def _images(location: Url, kind: str, entries: Iterable[Entry]) -> Iterator[FoundImage]:
    pictures = (picture for entry in entries for picture in entry.pictures)
    for position, picture in enumerate(pictures):
        url = _joined(location, picture.url)
        if url is not None:
            yield FoundImage(url, (), kind, position, title=picture.title, caption=picture.caption)


def _joined(location: Url, reference: str) -> str | None:
    try:
        url = str(join(location, reference, ANY_PLACE))
    except Refused:
        return None
    return url if len(url) <= URL_LIMIT_CHARACTERS else None
