"""A web site for the journeys: exhibitions of small pictures, drawn here, that can make their visitors wait."""

import asyncio
import io
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

import numpy as np
from aiohttp import web
from PIL import Image, ImageDraw

_FORMATS = (("jpg", "JPEG", "image/jpeg"), ("png", "PNG", "image/png"), ("webp", "WEBP", "image/webp"))
_SHORTEST_PX, _LONGEST_PX = 320, 480
_EVERYBODY = 10**9
CLOSED = "closed"
"""What robots.txt keeps robots out of."""


@dataclass(frozen=True)
class Picture:
    """One file of an exhibition.

    Attributes:
        code: why it is refused, where it is no picture.
        tag: what its host asks of robots.

    """

    name: str
    body: bytes = field(repr=False)
    content_type: str
    code: str | None = None
    tag: str | None = None

    @property
    def sha256(self) -> str:
        return sha256(self.body).hexdigest()


class Door:
    """Lets some pass, and has the others wait until it is opened."""

    def __init__(self) -> None:
        self.waited_at = asyncio.Event()
        self._left = _EVERYBODY
        self._opened = asyncio.Event()

    def close_after(self, visitors: int) -> None:
        """Have everybody wait who comes after the first `visitors` from now on."""
        self._left = visitors

    def open(self) -> None:
        self._left = _EVERYBODY
        self._opened.set()

    async def pass_through(self) -> None:
        if self._left <= 0:
            self.waited_at.set()
            await self._opened.wait()
        self._left -= 1


@dataclass
class Exhibition:
    """One page and its pictures.

    Attributes:
        url: of the page.
        pictures: in their order on the page.
        page_door: before the page.
        picture_door: before the pictures.

    """

    url: str
    pictures: Sequence[Picture]
    page_door: Door = field(default_factory=Door)
    picture_door: Door = field(default_factory=Door)

    @property
    def sound(self) -> list[Picture]:
        return [picture for picture in self.pictures if picture.code is None]

    @property
    def broken(self) -> list[Picture]:
        return [picture for picture in self.pictures if picture.code is not None]

    def url_of(self, picture: Picture) -> str:
        return f"{self.url}{picture.name}"

    def html(self) -> str:
        figures = "".join(
            f'<figure><img src="{picture.name}" alt="Picture {number}"><figcaption>No. {number}</figcaption></figure>'
            for number, picture in enumerate(self.pictures, 1)
        )
        return f"<!doctype html><html lang=en><title>{self.url}</title><body><main>{figures}</main></body></html>"


class Gallery:
    """The site: every exhibition lies in a folder of its name.

    Attributes:
        asked: what was asked for how often, each by its host and path.

    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: Counter[str] = Counter()
        self._exhibitions: dict[str, Exhibition] = {}

    async def exhibit(self, name: str, pictures: int = 24, *, further: Iterable[Picture] = ()) -> Exhibition:
        """Draw pictures that nobody has seen before and hang them up, with further ones behind them."""
        drawn = await asyncio.to_thread(lambda: [draw(name, number) for number in range(pictures)])
        exhibition = Exhibition(f"{self.address}/{name}/", [*drawn, *further])
        self._exhibitions[name] = exhibition
        return exhibition

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Gallery"]:
        """Serve the site while the context is open."""
        app = web.Application()
        app.router.add_get("/robots.txt", self._robots)
        app.router.add_get("/{exhibition}/{file:.*}", self._file)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        place = urlsplit(self.address)
        await web.TCPSite(runner, place.hostname, place.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _robots(self, request: web.Request) -> web.Response:
        self.asked[f"{request.host}{request.path}"] += 1
        return web.Response(text=f"User-agent: *\nDisallow: /{CLOSED}/\n")

    async def _file(self, request: web.Request) -> web.Response:
        self.asked[f"{request.host}{request.path}"] += 1
        exhibition = self._exhibitions.get(request.match_info["exhibition"])
        name = request.match_info["file"]
        if exhibition is None:
            raise web.HTTPNotFound
        if not name:
            await exhibition.page_door.pass_through()
            return web.Response(text=exhibition.html(), content_type="text/html")
        for picture in exhibition.pictures:
            if picture.name == name:
                await exhibition.picture_door.pass_through()
                headers = {"X-Robots-Tag": picture.tag} if picture.tag else {}
                return web.Response(body=picture.body, content_type=picture.content_type, headers=headers)
        raise web.HTTPNotFound


def draw(name: str, number: int, *, scale: int = 1) -> Picture:
    """Draw a soft ground with some things on it: the same for the same name and number, and for no other."""
    chance = np.random.default_rng([zlib.crc32(name.encode()), number])
    width, height = (int(side) * scale for side in chance.integers(_SHORTEST_PX, _LONGEST_PX, 2))
    ground = Image.fromarray(chance.integers(0, 256, (4, 5, 3), np.uint8))
    image = ground.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(4):
        x, y, size = (int(value) for value in chance.integers(0, _SHORTEST_PX * scale, 3))
        pen.ellipse((x, y, x + size, y + size // 2), fill=tuple(int(part) for part in chance.integers(0, 256, 3)))
    extension, format_, content_type = _FORMATS[number % len(_FORMATS)]
    file = io.BytesIO()
    image.save(file, format_)
    return Picture(f"{number:02}.{extension}", file.getvalue(), content_type)


def truncated(name: str) -> Picture:
    """Give the first half of a PNG."""
    whole = draw(name, 1).body
    return Picture(f"{name}.png", whole[: len(whole) // 2], "image/png", code="image_truncated")


def web_page_in_disguise(name: str) -> Picture:
    """Give a web page that calls itself a JPEG."""
    body = b"<!doctype html><html><title>Sorry</title><body>Please log in to see this picture.</body></html>"
    return Picture(f"{name}.jpg", body, "image/jpeg", code="web_page_not_image")
