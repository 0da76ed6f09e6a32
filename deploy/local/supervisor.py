"""Keeps programs alive together: started in waves, ended in reverse order, none outliving the supervisor."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.local.child import Child
from deploy.local.errors import CannotRun
from deploy.local.private_files import private_directory
from deploy.local.program import Program

READY_SECONDS = 90.0
CRASHES_BEFORE_GIVING_UP = 3
_POLL_SECONDS = 0.05
_TAIL_LINES = 12


class Supervisor:
    """Runs children in sessions of their own and brings a crashed one back.

    Use it on the main thread of a process: its children die with that thread.
    """

    def __init__(self, logs: Path, changed: Callable[[], None] = lambda: None) -> None:
        self._logs = logs
        self._changed = changed
        self._children: dict[str, Child] = {}
        self._waves: list[list[Child]] = []
        self._keepers: dict[str, asyncio.Task[None]] = {}

    def __iter__(self) -> Iterator[Child]:
        return iter(self._children.values())

    def child(self, name: str) -> Child:
        """Raise CannotRun `unknown_part` for a name that nothing here bears."""
        if name not in self._children:
            known = ", ".join(self._children) or "nothing"
            raise CannotRun("unknown_part", f"No part of the stack is called {name!r}; there is {known}.")
        return self._children[name]

    def launch(self, *programs: Program) -> None:
        """Start programs as one wave, without waiting for them; the last wave is the first to be ended."""
        private_directory(self._logs)
        wave = [Child(program, self._logs / f"{program.name}.log", self._changed) for program in programs]
        self._waves.append(wave)
        for child in wave:
            self._children[child.program.name] = child
            self._keepers[child.program.name] = asyncio.create_task(child.keep_alive())

    async def ready(self, name: str, timeout_seconds: float = READY_SECONDS) -> float:
        """Wait until a part answers and return how many seconds that took.

        Raises CannotRun `part_not_ready`, with the end of its log, after three crashes or at the timeout.
        """
        child, started = self.child(name), time.monotonic()
        crashes_before = child.crashes
        while not (child.pid and await child.program.is_ready()):
            waited_seconds = time.monotonic() - started
            if child.crashes - crashes_before >= CRASHES_BEFORE_GIVING_UP:
                raise _not_ready(child, f"crashed {CRASHES_BEFORE_GIVING_UP} times: {child.last_error}")
            if waited_seconds > timeout_seconds:
                raise _not_ready(child, f"did not answer within {timeout_seconds:.0f} s")
            if self._keepers[name].done():
                self._keepers[name].result()
            await asyncio.sleep(_POLL_SECONDS)
        return time.monotonic() - started

    def pid(self, name: str) -> int | None:
        """Give the process number of a part as of now; None while it is down."""
        return self.child(name).pid

    async def kill(self, name: str) -> None:
        """Kill a part with -9 and return when it is gone; it comes back by itself."""
        await self.child(name).kill()

    async def hold(self, name: str) -> None:
        """End a part in order and keep it down until `start_again`."""
        await self.child(name).hold()
        self._changed()

    async def start_again(self, name: str) -> float:
        """Let a held part run, wait until it answers, and return the seconds waited."""
        self.child(name).release()
        return await self.ready(name)

    def pause(self, name: str) -> None:
        """Freeze all processes of a part (SIGSTOP): its connections stay open and nothing answers."""
        self.child(name).freeze()

    def resume(self, name: str) -> None:
        """Let a frozen part go on."""
        self.child(name).proceed()

    async def stop(self) -> None:
        """End every wave, the last first; what does not end in its grace period is killed."""
        while self._waves:
            wave = self._waves.pop()
            await asyncio.gather(*(child.hold() for child in wave))
            for child in wave:
                await self._forget(child)

    def hurry(self) -> None:
        """End everything at once."""
        for child in self:
            child.hold_at_once()

    async def _forget(self, child: Child) -> None:
        name = child.program.name
        keeper = self._keepers.pop(name)
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        del self._children[name]


def _not_ready(child: Child, what: str) -> CannotRun:
    lines = child.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if child.log.exists() else []
    tail = "".join(f"\n    {line}" for line in lines)
    return CannotRun("part_not_ready", f"{child.program.name} {what}. The end of {child.log}:{tail}")
