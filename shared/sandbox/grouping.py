"""Keeps a process, and all that it starts, in the group by which it is killed. Linux only; it cannot be taken back."""

import ctypes
import errno
import platform
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_SET_NO_NEW_PRIVILEGES: Final = 38  # <linux/prctl.h>

# <linux/seccomp.h>, <linux/bpf_common.h>
_SET_MODE_FILTER: Final = 1
_AS_FAST_AS_BEFORE: Final = 1 << 2  # a filter is no reason to slow all memory accesses down
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | errno.EPERM
_LOAD, _IS, _IS_AT_LEAST, _ANSWER = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_OTHER_TABLE: Final = 0x4000_0000
"""From here on the numbers are those of x32, which mean the same by another name."""

# <linux/audit.h>; the numbers of seccomp, setsid and setpgid.
_MACHINES: Final = {"x86_64": (0xC000_003E, 317, 112, 109), "aarch64": (0xC000_00B7, 277, 157, 154)}


class _Step(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("so", ctypes.c_uint8),
        ("otherwise", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Step)))


def stay_in_group() -> bool:
    """Refuse this thread and all that it starts later to begin a session or a group of their own.

    Without seccomp, and on processors other than those of x86-64 and ARM64, this does nothing.

    Returns:
        Whether it is so from now on.

    """
    if platform.machine() not in _MACHINES:
        return False
    architecture, seccomp, *leaving = _MACHINES[platform.machine()]
    program = (
        _Step(_LOAD, 0, 0, _ARCHITECTURE_AT),
        _Step(_IS, 0, 5, architecture),
        _Step(_LOAD, 0, 0, _NUMBER_AT),
        _Step(_IS_AT_LEAST, 3, 0, _OTHER_TABLE),
        _Step(_IS, 2, 0, leaving[0]),
        _Step(_IS, 1, 0, leaving[1]),
        _Step(_ANSWER, 0, 0, _ALLOW),
        _Step(_ANSWER, 0, 0, _REFUSE),
    )
    steps = (_Step * len(program))(*program)
    rules = _Filter(len(program), steps)
    _LIBC.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return any(
        _LIBC.syscall(seccomp, _SET_MODE_FILTER, flags, ctypes.byref(rules)) == 0 for flags in (_AS_FAST_AS_BEFORE, 0)
    )
