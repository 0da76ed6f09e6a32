"""A switch in the line to a server: off, nobody is there; on again, it is the same server."""

import asyncio
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from tests.ports import free_port


class Switch:
    """Passes connections on to the server of a URL while it is on; at first it is off."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 0)
        self._port = free_port()
        credentials = parts.netloc.rpartition("@")[0]
        self.url = urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{self._port}"))
        self._on = False
        self._passing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        # The port stays open all the time: closing one while somebody knocks leaves sockets behind.
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.off()
        self._server.close()
        await self._server.wait_closed()

    def on(self) -> None:
        self._on = True

    async def off(self) -> None:
        self._on = False
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._on:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._pass(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        # Also of a task that was cancelled before it began.
        task.add_done_callback(lambda _: writer.transport.abort())

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with AsyncExitStack() as stack:
            there_reader, there_writer = await asyncio.open_connection(*self._target)
            stack.push_async_callback(_close, there_writer)
            ways = [asyncio.create_task(_pump(reader, there_writer)), asyncio.create_task(_pump(there_reader, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()
