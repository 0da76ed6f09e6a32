"""Another system that is told by webhook: it takes what it is sent, or refuses it until it is asked not to."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

TAKES, REFUSES = "takes", "refuses"
_LOOPBACK: Final = "127.0.0.1"


class Receiver:
    """Served at an address of its own, which the gateway has to be allowed."""

    def __init__(self) -> None:
        self._socket = socket.create_server((_LOOPBACK, 0))
        self.address = f"{_LOOPBACK}:{self._socket.getsockname()[1]}"
        self.refuses = True

    def url_of(self, name: str) -> str:
        return f"http://{self.address}/{name}"

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Receiver"]:
        app = web.Application()
        app.router.add_post("/{name}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, self._socket).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        await request.read()
        refused = self.refuses and request.match_info["name"] == REFUSES
        return web.Response(status=500 if refused else 204)
