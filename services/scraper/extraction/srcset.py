"""The srcset attribute, parsed by the algorithm of the HTML standard (§4.8.4.3.8, "parse a srcset attribute")."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CANDIDATE_LIMIT: Final = 100
"""Nobody shows one picture in more sizes; the rest of a longer list is not read."""

_SPACE: Final = " \t\n\f\r"
_BEFORE: Final = re.compile(r"[ \t\n\f\r,]*")
_URL: Final = re.compile(r"[^ \t\n\f\r]+")
# Commas and spaces within parentheses belong to their descriptor; parentheses do not nest.
_DESCRIPTORS: Final = re.compile(r"(?:[^(,]|\([^)]*+(?:\)|\Z))*+")
_DESCRIPTOR: Final = re.compile(r"(?:[^( \t\n\f\r]|\([^)]*+(?:\)|\Z))++")
# The standard sets no bound; browsers know no number that takes more than 31 bits.
_INTEGER: Final = re.compile(r"0*[0-9]{1,10}")
_LARGEST_INTEGER: Final = 2**31 - 1
_FLOAT: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Source:
    """An image source: a URL as written, with at most one of a width in pixels and a density."""

    url: str
    width_px: int | None = None
    density: float | None = None


def parse_srcset(text: str) -> list[Source]:
    """Read the image candidates in their order; those with descriptors that the standard calls errors are left out."""
    sources = []
    for url, descriptors in _split(text):
        source = _described(url, descriptors)
        if source is not None:
            sources.append(source)
        if len(sources) == CANDIDATE_LIMIT:
            break
    return sources


def _split(text: str) -> Iterator[tuple[str, list[str]]]:
    position = 0
    while match := _URL.match(text, _match_end(_BEFORE, text, position)):
        url, position = match[0], match.end()
        if url.endswith(","):
            yield url.rstrip(","), []
            continue
        end = _match_end(_DESCRIPTORS, text, position)
        yield url, _DESCRIPTOR.findall(text[position:end])
        position = end + 1


def _match_end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _described(url: str, descriptors: list[str]) -> Source | None:
    width = height = None
    density = None
    for descriptor in descriptors:
        number, unit = descriptor[:-1], descriptor[-1]
        if unit == "w" and width is None and density is None and _INTEGER.fullmatch(number):
            width = _integer(number)
        elif unit == "h" and height is None and density is None and _INTEGER.fullmatch(number):
            height = _integer(number)
        elif unit == "x" and width is None and height is None and density is None and _FLOAT.fullmatch(number):
            density = float(number)
        else:
            return None
    if _is_wrong(width) or _is_wrong(height) or (height and not width):
        return None
    if density is not None and not 0 <= density < float("inf"):
        return None
    return Source(url, width, density)


def _integer(digits: str) -> int:
    return int(digits[-10:])  # before these all are zeros


def _is_wrong(size_px: int | None) -> bool:
    return size_px is not None and not 0 < size_px <= _LARGEST_INTEGER
