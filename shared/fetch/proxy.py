"""An HTTP proxy on loopback for one program that we do not trust to choose where it connects.

It dials the very address that it judged, so that a name that changes its mind reaches nothing. What was refused is
remembered, since the program tells of it in words of its own.
"""

import asyncio
import base64
import hmac
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from math import inf
from types import TracebackType
from typing import Final, Self

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import DefaultResolver

from shared.addresses import Policy, Url
from shared.errors import Failure, Refused, TryAgain
from shared.fetch.proxy_requests import Head, read_head, read_status

CONNECTION_LIMIT: Final = 32
REMEMBERED: Final = 100

_CHUNK_BYTES: Final = 64 * 1024
_DIAL_SECONDS: Final = 15.0
_HEAD_SECONDS: Final = 30.0

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _open_socket(address: AddrInfoType) -> socket.socket:
    return socket.socket(*address[:3])


class Proxy:
    """Forwards plain HTTP and CONNECT to public hosts, for who knows its password.

    Args:
        policy: which addresses and ports may be dialled.
        max_bytes: that may come in through it, all connections together.
        max_connections: that are made altogether; None for any number.
        resolver: looks names up instead of the system's resolver.
        open_socket: makes the socket for an address that was let through.

    Attributes:
        refused: the last that was not dialled, oldest first.
        received_bytes: what has come in.
        overrun: more wanted to come in than may.

    """

    def __init__(
        self,
        policy: Policy,
        *,
        max_bytes: int,
        max_connections: int | None = None,
        resolver: AbstractResolver | None = None,
        open_socket: Callable[[AddrInfoType], socket.socket] = _open_socket,
    ) -> None:
        self.refused: list[Refused] = []
        self.received_bytes = 0
        self.overrun = False
        self.port = 0
        self._policy = policy
        self._max_bytes = max_bytes
        self._connections_left = inf if max_connections is None else max_connections
        self._resolver = resolver
        self._open_socket = open_socket
        self._password = secrets.token_urlsafe(24)
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def credentials(self) -> tuple[str, str]:
        """The name and the password that it asks for."""
        return "diorama", self._password

    @property
    def url(self) -> str:
        """Where it is, with its password: for nobody but the program that it serves."""
        return f"http://diorama:{self._password}@127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._own_resolver = self._resolver or DefaultResolver()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        if self._resolver is None:
            await self._own_resolver.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= CONNECTION_LIMIT:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve((reader, writer)))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, client: Streams) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                await self._answer(client)
        finally:
            if self.overrun:
                client[1].transport.abort()
            else:
                client[1].close()

    async def _answer(self, client: Streams) -> None:
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = await read_head(client[0], self._policy)
            if not self._knows_password(head):
                await _say(client[1], 407, "proxy_password_wrong", 'Proxy-Authenticate: Basic realm="diorama"\r\n')
                return
            server = await self._dial(head.url)
        except Failure as failure:
            if isinstance(failure, Refused):
                self.refused = [*self.refused, failure][-REMEMBERED:]
            await _say(client[1], 403 if isinstance(failure, Refused) else 502, failure.code)
            return
        try:
            await self._join(head, client, server)
        finally:
            server[1].transport.abort()

    def _knows_password(self, head: Head) -> bool:
        expected = "Basic " + base64.b64encode(f"diorama:{self._password}".encode()).decode()
        return hmac.compare_digest(head.authorization.encode(), expected.encode())

    async def _join(self, head: Head, client: Streams, server: Streams) -> None:
        if head.method == "CONNECT":
            client[1].write(b"HTTP/1.1 200 Connected\r\n\r\n")
            sending = asyncio.create_task(_pour(client[0], server[1]))
        else:
            server[1].write(head.onward())
            sending = asyncio.create_task(_pour(client[0], server[1], head.body_bytes))
        try:
            if head.method != "CONNECT":
                # One request a connection: the next one might be for another host.
                client[1].write(await read_status(server[0]))
            await self._bring(server[0], client[1])
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _bring(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            self.received_bytes += len(chunk)
            if self.received_bytes > self._max_bytes:
                self.overrun = True
                return
            writer.write(chunk)
            await writer.drain()

    async def _dial(self, url: Url) -> Streams:
        """Connect to the first address of a host that answers, of those that are let through."""
        self._connections_left -= 1
        if self._connections_left < 0:
            raise Refused("proxy_exhausted", "No more hosts are asked for this.")
        refusal: Refused | None = None
        for address in await self._addresses(url):
            try:
                self._policy.check_address(str(address[4][0]), url.port)
                return await self._connect(address)
            except Refused as refused:
                # The address itself is not told: it would map our network for the stranger.
                refusal = Refused(refused.code, f"{url.host} is not a public host.")
            except (OSError, TimeoutError):
                continue
        raise refusal or TryAgain("fetch_connection_failed", f"The connection to {url.host} failed.")

    async def _addresses(self, url: Url) -> list[AddrInfoType]:
        if url.address:
            family = socket.AF_INET6 if url.address.version == 6 else socket.AF_INET  # noqa: PLR2004 - the protocol's number
            return [_stream_to(family, str(url.address), url.port)]
        try:
            found = await self._own_resolver.resolve(url.host, url.port, socket.AF_UNSPEC)
        except OSError as error:
            raise TryAgain("host_not_found", f"The name {url.host} could not be resolved.") from error
        return [_stream_to(socket.AddressFamily(place["family"]), place["host"], url.port) for place in found]

    async def _connect(self, address: AddrInfoType) -> Streams:
        plug = self._open_socket(address)
        try:
            plug.setblocking(False)
            async with asyncio.timeout(_DIAL_SECONDS):
                await asyncio.get_running_loop().sock_connect(plug, address[4])
                return await asyncio.open_connection(sock=plug, limit=_CHUNK_BYTES)
        except BaseException:
            plug.close()
            raise


def _stream_to(family: socket.AddressFamily, host: str, port: int) -> AddrInfoType:
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


async def _say(writer: asyncio.StreamWriter, status: int, code: str, more: str = "") -> None:
    writer.write(f"HTTP/1.1 {status} {code}\r\n{more}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit_bytes: int | None = None) -> None:
    """Carry bytes over, all or so many; what comes after those is not carried."""
    left = limit_bytes
    while left is None or left > 0:
        chunk = await reader.read(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
        if not chunk:
            break
        left = None if left is None else left - len(chunk)
        writer.write(chunk)
        await writer.drain()
    if limit_bytes is None and writer.can_write_eof():
        writer.write_eof()
