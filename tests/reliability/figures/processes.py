"""What the processes of a stack hold, read from the kernel: memory, file descriptors, sockets."""

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from deploy.local.stack import Stack

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEBIBYTE = 1024**2
_PAIRS_AT_MOST = 300


@dataclass(frozen=True)
class Holding:
    """What one part holds at a moment, with all its processes."""

    at_seconds: float
    rss_mib: float
    descriptors: int
    sockets: int


Course = list[Holding]


@asynccontextmanager
async def watched(stack: Stack, names: Iterable[str], every_seconds: float) -> AsyncIterator[dict[str, Course]]:
    """Look at parts of a stack again and again while the context is open."""
    courses: dict[str, Course] = {name: [] for name in names}

    async def look() -> None:
        while True:
            for name, course in courses.items():
                if pid := stack.supervisor.pid(name):
                    course.append(await asyncio.to_thread(holding_of, pid))
            await asyncio.sleep(every_seconds)

    looking = asyncio.create_task(look())
    try:
        yield courses
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def holding_of(leader: int) -> Holding:
    """Look at a process and at all that it has started in its session."""
    rss_mib, descriptors, sockets = 0.0, 0, 0
    for pid in _session_of(leader):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            process = _PROC / str(pid)
            rss_mib += int((process / "statm").read_text().split()[1]) * _PAGE_BYTES / _MEBIBYTE
            links = [_target(link) for link in (process / "fd").iterdir()]
            descriptors += len(links)
            sockets += sum(link.startswith("socket:") for link in links)
    return Holding(time.monotonic(), rss_mib, descriptors, sockets)


def _session_of(leader: int) -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and _session(entry) == leader]


def _session(process: Path) -> int | None:
    with suppress(FileNotFoundError, ProcessLookupError):
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    return None


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - what it names is no file
    except FileNotFoundError:
        return ""


def growth_percent(course: Sequence[Holding]) -> float:
    """Tell by how much of itself memory grows over the course, by the median of all slopes (Theil and Sen).

    What is taken for a moment and given back, as a picture takes it, has no weight in it.
    """
    thinned = course[:: max(1, len(course) // _PAIRS_AT_MOST)]
    slopes = [
        (after.rss_mib - before.rss_mib) / (after.at_seconds - before.at_seconds)
        for before, after in combinations(thinned, 2)
    ]
    over_seconds = course[-1].at_seconds - course[0].at_seconds
    return 100 * statistics.median(slopes) * over_seconds / statistics.median(one.rss_mib for one in course)


def more_at_the_end(counts: Sequence[int]) -> int:
    """Tell how many more there are of something in the last quarter than in the first."""
    quarter = max(1, len(counts) // 4)
    return round(statistics.median(counts[-quarter:]) - statistics.median(counts[:quarter]))
