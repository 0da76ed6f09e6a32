"""One confined process, seen from outside."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from shared.errors import Refused, TryAgain
from shared.sandbox.processor import has_ended, is_runnable, processor_seconds, resident_bytes
from shared.settings import inherited

START_LIMIT_SECONDS: Final = 60.0
HEADER_LIMIT_BYTES: Final = 1024 * 1024
SENTENCE_LIMIT_CHARACTERS: Final = 500

_LENGTH: Final = struct.Struct(">I")
_CHUNK_BYTES: Final = 1024 * 1024
_SLICES: Final = 20
_PATIENCE: Final = 4  # times the limit: then the machine is to blame
_LOOKS, _LOOK_SECONDS = 50, 0.02
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
# After these a process is not trusted with another call.
_SPENT: Final = frozenset({"decoder_crashed", "needs_too_much_memory"})

# -I: neither the environment nor the working folder decides what is imported.
_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); from shared.sandbox.child import main; main()"
)
# ONNX Runtime tells its maker from where and how it is used, unless it hears of this before it is loaded.
_TOLD_NOBODY: Final = {"ORT_DISABLE_TELEMETRY": "1"}
# All that the child sees. Threads of number libraries would each map memory of their own. What a call gives back is
# kept for the next, up to 16 MiB: pages that come anew cost a tenth of what is done with them.
_ENVIRONMENT: Final = {
    **_TOLD_NOBODY,
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024),
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PATH": os.defpath,
}
# Memory comes by 2 MiB where the kernel has such pages to give, and by 4 KiB as ever where it has not.
_WITH_LARGE_PAGES: Final = {**_ENVIRONMENT, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

T = TypeVar("T")


class Killed(TryAgain):
    """`sandbox_unavailable`: a process that was at work on bytes was killed from outside, as where memory is short.

    Whoever may have the same bytes read for ever counts these: they may be what takes the memory.
    """

    def __init__(self) -> None:
        super().__init__(
            "sandbox_unavailable",
            "The process that read this file was killed, as happens where memory is short; it is read again later.",
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use.

    Attributes:
        memory_bytes: more than is mapped after the preloaded modules; the payload counts.
        seconds: of processor time, and of wall time without what is spent waiting for a processor.
        answer_bytes: all blobs of the answer together.
        preload: modules imported before the first call.
        readable: files that may be read beside the program.
        confined: False: only `seconds` and `answer_bytes` count.
        large_pages: memory comes in large pages.
        threads: that work at once; the kernel counts their processor time together.

    """

    memory_bytes: int
    seconds: float
    answer_bytes: int
    preload: Sequence[str]
    readable: Sequence[Path]
    confined: bool = True
    large_pages: bool = False
    threads: int = 1


class Child:
    """A confined process that answers one call at a time.

    Attributes:
        calls: how many it has been given.
        pid: of the process, which leads a group of its own.

    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        limits: Limits,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.calls = 0
        self.pid = process.pid
        self._idle = False
        self._ended = False
        self._resident_bytes = 0
        self._process = process
        self._limits = limits
        self._reader, self._writer = streams

    @classmethod
    async def start(cls, limits: Limits) -> "Child":
        """Start a process and wait until it is confined; raises TryAgain (`sandbox_unavailable`)."""
        ours, theirs = socket.socketpair()
        streams = await asyncio.open_connection(sock=ours, limit=_CHUNK_BYTES)
        with theirs:
            child = cls(_spawn(theirs, limits), limits, streams)
        try:
            async with asyncio.timeout(START_LIMIT_SECONDS):
                header, _ = await child._hear()
        except (TimeoutError, Refused) as error:
            raise _unavailable("it ended at once or takes for ever") from error
        else:
            child._idle = header.get("status") == "ready"
            child._resident_bytes = resident_bytes(child.pid)
        finally:
            if not child._idle:
                await child.end()
        if not child._idle:
            raise _unavailable(_spoken(str(header.get("sentence"))))
        return child

    @property
    def usable(self) -> bool:
        """False while a call runs, after one that was not answered in full, and after death."""
        return self._idle and not self._reader.at_eof() and not has_ended(self.pid)

    @property
    def grown_bytes(self) -> int:
        """How much more memory it holds than when it had started, or than after its rehearsal."""
        return resident_bytes(self.pid) - self._resident_bytes

    async def rehearse(self, function: str, payload: bytes, options: dict[str, Any]) -> None:
        """Have a function called that leaves the process warm; raises as `call` does."""
        self._idle = False
        outcome = _outcome((await self._in_time(self._exchange(function, payload, options)))[0])
        if isinstance(outcome, Refused):
            raise outcome
        self._idle = True
        self._resident_bytes = resident_bytes(self.pid)

    async def call(
        self, function: str, payload: bytes | Path, options: dict[str, Any]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Have a function called; raises Refused for all that the bytes provoke, and TryAgain for what they do not."""
        self._idle = False
        self.calls += 1
        header, blobs = await self._in_time(self._exchange(function, payload, options))
        outcome = _outcome(header)
        if isinstance(outcome, Refused):
            self._idle = outcome.code not in _SPENT
            raise outcome
        self._idle = True
        return outcome, blobs

    async def _exchange(
        self, function: str, payload: bytes | Path, options: dict[str, Any]
    ) -> tuple[dict[str, Any], list[bytes]]:
        await self._tell(function, payload, options)
        return await self._hear()

    async def _in_time(self, exchange: Coroutine[Any, Any, T]) -> T:
        """Let an exchange go on for as long as the limit says.

        Only what the bytes cost counts. Time in which the process would have run and was given no processor does not,
        and of a longer sleep of this very process one slice: what was answered meanwhile is heard after it.
        """
        slice_seconds = self._limits.seconds / _SLICES
        task, spent, processor = asyncio.create_task(exchange), 0.0, processor_seconds(self.pid)
        try:
            for _ in range(_SLICES * _PATIENCE):
                if (await asyncio.wait({task}, timeout=slice_seconds))[0]:
                    return task.result()
                if spent >= self._limits.seconds:
                    raise self._too_long()
                before, processor = processor, processor_seconds(self.pid)
                share = (processor - before) / self._limits.threads
                spent += min(share, slice_seconds) if is_runnable(self.pid) else slice_seconds
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        raise TryAgain("machine_too_busy", "This machine had no time to read this file; it is read again later.")

    async def end(self) -> None:
        """Kill the process and all it started; it is gone when this returns."""
        self._idle = False
        if self._ended:
            return
        self._ended = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._writer.transport.abort()
        await asyncio.to_thread(self._process.wait)

    async def _tell(self, function: str, payload: bytes | Path, options: dict[str, Any]) -> None:
        try:
            call = {"function": function, "options": options, "size_bytes": _size_bytes(payload)}
            header = orjson.dumps(call)
            self._writer.write(_LENGTH.pack(len(header)) + header)
            async for chunk in _chunks(payload):
                self._writer.write(chunk)
                await self._writer.drain()
        except ConnectionError:
            return  # it went away; listening tells why
        except OSError as error:
            raise TryAgain("scratch_unavailable", "The file to read is not on the scratch disk.") from error

    async def _hear(self) -> tuple[dict[str, Any], list[bytes]]:
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            _check_size(length, HEADER_LIMIT_BYTES)
            header = orjson.loads(await self._reader.readexactly(length))
            sizes = _blob_sizes(header)
            _check_size(sum(sizes), self._limits.answer_bytes)
            return header, [await self._reader.readexactly(size) for size in sizes]
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            by_itself = await self._ends_by_itself()
            await self.end()
            if self._process.returncode == -signal.SIGXCPU:
                raise self._too_long() from error
            if self._process.returncode == -signal.SIGKILL and by_itself:
                raise Killed from error
            raise _crashed() from error
        except ValueError as error:
            raise _crashed() from error

    async def _ends_by_itself(self) -> bool:
        """Tell whether a process that has hung up is about to be gone without being killed here."""
        for _ in range(_LOOKS):
            if self._ended or has_ended(self.pid):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return not self._ended and has_ended(self.pid)

    def _too_long(self) -> Refused:
        return Refused("takes_too_long", f"Reading this file took longer than {self._limits.seconds:g} s.")


def _spawn(wire: socket.socket, limits: Limits) -> subprocess.Popen[bytes]:
    settings = {
        "parent_pid": os.getpid(),
        "preload": list(limits.preload),
        "readable": [str(path.resolve()) for path in limits.readable],
        "memory_bytes": limits.memory_bytes,
        "seconds": limits.seconds * limits.threads,
        "confined": limits.confined,
    }
    paths = [str(Path(entry).resolve()) for entry in sys.path]
    return subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-I", "-c", _PROGRAM, json.dumps(settings), json.dumps(paths)],
        stdin=wire.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_environment(limits),
        start_new_session=True,
    )


def _environment(limits: Limits) -> dict[str, str]:
    if not limits.confined:
        return {**inherited(), **_TOLD_NOBODY}  # drivers are told by ours where things are
    return _WITH_LARGE_PAGES if limits.large_pages else _ENVIRONMENT


def _size_bytes(payload: bytes | Path) -> int:
    return len(payload) if isinstance(payload, bytes) else payload.stat().st_size


async def _chunks(payload: bytes | Path) -> AsyncIterator[bytes]:
    if isinstance(payload, bytes):
        yield payload
        return
    left = _size_bytes(payload)
    with payload.open("rb", buffering=0) as file:
        if left <= _CHUNK_BYTES:
            # It has just come in, so that reading it costs less than to ask a thread.
            yield file.read(left)
            return
        while left > 0 and (chunk := await asyncio.to_thread(file.read, min(left, _CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def _blob_sizes(header: object) -> list[int]:
    """Check what a process that may have been taken over says of itself; raise ValueError."""
    sizes = header.get("blobs") if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("the header announces no sizes")
    return sizes


def _outcome(header: dict[str, Any]) -> dict[str, Any] | Refused:
    match header:
        case {"status": "done", "result": dict() as result}:
            return result
        case {"status": "refused", "code": str() as code, "sentence": str() as sentence} if _CODE.fullmatch(code):
            return Refused(code, _spoken(sentence))
        case {"status": "memory"}:
            return Refused("needs_too_much_memory", "Reading this file needs more memory than is allowed.")
        case {"status": "failed", "sentence": str() as sentence}:
            return Refused("decoder_failed", f"This file could not be read: {_spoken(sentence)}")
    return _crashed()


def _spoken(sentence: str) -> str:
    return "".join(character if character.isprintable() else " " for character in sentence[:SENTENCE_LIMIT_CHARACTERS])


def _check_size(size_bytes: int, limit_bytes: int) -> None:
    if size_bytes > limit_bytes:
        raise Refused("answer_too_large", f"Reading this file makes more than {limit_bytes} bytes.")


def _unavailable(reason: str) -> TryAgain:
    return TryAgain("sandbox_unavailable", f"The process that reads untrusted files cannot start: {reason}.")


def _crashed() -> Refused:
    return Refused("decoder_crashed", "Reading this file made the decoder crash.")
