"""Manifests: lists of images in files that may be far larger than memory."""

import asyncio
import csv
import gzip
import json
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

from contracts.scraper import MANIFEST_LIMIT_BYTES, ImageContext, ManifestColumns
from services.scraper.rules import URL_LIMIT_CHARACTERS, canonical_url
from services.scraper.sources import parquet
from shared.errors import Refused, printable
from shared.fetch import Outbound
from shared.objects import ObjectStore

ROWS_A_PAGE: Final = 500
UNMANIFEST_LIMIT_BYTES: Final = 8 * 1024 * 1024 * 1024

_LINE_LIMIT_BYTES: Final = 1024 * 1024
_RECORD_LIMIT_CHARACTERS: Final = _LINE_LIMIT_BYTES
_EMPTY_ROWS_LIMIT: Final = 10_000
"""One after the other; a small packed file can hold billions, and nobody can stop whoever looks for the next row."""

_DEADLINE_SECONDS: Final = 60 * 60.0
_TEXT_LIMIT_CHARACTERS: Final = 2000
_SHOWN_CHARACTERS: Final = 300
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ManifestImage:
    """A row that names an image."""

    number: int
    url: str
    context: ImageContext


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that names none, and why."""

    number: int
    shown: str
    code: str
    sentence: str


ReadRow = ManifestImage | RefusedRow
Fields = Mapping[str, Any] | str
"""What stands in a row, by column; or why it cannot be read."""

T = TypeVar("T")


class Manifests:
    """Brings manifests here and reads them.

    Args:
        outbound: the guarded way out.
        objects: where uploads lie.
        scratch: a folder for files that live as long as they are read.
        memory_bytes: of the process that reads Parquet, beyond the program.
        seconds: for each page of its rows.

    """

    def __init__(
        self,
        outbound: Outbound,
        objects: ObjectStore,
        scratch: Path | None,
        *,
        memory_bytes: int = 512 * 1024 * 1024,
        seconds: float = 20.0,
    ) -> None:
        self._outbound = outbound
        self._objects = objects
        self._scratch = scratch
        self._memory_bytes = memory_bytes
        self._seconds = seconds

    @asynccontextmanager
    async def fetched(self, *, url: str | None, object_key: str | None) -> AsyncIterator[Path]:
        """Bring a manifest here for as long as the context is open.

        Raises:
            Refused: `manifest_place_unclear` where not exactly one place is named, or as `Outbound.save`.
            TryAgain: as `Outbound.save` and `ObjectStore.save`.

        """
        if (url is None) == (object_key is None):
            raise Refused("manifest_place_unclear", "Name either the URL of the manifest or the key of its upload.")
        with TemporaryDirectory(prefix="manifest-", dir=self._scratch) as folder:
            path = Path(folder) / "manifest"
            if url is not None:
                await self._outbound.save(url, path, max_bytes=MANIFEST_LIMIT_BYTES, deadline_seconds=_DEADLINE_SECONDS)
            elif object_key is not None:
                await self._save_object(object_key, path)
            yield path

    async def _save_object(self, key: str, path: Path) -> None:
        size_bytes = await self._objects.head(key)
        if size_bytes is not None and size_bytes > MANIFEST_LIMIT_BYTES:
            raise Refused("body_too_large", f"The manifest is larger than the {MANIFEST_LIMIT_BYTES} bytes allowed.")
        await self._objects.save(key, path)

    async def pages(self, path: Path, columns: ManifestColumns, *, begin: int) -> AsyncGenerator[list[ReadRow], None]:
        """Give the rows of a manifest in pages of `ROWS_A_PAGE`, without the first `begin` of them.

        Parquet is read in a process of its own, which sees this file and no other.

        Raises Refused: `manifest_unreadable`, `manifest_too_large`, `format_unsupported`, or as `Sandbox.run`.
        """
        if not await asyncio.to_thread(_is_parquet, path):
            async for page in pages_of(path, columns, begin=begin):
                yield page
            return
        async with parquet.confined_to(path, memory_bytes=self._memory_bytes, seconds=self._seconds) as sandbox:
            names = list(columns.model_dump().values())
            async for rows in parquet.rows_of(sandbox, path, names, begin=begin, rows=ROWS_A_PAGE):
                yield [_judged(number, fields, columns) for number, fields in enumerate(rows, begin + 1)]
                begin += len(rows)


async def pages_of(path: Path, columns: ManifestColumns, *, begin: int) -> AsyncIterator[list[ReadRow]]:
    """Give the rows of a manifest of CSV or JSON in pages; arguments and errors are those of `Manifests.pages`.

    Where it cannot be read any further, the rows before that come first, and then the error.
    """
    rows = read_rows(path, columns)
    try:
        skipped = await asyncio.to_thread(lambda: sum(1 for _ in islice(rows, begin)))
        broken: Refused | None = None
        while skipped == begin and broken is None:
            page, broken = await asyncio.to_thread(_next_page, rows)
            if page:
                yield page
            elif broken is None:
                return
        if broken is not None:
            raise broken
    finally:
        with suppress(ValueError):  # a thread still reads for somebody who waits no more; it is closed with its end
            rows.close()


def _next_page(rows: Iterator[ReadRow]) -> tuple[list[ReadRow], Refused | None]:
    """Give the next rows, and why there are no more after them where that is no end."""
    page: list[ReadRow] = []
    try:
        page.extend(islice(rows, ROWS_A_PAGE))
    except Refused as refusal:
        return page, refusal
    return page, None


def read_rows(path: Path, columns: ManifestColumns) -> Generator[ReadRow, None, None]:
    """Give the rows of a manifest of CSV or JSON one by one; what is in memory is one row."""
    with _opened(path) as file:
        lines = _lines(file)
        first = next(lines, "")
        rest = _again(first, lines)
        found = _of_json(rest) if first.lstrip().startswith("{") else _of_csv(rest, columns)
        for number, fields in enumerate(found, 1):
            yield _judged(number, fields, columns)


async def digest_of(path: Path) -> bytes:
    """Give the SHA-256 of a file, by which it is known from what lay in its place before."""
    return await asyncio.to_thread(_digest, path)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return file_digest(file, "sha256").digest()


def _is_parquet(path: Path) -> bool:
    beginning = _beginning(path)
    if beginning == parquet.ENCRYPTED:
        raise Refused("format_unsupported", "This Parquet file is encrypted; please send it as it can be read.")
    return beginning == parquet.MAGIC


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path) if _beginning(path).startswith(_GZIP) else path.open("rb")


def _lines(file: BufferedIOBase) -> Iterator[str]:
    """Give lines of bounded length, of a file of bounded length when unpacked."""
    size_bytes = 0
    encoding = "utf-8-sig"
    try:
        while line := file.readline(_LINE_LIMIT_BYTES):
            size_bytes += len(line)
            if size_bytes > UNMANIFEST_LIMIT_BYTES:
                raise Refused("manifest_too_large", f"It unpacks to more than {UNMANIFEST_LIMIT_BYTES} bytes.")
            if len(line) == _LINE_LIMIT_BYTES and not line.endswith(b"\n"):
                raise Refused("manifest_unreadable", f"It has a line of more than {_LINE_LIMIT_BYTES} bytes.")
            yield line.decode(encoding, "replace").replace("\x00", "")
            encoding = "utf-8"
    except (OSError, EOFError, zlib.error) as error:
        raise Refused("manifest_unreadable", "It is cut off or damaged, so that it cannot be unpacked.") from error


def _again(first: str, rest: Iterable[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _without_empty(rows: Iterable[T], says_something: Callable[[T], object]) -> Iterator[T]:
    empty = 0
    for row in rows:
        if says_something(row):
            empty = 0
            yield row
        elif (empty := empty + 1) > _EMPTY_ROWS_LIMIT:
            raise Refused("manifest_unreadable", f"More than {_EMPTY_ROWS_LIMIT} rows in a row are empty.")


def _of_json(lines: Iterable[str]) -> Iterator[Fields]:
    return map(_object, _without_empty(lines, str.strip))


def _object(line: str) -> Fields:
    try:
        read = json.loads(line)
    except (ValueError, RecursionError):
        read = None
    return read if isinstance(read, dict) else "is no JSON object."


def _of_csv(lines: Iterator[str], columns: ManifestColumns) -> Iterator[Fields]:
    header = next(lines, "")
    delimiter = max(",;\t", key=header.count)
    try:
        records = _records(_again(header, lines), delimiter)
        names = [name.strip() for name in next(records, [])]
        if columns.url not in names:
            raise Refused("manifest_unreadable", f"Its first line names no column `{columns.url}`.")
        for record in _without_empty(records, any):
            yield record if isinstance(record, str) else dict(zip(names, record, strict=False))
    except csv.Error as error:
        raise Refused("manifest_unreadable", f"It is no CSV: {error}.") from error


def _records(lines: Iterator[str], delimiter: str) -> Iterator[list[str] | str]:
    """Give the records of a CSV, which hold line breaks where these are quoted, but not without end.

    One of a single line in which a cell is too long is given by what is wrong with it; the next line is another record.
    """
    left = taken = 0

    def counted() -> Iterator[str]:
        nonlocal left, taken
        for line in lines:
            left -= len(line)
            taken += 1
            if left < 0:
                raise Refused("manifest_unreadable", "It has a row that does not end: a quotation mark is left open.")
            yield line

    reader = csv.reader(counted(), delimiter=delimiter)
    while True:
        left, taken = _RECORD_LIMIT_CHARACTERS, 0
        try:
            record: list[str] | str | None = next(reader, None)
        except csv.Error as error:
            if taken > 1 or "field limit" not in str(error):
                raise
            record = f"has a cell of more than {csv.field_size_limit()} characters."
        if record is None:
            return
        yield record


def _judged(number: int, fields: Fields, columns: ManifestColumns) -> ReadRow:
    shown = f"row {number}"
    if isinstance(fields, str):
        return RefusedRow(number, shown, "row_unreadable", f"Row {number} {fields}")
    url = fields.get(columns.url)
    if not isinstance(url, str) or not url.strip():
        return RefusedRow(number, shown, "url_missing", f"Row {number} has no `{columns.url}`.")
    url = printable(url.strip(), URL_LIMIT_CHARACTERS + 1)
    if len(url) > URL_LIMIT_CHARACTERS:
        sentence = f"The URL of row {number} is longer than {URL_LIMIT_CHARACTERS} characters."
        return RefusedRow(number, url[:_SHOWN_CHARACTERS], "url_too_long", sentence)
    try:
        canonical_url(url)
    except Refused as refusal:
        return RefusedRow(number, url[:_SHOWN_CHARACTERS] or shown, refusal.code, refusal.sentence)
    return ManifestImage(number, url, _context(number, fields, columns))


def _context(number: int, fields: Mapping[str, Any], columns: ManifestColumns) -> ImageContext:
    said: dict[str, Any] = {"position": number}
    for name, column in columns.model_dump(exclude={"url"}).items():
        text = fields.get(column)
        if isinstance(text, str) and (words := printable(text.strip(), _TEXT_LIMIT_CHARACTERS)):
            said[name] = words
    return ImageContext.model_validate(said)
