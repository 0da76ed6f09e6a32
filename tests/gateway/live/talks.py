"""A client that talks over a WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from tests.gateway.living import Client


class Talk:
    """One open socket, and what was said over it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, type_: str, **fields: Any) -> None:
        await self.socket.send_str(orjson.dumps({"type": type_, **fields}, default=str).decode())

    async def next(self) -> dict[str, Any]:
        """Give the next message; raises EOFError with the close code where there is none."""
        async with asyncio.timeout(15):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise EOFError(self.socket.close_code)
        return dict(orjson.loads(message.data))

    async def next_of(self, *types: str) -> dict[str, Any]:
        while (message := await self.next())["type"] not in types:
            pass
        return message

    async def subscribe(self, name: str, **fields: Any) -> None:
        """Subscribe, and return once everything so far has been told. What was told is passed over."""
        await self.say("subscribe", id=name, **fields)
        await self.next_of("caught_up")

    async def events(self, count: int) -> list[dict[str, Any]]:
        return [await self.next_of("event") for _ in range(count)]

    async def farewell(self) -> tuple[str | None, int | None]:
        """Give the code of the last error and the close code; raises TimeoutError while it stays open."""
        error = None
        while True:
            try:
                message = await self.next()
            except EOFError:
                return error, self.socket.close_code
            error = message["code"] if message["type"] == "error" else error


@asynccontextmanager
async def talking(client: Client, path: str = "/api/v1/ws", **options: Any) -> AsyncIterator[Talk]:
    """Connect as a client whose requests carry his token, and be greeted."""
    async with client.session.ws_connect(path, **options) as socket:
        yield Talk(socket)
