"""How many processors this process may use: what the machine has, what it is bound to, and what its cgroup allows."""

import os
from pathlib import Path
from typing import Final

_UNLIMITED: Final = "max"


def processors(root: Path = Path("/")) -> int:
    """Count the processors that a thread each is worth; at least 1. Part of one counts as one."""
    bound = len(os.sched_getaffinity(0))
    quota = _quota(root)
    return max(1, bound if quota is None else min(bound, -int(-quota // 1)))


def _quota(root: Path) -> float | None:
    """Find the tightest limit of the cgroup of this process and of those around it, in processors."""
    limits = [limit for limit in (*_version_2(root), _version_1(root)) if limit is not None]
    return min(limits, default=None)


def _version_2(root: Path) -> list[float | None]:
    """Read `cpu.max` (quota and period in microseconds) up to the root; in a container that is all that is seen."""
    lines = _read(root / "proc/self/cgroup").splitlines()
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    mount = root / "sys/fs/cgroup"
    inside = Path(own.strip("/"))
    return [_limit(*_read(mount / folder / "cpu.max").split()) for folder in (inside, *inside.parents)]


def _version_1(root: Path) -> float | None:
    folder = root / "sys/fs/cgroup/cpu"
    return _limit(_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip())


def _limit(quota: str = _UNLIMITED, period: str = "") -> float | None:
    if not (quota.isdigit() and period.isdigit()) or int(period) == 0:
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
