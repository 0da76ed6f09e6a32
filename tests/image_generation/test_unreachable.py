"""A provider that nobody reaches was not asked: nothing is paid for there, and somebody else may draw."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from math import inf

import pytest
from aiohttp import web

from shared.fetch import outbound
from tests.image_generation.ateliers import PICTURE, ModelsLabServer, OpenAIServer, opened
from tests.image_generation.painters import Painter, wish
from tests.image_generation.shift import Shift
from tests.living import House, until

USUAL_IDLE_SECONDS = 5


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


class Impatient:
    """Serves as Node and uvicorn do, which close what was idle for a while, and at that moment read nothing more.

    Attributes:
        place: where it listens.
        read: what was asked of it.
        left_in_time: how often somebody else closed a connection that this would still have read.

    """

    def __init__(self, idle_seconds: float) -> None:
        self.place, self.read, self.left_in_time = "", list[str](), 0
        self._idle_seconds = idle_seconds
        self._body = json.dumps({"data": [{"b64_json": base64.b64encode(PICTURE).decode()}]}).encode()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        now = asyncio.get_running_loop().time
        idle_since = inf  # what comes first is always read
        with suppress(ConnectionError):
            while head := await _head(reader):
                if now() - idle_since >= self._idle_seconds:
                    break
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                self.read.append((await reader.readexactly(length)).decode())
                kind = b"Content-Type: application/json"
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n" % (kind, len(self._body)))
                writer.write(self._body)
                await writer.drain()
                idle_since = now()
            else:
                self.left_in_time += now() - idle_since < self._idle_seconds
        writer.transport.abort()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def drawn_by(house: House, impatient: Impatient, *, between: Callable[[], Awaitable[object]]) -> list[str | None]:
    """Have it draw twice with one provider; tell what each job failed for."""
    codes = list[str | None]()
    async with impatient.serving(), OpenAIServer() as server:
        settings = {"base_url": f"http://{impatient.place}", "allow": impatient.place, "price_usd": "0.04"}
        async with opened(server, **settings) as [provider]:
            shift = Shift(house, {"openai": provider})
            for command in (wish(), wish()):
                codes.append((await shift.work([command]))[command.job_id].code)
                if len(codes) == 1:
                    await between()
    return codes


async def test_a_connection_is_left_before_others_close_it_for_being_idle(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent over it at that moment is never read, and nobody here could tell."""
    assert outbound._IDLE_SECONDS < USUAL_IDLE_SECONDS
    monkeypatch.setattr(outbound, "_IDLE_SECONDS", 0.1)
    impatient = Impatient(USUAL_IDLE_SECONDS)

    async def left() -> bool:
        return impatient.left_in_time == 1

    assert await drawn_by(house, impatient, between=lambda: until(left)) == [None, None]
    assert len(impatient.read) == 2


async def test_what_is_asked_over_a_connection_that_is_being_closed_is_never_read(house: House) -> None:
    """The control."""
    impatient = Impatient(0)
    codes = await drawn_by(house, impatient, between=lambda: asyncio.sleep(0))
    assert (codes, len(impatient.read)) == ([None, "outcome_unknown"], 1)
