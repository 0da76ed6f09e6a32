"""How many processors this process may use: those it is let on, and no more than its cgroup pays for."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MEMBERSHIP: Final = Path("/proc/self/cgroup")
_CGROUPS: Final = Path("/sys/fs/cgroup")


def usable_processors(membership: Path = _MEMBERSHIP, cgroups: Path = _CGROUPS) -> int:
    """Count the processors, at least one; part of a processor counts as one.

    A container that may use two of sixty-four still sees them all, and sixty-four threads on two processors are
    slower than two.

    Args:
        membership: /proc/self/cgroup.
        cgroups: where the cgroup file system is mounted, of either version.

    """
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, *(math.ceil(quota) for quota in _quotas(membership, cgroups)), allowed))


def _quotas(membership: Path, cgroups: Path) -> Iterator[float]:
    """Give the processors that each cgroup above this process may use, where one is limited."""
    for line in _read(membership).splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Within a container the mount may show its own cgroup as the root, whatever the name says.
        for root in (cgroups, cgroups / "cpu") if controllers else (cgroups,):
            for folder in (root, *_ancestry(root, name)):
                yield from _quota(folder)


def _ancestry(root: Path, name: str) -> Iterator[Path]:
    folder = root
    for part in Path(name.lstrip("/")).parts:
        folder /= part
        yield folder


def _quota(folder: Path) -> Iterator[float]:
    granted = _read(folder / "cpu.max").split() or [
        _read(folder / "cpu.cfs_quota_us").strip(),
        _read(folder / "cpu.cfs_period_us").strip(),
    ]
    if len(granted) == 2 and all(part.isdigit() and int(part) > 0 for part in granted):  # noqa: PLR2004 - per period
        yield int(granted[0]) / int(granted[1])


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
