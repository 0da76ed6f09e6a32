"""A provider that nobody reaches was not asked: nothing is paid for there, and somebody else may draw."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
from aiohttp import web

from tests.image_generation.ateliers import PICTURE, ModelsLabServer, OpenAIServer, opened
from tests.image_generation.painters import Painter, wish
from tests.image_generation.shift import Shift
from tests.living import House


@contextmanager
def swallowing() -> Iterator[str]:
    """Listen as a host behind a firewall that drops what comes in: no connection is ever made, and none refused."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        before = [socket.socket() for _ in range(3)]  # these fill the room for whoever waits to be let in
        for one in before:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        for one in before:
            one.close()


@pytest.fixture
async def nowhere() -> AsyncIterator[str]:
    with swallowing() as place:
        yield place


async def test_whoever_could_not_even_be_reached_is_stood_in_for_and_costs_nothing(house: House, nowhere: str) -> None:
    stand_in, command = Painter("stand-in"), wish()
    away = {"base_url": f"http://{nowhere}", "allow": nowhere, "price_usd": "0.04", "deadline_seconds": 1}
    async with ModelsLabServer() as server, opened(server, **away) as [provider]:
        shift = Shift(house, {"modelslab": provider, "stand-in": stand_in}, {"fallbacks": ("stand-in",)})
        outcome = (await shift.work([command]))[command.job_id]
    assert (outcome.state, outcome.provider, outcome.code) == ("completed", "stand-in", None)


class Silent(OpenAIServer):
    """Takes what it is asked for, and says nothing for as long as anybody waits."""

    async def _submit(self, request: web.Request) -> web.Response:
        self.taken[(await request.json())["prompt"]] += 1
        while request.transport is not None:
            await asyncio.sleep(0.05)
        return web.Response()


async def test_whoever_was_reached_and_does_not_answer_in_time_may_have_taken_it(house: House) -> None:
    """The control."""
    stand_in, command = Painter("stand-in"), wish()
    async with Silent() as server, opened(server, price_usd="0.04", deadline_seconds=0.5) as [provider]:
        shift = Shift(house, {"openai": provider, "stand-in": stand_in}, {"fallbacks": ("stand-in",)})
        outcome = (await shift.work([command]))[command.job_id]
        assert (outcome.code, sum(server.taken.values()), stand_in.asked) == ("outcome_unknown", 1, 0)


@asynccontextmanager
async def closing_after(idle_seconds: float) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve as Node and uvicorn do, which close what was idle for 5 s, and at that moment read nothing more."""
    read: list[str] = []
    body = json.dumps({"data": [{"b64_json": base64.b64encode(PICTURE).decode()}]}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        idle_since = asyncio.get_running_loop().time()
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                if asyncio.get_running_loop().time() - idle_since >= idle_seconds:
                    break
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                read.append((await reader.readexactly(length)).decode())
                kind = b"Content-Type: application/json"
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (kind, len(body), body))
                await writer.drain()
                idle_since = asyncio.get_running_loop().time()
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", read


async def test_a_connection_that_is_being_closed_for_being_idle_is_not_asked_over(house: House) -> None:
    """What is sent over it is never read, and nobody here could tell."""
    first, second = wish(), wish()
    async with closing_after(5) as (place, read), OpenAIServer() as server:
        settings = {"base_url": f"http://{place}", "allow": place, "price_usd": "0.04"}
        async with opened(server, **settings) as [provider]:
            shift = Shift(house, {"openai": provider})
            for command in (first, second):
                outcome = (await shift.work([command]))[command.job_id]
                assert (outcome.state, outcome.code) == ("completed", None)
                await asyncio.sleep(5.1 if command is first else 0)
    assert len(read) == 2
