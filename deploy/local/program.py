"""What a supervisor keeps alive, and the questions that show whether it answers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from signal import SIGTERM, Signals

_PROBE_SECONDS = 2.0


def _nobody() -> Iterable[int]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of a stack.

    Attributes:
        name: unique in its stack; names its log as well.
        command: argument list; no shell is involved.
        environment: the whole environment of the program, nothing is inherited.
        address: where people and other programs find it.
        is_ready: a real question to the running program; False while it does not answer.
        wrapper: argument list put before the command, for a server that refuses root.
        stop_signal: what it is asked to end with, and what it gets when its supervisor dies.
        grace_seconds: how long it may take to end before it is killed.
        relatives: its processes outside its own process group.

    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    address: str
    is_ready: Callable[[], Awaitable[bool]]
    directory: Path | None = None
    wrapper: tuple[str, ...] = ()
    stop_signal: Signals = SIGTERM
    grace_seconds: float = 20.0
    relatives: Callable[[], Iterable[int]] = _nobody


async def http_status(host: str, port: int, path: str) -> int | None:
    """Ask with a GET; return the status, or None while nobody answers."""
    return await asyncio.to_thread(_http_status, host, port, path)


def _http_status(host: str, port: int, path: str) -> int | None:
    connection = HTTPConnection(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


async def first_bytes(host: str, port: int, greeting: bytes) -> bytes:
    """Greet a server and return what it says first; empty while nobody answers."""
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(greeting)
                return await reader.read(64)
            finally:
                writer.close()
    except OSError:  # TimeoutError is one of them
        return b""
