"""The program around one Chromium: it confines the browser, watches it, and leaves nothing of it behind.

It gets its order on the command line. The DevTools protocol goes through its stdin and stdout, from and to the browser
itself. It ends on SIGTERM, and with whoever started it; what the browser has started by then ends too, also what had
itself adopted, and the browser's folder is removed.
"""

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from services.scraper.rendering.becoming import KEEPER, become_browser
from services.scraper.rendering.homes import hold_home, remove_home

TOO_HEAVY: Final = KEEPER + "more memory or disk than allowed"

_LOOK_SECONDS: Final = 0.25
_LEAST_BYTES: Final = 4096  # of a file or a folder: the room for empty ones is limited as well
_SET_PARENT_DEATH_SIGNAL, _SET_CHILD_SUBREAPER = 1, 36  # <linux/prctl.h>
_AWAITED: Final = frozenset({signal.SIGTERM, signal.SIGCHLD})
_OWN_MEMORY: Final = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    order = json.loads(sys.argv.pop())
    signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    _LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    keeper_pid = os.getpid()
    try:
        if os.getppid() == order["parent_pid"]:
            hold_home(Path(order["home"]))
            browser = os.fork() or _begin(order, keeper_pid)
            _let_go_of_pipes()
            _keep(browser, order)
    finally:
        _end_all()
        remove_home(Path(order["home"]))


def _begin(order: dict[str, Any], keeper_pid: int) -> NoReturn:
    """In the child: become the browser, or end and say why."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
        become_browser(order, keeper_pid)
    except BaseException as error:  # noqa: BLE001 - nothing of the parent's may run in here
        os.write(2, f"{KEEPER}{error!r}\n".encode())
    os._exit(1)


def _let_go_of_pipes() -> None:
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)


def _keep(browser: int, order: dict[str, Any]) -> None:
    """Wait until the browser has ended, or shall end, or takes too much."""
    while True:
        told = signal.sigtimedwait(_AWAITED, _LOOK_SECONDS)
        if told and told.si_signo == signal.SIGTERM:
            return
        if browser in set(_reaped()):
            return
        memory_bytes, disk_bytes = _memory_bytes(), _disk_bytes(order["home"])
        if memory_bytes > order["memory_bytes"] or disk_bytes > order["disk_bytes"]:
            print(TOO_HEAVY, file=sys.stderr, flush=True)  # noqa: T201 - this is the program's voice
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
    """Kill whoever the browser has started, and nobody who has the number of one that has ended meanwhile."""
    handles = {pid: handle for pid in _descendants() if (handle := _handle(pid)) is not None}
    ours = _descendants()
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


def _descendants() -> set[int]:
    parents = dict(_parents())
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def _parents() -> Iterator[tuple[int, int]]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                # The name of a program may hold anything, also parentheses.
                yield int(process.name), int((process / "stat").read_bytes().rpartition(b")")[2].split()[1])


def _memory_bytes() -> int:
    """Count what the browser's processes hold of their own; what several of them share counts for each."""
    used_kib = 0
    for pid in _descendants():
        with suppress(OSError):
            used_kib += sum(map(int, _OWN_MEMORY.findall(Path("/proc", str(pid), "status").read_bytes())))
    return used_kib * 1024


def _disk_bytes(home: str) -> int:
    used = 0
    for where, folders, files in os.walk(home):
        for name in (*folders, *files):
            with suppress(OSError):  # gone meanwhile
                used += max(Path(where, name).lstat().st_blocks * 512, _LEAST_BYTES)
    return used
