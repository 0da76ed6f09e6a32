"""Where a file lies while it comes in: on the disk, without a name, so that it is gone with whoever was reading it."""

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from shared.errors import Refused
from shared.image_formats import SNIFFED_BYTES, image_format

FILE_TOO_LARGE: Final = "file_too_large"


class Busy(Exception):
    """More files come in at this moment than the disk may hold, or it cannot be written; a later try may succeed."""


class Spools:
    """The disk space that all files together may take while they come in; counted in threads."""

    def __init__(self, directory: Path | None, *, limit_bytes: int) -> None:
        self._directory = directory
        self._left_bytes = limit_bytes
        self._counting = threading.Lock()

    def open(self) -> BinaryIO:
        """Open a file without a name; raises Busy."""
        with _disk_trouble():
            return tempfile.TemporaryFile(dir=self._directory)

    def take(self, size_bytes: int) -> None:
        """Take space; raises Busy. A negative size gives it back."""
        with self._counting:
            if size_bytes > self._left_bytes:
                raise Busy
            self._left_bytes -= size_bytes


class Spool:
    """One file as it comes in. What it is, is judged by its first bytes; of a refused file nothing is kept.

    Attributes:
        filename: as the client calls it.
        size_bytes: of all that came, also of a refused file.
        refusal: why it is not taken.

    """

    def __init__(self, spools: Spools, filename: str, *, limit_bytes: int) -> None:
        self.filename = filename
        self.size_bytes = 0
        self.refusal: Refused | None = None
        self.content_type: str | None = None
        self._spools = spools
        self._limit_bytes = limit_bytes
        self._head = bytearray()
        self._hash = hashlib.sha256()
        self._held_bytes = 0
        self._file: BinaryIO | None = spools.open()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes; raises Busy. Blocks on the disk."""
        self.size_bytes += len(data)
        if self._file is None:
            return
        if self.size_bytes > self._limit_bytes:
            self._refuse(Refused(FILE_TOO_LARGE, f"It is larger than {self._limit_bytes} bytes, which is the most."))
            return
        if self.content_type is None:
            self._head += data[: SNIFFED_BYTES - len(self._head)]
            if len(self._head) >= SNIFFED_BYTES and not self._judge():
                return
        self._spools.take(len(data))
        self._held_bytes += len(data)
        self._hash.update(data)
        with _disk_trouble():
            self._file.write(data)

    def finish(self) -> None:
        """Say that no more comes."""
        if self.refusal is None and self.content_type is None:
            self._judge()

    def rewound(self) -> BinaryIO:
        """Give the file to read from its beginning."""
        if self._file is None:
            raise ValueError("of a refused file nothing is kept")
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Let the file go."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
            self._spools.take(-self._held_bytes)
            self._held_bytes = 0

    def _judge(self) -> bool:
        try:
            self.content_type = image_format(bytes(self._head)).content_type
        except Refused as refusal:
            self._refuse(refusal)
        return self.refusal is None

    def _refuse(self, refusal: Refused) -> None:
        self.refusal = refusal
        self.close()


@contextmanager
def _disk_trouble() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Busy from error
