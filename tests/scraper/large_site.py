"""A web site of as many pages as a test wants, with a door that makes visitors wait, and who was answered what."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from aiohttp import web
from PIL import Image

IMAGES_A_PAGE = 10
_CLOSED_EVERY = 100
_PATCHES, _SIDES_PX = (6, 8, 3), (64, 48)


@dataclass
class LargeSite:
    """Pages that lead to two others each; every page shows ten pictures of its own and one that all show.

    Attributes:
        answered: how often each page was answered to somebody who was still there.
        shown: how often each image was.
        trespasses: how often somebody asked for what robots.txt closes.

    """

    pages: int
    answered: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    trespasses: int = 0
    port: int = 0
    _left: int = 10**9
    _open: asyncio.Event = field(default_factory=asyncio.Event)
    _at_door: list[web.Request] = field(default_factory=list)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["LargeSite"]:
        """Serve the site."""
        application = web.Application()
        application.router.add_get("/robots.txt", self._robots)
        application.router.add_get("/page/{number}", self._page)
        application.router.add_get("/closed/{number}", self._closed)
        application.router.add_get("/logo.jpg", self._image)
        application.router.add_get(r"/{number:\d+}-{one:\d}.jpg", self._image)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = int(runner.addresses[0][1])
        try:
            yield self
        finally:
            self.open_door()
            await runner.cleanup()

    @property
    def waiting(self) -> int:
        """How many stand at the door."""
        return len(self._at_door)

    @property
    def still_there(self) -> int:
        """How many of them have not been seen to leave."""
        return sum(_is_there(request) for request in self._at_door)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def page_urls(self) -> set[str]:
        return {f"{self.origin}/page/{number}" for number in range(self.pages)}

    @property
    def image_urls(self) -> set[str]:
        own = {f"{self.origin}/{page}-{one}.jpg" for page in range(self.pages) for one in range(IMAGES_A_PAGE)}
        return own | {f"{self.origin}/logo.jpg"}

    def close_door_after(self, visitors: int) -> None:
        """Have everybody wait who comes after so many pages were answered from now on."""
        self._left = visitors
        self._open.clear()

    def open_door(self) -> None:
        self._left = 10**9
        self._open.set()

    async def _robots(self, _request: web.Request) -> web.Response:
        return web.Response(text="User-agent: *\nDisallow: /closed/\n")

    async def _page(self, request: web.Request) -> web.Response:
        await self._pass_door(request)
        number = int(request.match_info["number"])
        if number >= self.pages:
            raise web.HTTPNotFound
        if _is_there(request):
            self.answered[request.path] += 1
        return web.Response(text=self._html(number), content_type="text/html")

    async def _image(self, request: web.Request) -> web.Response:
        number = int(request.match_info.get("number", -1))
        if number >= self.pages:
            raise web.HTTPNotFound
        if _is_there(request):
            self.shown[request.path] += 1
        return web.Response(body=_drawn((number + 1, int(request.match_info.get("one", 0)))), content_type="image/jpeg")

    async def _closed(self, _request: web.Request) -> web.Response:
        self.trespasses += 1
        raise web.HTTPNotFound

    async def _pass_door(self, request: web.Request) -> None:
        if self._left <= 0:
            self._at_door.append(request)
            try:
                await self._open.wait()
            finally:
                self._at_door.remove(request)
        self._left -= 1

    def _html(self, number: int) -> str:
        links = [one for one in (2 * number + 1, 2 * number + 2) if one < self.pages]
        anchors = "".join(f'<a href="/page/{one}#top">Page {one}</a>' for one in (*links, 0))
        own = "".join(f'<img src="/{number}-{one}.jpg" alt="{number} {one}">' for one in range(IMAGES_A_PAGE))
        closed = f'<a href="/closed/{number}">Closed</a>' if number % _CLOSED_EVERY == 0 else ""
        return f"<!doctype html><title>Page {number}</title><img src=/logo.jpg>{own}{anchors}{closed}"


def _is_there(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _drawn(seed: tuple[int, int]) -> bytes:
    """Draw patches of colours that no other seed gives."""
    patches = np.random.default_rng(seed).integers(0, 256, _PATCHES, np.uint8)
    file = io.BytesIO()
    Image.fromarray(patches).resize(_SIDES_PX, Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()
