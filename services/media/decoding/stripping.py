"""The same picture without what its file tells beside it: pixels are copied as they are, never drawn anew."""

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from services.media.decoding.containers import (
    GIF_EXTENSION,
    GIF_HEADER_BYTES,
    GIF_IMAGE,
    colour_table_bytes,
    riff_chunks,
)
from services.media.decoding.metadata import UPRIGHT
from shared.png_chunks import Part, png_chunk, png_chunks, without_torn_end

_JPEG_START, _JPEG_END, _JPEG_SCAN = 0xD8, 0xD9, 0xDA
_JPEG_KEPT: Final = frozenset(range(0xC0, 0xE0))
"""Tables, frames and scans; a colour profile, how Adobe codes colours, and the density of the pixels besides."""
_JPEG_DENSITY: Final = b"JFIF\0"
_JPEG_DENSITY_BYTES: Final = 14
_JPEG_CODING: Final = b"Adobe"
_JPEG_CODING_BYTES: Final = 12
_JPEG_PROFILE: Final = b"ICC_PROFILE\0"
# Fill bytes before a marker are left where they are: a pattern that took them in would look at each one anew.
_JPEG_MARKER: Final = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")

_PNG_KEPT: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD"}
    | {b"pHYs", b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT"}
)
_WEBP_KEPT: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_WEBP_TELLS_EXIF, _WEBP_TELLS_XMP = 0x08, 0x04
_WEBP_FRAME_HEADER_BYTES: Final = 16

_GIF_TRAILER: Final = 0x3B
_GIF_LOOP_BYTES: Final = 19
_GIF_CONTROL: Final = b"\x21\xf9"
_GIF_LOOPS: Final = (b"\x21\xff\x0bNETSCAPE2.0", b"\x21\xff\x0bANIMEXTS1.0")


def strip(payload: bytes, format_name: str, orientation: int) -> bytes:
    """Copy a file without EXIF, XMP, texts, comments, previews, and whatever lies behind its end.

    Kept are pixels, frames, colour profiles, and the orientation, which no viewer can do without.

    Args:
        payload: a file that was decoded before.
        format_name: a key of `STRIPPED`.
        orientation: EXIF, 1 to 8.

    """
    return b"".join(STRIPPED[format_name](payload, orientation))


def _exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def _jpeg(payload: bytes, orientation: int) -> Iterator[bytes]:
    yield payload[:2]
    if orientation != UPRIGHT:
        told = b"Exif\0\0" + _exif(orientation)
        yield b"\xff\xe1" + struct.pack(">H", len(told) + 2) + told
    at = 2
    while marker := _JPEG_MARKER.search(payload, at):
        kind, start = marker[1][0], marker.end() - 2
        if kind == _JPEG_END:
            break
        if kind == _JPEG_START:
            at = marker.end()
            continue
        stop = marker.end() + int.from_bytes(payload[marker.end() : marker.end() + 2], "big")
        if kind == _JPEG_SCAN:
            following = _JPEG_MARKER.search(payload, stop)
            stop = following.start() if following else len(payload)
        content = b"" if kind in _JPEG_KEPT else payload[start + 4 : stop]
        if kind in _JPEG_KEPT or (kind == 0xE2 and content.startswith(_JPEG_PROFILE)):  # noqa: PLR2004
            yield payload[start:stop]
        elif kind == 0xE0 and content.startswith(_JPEG_DENSITY):  # noqa: PLR2004
            yield _without_preview(content)
        elif kind == 0xEE and content.startswith(_JPEG_CODING):  # noqa: PLR2004
            yield _jpeg_segment(kind, content[:_JPEG_CODING_BYTES])
        at = stop
    yield bytes((0xFF, _JPEG_END))


def _without_preview(density: bytes) -> bytes:
    """Give a JFIF segment without the small picture in it, which may show what was cut off since."""
    return _jpeg_segment(0xE0, density[: _JPEG_DENSITY_BYTES - 2] + bytes(2))


def _jpeg_segment(kind: int, content: bytes) -> bytes:
    return bytes((0xFF, kind)) + struct.pack(">H", len(content) + 2) + content


def _png(payload: bytes, orientation: int) -> Iterator[bytes]:
    yield payload[:8]
    told = b"" if orientation == UPRIGHT else png_chunk(b"eXIf", _exif(orientation))
    whole = without_torn_end(payload)
    for chunk in png_chunks(whole):
        if chunk.kind in _PNG_KEPT:
            yield whole[chunk.start : chunk.stop]
        if chunk.kind == b"IHDR":
            yield told


def _webp(payload: bytes, orientation: int) -> Iterator[bytes]:
    end = min(len(payload), int.from_bytes(payload[4:8], "little") + 8)
    told = b"" if orientation == UPRIGHT else _riff_chunk(b"EXIF", _exif(orientation))
    kept = [_webp_chunk(payload, chunk, told=bool(told)) for chunk in riff_chunks(payload[:end])]
    size_bytes = 4 + sum(map(len, kept)) + len(told)
    return chain((b"RIFF", struct.pack("<I", size_bytes), b"WEBP"), kept, (told,))


def _webp_chunk(payload: bytes, chunk: Part, *, told: bool) -> bytes:
    if chunk.kind not in _WEBP_KEPT:
        return b""
    content = payload[chunk.data : chunk.end]
    if chunk.kind == b"VP8X":
        flags = content[0] & ~(_WEBP_TELLS_EXIF | _WEBP_TELLS_XMP)
        content = bytes((flags | (_WEBP_TELLS_EXIF if told else 0),)) + content[1:]
    if chunk.kind == b"ANMF":
        frame = bytes(12) + content[_WEBP_FRAME_HEADER_BYTES:]
        inner = (_webp_chunk(frame, part, told=False) for part in riff_chunks(frame))
        content = content[:_WEBP_FRAME_HEADER_BYTES] + b"".join(inner)
    return _riff_chunk(chunk.kind, content)


def _riff_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _gif(payload: bytes, _: int) -> Iterator[bytes]:
    at = GIF_HEADER_BYTES + colour_table_bytes(payload[10])
    yield payload[:at]
    while at < len(payload) and payload[at] in {GIF_IMAGE, GIF_EXTENSION}:
        is_image = payload[at] == GIF_IMAGE
        body = at + (11 + colour_table_bytes(payload[at + 9]) if is_image else 2)
        stop = _end_of_blocks(payload, body)
        is_loop = payload.startswith(_GIF_LOOPS, at) and stop - at == _GIF_LOOP_BYTES
        if is_image or is_loop or payload.startswith(_GIF_CONTROL, at):
            yield payload[at:stop]
        at = stop
    yield bytes((_GIF_TRAILER,))


def _end_of_blocks(payload: bytes, at: int) -> int:
    while at < len(payload) and payload[at]:
        at += payload[at] + 1
    return at + 1


STRIPPED: Final[Mapping[str, Callable[[bytes, int], Iterator[bytes]]]] = MappingProxyType(
    {"jpeg": _jpeg, "png": _png, "webp": _webp, "gif": _gif}
)
"""The formats that can be copied so, by name."""
