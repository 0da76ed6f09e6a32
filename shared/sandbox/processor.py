"""Whether a process lives, what it has of memory and has had of the processor, and whether it would have more."""

import os
from pathlib import Path
from typing import Final

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def has_ended(pid: int) -> bool:
    """Tell whether a child of this process has ended, whether or not anybody has waited for it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def processor_seconds(pid: int) -> float:
    """Give the processor time that a process has used with all its threads; 0 where it is gone, or nobody tells."""
    return sum(map(int, _stat(pid)[11:13])) / _TICKS_A_SECOND


def resident_bytes(pid: int) -> int:
    """Give the memory that a process holds; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def is_runnable(pid: int) -> bool:
    """Tell whether the main thread of a process runs, or would if it were given a processor."""
    return _stat(pid)[:1] == ["R"]


def _stat(pid: int) -> list[str]:
    """Read what follows the name of the process, in which there may be anything; see proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
