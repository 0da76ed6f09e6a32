"""A few warm confined processes, replaced as they wear out or die."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from shared.sandbox.process import Child, Limits

ANSWER_LIMIT_BYTES: Final = 512 * 1024 * 1024

Confined = Callable[[bytes, dict[str, Any]], tuple[dict[str, Any], list[bytes]]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A first call of every process, before it is given real ones: what it loads is loaded then."""

    function: Confined
    payload: bytes
    options: Mapping[str, Any] = field(default_factory=dict)


class Sandbox:
    """Runs functions on hostile bytes in processes that are limited, confined and killable.

    A process inherits no environment and no open file, may write no file, dies with its parent, and is
    killed with all it started when a call takes too long or is cancelled. Where the kernel has Landlock it
    can also read nothing but the program, open no TCP connection and signal nobody. Who takes a process over
    may still forge its later answers: `calls_per_process=1` buys a fresh one for every call.

    Args:
        processes: how many calls run at a time.
        memory_bytes: what one call may map beyond the preloaded modules; its payload counts.
        seconds: of one call, without the waits for a free process and for a processor.
        threads: in how many a call works at once, each of which may be given so much time of a processor.
        calls_per_process: after so many a process is replaced.
        answer_bytes: how large all blobs of an answer may be together.
        preload: modules that every process imports before its first call.
        readable: files that the functions read beside the program, such as the weights of a model.
        growth_bytes: a process that holds so much more memory than after its rehearsal is replaced.
        confined: False for functions that no stranger's bytes reach and that drive a device: their processes are killed
            and measured like others, but may use the whole machine.
        large_pages: for calls that take and give back hundreds of megabytes each: a tenth of their time may go into
            taking these by 4 KiB. Only confined processes can have them.
        rehearsal: what every process is called with first; what it raises is raised by whoever waits for the process.

    """

    def __init__(
        self,
        *,
        processes: int,
        memory_bytes: int,
        seconds: float,
        calls_per_process: int = 200,
        answer_bytes: int = ANSWER_LIMIT_BYTES,
        preload: Sequence[str] = (),
        readable: Sequence[Path] = (),
        growth_bytes: int | None = None,
        rehearsal: Rehearsal | None = None,
        confined: bool = True,
        large_pages: bool = False,
        threads: int = 1,
    ) -> None:
        self._processes = processes
        self._calls_per_process = calls_per_process
        self._growth_bytes = growth_bytes
        self._rehearsal = rehearsal
        self._limits = Limits(memory_bytes, seconds, answer_bytes, preload, readable, confined, large_pages, threads)
        self._free: asyncio.LifoQueue[Child] = asyncio.LifoQueue()
        self._children: set[Child] = set()

    async def __aenter__(self) -> Self:
        starts = [self._start() for _ in range(self._processes)]
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        self._children = {child for child in outcomes if isinstance(child, Child)}
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                await self._end_all()
                raise outcome
            self._free.put_nowait(outcome)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end_all()

    async def run(
        self, function: Confined, payload: bytes | Path, **options: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Call a function of a module, `function(payload, options) -> (result, blobs)`, in a free process.

        Args:
            function: importable by name; takes and returns JSON values and bytes only.
            payload: the hostile bytes, or the file that holds them; the function receives bytes.
            options: JSON values.

        Raises:
            Refused: as the function raised it, or `needs_too_much_memory`, `takes_too_long`,
                `decoder_crashed`, `decoder_failed` (any other exception), `answer_too_large`.
            TryAgain: `sandbox_unavailable` (`Killed`, where it was at work), `scratch_unavailable`, `machine_too_busy`.

        """
        name = _importable_name(function)
        child = await self._free.get()
        try:
            child = await self._warm(child)
            return await child.call(name, payload, options)
        finally:
            try:
                if not child.usable:
                    await self._end(child)
            finally:
                self._free.put_nowait(child)

    async def _warm(self, child: Child) -> Child:
        if child.usable and child.calls < self._calls_per_process and not self._has_grown(child):
            return child
        await self._end(child)
        fresh = await self._start()
        self._children.add(fresh)
        return fresh

    async def _start(self) -> Child:
        child = await Child.start(self._limits)
        try:
            if self._rehearsal is not None:
                name = _importable_name(self._rehearsal.function)
                await child.rehearse(name, self._rehearsal.payload, dict(self._rehearsal.options))
        except BaseException:
            await child.end()
            raise
        return child

    def _has_grown(self, child: Child) -> bool:
        return self._growth_bytes is not None and child.grown_bytes > self._growth_bytes

    async def _end(self, child: Child) -> None:
        self._children.discard(child)
        await child.end()

    async def _end_all(self) -> None:
        await asyncio.gather(*(self._end(child) for child in list(self._children)))


def _importable_name(function: Confined) -> str:
    if function.__module__ == "__main__" or not function.__qualname__.isidentifier():
        raise ValueError(f"{function.__qualname__} cannot be imported by another process")
    return f"{function.__module__}:{function.__qualname__}"
