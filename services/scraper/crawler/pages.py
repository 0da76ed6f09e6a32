"""One page at a time: asked for politely, checked, and read."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol

from services.scraper.crawler.politeness import Politeness
from services.scraper.crawler.robots import Robots, header_directives, product_token
from services.scraper.extraction import Page, SkippedImage, extract, page_of, read_page
from services.scraper.rules import parsed
from shared.errors import Refused, TryAgain
from shared.fetch import Fetched, Outbound
from shared.sandbox import Sandbox

PAGE_LIMIT_BYTES: Final = 10 * 1024 * 1024

_ACCEPT: Final = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1"
_PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
_LOOKS_LIKE_PAGE: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|!--)", re.IGNORECASE)
_IMAGES_CLOSED: Final = frozenset({"noimageindex", "none"})


class Extract(Protocol):
    """Reads a page: `services.scraper.extraction.extract`, wherever it runs."""

    def __call__(self, html: bytes, *, url: str, charset: str | None, robots_token: str) -> Awaitable[Page]:
        """Find the images of a page."""
        ...


async def extract_in_thread(html: bytes, *, url: str, charset: str | None, robots_token: str) -> Page:
    """Read a page beside the event loop, which has heartbeats to keep."""
    return await asyncio.to_thread(extract, html, url=url, charset=charset, robots_token=robots_token)


def extract_in(sandbox: Sandbox) -> Extract:
    """Read pages in a process that can be killed, and that knows nothing worth taking."""

    async def extract_confined(html: bytes, *, url: str, charset: str | None, robots_token: str) -> Page:
        _, blobs = await sandbox.run(read_page, html, url=url, charset=charset, robots_token=robots_token)
        try:
            return page_of(blobs)
        except ValueError as error:
            raise Refused("decoder_failed", "What was read of this page makes no sense.") from error

    return extract_confined


class Crawler:
    """Fetches pages as their sites allow it.

    Args:
        outbound: the guarded way out.
        user_agent: who we say we are; its product name is what robots.txt, meta tags and headers call us by.
        deadline_seconds: how long a page may take to arrive.
        spacing_seconds: between two requests to a host.
        longest_crawl_delay_seconds: a `Crawl-delay` is respected up to this.
        patience_seconds: a longer wait for a host's turn is handed back as `host_busy`.
        extract: reads a page; `extract_in(sandbox)` where pages come from strangers.
        clock: seconds that never go back.
        sleep: waits that many seconds.

    """

    def __init__(
        self,
        outbound: Outbound,
        user_agent: str,
        *,
        deadline_seconds: float = 30.0,
        spacing_seconds: float = 1.0,
        longest_crawl_delay_seconds: float = 30.0,
        patience_seconds: float = 60.0,
        extract: Extract = extract_in_thread,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._outbound = outbound
        self._token = product_token(user_agent)
        self._deadline_seconds = deadline_seconds
        self._longest_crawl_delay_seconds = longest_crawl_delay_seconds
        self._extract = extract
        self._robots = Robots(outbound, token=self._token, clock=clock)
        self._politeness = Politeness(
            spacing_seconds=spacing_seconds, patience_seconds=patience_seconds, clock=clock, sleep=sleep
        )

    async def page(self, url: str) -> Page:
        """Fetch and read a page.

        Where the page or its headers say `noimageindex` or `none`, all its images are skipped with that reason.

        Raises:
            Refused: `robots_disallowed`, `not_a_page`, `page_too_complex`, or as `Outbound.read`.
            TryAgain: `robots_unavailable`, `host_busy`, or as `Outbound.read`.

        """
        fetched = await self._fetch(url)
        body = fetched.body or b""
        _refuse_what_is_no_page(fetched, body)
        page = await self._extract(body, url=fetched.final_url, charset=fetched.charset, robots_token=self._token)
        closed = _IMAGES_CLOSED & (page.directives | self._said_in_headers(fetched))
        return _without_images(page, min(closed)) if closed else page

    async def document(self, url: str, *, accept: str, max_bytes: int) -> Fetched:
        """Fetch what is no page, such as a sitemap; raises as `page`, for any type."""
        return await self._fetch(url, accept, max_bytes)

    async def _fetch(self, url: str, accept: str = _ACCEPT, max_bytes: int = PAGE_LIMIT_BYTES) -> Fetched:
        place = parsed(url)
        delay_seconds = await self._robots.check(str(place), place.origin)
        await self._politeness.turn(place.host, min(delay_seconds, self._longest_crawl_delay_seconds))
        try:
            fetched = await self._outbound.read(
                str(place), max_bytes=max_bytes, deadline_seconds=self._deadline_seconds, accept=accept
            )
        except TryAgain as failure:
            self._politeness.note_struggle(place.host, failure)
            raise
        self._politeness.note_success(place.host)
        if fetched.final_url != fetched.url:
            await self._robots.check(fetched.final_url, parsed(fetched.final_url).origin)
        return fetched

    def _said_in_headers(self, fetched: Fetched) -> frozenset[str]:
        values = (value for name, value in fetched.headers.items() if name.lower() == "x-robots-tag")
        return header_directives(values, self._token)


def _refuse_what_is_no_page(fetched: Fetched, body: bytes) -> None:
    declared = any(name.lower() == "content-type" for name in fetched.headers)
    if fetched.content_type in _PAGE_TYPES or (not declared and _LOOKS_LIKE_PAGE.match(body)):
        return
    content_type = fetched.content_type if declared else "of no declared type"
    raise Refused("not_a_page", f"What this URL answers is {content_type}, not a web page.")


def _without_images(page: Page, rule: str) -> Page:
    sentence = f"The site asks robots not to take the images of this page ({rule})."
    closed = (SkippedImage(image.url[:300], "robots_noimageindex", sentence) for image in page.images)
    return replace(page, images=(), skipped=(*closed, *page.skipped))
