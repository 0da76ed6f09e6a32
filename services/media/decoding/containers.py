"""Walks along the parts of a file by their lengths, without reading what they hold."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_PARTS: Final = 1_000_000
"""Parts that are walked past: a file made of empty ones costs at most half a second."""

PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"

GIF_HEADER_BYTES: Final = 13
GIF_IMAGE: Final = 0x2C
GIF_EXTENSION: Final = 0x21

_PNG_SIGNATURE_BYTES: Final = 8
_RIFF_HEADER_BYTES: Final = 12
_PART_HEADER_BYTES: Final = 8
_CHECKSUM_BYTES: Final = 4
_LONG_BOX: Final = 1
_LONG_LENGTH_BYTES: Final = 8


class Part(NamedTuple):
    """One chunk: `payload[data:end]` is what it holds, `payload[start:stop]` all of it, if it is all there."""

    kind: bytes
    start: int
    data: int
    end: int
    stop: int


def png_chunks(payload: bytes) -> Iterator[Part]:
    """Walk along a PNG up to its end; the last chunk may reach beyond the file."""
    at = _PNG_SIGNATURE_BYTES
    for _ in range(MAX_PARTS):
        data = at + _PART_HEADER_BYTES
        if data > len(payload):
            return
        end = data + int.from_bytes(payload[at : at + 4], "big")
        chunk = Part(payload[at + 4 : data], at, data, end, end + _CHECKSUM_BYTES)
        yield chunk
        if chunk.kind == b"IEND":
            return
        at = chunk.stop


def riff_chunks(payload: bytes) -> Iterator[Part]:
    """Walk along a WebP; the last chunk may reach beyond the file."""
    at = _RIFF_HEADER_BYTES
    for _ in range(MAX_PARTS):
        data = at + _PART_HEADER_BYTES
        if data > len(payload):
            return
        end = data + int.from_bytes(payload[at + 4 : data], "little")
        yield Part(payload[at : at + 4], at, data, end, end + (end - data) % 2)
        at = end + (end - data) % 2


def iso_boxes(payload: bytes, start: int, end: int) -> Iterator[Part]:
    """Walk along the boxes of an AVIF or HEIC, or of one of its boxes, as far as they are all there."""
    for _ in range(MAX_PARTS):
        data = start + _PART_HEADER_BYTES
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


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def without_torn_end(payload: bytes) -> bytes:
    """End a PNG where it is torn behind its first pixels: where these are all, the picture is whole all the same."""
    if payload.endswith(PNG_END):
        return payload
    has_pixels = False
    for chunk in png_chunks(payload):
        is_pixels = chunk.kind == b"IDAT"
        if has_pixels and chunk.end > len(payload):
            last = png_chunk(b"IDAT", payload[chunk.data :]) if is_pixels else b""
            return payload[: chunk.start] + last + PNG_END
        has_pixels = has_pixels or is_pixels
    return payload
