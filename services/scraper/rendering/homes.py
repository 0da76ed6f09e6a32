"""The folder of one browser: made for it, held while it runs, and gone when it has ended."""

import fcntl
import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from services.scraper.rendering.becoming import NOBODY
from shared.errors import TryAgain

PREFIX: Final = "diorama-render-"
PROFILE: Final = "profile"

# What pages want beforehand (speculation rules) is asked for where no request of the page is decided on: never.
_PREFERENCES: Final = {"net": {"network_prediction_options": 2}}

_LEFT_SECONDS: Final = 60.0
"""Longer than it takes from the making of a folder until it is held."""


def make_home(scratch: Path | None) -> Path:
    """Make the folder that a browser may write, where it can be reached by whom the browser runs as.

    Those that were left behind, where a machine stopped or a keeper was killed, are removed on the way.

    Raises TryAgain (`scratch_unavailable`) where the disk cannot be written.
    """
    drops_root = os.geteuid() == 0
    try:
        place = scratch if scratch and (not drops_root or _is_open(scratch)) else Path(tempfile.gettempdir())
        for folder in place.glob(f"{PREFIX}*"):
            if _is_left(folder):
                remove_home(folder)
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        profile = home / PROFILE / "Default"
        profile.mkdir(parents=True)
        (profile / "Preferences").write_text(json.dumps(_PREFERENCES))
        if drops_root:
            # The folder itself comes last: until then nobody else can put anything in the place of what is in it.
            for path in (*home.rglob("*"), home):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    except OSError as error:
        raise TryAgain("scratch_unavailable", "The scratch disk cannot be written.") from error
    return home


def hold_home(home: Path) -> None:
    """Keep a folder from being taken for one that was left behind, until this process ends."""
    fcntl.flock(os.open(home, os.O_RDONLY | os.O_DIRECTORY), fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_home(home: Path) -> None:
    with suppress(RecursionError):  # of folders in folders, deeper than any browser makes them unless it is taken over
        shutil.rmtree(home, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Tell whether a folder is ours, was not made just now, and is held by nobody."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        if found.st_uid not in {os.geteuid(), NOBODY} or time.time() - found.st_mtime < _LEFT_SECONDS:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_open(folder: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (folder.resolve(), *folder.resolve().parents))
