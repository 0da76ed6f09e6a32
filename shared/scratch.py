"""Files that live no longer than the work they belong to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.errors import TryAgain


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
