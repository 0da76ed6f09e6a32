"""A small web site for the sweep: pictures on a page, one of them broken and one away at first, and a slow page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from tests.journeys.gallery import Picture, draw, truncated

PAGE, OTHER_PAGE, SLOW_PAGE = "page", "other", "slow"
HALL, ROOM, NOWHERE = "hall", "hall/room", "nowhere"
_MOVED, _SALOON, _BUSY, _GONE, _OVER = "hall/moved", "hall/saloon", "hall/busy", "hall/gone", "hall/over"
GUARDED: Final = "guarded"
"""Shows an image whose largest file lies where TLS is spoken, that is to say nowhere."""

DESK: Final = "desk"
"""Has the same version all the time, and says so to whoever knows it."""

_VERSION: Final = '"1"'
HALL_PAGES: Final = 5
"""With one more of those that it leads to, a crawl has more pages than it is allowed."""

SHY: Final = draw("shy", 1)
"""Answers 503 when it is first asked for in a round."""

SINGLE: Final = draw("single", 2)
LISTED: Final = draw("listed", 3)
"""Named by a manifest, and on no page."""

SHOWN: Final[tuple[Picture, ...]] = (draw("sound", 0), SHY, truncated("broken"))


class Site:
    """Served at the one address on this machine that may be fetched.

    Attributes:
        opened: while it is not set, pictures make their visitors wait.

    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.opened = asyncio.Event()
        self._ended = asyncio.Event()
        self._was_shy = False
        self._was_busy = False

    def begin(self) -> None:
        """Begin a new round: let go of who still waits, and be shy again."""
        self._ended.set()
        self._ended = asyncio.Event()
        self._was_shy = False
        self._was_busy = False
        self.opened.set()

    def url_of(self, what: str | Picture) -> str:
        return f"{self.address}/{what if isinstance(what, str) else _file_of(what)}"

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Site"]:
        app = web.Application()
        app.router.add_get("/{name:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        place = urlsplit(self.address)
        await web.TCPSite(runner, place.hostname, place.port).start()
        try:
            yield self
        finally:
            self._ended.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == GUARDED:
            return web.Response(text=self._guarded(), content_type="text/html")
        if name == SLOW_PAGE:
            await self._ended.wait()
        if name in {PAGE, OTHER_PAGE, SLOW_PAGE}:
            return web.Response(text=_html(SHOWN if name == PAGE else ()), content_type="text/html")
        if name == DESK:
            return _desk(request)
        if name.startswith(HALL):
            return self._hall(name)
        for picture in (*SHOWN, SINGLE, LISTED):
            if _file_of(picture) == name:
                return await self._show(picture)
        raise web.HTTPNotFound

    def _guarded(self) -> str:
        large = self.address.replace("http://", "https://")
        sources = f"{large}/{NOWHERE}/large.jpg 2000w, /{NOWHERE}/small.jpg 100w"
        return f'<!doctype html><title>Guarded</title><img srcset="{sources}" alt="Missing">'

    def _hall(self, name: str) -> web.Response:
        if name == _MOVED:
            return web.Response(status=301, headers={"Location": f"/{_SALOON}"})
        if name == _BUSY and not self._was_busy:
            self._was_busy = True
            return web.Response(status=503, headers={"Retry-After": "0"})
        if name not in {HALL, ROOM, _SALOON, _BUSY}:
            raise web.HTTPNotFound
        return web.Response(text=_HALL_HTML if name == HALL else _html(()), content_type="text/html")

    async def _show(self, picture: Picture) -> web.Response:
        await self.opened.wait()
        if picture is SHY and not self._was_shy:
            self._was_shy = True
            return web.Response(status=503, headers={"Retry-After": "0"})
        return web.Response(body=picture.body, content_type=picture.content_type)


def _desk(request: web.Request) -> web.Response:
    if request.headers.get("If-None-Match") == _VERSION:
        return web.Response(status=304)
    return web.Response(text=_html(()), content_type="text/html", headers={"ETag": _VERSION})


def _file_of(picture: Picture) -> str:
    return f"{len(picture.body)}-{picture.name}"


def _html(pictures: tuple[Picture, ...]) -> str:
    figures = "".join(f'<img src="/{_file_of(picture)}" alt="A picture">' for picture in pictures)
    return f"<!doctype html><html lang=en><title>Pictures</title><body><main>{figures}</main></body></html>"


_HALL_HTML: Final = "".join(
    (
        *(f'<a href="/{name}">Further</a>' for name in (ROOM, _MOVED, _BUSY, _GONE, _OVER)),
        *(f'<img src="/{NOWHERE}/{number}.jpg" alt="Missing">' for number in (1, 2)),
    )
)
