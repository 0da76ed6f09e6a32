"""What the processes of a stack hold, read from the kernel: memory, file descriptors, sockets."""

import asyncio
import math
import os
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from deploy.local.stack import Stack

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEBIBYTE = 1024**2
_PAIRS_AT_MOST = 300
_ESTABLISHED, _LISTENS = "01", "0A"
"""As proc(5) tells states of TCP."""


@dataclass(frozen=True)
class Holding:
    """What one part holds at a moment, with all its processes.

    Attributes:
        rss_mib: memory of each process, by its number.
        descriptors: all that it has open, but for what its clients hold.
        sockets: those among them that are.
        clients: connections that others have opened to it, and hold. One that only it still holds counts as its own.

    """

    at_seconds: float
    rss_mib: Mapping[int, float]
    descriptors: int
    sockets: int
    clients: int = 0


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
    rss_mib: dict[int, float] = {}
    found: list[Open] = []
    for pid in _session_of(leader):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            process = _PROC / str(pid)
            rss_mib[pid] = int((process / "statm").read_text().split()[1]) * _PAGE_BYTES / _MEBIBYTE
            found.append(open_in(process))
    return Holding(
        time.monotonic(),
        rss_mib,
        descriptors=sum(one.descriptors for one in found),
        sockets=sum(one.sockets for one in found),
        clients=sum(one.clients for one in found),
    )


class Open(NamedTuple):
    """What one process has open; see `Holding`."""

    descriptors: int
    sockets: int
    clients: int


def open_in(process: Path) -> Open:
    """Look at what a process has open, by its folder in `/proc`."""
    links = [_target(link) for link in (process / "fd").iterdir()]
    clients = _held_by_clients(process, links)
    return Open(len(links) - clients, sum(link.startswith("socket:") for link in links) - clients, clients)


def _held_by_clients(process: Path, links: Sequence[str]) -> int:
    """Count the established connections to ports on which a process listens."""
    rows = [line.split() for line in (process / "net" / "tcp").read_text().splitlines()[1:]]
    own = [(row[1].rpartition(":")[2], row[3]) for row in rows if f"socket:[{row[9]}]" in links]
    listens_on = {port for port, state in own if state == _LISTENS}
    return sum(port in listens_on and state == _ESTABLISHED for port, state in own)


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
    """Tell by how much of itself the memory of that process grows over the course that grows the most.

    It is blind to what is kept at one stroke, for which there is `step_percent`. It is not a number after fewer than
    two looks, and so clears no bar.
    """
    return max(map(_growth_percent, _lasting(course)), default=math.nan)


def step_percent(course: Sequence[Holding]) -> float:
    """Tell by how much of itself the memory of that process is more at the end of the course that is the most so.

    Compared are the medians of the last tenth and of the first: whatever was taken in between and is still held is
    seen, however slowly or suddenly it was taken. It is not a number after fewer than two looks.
    """
    return max(map(_step_percent, _lasting(course)), default=math.nan)


def _lasting(course: Sequence[Holding]) -> list[list[tuple[float, float]]]:
    """Give seconds and memory of each process, without those that live for one task: seen in less than half of it."""
    looks = Counter(pid for one in course for pid in one.rss_mib)
    return [
        [(one.at_seconds, one.rss_mib[pid]) for one in course if pid in one.rss_mib]
        for pid, count in looks.items()
        if count >= max(2, len(course) / 2)
    ]


def _growth_percent(course: Sequence[tuple[float, float]]) -> float:
    """Take the median of all slopes (Theil and Sen) of memory over seconds.

    What is taken for a moment and given back, as a picture takes it, has no weight in it.
    """
    thinned = course[:: max(1, len(course) // _PAIRS_AT_MOST)]
    slopes = [(more - less) / (later - sooner) for (sooner, less), (later, more) in combinations(thinned, 2)]
    over_seconds = course[-1][0] - course[0][0]
    return 100 * statistics.median(slopes) * over_seconds / statistics.median(rss_mib for _, rss_mib in course)


def _step_percent(course: Sequence[tuple[float, float]]) -> float:
    rss_mib = [rss_mib for _, rss_mib in course]
    tenth = max(1, len(rss_mib) // 10)
    return 100 * (statistics.median(rss_mib[-tenth:]) / statistics.median(rss_mib[:tenth]) - 1)


def more_at_the_end(counts: Sequence[int]) -> int:
    """Tell how many more there are of something in the last quarter than in the first."""
    quarter = max(1, len(counts) // 4)
    return round(statistics.median(counts[-quarter:]) - statistics.median(counts[:quarter]))
