"""Files that live no longer than the work they belong to."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import TryAgain

_BEGINNING: Final = "diorama-scratch-"


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; where that is not done to the end the file is gone again.

    Raises TryAgain (`scratch_unavailable`) where the disk cannot be written.
    """
    try:
        with path.open("wb") as file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise TryAgain("scratch_unavailable", "The scratch disk cannot be written.") from error
        raise


@contextmanager
def scratch_folder(name: str, place: Path | None = None) -> Iterator[Path]:
    """Yield an empty folder that is gone when the block ends, and remove what killed processes have left beside it.

    Whoever uses a folder holds a lock on it, which the kernel gives up with the process: what nobody holds is nobody's.

    Args:
        name: tells folders of one kind from others.
        place: where they lie; default: the system's folder for temporary files.

    """
    place = Path(tempfile.gettempdir()) if place is None else place
    beginning = f"{_BEGINNING}{name}-"
    for left in place.glob(f"{beginning}*"):
        _remove_unheld(left)
    folder, held = _made(beginning, place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _made(beginning: str, place: Path) -> tuple[Path, int]:
    """Make a folder and hold it; another process may take it for one that is left until it is held."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=beginning, dir=place))
        with suppress(FileNotFoundError):
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(held, fcntl.LOCK_EX)
            if folder.exists():
                return folder, held
            os.close(held)


def _remove_unheld(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass  # its process lives
    finally:
        os.close(descriptor)
