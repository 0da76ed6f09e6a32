"""One program kept alive: started in a session of its own, started again when it crashes."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from typing import IO

from deploy.local.processes import Identity, exit_of, identity, mortal, send, send_group, until_gone
from deploy.local.program import Program

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
STABLE_SECONDS = 10.0
"""A program that ran for so long starts its pauses from the beginning."""
LONGEST_LOG_BYTES = 20_000_000


class Child:
    """A program under supervision.

    Must be used on the main thread: the kernel tells a child of the death of the thread that started it.
    """

    def __init__(self, program: Program, log: Path, changed: Callable[[], None]) -> None:
        self.program = program
        self.log = log
        self.crashes = 0
        self.last_error: str | None = None
        self._changed = changed
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._gone = asyncio.Event()
        self._gone.set()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def held(self) -> bool:
        return not self._wanted.is_set()

    def identity(self) -> Identity | None:
        return identity(self.pid) if self.pid else None

    async def keep_alive(self) -> None:
        """Run until cancelled; each crash is answered with a new start after a growing pause."""
        pause_seconds = FIRST_PAUSE_SECONDS
        while True:
            await self._wanted.wait()
            started = time.monotonic()
            await self._run_once()
            if self.held:
                continue
            self.crashes += 1
            self._changed()
            if time.monotonic() - started > STABLE_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)

    async def hold(self) -> None:
        """End the program, kindly at first, and keep it down."""
        self._wanted.clear()
        if self._process is None:
            return
        self.deliver(self.program.stop_signal)
        self.proceed()  # a frozen program hears nothing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.program.grace_seconds):
                await self._gone.wait()
        await self.kill()

    def hold_at_once(self) -> None:
        """End the program without any grace and keep it down."""
        self._wanted.clear()
        self.deliver(SIGKILL)

    def release(self) -> None:
        """Let a held program run again."""
        self._wanted.set()

    async def kill(self) -> None:
        """End the program as a crash would and return when it is gone. It comes back unless held."""
        self.deliver(SIGKILL)
        await self._gone.wait()

    def deliver(self, number: Signals) -> None:
        if self._process is not None:
            send([self._process.pid], number)

    def freeze(self) -> None:
        """Stop all its processes in the middle of what they do."""
        self._signal_all(SIGSTOP)

    def proceed(self) -> None:
        """Let frozen processes go on."""
        self._signal_all(SIGCONT)

    def _signal_all(self, number: Signals) -> None:
        if self._process is not None:
            send_group(self._process.pid, number)
            send(self.program.relatives(), number)

    async def _run_once(self) -> None:
        await self._clear_relatives()
        if self.held:
            return
        try:
            self._process = process = self._start()
        except OSError as error:
            self.last_error = str(error)
            return
        self._gone.clear()
        self._changed()
        try:
            await exit_of(process.pid)
        finally:
            self._bury(process)

    def _bury(self, process: "subprocess.Popen[bytes]") -> None:
        send_group(process.pid, SIGKILL)  # whatever it started and did not take along
        process.wait()
        self.last_error = f"it ended with exit status {process.returncode}"
        self._process = None
        self._gone.set()
        self._changed()

    async def _clear_relatives(self) -> None:
        """End what a crash left: busy backends of PostgreSQL, whose shared memory keeps the next one from starting."""
        left = [found for pid in self.program.relatives() if (found := identity(pid))]
        await until_gone(left, patience_seconds=0)

    def _start(self) -> "subprocess.Popen[bytes]":
        program = self.program
        with self._open_log() as output:
            return subprocess.Popen(  # noqa: S603 - the command is ours, a list, and no shell reads it
                (*program.wrapper, *mortal(program.stop_signal), *program.command),
                env=dict(program.environment),
                cwd=program.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _open_log(self) -> IO[bytes]:
        if self.log.exists() and self.log.stat().st_size > LONGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)
        return self.log.open("ab")
