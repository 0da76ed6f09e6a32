"""What a command costs with all the processes that it starts: processor time, and memory at its highest."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOOK_EVERY_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost.

    Attributes:
        seconds: from start to end.
        processor_seconds: of all its processes, in user code and in the kernel.
        peak_bytes: of memory that its processes held at one time, shared pages counted once.

    """

    seconds: float
    processor_seconds: float
    peak_bytes: int


def measure(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; its last words are told.

    """
    with (folder / "said.log").open("wb+") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - the benchmark's own commands
            command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        watch = _Watch(process.pid)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.end()
        if process.returncode != 0:
            said.seek(0)
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said.read()[-4000:].decode()}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, watch.peak_bytes)


class _Watch(threading.Thread):
    """Adds up the memory of a family of processes every now and then."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_bytes = 0
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_SECONDS):
            self.peak_bytes = max(self.peak_bytes, sum(_proportional_bytes(pid) for pid in family(self._pid)))

    def end(self) -> None:
        self._ended.set()
        self.join()


def family(pid: int) -> Iterator[int]:
    """Give a process and all that it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # the thread has ended meanwhile
            continue
        for child in children:
            yield from family(int(child))


def _proportional_bytes(pid: int) -> int:
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # the process has ended meanwhile
        return 0
    return sum(int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")) * 1024
