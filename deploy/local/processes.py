"""Processes as Linux shows them: who they are, whether they still live, and how to end them for certain."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_POLL_SECONDS = 0.05


class Identity(NamedTuple):
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started_ticks: int

    def lives(self) -> bool:
        """Whether this very process still runs (one that waits to be reaped does not)."""
        return identity(self.pid) == self


def identity(pid: int) -> Identity | None:
    """Who has this number now; None when nobody does, or only a zombie."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, started_ticks = fields[0], int(fields[19])
    return None if state in "ZX" else Identity(pid, started_ticks)


def own_identity() -> Identity:
    mine = identity(os.getpid())
    if mine is None:
        raise RuntimeError("/proc does not show this process; the stack needs Linux's /proc")
    return mine


def working_in(directory: Path) -> list[int]:
    """Find the processes whose working directory is this one: PostgreSQL's backends live in their data folder."""
    target = str(directory.resolve())
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and _works_in(entry, target)]


def _works_in(entry: Path, target: str) -> bool:
    try:
        return os.readlink(entry / "cwd") == target  # noqa: PTH115 - a link into nowhere must be read, not followed
    except OSError:
        return False


def mortal(number: signal.Signals) -> tuple[str, ...]:
    """Return the command prefix with which a program gets this signal when the thread that started it dies."""
    return ("setpriv", "--pdeathsig", number.name.removeprefix("SIG"), "--")


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def send_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


async def until_gone(processes: Iterable[Identity], patience_seconds: float) -> None:
    """Wait for processes to end by themselves, and kill those that do not."""
    left = list(processes)
    deadline = asyncio.get_running_loop().time() + patience_seconds
    while left := [process for process in left if process.lives()]:
        if asyncio.get_running_loop().time() >= deadline:
            send((process.pid for process in left), signal.SIGKILL)
        await asyncio.sleep(_POLL_SECONDS)


async def exit_of(pid: int) -> None:
    """Return when the process has ended. It must be a child of this one that nobody has reaped yet."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
