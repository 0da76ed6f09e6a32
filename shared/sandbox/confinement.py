"""What a process gives up before it touches hostile bytes. Linux only; nothing here can be taken back."""

import ctypes
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_OPEN_FILES_LIMIT: Final = 64

# <linux/prctl.h>
_SET_PARENT_DEATH_SIGNAL: Final = 1
_SET_NO_NEW_PRIVILEGES: Final = 38

# <linux/landlock.h>; the numbers of its calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_FOR_VERSION: Final = 1
_RULE_BELOW_PATH, _RULE_OF_PORT = 1, 2
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_WRITE_FILE, _REMOVE_FOLDER, _REMOVE_FILE, _MAKE_FOLDER, _MAKE_FILE = 1 << 1, 1 << 4, 1 << 5, 1 << 7, 1 << 8
_MOVE, _TRUNCATE = 1 << 13, 1 << 14
_MAKE_DEVICES: Final = 1 << 6 | 1 << 11
_CONNECT: Final = 1 << 1
_READ: Final = _EXECUTE | _READ_FILE | _READ_FOLDER
_OF_FILES: Final = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE | 1 << 15  # the last: to control a device
_WORK: Final = (
    _READ_FILE
    | _READ_FOLDER
    | _WRITE_FILE
    | _REMOVE_FOLDER
    | _REMOVE_FILE
    | _MAKE_FOLDER
    | _MAKE_FILE
    | _MOVE
    | _TRUNCATE
)
_FILE_RIGHTS_BY_VERSION: Final = (0, 13, 14, 15, 15, 16)
_NETWORK_VERSION: Final = 4
_SCOPE_VERSION: Final = 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _RuleBelowPath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _RuleOfPort(ctypes.Structure):
    _fields_ = (("rights", ctypes.c_uint64), ("port", ctypes.c_uint64))


def die_with_parent(parent_pid: int) -> None:
    """Be killed when the thread that started us ends, also if it has ended already."""
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def limit_resources(memory_bytes: int, statm: BinaryIO) -> None:
    """Allow so much more memory than is mapped now, no written file, no core dump, few open files.

    Args:
        memory_bytes: how much more.
        statm: /proc/self/statm, opened before the machine was hidden.

    """
    mapped_pages = int(statm.read().split()[0])
    _limit(resource.RLIMIT_AS, mapped_pages * resource.getpagesize() + memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES_LIMIT)


def limit_processor(seconds: float) -> None:
    """Allow so much more processor time than is used now; the limit is moved on with every call."""
    _, hard_seconds = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time() + seconds) + 1, hard_seconds))


def _limit(kind: int, value: int) -> None:
    resource.setrlimit(kind, (value, value))


def landlock_version() -> int:
    """Ask the kernel which version of Landlock it has; 0 for none."""
    return max(int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_FOR_VERSION)), 0)


def hide_the_machine(
    files: Iterable[Path] = (),
    folders: Iterable[Path] = (),
    ports: Iterable[int] = (),
    programs: Iterable[Path] = (),
    homes: Iterable[Path] = (),
) -> int:
    """Leave only the program itself and these files readable: no other file, no TCP, no signal to others.

    Where something has to be fetched and kept, `folders` may be written and TCP goes to `ports` alone. A program that
    is not ours, such as a browser, lies in `programs` and has `homes`, in which it may do all but make devices.

    It binds this thread and those it starts later, so it comes before libraries start any.
    Without Landlock (Linux before 5.13, or switched off) this does nothing; the limits stand without it.

    Returns:
        The version of Landlock that was used, 0 for none.

    """
    version = landlock_version()
    if version == 0:
        return 0
    ruleset = _Ruleset(
        files=(1 << _FILE_RIGHTS_BY_VERSION[min(version, len(_FILE_RIGHTS_BY_VERSION) - 1)]) - 1,
        network=0b11 if version >= _NETWORK_VERSION else 0,
        scoped=0b11 if version >= _SCOPE_VERSION else 0,
    )
    size_bytes = 24 if version >= _SCOPE_VERSION else 16 if version >= _NETWORK_VERSION else 8
    descriptor = _call(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size_bytes), 0)
    for path, rights in _readable():
        _allow(descriptor, path, rights)
    for path in files:
        _allow(descriptor, path, _READ_FILE | _READ_FOLDER)
    for path in folders:
        _allow(descriptor, path, _WORK & ruleset.files)
    for path in programs:
        _allow(descriptor, path, _READ)
    for path in homes:
        _allow(descriptor, path, ruleset.files & ~_MAKE_DEVICES)
    if ruleset.network:
        for port in ports:
            _call(_ADD_RULE, descriptor, _RULE_OF_PORT, ctypes.byref(_RuleOfPort(_CONNECT, port)), 0)
    _LIBC.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    _call(_RESTRICT_SELF, descriptor, 0)
    os.close(descriptor)
    return version


def _readable() -> Iterator[tuple[Path, int]]:
    for name in ("/usr", "/lib", "/lib64", "/opt", sys.prefix, sys.base_prefix, sys.exec_prefix):
        yield Path(name), _READ
    yield Path("/sys/devices/system/cpu"), _READ_FILE | _READ_FOLDER
    for name in ("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom", "/proc/cpuinfo"):
        yield Path(name), _READ_FILE
    for root in map(Path, sys.path):
        # The root of the program may hold an .env file or local state; its visible packages do not.
        yield root, _READ_FOLDER
        if root.is_dir():
            yield from ((part, _READ) for part in root.iterdir() if part.is_dir() and part.name[0] != ".")


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        if not path.is_dir():
            rights &= _OF_FILES
        if rights:
            rule = _RuleBelowPath(rights, folder)
            _call(_ADD_RULE, ruleset, _RULE_BELOW_PATH, ctypes.byref(rule), 0)
    finally:
        os.close(folder)


def _call(number: int, *arguments: object) -> int:
    answer = int(_LIBC.syscall(number, *arguments))
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"system call {number} was refused")
    return answer
