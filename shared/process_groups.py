"""A program in a process group of its own, which is gone with all that it started when the block ends.

Whoever leaves the group and loses its parent is found by a mark in its environment, also where a guard that would have
known it was killed itself. Not so a process that has wiped its environment, or was given another, as a browser is.
"""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

_MARK: Final = "DIORAMA_STARTED_AS"

TERM_SECONDS: Final = 1.5
"""How long a group may take to end by itself before it is killed."""

_LOOKS: Final = 20
"""At most; who starts others faster than anybody looks is a matter for a guard."""

Tell = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def running(
    arguments: Sequence[str], environment: Mapping[str, str], line_limit_bytes: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamReader, Tell]]:
    """Start a program; yield its stdout, its stderr and what writes to its stdin."""
    mark = uuid4().hex
    process = await _started(arguments, {**environment, _MARK: mark}, line_limit_bytes, mark)
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise LookupError("a process started with pipes has them")
    stdin = process.stdin

    async def tell(content: bytes) -> None:
        with suppress(ConnectionError):  # it went away; listening tells why
            stdin.write(content)
            await stdin.drain()

    try:
        yield process.stdout, process.stderr, tell
    finally:
        await _unhurried(_end(process, mark))


async def _started(
    arguments: Sequence[str], environment: Mapping[str, str], line_limit_bytes: int, mark: str
) -> Process:
    """Start a program. Where that is cancelled asyncio would end it alone, and wait for whatever it has started."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd="/",
            env=environment,
            start_new_session=True,
            limit=line_limit_bytes,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _unhurried(_end_starting(starting, mark))
        raise


async def _end_starting(starting: Awaitable[Process], mark: str) -> None:
    try:
        process = await starting
    except OSError:
        return  # there is nothing to end
    await _end(process, mark)


async def _unhurried(ending: Awaitable[None]) -> None:
    """Finish what ends a process also where the one who waits for it is cancelled meanwhile."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _end(process: Process, mark: str) -> None:
    _signal(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(TERM_SECONDS):
            await process.wait()
    # Whatever the leader started may have outlived it.
    _signal(process.pid, signal.SIGKILL)
    await process.wait()
    await asyncio.to_thread(_end_marked, f"{_MARK}={mark}".encode())


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)


def _end_marked(mark: bytes) -> None:
    for _ in range(_LOOKS):
        if sum(_killed(process, mark) for process in Path("/proc").glob("[0-9]*")) == 0:
            return


def _killed(process: Path, mark: bytes) -> bool:
    """Kill a process that carries the mark; tell whether it did. One of another user, or that has ended, does not."""
    with suppress(OSError):
        if mark not in (process / "environ").read_bytes().split(b"\0"):
            return False
        handle = os.pidfd_open(int(process.name))
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):  # nobody else has the number meanwhile
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                return True
        finally:
            os.close(handle)
    return False
