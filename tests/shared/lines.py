"""A line to a server that can be cut, or die without a word, while new connections find their way."""

import asyncio
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_LOOPBACK = "127.0.0.1"
_CHUNK_BYTES = 65536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER without time: the other side sees RST instead of FIN


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as one that the other side has never heard of."""
    with suppress(OSError):  # it has ended by itself a moment ago
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


class Line:
    """Carries connections to the server that a URL names. Use it as an async context manager.

    Attributes:
        url: the same, by way of this line.

    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._port = 0
        self._dead: set[asyncio.Task[None]] = set()
        self._carrying: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    @property
    def url(self) -> str:
        user, _, _ = self._parts.netloc.rpartition("@")
        return self._parts._replace(netloc=f"{user}@{_LOOPBACK}:{self._port}").geturl()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.cut()

    async def cut(self) -> None:
        """Reset all connections, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for carrying, writers in self._carrying.items():
            for writer in writers:
                reset(writer)
            carrying.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    async def mend(self) -> None:
        """Take connections again, at the same port."""
        self._server = await asyncio.start_server(self._carry, _LOOPBACK, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def die(self) -> int:
        """Carry nothing any more over the connections that are there, and tell nobody; return how many there were."""
        self._dead.update(self._carrying)
        return len(self._carrying)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying = asyncio.current_task()
        assert carrying is not None
        ends = self._carrying[carrying] = [writer]
        try:
            there_reader, there_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
            ends.append(there_writer)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._forward(reader, there_writer, carrying))
                ways.create_task(self._forward(there_reader, writer, carrying))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._carrying[carrying]
            for end in ends:
                end.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carrying: "asyncio.Task[None]"
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if carrying in self._dead:
                await asyncio.Event().wait()
            writer.write(chunk)
            await writer.drain()
        writer.close()
