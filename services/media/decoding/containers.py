"""Walks along the parts of a file by their lengths, without reading what they hold."""

from collections.abc import Iterator
from typing import Final

from shared.png_chunks import MAX_PARTS, PART_HEADER_BYTES, Part

GIF_HEADER_BYTES: Final = 13
GIF_IMAGE: Final = 0x2C
GIF_EXTENSION: Final = 0x21

_RIFF_HEADER_BYTES: Final = 12
_LONG_BOX: Final = 1
_LONG_LENGTH_BYTES: Final = 8


def riff_chunks(payload: bytes) -> Iterator[Part]:
    """Walk along a WebP; the last chunk may reach beyond the file."""
    at = _RIFF_HEADER_BYTES
    for _ in range(MAX_PARTS):
        data = at + PART_HEADER_BYTES
        if data > len(payload):
            return
        end = data + int.from_bytes(payload[at + 4 : data], "little")
        yield Part(payload[at : at + 4], at, data, end, end + (end - data) % 2)
        at = end + (end - data) % 2


def iso_boxes(payload: bytes, start: int, end: int) -> Iterator[Part]:
    """Walk along the boxes of an AVIF or HEIC, or of one of its boxes, as far as they are all there."""
    for _ in range(MAX_PARTS):
        data = start + PART_HEADER_BYTES
        length = int.from_bytes(payload[start : start + 4], "big")
        if length == _LONG_BOX:
            data += _LONG_LENGTH_BYTES
            length = int.from_bytes(payload[data - _LONG_LENGTH_BYTES : data], "big")
        stop = start + length if length else end
        if not data <= stop <= end:
            return
        yield Part(payload[start + 4 : start + 8], start, data, stop, stop)
        start = stop


def colour_table_bytes(flags: int) -> int:
    """Tell how long the colours of a GIF, or of one of its images, are by the flags before them."""
    return 3 << ((flags & 0b111) + 1) if flags & 0b1000_0000 else 0
