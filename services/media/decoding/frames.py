import struct
from typing import Final

from PIL import Image

MAX_BLOCKS: Final = 1_000_000
"""Blocks that are walked through while counting: a file made of empty ones costs at most half a second."""

_GIF_HEADER_BYTES: Final = 13
_GIF_IMAGE: Final = 0x2C
_GIF_EXTENSION: Final = 0x21


def count_frames(image: Image.Image, payload: bytes) -> int:
    """Count the frames of an animation or the pages of a TIFF without decoding them; at least 1."""
    if image.format == "GIF":
        return max(1, _gif_frames(payload))
    if image.format == "TIFF":
        return max(1, _tiff_pages(payload))
    claimed = getattr(image, "n_frames", 1)
    if image.format == "PNG":
        # The header may claim any number; each frame needs a chunk of its own.
        return max(1, min(claimed, payload.count(b"fcTL")))
    return claimed if image.format in {"WEBP", "AVIF"} else 1


def _gif_frames(payload: bytes) -> int:
    frames = 0
    at = _GIF_HEADER_BYTES + _colour_table_bytes(payload[10])
    blocks = 0
    while at < len(payload) and blocks < MAX_BLOCKS:
        if payload[at] == _GIF_IMAGE and at + 10 < len(payload):
            frames += 1
            at += 11 + _colour_table_bytes(payload[at + 9])
        elif payload[at] == _GIF_EXTENSION:
            at += 2
        else:
            break
        while at < len(payload) and payload[at] and blocks < MAX_BLOCKS:
            at += payload[at] + 1
            blocks += 1
        at += 1
        blocks += 1
    return frames


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 0b111) + 1) if flags & 0b1000_0000 else 0


def _tiff_pages(payload: bytes) -> int:
    order = "<" if payload.startswith(b"II") else ">"
    big = payload[2:4] in (b"+\0", b"\0+")
    count, offset = struct.Struct(order + ("Q" if big else "H")), struct.Struct(order + ("Q" if big else "I"))
    entry_bytes = 20 if big else 12
    seen: set[int] = set()
    at = _number(offset, payload, 8 if big else 4)
    while at and at not in seen and len(seen) < MAX_BLOCKS:
        seen.add(at)
        at = _number(offset, payload, at + count.size + _number(count, payload, at) * entry_bytes)
    return len(seen)


def _number(layout: struct.Struct, payload: bytes, at: int) -> int:
    """Read a number; 0 beyond the end, which is how a TIFF says that no page follows."""
    return int(layout.unpack_from(payload, at)[0]) if at + layout.size <= len(payload) else 0
