"""One byte for each point, in a file that a process and its sweep both see: where it was, and where it is to die.

The page is the kernel's, so that it outlives the process that dies. Only the standard library is used here.
"""

import mmap
import os
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

CRASHED: Final = 86
"""The exit status of a process that died at a point."""


class Mark(IntEnum):
    """What is known of a point."""

    UNSEEN = 0
    VISITED = 1
    ARMED = 2
    FIRED = 3


class Ledger:
    """The points of one service, by name."""

    def __init__(self, file: Path, points: Iterable[str]) -> None:
        self._numbers: Mapping[str, int] = {point: number for number, point in enumerate(points)}
        with file.open("ab") as opened:
            opened.truncate(len(self._numbers))
        with file.open("r+b") as opened:
            self._marks = mmap.mmap(opened.fileno(), len(self._numbers))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._marks.close()

    def reached(self, point: str) -> None:
        """Note that a process is here; where it is to die, die at once, and only this time."""
        number = self._numbers[point]
        mark = self._marks[number]
        if mark == Mark.ARMED:
            self._marks[number] = Mark.FIRED
            os._exit(CRASHED)
        if mark == Mark.UNSEEN:
            self._marks[number] = Mark.VISITED

    def arm(self, point: str) -> None:
        """Have the next process that comes to this point die there."""
        self._marks[self._numbers[point]] = Mark.ARMED

    def has_fired(self, point: str) -> bool:
        return self._marks[self._numbers[point]] == Mark.FIRED

    def visited(self) -> set[str]:
        """Name the points that were visited since the ledger was cleared."""
        return {point for point, number in self._numbers.items() if self._marks[number] != Mark.UNSEEN}

    def clear(self) -> None:
        """Forget all visits, and disarm whatever is armed."""
        self._marks[:] = bytes(len(self._numbers))
