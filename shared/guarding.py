"""A program that guards another one: with it ends all that it has started, also what left its group and its session.

Whom a killed group leaves alive are those that lead a session of their own. Here they are found by whose children they
are, and whoever loses its parent becomes a child of the guard.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

OWN_WORDS: Final = "diorama: "
"""How a line of stderr begins that is ours, and not what the guarded program says."""

_LOOK_SECONDS: Final = 0.25
_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
_NEW_PROCESSES: Final = 0x2000_0000  # <linux/sched.h>
_AWAITED: Final = frozenset({signal.SIGTERM, signal.SIGCHLD})
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def guard(
    work: Callable[[int], object],
    parent_pid: int,
    must_end: Callable[[], bool] = lambda: False,
    *,
    apart: bool = False,
) -> None:
    """Have work done in a process of its own, and end with it whatever it has started.

    That is done when the work is over, when it `must_end`, on SIGTERM, and when the parent ends. Whoever calls this has
    no threads, and hands its streams over to the work for good.

    Args:
        work: is told the number of its parent, the guard, to die with it.
        parent_pid: who started this program; where it has ended already, nothing is begun.
        must_end: is asked a few times a second.
        apart: the work is the first in a PID namespace, where we may make one. Then the kernel ends all at once, also
            those that run from parent to child faster than anybody looks, and also where the guard itself is killed.

    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    _adopt_orphans()
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    try:
        if os.getppid() == parent_pid:
            guard_pid = 0 if apart and _is_parted() else os.getpid()
            worker = os.fork() or _begin(work, guard_pid)
            _let_go_of_streams()
            _watch(worker, must_end)
    finally:
        _end_all()


def descendants() -> set[int]:
    """Name all that this process has started, and what these have."""
    parents = dict(_parents())
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def _adopt_orphans() -> None:
    _LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _is_parted() -> bool:
    """Have the next child be the first of a PID namespace; in there nobody outside has a number but 0."""
    return bool(_LIBC.unshare(_NEW_PROCESSES) == 0)


def _begin(work: Callable[[int], object], guard_pid: int) -> NoReturn:
    """In the child: do the work, or say why not; nothing of the guard's may run in here."""
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        work(guard_pid)
        status = 0
    except BaseException as error:  # noqa: BLE001 - it ends here in any case
        print(f"{OWN_WORDS}{error!r}", file=sys.stderr, flush=True)  # noqa: T201 - this is the program's voice
    finally:
        os._exit(status)


def _let_go_of_streams() -> None:
    """Keep only stderr: whoever listens shall hear the end of the work."""
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _watch(worker: int, must_end: Callable[[], bool]) -> None:
    while not must_end():
        told = signal.sigtimedwait(_AWAITED, _LOOK_SECONDS)
        if told and told.si_signo == signal.SIGTERM:
            return
        if worker in set(_reaped()):
            return


def _reaped() -> Iterator[int]:
    with suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            yield pid


def _end_all() -> None:
    """Kill until there is nobody; children of the dead become ours."""
    with suppress(ChildProcessError):
        while True:
            _kill_all()
            os.waitpid(-1, 0)
            list(_reaped())


def _kill_all() -> None:
    """Kill all that was started here, and nobody who has the number of one that has ended meanwhile."""
    handles = {pid: handle for pid in descendants() if (handle := _handle(pid)) is not None}
    ours = descendants()
    for pid, handle in handles.items():
        if pid in ours:
            with suppress(OSError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)


def _handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _parents() -> Iterator[tuple[int, int]]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                # The name of a program may hold anything, also parentheses.
                yield int(process.name), int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])
