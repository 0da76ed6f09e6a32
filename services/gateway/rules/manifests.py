"""Manifests: lists of images with what is said about each, as CSV or as lines of JSON. Each row is judged by itself."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.errors import Refused

ROWS_LIMIT: Final = 5000
_ALIASES: Final = {
    "image_url": "url",
    "image": "url",
    "src": "url",
    "text": "caption",
    "description": "caption",
    "alt_text": "alt",
    "license": "licence",
    "keywords": "tags",
}
_DELIMITERS: Final = ",;\t|"
_TAG_MARKS: Final = str.maketrans(";|", ",,")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a manifest.

    Attributes:
        number: as editors and spreadsheets count, from 1, a header among them.
        fields: by the names of columns; None where the row cannot be read.

    """

    number: int
    fields: dict[str, Any] | None


def rows_of_csv(text: str) -> Iterator[Row]:
    """Read a CSV file with a header (RFC 4180; also with `;`, `|` or tabs between the columns).

    Raises Refused `manifest_unreadable` where it has no header with a column `url`.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=_delimiter_of(text))
    try:
        columns = [_column(name) for name in next(lines, [])]
        if "url" not in columns:
            raise Refused("manifest_unreadable", "Its first line names the columns, and one of them is `url`.")
        for number, values in enumerate(lines, 2):
            if any(value.strip() for value in values):
                yield Row(number, {name: value for name, value in zip(columns, values, strict=False) if value})
    except csv.Error as error:
        raise Refused("manifest_unreadable", f"It is no CSV in line {lines.line_num}: {error}.") from error


def _delimiter_of(text: str) -> str:
    header = text.partition("\n")[0]
    return max(_DELIMITERS, key=header.count)


def _column(name: str) -> str:
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return _ALIASES.get(plain, plain)


def rows_of_lines(body: bytes) -> Iterator[Row]:
    """Read lines of JSON, each an object; empty ones count, and hold nothing."""
    for number, line in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield Row(number, _object_of(line))


def _object_of(line: bytes) -> dict[str, Any] | None:
    try:
        held = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return fields_of(held) if isinstance(held, dict) else None


def fields_of(held: dict[str, Any]) -> dict[str, Any]:
    """Give an object's members by the names of columns, without those that say nothing; exact names win."""
    said = [(name, value) for name, value in held.items() if value is not None and value != ""]
    return {_column(name): value for name, value in sorted(said, key=lambda one: one[0] == _column(one[0]))}


def split_tags(tags: Any) -> Any:
    """Give the tags of a text; whatever is no text stays as it is."""
    return [tag for tag in tags.translate(_TAG_MARKS).split(",") if tag.strip()] if isinstance(tags, str) else tags
