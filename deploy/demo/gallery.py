"""The sample site, served to this machine alone for as long as the demo lasts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from deploy.demo.page import FOLDER, LOGO, PIXEL, page_of
from deploy.local.errors import CannotRun

_SIGN: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 44 44"><circle cx="22" cy="22" r="20" fill="none" '
    'stroke="#857d70" stroke-width="1.5"/><path d="M6 28l10-11 7 8 6-6 9 9" fill="none" stroke="#857d70" '
    'stroke-width="1.5"/><circle cx="30" cy="13" r="3" fill="#c9a34e"/></svg>'
)
_DOT: Final = bytes.fromhex("47494638396101000100800000c2c2c200000021f90401000000002c00000000010001000002024401003b")
_TYPES: Final = {".gif": "image/gif", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
"""By the name alone, as a web server does it, whatever the file holds."""
_ROBOTS: Final = "User-agent: *\nAllow: /\n"
_STOP_SECONDS: Final = 2.0


@asynccontextmanager
async def gallery(folder: Path, host: str, port: int) -> AsyncIterator[str]:
    """Serve the site and give its address; raises CannotRun `gallery_port_taken`."""
    site = f"http://{host}:{port}"
    runner = web.AppRunner(site_of(folder, site), access_log=None, shutdown_timeout=_STOP_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotRun(
                "gallery_port_taken",
                f"Another program listens on {host}:{port}, where the sample gallery is to be served: "
                "another demo perhaps. End it, or `make down` and try again.",
            ) from error
        yield f"{site}/"
    finally:
        await runner.cleanup()


def site_of(folder: Path, site: str) -> web.Application:
    """Put the site together: its page, its pictures, and what else lies around."""

    def text(body: str, content_type: str) -> web.Response:
        return web.Response(text=body, content_type=content_type)

    async def page(_request: web.Request) -> web.Response:
        return text(page_of(site), "text/html")

    async def robots(_request: web.Request) -> web.Response:
        return text(_ROBOTS, "text/plain")

    async def sign(_request: web.Request) -> web.Response:
        return text(_SIGN, "image/svg+xml")

    async def dot(_request: web.Request) -> web.Response:
        return web.Response(body=_DOT, content_type="image/gif")

    async def picture(request: web.Request) -> web.StreamResponse:
        file = folder / request.match_info["file"]
        if file.suffix not in _TYPES or file.parent != folder:
            raise web.HTTPNotFound
        return web.FileResponse(file, headers={"Content-Type": _TYPES[file.suffix]})

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/robots.txt", robots)
    app.router.add_get(f"/{LOGO}", sign)
    app.router.add_get(f"/{PIXEL}", dot)
    app.router.add_get(f"/{FOLDER}/{{file}}", picture)
    return app
