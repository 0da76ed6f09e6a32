"""Pages shown in Chromium, a few at a time, each in a browser of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from services.scraper.rendering.becoming import NOT_CONFINED, NOT_HELD, NOT_SANDBOXED
from services.scraper.rendering.browser import Browser, browsing, find_browser
from services.scraper.rendering.devtools import ProtocolError
from services.scraper.rendering.keeper import TOO_HEAVY
from services.scraper.rendering.loading import Load, MayAsk
from services.scraper.rendering.tab import Shown, Tab
from shared.errors import Refused, TryAgain
from shared.fetch import Fetched, Proxy

IN_LINE_PER_PLACE: Final = 4
"""More would keep the places of jobs that need no browser."""

DIAL_LIMIT: Final = 300
"""Connections that may be made for one page, whatever asks for them."""

_IN_LINE_SECONDS: Final = 10.0
_LAST_WORDS_SECONDS: Final = 0.5
_WEAKER: Final = {
    NOT_SANDBOXED: "Chromium runs without its own sandbox, for processes may have no namespaces here",
    NOT_CONFINED: "the kernel does not bind Chromium to its folder and our proxy, for it has no Landlock with ports",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a page may take until it is shown.

    Attributes:
        at_once: pages that are shown at a time.
        seconds: for all of it, and then the browser is killed.
        settle_seconds: after so long what is there is taken, quiet or not.
        max_bytes: that may come in for scripts, styles and what these ask for.
        memory_bytes: of all processes of one browser together.

    """

    at_once: int = 1
    seconds: float = 45.0
    settle_seconds: float = 15.0
    max_bytes: int = 32 * 1024 * 1024
    memory_bytes: int = 1024 * 1024 * 1024


DEFAULT_LIMITS: Final = Limits()


class Renderer:
    """Shows pages as a visitor would see them.

    Args:
        program: the browser; the Chromium on the PATH where it is None.
        user_agent: who we say we are.
        proxy: makes the way out of one browser, for so many bytes and connections.
        scratch: where browsers keep what they need meanwhile; the system's place where it is None.
        limits: of each page.

    """

    def __init__(
        self,
        program: Path | None,
        user_agent: str,
        proxy: Callable[[int, int], Proxy],
        *,
        scratch: Path | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._program = program
        self._user_agent = user_agent
        self._proxy = proxy
        self._scratch = scratch
        self._limits = limits
        self._places = asyncio.Semaphore(limits.at_once)
        self._in_line = 0
        self._told: set[str] = set()

    def check(self) -> None:
        """Raise Refused (`rendering_unavailable`) where there is no browser."""
        find_browser(self._program)

    async def show(self, url: str, load: Load, may_ask: MayAsk) -> Shown:
        """Show a page and give what its scripts have built.

        Where the wait is cancelled, the browser and all that it started are gone within 3 s.

        Args:
            url: of the page.
            load: fetches it, and any page that scripts go on to; what it raises is raised.
            may_ask: tells of each script, style and piece of data whether it may be asked for.

        Raises:
            Refused: `rendering_unavailable`, `page_too_heavy`, `page_not_shown`, `body_too_large`.
            TryAgain: `render_timeout`, `renderer_failed`, `renderers_busy`, `scratch_unavailable`.

        """
        async with self._turn():
            fetched = await load(url)
            try:
                async with asyncio.timeout(self._limits.seconds), self._way_out() as proxy:
                    async with self._browser(proxy) as browser:
                        shown = await self._shown(browser, Tab(browser.devtools, proxy, load, may_ask), fetched)
                    if proxy.overrun:
                        raise _too_heavy()
                    return shown
            except TimeoutError as error:
                sentence = f"The page was not to be shown within {self._limits.seconds:g} s."
                raise TryAgain("render_timeout", sentence) from error

    def _way_out(self) -> Proxy:
        return self._proxy(self._limits.max_bytes, DIAL_LIMIT)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of the few places, unless many wait already: each that waits keeps a page from its own."""
        if self._in_line >= IN_LINE_PER_PLACE * self._limits.at_once:
            raise TryAgain(
                "renderers_busy",
                "Other pages are being shown; this one is when some of them are done.",
                retry_after_seconds=_IN_LINE_SECONDS,
                rate_limited=True,
            )
        self._in_line += 1
        try:
            async with self._places:
                yield
        finally:
            self._in_line -= 1

    @asynccontextmanager
    async def _browser(self, proxy: Proxy) -> AsyncIterator[Browser]:
        program = await asyncio.to_thread(find_browser, self._program)
        limit = self._limits.memory_bytes
        async with browsing(program, proxy, self._scratch, user_agent=self._user_agent, memory_bytes=limit) as browser:
            yield browser
            self._tell_what_is_weaker(browser)

    def _tell_what_is_weaker(self, browser: Browser) -> None:
        for complaint, sentence in _WEAKER.items():
            if complaint in browser.notes and complaint not in self._told:
                self._told.add(complaint)
                _log.warning("browser_less_confined", sentence=sentence)

    async def _shown(self, browser: Browser, tab: Tab, fetched: Fetched) -> Shown:
        """Wait for the page, for what makes it impossible, or for the end of the browser."""
        listening = asyncio.create_task(browser.devtools.listen())
        showing = asyncio.create_task(tab.show(fetched, self._limits.settle_seconds))
        awaited: set[asyncio.Future[Any]] = {listening, showing, tab.failed}
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if tab.failed.done():
                tab.failed.result()
            if showing.done() and not showing.exception():
                return showing.result()
            raise await _why(browser, listening, showing)
        finally:
            await tab.close()
            for task in (listening, showing):
                task.cancel()
            await asyncio.gather(listening, showing, return_exceptions=True)


async def _why(browser: Browser, listening: asyncio.Task[None], showing: asyncio.Task[Shown]) -> BaseException:
    """Say why a page was not shown, by what the browser, its keeper and whoever spoke with it have said."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            await browser.ended.wait()
    if TOO_HEAVY in browser.notes:
        return _too_heavy()
    if NOT_HELD in browser.notes:
        sentence = (
            "This scraper renders no pages, for nothing would hold Chromium there: it needs Linux 6.7 with Landlock, or"
            " namespaces for its own sandbox."
        )
        return Refused("rendering_unavailable", sentence)
    errors = [task.exception() for task in (listening, showing) if task.done() and task.exception()]
    _log.warning("page_not_shown", errors=[repr(error) for error in errors], said=[*browser.notes, *browser.complaints])
    told = next((error for error in errors if error and not isinstance(error, ProtocolError)), None)
    return told or TryAgain("renderer_failed", "The browser does not do what it is told.")


def _too_heavy() -> Refused:
    return Refused("page_too_heavy", "The scripts of this page need more than the browser that shows it is given.")
