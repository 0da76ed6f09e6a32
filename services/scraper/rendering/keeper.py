"""The program around one Chromium: it confines the browser, watches it, and leaves nothing of it behind.

It gets its order on the command line. The DevTools protocol goes through its stdin and stdout, from and to the browser
itself. It ends on SIGTERM, and with whoever started it; what the browser has started by then ends too, also what had
itself adopted, and the browser's folder is removed.
"""

import json
import os
import re
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from services.scraper.rendering.becoming import KEEPER, become_browser
from services.scraper.rendering.homes import hold_home, remove_home
from shared.guarding import descendants, guard

TOO_HEAVY: Final = KEEPER + "more memory or disk than allowed"

_LEAST_BYTES: Final = 4096  # of a file or a folder: the room for empty ones is limited as well
_OWN_MEMORY: Final = re.compile(rb"^Rss(?:Anon|Shmem):\s+(\d+) kB$", re.MULTILINE)


def main() -> None:
    order = json.loads(sys.argv.pop())
    home = Path(order["home"])
    try:
        hold_home(home)
        guard(partial(become_browser, order), order["parent_pid"], partial(_takes_too_much, order))
    finally:
        remove_home(home)


def _takes_too_much(order: dict[str, Any]) -> bool:
    if _memory_bytes() <= order["memory_bytes"] and _disk_bytes(order["home"]) <= order["disk_bytes"]:
        return False
    print(TOO_HEAVY, file=sys.stderr, flush=True)  # noqa: T201 - this is the program's voice
    return True


def _memory_bytes() -> int:
    """Count what the browser's processes hold of their own; what several of them share counts for each."""
    used_kib = 0
    for pid in descendants():
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
