"""What a process gives up before it becomes a browser that shows the pages of strangers."""

import ctypes
import os
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from shared.guarding import OWN_WORDS
from shared.sandbox.confinement import die_with_parent, hide_the_machine

KEEPER: Final = OWN_WORDS
"""How a line of stderr begins that is not the browser's own."""

NOT_SANDBOXED: Final = KEEPER + "without a sandbox of its own"
NOT_CONFINED: Final = KEEPER + "not confined"
NOT_HELD: Final = KEEPER + "held by nothing"
NOBODY: Final = 65534
"""As whom a browser runs that root starts: user and group."""

_FILE_BYTES: Final = 128 * 1024 * 1024
_COMMANDS_IN, _ANSWERS_OUT = 3, 4  # where `--remote-debugging-pipe` has them
_TCP_VERSION: Final = 4  # of Landlock, that knows ports
_SET_DUMPABLE: Final = 4  # <linux/prctl.h>
_NEW_USER, _NEW_PROCESSES, _NEW_NETWORK = 0x1000_0000, 0x2000_0000, 0x4000_0000  # <linux/sched.h>
_LIBC: Final = ctypes.CDLL(None, use_errno=True)

# In /proc a browser's own sandbox writes down whom it becomes. What processes outside of it hold does not show there.
_USED: Final = ("/proc", "/dev/null", "/dev/zero", "/dev/urandom")
_READ: Final = ("/etc/fonts", "/etc/ssl", "/etc/chromium", "/etc/chromium.d", "/var/cache/fontconfig", "/sys/devices")


def become_browser(order: Mapping[str, Any], keeper_pid: int) -> NoReturn:
    """Leave nothing but the proxy to connect to and one folder to keep things in, and start the browser.

    Where neither Landlock nor a sandbox of its own would hold it, it is not started.
    """
    home = Path(order["home"])
    _be_killed_first()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    program, *arguments = order["arguments"]
    version = hide_the_machine(
        map(Path, _READ),
        ports=[order["proxy_port"]],
        programs=[Path(program).resolve().parent],
        homes=[home, *map(Path, _USED)],
    )
    if version < _TCP_VERSION:
        _complain(NOT_CONFINED)
    if os.geteuid() == 0:
        _become_nobody()
    die_with_parent(keeper_pid)
    if not _can_sandbox():
        if version < _TCP_VERSION:
            _complain(NOT_HELD)
            os._exit(1)
        _complain(NOT_SANDBOXED)
        arguments = ["--no-sandbox", *arguments]
    _hand_over_pipes()
    os.execve(program, [program, *arguments], _environment(home))  # noqa: S606 - the browser that the settings name


def _be_killed_first() -> None:
    """Have the kernel end this before anything else where the machine's memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _become_nobody() -> None:
    """Drop root, for which a browser has no sandbox, and for which what is read here could be changed as well."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    # Otherwise the sandbox could not write down in /proc whom it becomes.
    _LIBC.prctl(_SET_DUMPABLE, 1, 0, 0, 0)


def _can_sandbox() -> bool:
    """Tell whether a browser's own sandbox works here: a process may have namespaces, and a root, of its own."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    user, group = os.geteuid(), os.getegid()
    done = _LIBC.unshare(_NEW_USER | _NEW_PROCESSES | _NEW_NETWORK) == 0
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        os.chroot("/proc/self/fdinfo")
    except OSError:
        done = False
    os._exit(not done)


def _hand_over_pipes() -> None:
    os.dup2(0, _COMMANDS_IN)
    os.dup2(1, _ANSWERS_OUT)
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)


def _environment(home: Path) -> dict[str, str]:
    buses = dict.fromkeys(("DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"), "disabled:")
    # Where we are is nothing that a page has to know.
    place = {"LANG": "C.UTF-8", "TZ": "UTC"}
    return {"HOME": str(home), "TMPDIR": str(home), "PATH": os.defpath, **place, **buses}


def _complain(what: str) -> None:
    print(what, file=sys.stderr, flush=True)  # noqa: T201 - this is the program's voice
