"""A program in a process group of its own, which is gone with all that it started when the block ends."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

TERM_SECONDS: Final = 1.5
"""How long a group may take to end by itself before it is killed."""

Tell = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def running(
    arguments: Sequence[str], environment: Mapping[str, str], line_limit_bytes: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamReader, Tell]]:
    """Start a program; yield its stdout, its stderr and what writes to its stdin."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd="/",
        env=dict(environment),
        start_new_session=True,
        limit=line_limit_bytes,
    )
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
        await _unhurried(_end(process))


async def _unhurried(ending: Awaitable[None]) -> None:
    """Finish what ends a process also where the one who waits for it is cancelled meanwhile."""
    task = asyncio.ensure_future(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _end(process: Process) -> None:
    _signal(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(TERM_SECONDS):
            await process.wait()
    # Whatever the leader started may have outlived it.
    _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
