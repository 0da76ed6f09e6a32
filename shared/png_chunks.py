"""Walks along the chunks of a PNG by their lengths, without reading what they hold, and ends one that is torn."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_PARTS: Final = 1_000_000
"""Parts that are walked past: a file made of empty ones costs at most half a second."""

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
PNG_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
PART_HEADER_BYTES: Final = 8

_CHECKSUM_BYTES: Final = 4


class Part(NamedTuple):
    """One chunk: `payload[data:end]` is what it holds, `payload[start:stop]` all of it, if it is all there."""

    kind: bytes
    start: int
    data: int
    end: int
    stop: int


def png_chunks(payload: bytes) -> Iterator[Part]:
    """Walk along a PNG up to its end; the last chunk may reach beyond the file."""
    at = len(PNG_START)
    for _ in range(MAX_PARTS):
        data = at + PART_HEADER_BYTES
        if data > len(payload):
            return
        end = data + int.from_bytes(payload[at : at + 4], "big")
        chunk = Part(payload[at + 4 : data], at, data, end, end + _CHECKSUM_BYTES)
        yield chunk
        if chunk.kind == b"IEND":
            return
        at = chunk.stop


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Write a chunk."""
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
