"""A site that is shown in a real Chromium, and what may not be reached from there."""

import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver

from services.scraper.crawler import Crawler
from services.scraper.rendering.browser import find_browser
from services.scraper.rendering.renderer import Limits, Renderer
from services.scraper.rendering.tab import Shown
from shared.addresses import Policy
from shared.errors import Refused
from shared.fetch import Outbound, Proxy
from tests.scraper.site import AT_ONCE, USER_AGENT, Clock, Notebook, Site
from tests.shared.strangers import Stranger, diverting


def _has_browser() -> bool:
    try:
        return bool(find_browser(None))
    except Refused:
        return False


LIMITS = Limits(at_once=2, seconds=60, settle_seconds=30)
"""Of time more than any page here takes, also where many tests run at once."""

needs_chromium = pytest.mark.skipif(not _has_browser(), reason="there is no Chromium on this machine")


@dataclass
class Window:
    """A crawler that renders one site, its proxies, and the folder of its browsers."""

    site: Site
    scratch: Path
    renderer: Renderer
    crawler: Crawler
    proxies: list[Proxy] = field(default_factory=list)

    async def images(self, path: str = "/") -> list[str]:
        page = await self.crawler.page(f"{self.site.origin}{path}", rendered=True)
        return [image.url.removeprefix(self.site.origin) for image in page.images]

    async def shown(self, path: str = "/") -> Shown:
        return await self.crawler._shown(f"{self.site.origin}{path}")

    def left_over(self) -> list[str]:
        """Name files and processes of its browsers."""
        return [*map(str, self.scratch.iterdir()), *commands_with(str(self.scratch))]


def commands_with(text: str) -> Iterator[str]:
    for process in Path("/proc").iterdir():
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if process.name.isdigit() and text in command:
            yield f"{process.name} {command}"


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that everybody may enter, as root's browser is nobody."""
    folder = Path(tempfile.mkdtemp(prefix="window-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def window(
    site: Site,
    limits: Limits = LIMITS,
    *,
    program: Path | None = None,
    allow: frozenset[tuple[str, int]] = frozenset(),
    **options: Any,
) -> AsyncIterator[Window]:
    """Render a site, in time that only passes while somebody sleeps; `allow` and `options` are the proxy's."""
    clock, proxies = Clock(), list[Proxy]()
    own = frozenset({("127.0.0.1", site.port)})

    def proxy(max_bytes: int, max_connections: int) -> Proxy:
        policy = Policy(allow=own | allow)
        proxies.append(Proxy(policy, max_bytes=max_bytes, max_connections=max_connections, **options))
        return proxies[-1]

    with open_folder() as scratch:
        async with Outbound(user_agent=USER_AGENT, allow=own) as outbound:
            renderer = Renderer(program, USER_AGENT, proxy, scratch=scratch, limits=limits)
            crawler = Crawler(
                outbound,
                USER_AGENT,
                Notebook(clock),
                limits=AT_ONCE,
                renderer=renderer,
                clock=clock,
                sleep=clock.sleep,
            )
            yield Window(site, scratch, renderer, crawler, proxies)


@asynccontextmanager
async def outside(names: AbstractResolver, dialled: list[str]) -> AsyncIterator[tuple[Stranger, dict[str, Any]]]:
    """Give a stranger that stands in for every public address, and the options of a proxy that knows its names."""
    async with Stranger() as stranger:
        divert = diverting(stranger.port, dialled)

        def open_socket(address: AddrInfoType) -> socket.socket:
            return socket.socket(*address[:3]) if str(address[4][0]).startswith("127.") else divert(address)

        yield stranger, {"resolver": names, "open_socket": open_socket}
