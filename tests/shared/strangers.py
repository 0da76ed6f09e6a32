"""Stand-ins for the Internet: a host that answers as told, names that resolve as told, sockets that stay here."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

PUBLIC_ADDRESS = "93.184.215.14"
OTHER_PUBLIC_ADDRESS = "8.8.8.8"


@dataclass(frozen=True)
class Asked:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def answer(
    body: bytes = b"", *, status: int = 200, headers: Sequence[tuple[str, str]] = (), declared: bool = True
) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Connection: close", *(f"{name}: {value}" for name, value in headers)]
    if declared:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    return answer(status=status, headers=[("Location", location)])


@dataclass
class Stranger:
    """One raw HTTP host on loopback that remembers every connection and every request."""

    answers: dict[str, bytes] = field(default_factory=dict)
    otherwise: bytes = answer(b"trapped")
    tls: ssl.SSLContext | None = None
    hangs: set[str] = field(default_factory=set)
    connections: int = 0
    open_now: int = 0
    most_open: int = 0
    asked: list[Asked] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        self._go_on = asyncio.Event()
        self._news = asyncio.Condition()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
        self._server.close()
        await self._server.wait_closed()

    def release(self) -> None:
        """Let every request that hangs be answered."""
        self._go_on.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that was counted makes the condition true."""
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(condition)

    def _answer(self, asked: Asked) -> bytes:
        return self.answers.get(asked.target, self.otherwise)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            asked = await _read_request(reader)
            self.asked.append(asked)
            async with self._news:
                self._news.notify_all()
            if asked.target in self.hangs:
                await self._go_on.wait()
            writer.write(self._answer(asked))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # a client that goes away is what some tests are about
        finally:
            self.open_now -= 1
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)


class StubResolver(AbstractResolver):
    """Resolves names from a table; a list of lists is given out answer by answer, as a rebinding host does."""

    def __init__(self, names: dict[str, list[str]], later: dict[str, list[str]] | None = None) -> None:
        self._names = names
        self._later = later or {}
        self.asked: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - the client's interface has it
    ) -> list[ResolveResult]:
        table = self._later if host in self.asked and host in self._later else self._names
        self.asked.append(host)
        if host not in table:
            raise OSError(socket.EAI_NONAME, "name not known")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in table[host]
        ]

    async def close(self) -> None:
        """Nothing is held."""


def diverting(port: int, dialled: list[str]) -> Callable[[AddrInfoType], socket.socket]:
    """Make sockets that claim to dial what the guard let through, and dial the stand-in instead."""

    def open_socket(address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, target = address
        dialled.append(str(target[0]))
        return _Diverted(port, socket.AddressFamily(family), kind, protocol)

    return open_socket


class _Diverted(socket.socket):
    def __init__(self, port: int, claimed: socket.AddressFamily, kind: int, protocol: int) -> None:
        super().__init__(socket.AF_INET, kind, protocol)
        self._port = port
        self._claimed = claimed

    @property
    def family(self) -> socket.AddressFamily:
        return self._claimed

    def connect(self, _: object) -> None:
        super().connect(("127.0.0.1", self._port))
