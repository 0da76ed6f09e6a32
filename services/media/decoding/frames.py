"""How many frames a file has and for how long they run, found without decoding any."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from PIL import Image

from services.media.decoding.containers import (
    GIF_EXTENSION,
    GIF_HEADER_BYTES,
    GIF_IMAGE,
    colour_table_bytes,
    riff_chunks,
)
from shared.png_chunks import MAX_PARTS, png_chunks

LONGEST_MS: Final = 2**31 - 1
"""Some 24 days: whatever a file claims beyond counts as this."""

_GIF_CONTROL: Final = b"\x21\xf9\x04"
_TICK_MS: Final = 10
_WEBP_DELAY: Final = slice(12, 15)
_PNG_DELAY: Final = struct.Struct(">HH")
_PNG_DELAY_AT: Final = 20
_PNG_USUAL_TICKS: Final = 100
_MEDIA_HEADERS: Final = {0: (struct.Struct(">II"), 12), 1: (struct.Struct(">IQ"), 20)}


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of an animation, or pages of a file of several pictures.

    Attributes:
        count: at least 1.
        duration_ms: of one run through the animation, as the file says, which viewers stretch where frames are
            shorter than they can show; None where nothing moves.

    """

    count: int = 1
    duration_ms: int | None = None


def measure_frames(image: Image.Image, payload: bytes) -> Frames:
    """Count the frames of an animation, or the pages of a TIFF or HEIC, and add their delays up."""
    if image.format == "TIFF":
        return Frames(max(1, _tiff_pages(payload)))
    if image.format == "HEIF":
        return Frames(max(1, getattr(image, "n_frames", 1)))
    count, duration_ms = _animation(image, payload)
    if count <= 1:
        return Frames()
    return Frames(count, min(LONGEST_MS, round(duration_ms)))


def _animation(image: Image.Image, payload: bytes) -> tuple[int, float]:
    claimed = getattr(image, "n_frames", 1)
    if image.format == "GIF":
        delays: list[float] = list(_gif_delays(payload))
        return len(delays), sum(delays)
    if claimed <= 1:
        return 1, 0
    if image.format == "PNG":
        # The header may claim any number; each frame needs a chunk of its own.
        delays = list(_png_delays(payload))
        return min(claimed, len(delays)), sum(delays[:claimed])
    if image.format == "WEBP":
        return claimed, sum(_webp_delays(payload))
    if image.format == "AVIF":
        return claimed, _avif_duration_ms(payload)
    return 1, 0


def _gif_delays(payload: bytes) -> Iterator[int]:
    """Yield what each frame waits, in ms, 0 where it does not say."""
    at = GIF_HEADER_BYTES + colour_table_bytes(payload[10])
    blocks = delay_ms = 0
    while at < len(payload) and blocks < MAX_PARTS:
        if payload[at] == GIF_IMAGE and at + 10 < len(payload):
            yield delay_ms
            delay_ms = 0
            at += 11 + colour_table_bytes(payload[at + 9])
        elif payload[at] == GIF_EXTENSION:
            if payload.startswith(_GIF_CONTROL, at):
                delay_ms = int.from_bytes(payload[at + 4 : at + 6], "little") * _TICK_MS
            at += 2
        else:
            break
        while at < len(payload) and payload[at] and blocks < MAX_PARTS:
            at += payload[at] + 1
            blocks += 1
        at += 1
        blocks += 1


def _png_delays(payload: bytes) -> Iterator[float]:
    for chunk in png_chunks(payload):
        if chunk.kind == b"fcTL" and chunk.data + _PNG_DELAY_AT + _PNG_DELAY.size <= len(payload):
            ticks, ticks_a_second = _PNG_DELAY.unpack_from(payload, chunk.data + _PNG_DELAY_AT)
            yield ticks * 1000 / (ticks_a_second or _PNG_USUAL_TICKS)


def _webp_delays(payload: bytes) -> Iterator[int]:
    for chunk in riff_chunks(payload):
        if chunk.kind == b"ANMF":
            yield int.from_bytes(payload[chunk.data : chunk.end][_WEBP_DELAY], "little")


def _avif_duration_ms(payload: bytes) -> float:
    """Read the length of the first track from its media header (ISO/IEC 14496-12, 8.4.2)."""
    at = payload.find(b"mdhd") + 4
    layout, offset = _MEDIA_HEADERS.get(payload[at] if 4 <= at < len(payload) else -1, (None, 0))  # noqa: PLR2004
    if layout is None or at + offset + layout.size > len(payload):
        return 0
    ticks_a_second, ticks = layout.unpack_from(payload, at + offset)
    return ticks * 1000 / ticks_a_second if ticks_a_second else 0


def _tiff_pages(payload: bytes) -> int:
    order = "<" if payload.startswith(b"II") else ">"
    big = payload[2:4] in (b"+\0", b"\0+")
    count, offset = struct.Struct(order + ("Q" if big else "H")), struct.Struct(order + ("Q" if big else "I"))
    entry_bytes = 20 if big else 12
    seen: set[int] = set()
    at = _number(offset, payload, 8 if big else 4)
    while at and at not in seen and len(seen) < MAX_PARTS:
        seen.add(at)
        at = _number(offset, payload, at + count.size + _number(count, payload, at) * entry_bytes)
    return len(seen)


def _number(layout: struct.Struct, payload: bytes, at: int) -> int:
    """Read a number; 0 beyond the end, which is how a TIFF says that no page follows."""
    return int(layout.unpack_from(payload, at)[0]) if at + layout.size <= len(payload) else 0
