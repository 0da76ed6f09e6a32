"""Serving HTTP beside other work: uvicorn without its own grip on signals."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import structlog
import uvicorn
from starlette.types import ASGIApp

from shared.health import Health, health_app
from shared.settings import ServiceSettings

_LONGEST_MESSAGE_BYTES = 16 * 1024
"""That a client may send over a WebSocket; a longer one ends it."""

_TICK_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._left = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, and tell those who wait for it."""
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        """Keep the date that replies carry until it is left, and be gone at once then."""
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._left.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port; where nobody is connected there is nothing to wait for."""
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
            await server.wait_closed()

    def leave(self) -> None:
        self.should_exit = True
        self._left.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process: it drains before it stops serving."""
        yield


@asynccontextmanager
async def serve(app: ASGIApp, settings: ServiceSettings) -> AsyncIterator[None]:
    """Serve an application at the address of the settings for as long as the context is open."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=False,
        ws_max_size=_LONGEST_MESSAGE_BYTES,
        ws_per_message_deflate=False,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    up = asyncio.create_task(server.up.wait())
    await asyncio.wait((up, serving), return_when=asyncio.FIRST_COMPLETED)
    up.cancel()
    if serving.done():
        serving.result()
        raise SystemExit(f"HTTP_PORT {settings.http_port} of {settings.http_host} cannot be opened")
    port = server.servers[0].sockets[0].getsockname()[1]
    _log.info("serving", address=f"http://{settings.http_host}:{port}")
    try:
        yield
    finally:
        server.leave()
        await serving


@asynccontextmanager
async def serve_health(health: Health, settings: ServiceSettings) -> AsyncIterator[None]:
    """Serve health and metrics alone, as every worker does."""
    async with serve(health_app(health), settings):
        yield
