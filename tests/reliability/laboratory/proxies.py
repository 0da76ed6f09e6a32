"""A wire between one service and one server, on which things go wrong as they do on networks."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from deploy.local.ports import LOOPBACK
from tests.shared.lines import reset

_CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to bytes on their way.

    Attributes:
        held: nothing passes in either direction, not even the end of a connection; what was sent arrives afterwards.
        delay_seconds: that each chunk waits.
        chunk_bytes: the most that passes at once.

    """

    held: bool = False
    delay_seconds: float = 0.0
    chunk_bytes: int = _CHUNK_BYTES


FAIR = Weather()
BLACK_HOLE = Weather(held=True)
LATENCY = Weather(delay_seconds=0.25)
SLOW_DRIP = Weather(delay_seconds=0.02, chunk_bytes=256)


class Wire:
    """Carries connections from a port of its own to a server. Use it as an async context manager.

    Attributes:
        port: on the loopback address, once entered.
        touched: chunks that met the present weather, where it is not fair.

    """

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._weather = FAIR
        self._changed = asyncio.Event()
        self._carrying: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self.port = 0
        self.touched = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, LOOPBACK)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.reset()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        return len(self._carrying)

    def turn(self, weather: Weather) -> None:
        """Let the weather change, for the connections that are there as well."""
        self._weather, self.touched = weather, 0
        self._changed.set()
        self._changed = asyncio.Event()

    def reset(self) -> int:
        """Cut every connection with RST to both sides; return how many there were."""
        for carrying, writers in self._carrying.items():
            for writer in writers:
                reset(writer)
            carrying.cancel()
        return len(self._carrying)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        carrying = asyncio.current_task()
        assert carrying is not None
        ends = self._carrying[carrying] = [writer]
        try:
            await self._pass(self._weather.chunk_bytes)  # nor does a connection come about in a black hole
            there_reader, there_writer = await asyncio.open_connection(*self._there)
            ends.append(there_writer)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._forward(reader, there_writer))
                ways.create_task(self._forward(there_reader, writer))
        except* (OSError, asyncio.CancelledError):
            for end in ends:  # one side has gone away, or the wire was cut
                end.transport.abort()
        finally:
            del self._carrying[carrying]
            for end in ends:
                end.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            left = memoryview(chunk)
            while left:
                size = await self._pass(len(left))
                writer.write(left[:size])
                await writer.drain()
                left = left[size:]
        await self._pass(0)
        if writer.can_write_eof():
            writer.write_eof()

    async def _pass(self, size_bytes: int) -> int:
        """Wait for as long as the weather says; return how many of these bytes may go on."""
        while self._weather is not FAIR:
            self.touched += 1
            weather, changed = self._weather, self._changed
            with suppress(TimeoutError):
                async with asyncio.timeout(None if weather.held else weather.delay_seconds):
                    await changed.wait()
            if weather is self._weather and not weather.held:
                return min(size_bytes, weather.chunk_bytes)
        return size_bytes
