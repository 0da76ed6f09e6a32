"""One page at a time: asked for politely, checked, and read."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from services.scraper.crawler.asking import Asking
from services.scraper.crawler.permits import Permits
from services.scraper.crawler.politeness import Politeness
from services.scraper.crawler.robots import Robots, RobotsBook
from services.scraper.crawler.showing import Showing
from services.scraper.crawler.validators import Validators, validators_in
from services.scraper.extraction import Page, SkippedImage, extract, page_of, read_page
from services.scraper.rendering.renderer import Renderer
from services.scraper.rendering.tab import Shown
from services.scraper.rules import parsed, refuse_longer_than_is_carried
from shared.errors import Refused
from shared.fetch import Fetched, Outbound
from shared.manners import Book, Host, Limits
from shared.robots_tags import AGAINST_TRAINING, directives_in, product_token
from shared.sandbox import Sandbox

PAGE_LIMIT_BYTES: Final = 10 * 1024 * 1024

_ACCEPT: Final = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1"
_PAGE_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
_LOOKS_LIKE_PAGE: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|!--)", re.IGNORECASE)
_UNCHANGED: Final = re.compile(r"http_304")
_CLOSED_BY: Final = {"noimageindex": "robots_noimageindex", "noindex": "robots_noindex", "none": "robots_noindex"}

DEFAULT_LIMITS: Final = Limits()
NO_VALIDATORS: Final = Validators()


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


class Books(Book[Host], RobotsBook, Protocol):
    """What is written down of hosts and sites, shared by all who ask them."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of asking for a page.

    Attributes:
        page: None where it is the version that the caller knows already.
        validators: how the server names this version; false where it does not, or where it sent us elsewhere.

    """

    page: Page | None
    validators: Validators


class Crawler:
    """Fetches pages as their sites allow it.

    Args:
        outbound: the guarded way out.
        user_agent: who we say we are; its product name is what robots.txt, meta tags and headers call us by.
        books: what is known of hosts and sites.
        limits: within which hosts are asked.
        deadline_seconds: how long a page may take to arrive.
        extract: reads a page; `extract_in(sandbox)` where pages come from strangers.
        renderer: shows pages that scripts build; where it is None, none is.
        honour_noai: pages whose images shall not be used to train models are kept to as well.
        clock: seconds that never go back; only differences count.
        sleep: waits that many seconds.

    Attributes:
        permits: tells which images may be had.

    """

    def __init__(
        self,
        outbound: Outbound,
        user_agent: str,
        books: Books,
        *,
        limits: Limits = DEFAULT_LIMITS,
        deadline_seconds: float = 30.0,
        extract: Extract = extract_in_thread,
        renderer: Renderer | None = None,
        honour_noai: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._token = product_token(user_agent)
        self._deadline_seconds = deadline_seconds
        self._extract = extract
        self._renderer = renderer
        self._closed_by = _CLOSED_BY | {rule: f"robots_{rule}" for rule in AGAINST_TRAINING if honour_noai}
        self._asking = Asking(outbound, Politeness(books, limits, clock=clock, sleep=sleep))
        self._robots = Robots(self._asking, books, token=self._token)
        self.permits = Permits(self._robots)

    async def page(self, url: str, *, rendered: bool = False) -> Page:
        """Fetch and read a page, whichever version it is; raises as `visit` does."""
        visit = await self.visit(url, rendered=rendered)
        if visit.page is None:
            raise Refused("http_304", "This page says that it has not changed, though nobody asked.")
        return visit.page

    async def visit(self, url: str, known: Validators = NO_VALIDATORS, *, rendered: bool = False) -> Visit:
        """Fetch and read a page, unless it is the version that is known.

        One that is `rendered` has no version: the document of a page that scripts build often stays the same while what
        they show changes.

        Where the page or its headers say `noindex`, `noimageindex` or `none`, or `noai` or `noimageai` where that is
        honoured, all its images are skipped with that reason. Whether the others may be had is for `permits` to say.

        Raises:
            Refused: `robots_disallowed`, `robots_too_large`, `not_a_page`, `page_too_complex`, `url_too_long`, or as
                `Outbound.read`, and as `Renderer.show`.
            TryAgain: `robots_unavailable`, `host_busy`, `host_blocked`, or as `Outbound.read`, and as `Renderer.show`.

        """
        if rendered:
            return Visit(await self._rendered(url), NO_VALIDATORS)
        fetched = await self._ask(url, known)
        if fetched is None:
            return Visit(None, known)
        _refuse_what_is_no_page(fetched)
        page = await self._read(fetched, fetched.body or b"", fetched.final_url, fetched.charset)
        return Visit(page, version_of(fetched))

    async def _rendered(self, url: str) -> Page:
        """Fetch a page, have its scripts build it, and read that."""
        shown = await self._shown(url)
        place = parsed(shown.url)
        if str(place) != shown.fetched.final_url:
            await self._robots.check(place)
        html = shown.html.encode(errors="replace")
        if len(html) > PAGE_LIMIT_BYTES:
            sentence = f"What the scripts of this page build has more than {PAGE_LIMIT_BYTES} bytes."
            raise Refused("body_too_large", sentence)
        return await self._read(shown.fetched, html, str(place), "utf-8")

    async def _shown(self, url: str) -> Shown:
        renderer = self._able_renderer()
        showing = Showing(self._load, self._robots.check)
        try:
            return await renderer.show(url, showing.load, showing.may_ask)
        finally:
            await self._asking.count(showing.asked)

    def check_can_render(self) -> None:
        """Raise Refused (`rendering_unavailable`) where no page can be shown as scripts build it."""
        self._able_renderer()

    def _able_renderer(self) -> Renderer:
        if self._renderer is None:
            raise Refused("rendering_unavailable", "This scraper renders no pages.")
        self._renderer.check()
        return self._renderer

    async def _load(self, url: str) -> Fetched:
        fetched = await self._ask(url, NO_VALIDATORS)
        if fetched is None:
            raise Refused("http_304", "This page says that it has not changed, though nobody asked.")
        _refuse_what_is_no_page(fetched)
        return fetched

    async def _read(self, fetched: Fetched, html: bytes, url: str, charset: str | None) -> Page:
        refuse_longer_than_is_carried(url)
        page = await self._extract(html, url=url, charset=charset, robots_token=self._token)
        page = replace(page, directives=page.directives | directives_in(fetched.headers, self._token))
        closed = self._closing(page.directives)
        return _without_images(page, *closed) if closed else page

    def _closing(self, directives: frozenset[str]) -> tuple[str, str] | None:
        """Give the code and the rule of a page whose images are not to be taken; the narrower where there are two."""
        return next(((code, rule) for rule, code in self._closed_by.items() if rule in directives), None)

    async def document(
        self, url: str, known: Validators = NO_VALIDATORS, *, accept: str, max_bytes: int
    ) -> Fetched | None:
        """Fetch what is no page, such as a sitemap, or give None where it is the version that is known.

        Raises as `visit`, for any type.
        """
        return await self._ask(url, known, accept, max_bytes)

    async def _ask(
        self, url: str, known: Validators, accept: str = _ACCEPT, max_bytes: int = PAGE_LIMIT_BYTES
    ) -> Fetched | None:
        try:
            return await self._asking.read(
                parsed(url),
                allow=self._robots.check,
                excused=_UNCHANGED,
                max_bytes=max_bytes,
                deadline_seconds=self._deadline_seconds,
                accept=accept,
                headers=known.conditions,
            )
        except Refused as refusal:
            if known and _UNCHANGED.fullmatch(refusal.code):
                return None
            raise


def version_of(fetched: Fetched) -> Validators:
    """Tell how a server names what it sent; what another place sent is no version of this one."""
    return NO_VALIDATORS if fetched.final_url != fetched.url else validators_in(fetched.headers)


def _refuse_what_is_no_page(fetched: Fetched) -> None:
    declared = any(name.lower() == "content-type" for name in fetched.headers)
    if fetched.content_type in _PAGE_TYPES or (not declared and _LOOKS_LIKE_PAGE.match(fetched.body or b"")):
        return
    content_type = fetched.content_type if declared else "of no declared type"
    raise Refused("not_a_page", f"What this URL answers is {content_type}, not a web page.")


def _without_images(page: Page, code: str, rule: str) -> Page:
    sentence = f"The site asks robots not to take the images of this page ({rule})."
    closed = (SkippedImage(image.url[:300], code, sentence) for image in page.images)
    return replace(page, images=(), skipped=(*closed, *page.skipped))
