"""Each fault of a wire is what it is called, and leaves what comes after it in peace."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from deploy.local.ports import LOOPBACK
from tests.reliability.laboratory.proxies import BLACK_HOLE, FAIR, LATENCY, SLOW_DRIP, Wire

QUICKLY_SECONDS = 0.2
PAYLOAD = bytes(range(256)) * 16


@dataclass
class Caller:
    """One connection over the wire, to a server that says back what it hears."""

    wire: Wire
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def hears_back(self, said: bytes) -> float:
        began = time.monotonic()
        self.writer.write(said)
        assert await self.reader.readexactly(len(said)) == said
        return time.monotonic() - began


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while heard := await reader.read(65536):
        writer.write(heard)
    writer.close()


@asynccontextmanager
async def _echoing() -> AsyncIterator[Wire]:
    server = await asyncio.start_server(_echo, LOOPBACK)
    async with server, Wire(*server.sockets[0].getsockname()) as wire:
        yield wire


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with _echoing() as wire:
        reader, writer = await asyncio.open_connection(LOOPBACK, wire.port)
        yield Caller(wire, reader, writer)
        writer.transport.abort()


async def test_in_fair_weather_everything_arrives_and_nothing_is_touched(caller: Caller) -> None:
    await caller.hears_back(PAYLOAD * 100)
    assert (caller.wire.touched, caller.wire.connections) == (0, 1)


async def test_the_end_of_a_connection_is_carried_over(caller: Caller) -> None:
    caller.writer.write(PAYLOAD)
    caller.writer.write_eof()
    assert await asyncio.wait_for(caller.reader.read(-1), 5) == PAYLOAD


async def test_a_reset_cuts_what_is_there_and_not_what_comes_after(caller: Caller) -> None:
    await caller.hears_back(PAYLOAD)
    assert caller.wire.reset() == 1
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(caller.reader.read(), 5)
    reader, writer = await asyncio.open_connection(LOOPBACK, caller.wire.port)
    await Caller(caller.wire, reader, writer).hears_back(PAYLOAD)
    writer.transport.abort()


async def test_a_black_hole_keeps_what_is_sent_and_gives_it_back(caller: Caller) -> None:
    caller.wire.turn(BLACK_HOLE)
    hearing = asyncio.create_task(caller.hears_back(PAYLOAD))
    done, _ = await asyncio.wait((hearing,), timeout=QUICKLY_SECONDS)
    assert not done
    assert caller.wire.touched > 0
    caller.wire.turn(FAIR)
    await asyncio.wait_for(hearing, 5)


async def test_latency_delays_both_ways(caller: Caller) -> None:
    caller.wire.turn(LATENCY)
    assert await caller.hears_back(b"x") >= 2 * LATENCY.delay_seconds
    assert caller.wire.touched == 2


async def test_a_slow_drip_lets_few_bytes_pass_at_a_time(caller: Caller) -> None:
    caller.wire.turn(SLOW_DRIP)
    drops = len(PAYLOAD) // SLOW_DRIP.chunk_bytes
    assert await caller.hears_back(PAYLOAD) >= drops * SLOW_DRIP.delay_seconds
    assert caller.wire.touched >= 2 * drops


async def test_a_change_of_weather_is_felt_by_what_is_on_its_way(caller: Caller) -> None:
    caller.wire.turn(SLOW_DRIP)
    hearing = asyncio.create_task(caller.hears_back(PAYLOAD * 1000))
    async with asyncio.timeout(5):
        while not caller.wire.touched:
            await asyncio.sleep(0.01)
    caller.wire.turn(FAIR)
    assert await asyncio.wait_for(hearing, 5) < len(PAYLOAD) * 1000 / SLOW_DRIP.chunk_bytes * SLOW_DRIP.delay_seconds


async def test_the_end_of_a_server_is_told(caller: Caller) -> None:
    caller.wire._there = (LOOPBACK, 1)  # where nobody listens
    reader, writer = await asyncio.open_connection(LOOPBACK, caller.wire.port)
    async with asyncio.timeout(5):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.transport.abort()
    await caller.hears_back(PAYLOAD)
