"""Hostile files of each class, made here: what they claim, unpack to, loop through, or hide."""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.media.heic import heic
from tests.media.samples import animation, bmp, encoded, gif, photo, png, png_chunk, tiff, webp

Make = Callable[[], bytes]

HUGE = 16_000
TIFF_SHORT, TIFF_LONG = 3, 4


class Hostile(NamedTuple):
    """A file, and how it must end: with a code, or as a picture of this size."""

    make: Make
    code: str | None = None
    size: tuple[int, int] | None = None


def jpeg_declaring(width: int, height: int) -> bytes:
    payload = bytearray(encoded(photo(64, 48), "JPEG"))
    frame = payload.index(b"\xff\xc0")
    payload[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(payload)


def avif_declaring(width: int, height: int) -> bytes:
    payload = bytearray(encoded(photo(64, 48), "AVIF", speed=10))
    extents = payload.index(b"ispe") + 8
    payload[extents : extents + 8] = struct.pack(">II", width, height)
    return bytes(payload)


def heic_declaring(width: int, height: int) -> bytes:
    return heic(photo(64, 48), declaring=(width, height))


def netpbm(width: int, height: int, white: int = 255) -> bytes:
    return b"P5 %d %d %d\n" % (width, height, white) + bytes(64)


def webp_still_declaring(width: int, height: int) -> bytes:
    payload = bytearray(encoded(photo(64, 48), "WEBP"))
    start_code = payload.index(b"\x9d\x01\x2a")
    payload[start_code + 3 : start_code + 7] = struct.pack("<HH", width, height)
    return bytes(payload)


DECLARING: Mapping[str, Callable[[int, int], bytes]] = {
    "jpeg": jpeg_declaring,
    "png": png,
    "gif": lambda width, height: gif(width, height, frame=(width, height)),
    "webp": webp_still_declaring,
    "avif": avif_declaring,
    "heic": heic_declaring,
    "tiff": tiff,
    "bmp": bmp,
    "netpbm": netpbm,
}
"""Files of a few hundred bytes whose header declares any size."""


def unpacking_tiff(width: int, height: int, compression: int = 8) -> bytes:
    """One strip of zeros, packed a thousandfold: deflate is 8, which is what a zip file does."""
    packed = zlib.compress(bytes(width * height), 9)
    entries = _tiff_entries(width, height, packed, compression)
    return b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + _ifd(entries)


def _tiff_entries(width: int, height: int, packed: bytes, compression: int) -> list[tuple[int, int, int, int]]:
    return [
        (256, TIFF_LONG, 1, width),
        (257, TIFF_LONG, 1, height),
        (258, TIFF_SHORT, 1, 8),
        (259, TIFF_SHORT, 1, compression),
        (262, TIFF_SHORT, 1, 1),
        (273, TIFF_LONG, 1, 8),
        (277, TIFF_SHORT, 1, 1),
        (278, TIFF_LONG, 1, height),
        (279, TIFF_LONG, 1, len(packed)),
    ]


def _ifd(entries: list[tuple[int, int, int, int]], following: int = 0) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def tiff_whose_pages(following: Callable[[int, int], int]) -> bytes:
    """A picture of 8 x 8; `following(page's own offset, its length)` says where the next page lies."""
    pixels = bytes(64)
    entries = _tiff_entries(8, 8, pixels, 1)
    at = 8 + len(pixels)
    return b"II*\0" + struct.pack("<I", at) + pixels + _ifd(entries, following(at, len(_ifd(entries))))


def tiff_of_pages(pages: int) -> bytes:
    pixels = bytes(64)
    entries = _tiff_entries(8, 8, pixels, 1)
    length, start = len(_ifd(entries)), 8 + len(pixels)
    chain = [start + number * length for number in range(1, pages)] + [0]
    return b"II*\0" + struct.pack("<I", start) + pixels + b"".join(_ifd(entries, at) for at in chain)


def tiff_with(*entries: tuple[int, int, int, int]) -> bytes:
    """A picture of 8 x 8 with further tags, which may refer to anything."""
    pixels = bytes(64)
    known = {entry[0]: entry for entry in _tiff_entries(8, 8, pixels, 1)} | {entry[0]: entry for entry in entries}
    return b"II*\0" + struct.pack("<I", 72) + pixels + _ifd([known[tag] for tag in sorted(known)])


def exif_that_loops() -> bytes:
    """EXIF whose inner directory is its outer one."""
    directory = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, TIFF_LONG, 1, 8) + struct.pack("<I", 8)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory


def exif_that_counts(kind: int) -> bytes:
    """EXIF with a value of four thousand million parts."""
    directory = struct.pack("<H", 1) + struct.pack("<HHII", 0x010F, kind, 0xFFFF_FFFF, 8) + struct.pack("<I", 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory


def gif_of_frames(frames: int, side: int = 8) -> bytes:
    """Thousands of frames of one pixel on a screen of any size."""
    screen = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"!\xf9\x04\0\x01\0\0\0," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return screen + frame * frames + b";"


def webp_of_frames(frames: int, side: int) -> bytes:
    """Thousands of frames of one pixel on a canvas of any size."""
    still = encoded(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    inner = bytes(3 + 3 + 3 + 3) + (10).to_bytes(3, "little") + b"\0" + still
    canvas = b"\x02\0\0\0" + struct.pack("<I", side - 1)[:3] * 2
    body = b"WEBP" + _riff(b"VP8X", canvas) + _riff(b"ANIM", bytes(6)) + _riff(b"ANMF", inner) * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def png_of_frames(frames: int) -> bytes:
    pixels = zlib.compress(bytes(8 * (1 + 3 * 8)))
    control = [struct.pack(">IIIIIHHBB", 2 * number, 8, 8, 0, 0, 1, 100, 0, 0) for number in range(frames)]
    chunks = [png_chunk(b"acTL", struct.pack(">II", frames, 0)), png_chunk(b"fcTL", control[0])]
    chunks.append(png_chunk(b"IDAT", pixels))
    for number in range(1, frames):
        chunks.append(png_chunk(b"fcTL", control[number]))
        chunks.append(png_chunk(b"fdAT", struct.pack(">I", 2 * number) + pixels))
    return png(8, 8, *chunks)


def png_of_texts(count: int, unpacked_bytes: int) -> bytes:
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(unpacked_bytes), 9))
    return png(8, 8, *[text] * count, png_chunk(b"IDAT", zlib.compress(bytes(8 * (1 + 3 * 8)))))


def png_of_nothings(count: int) -> bytes:
    nothing = png_chunk(b"prIv", b"")
    return png(8, 8, nothing * count, png_chunk(b"IDAT", zlib.compress(bytes(8 * (1 + 3 * 8)))))


def jpeg_with_segments(segment: bytes, count: int) -> bytes:
    payload = encoded(photo(64, 48), "JPEG")
    return (
        payload[:2] + (b"\xff" + segment[:1] + struct.pack(">H", len(segment) + 1) + segment[1:]) * count + payload[2:]
    )


def jpeg_of_passes(passes: int) -> bytes:
    payload = encoded(photo(1600, 1300), "JPEG", progressive=True)
    last_scan = payload[payload.rindex(b"\xff\xda") : -2]
    return payload[:-2] + last_scan * passes + payload[-2:]


def mpo_with(second: bytes) -> bytes:
    """A picture of a stereo camera, whose second picture is replaced by something else."""
    whole = encoded(photo(64, 48), "MPO", save_all=True, append_images=[photo(64, 48, seed=1)])
    return whole[: whole.rindex(b"\xff\xd8")] + second


def _cut(payload: bytes) -> bytes:
    return payload[: len(payload) // 2]


def _noise(size_bytes: int) -> bytes:
    return np.random.default_rng(5).bytes(size_bytes)


_ZIP = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
_PAGE = b"<html><script>alert(document.domain)</script></html>"
_SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://169.254.169.254/'/></svg>"
_LOUD_XML = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><svg>&b;</svg>'

DECLARED_TOO_LARGE = {
    f"{name} that declares {HUGE} pixels a side": Hostile(lambda make=make: make(HUGE, HUGE), "image_too_large")
    for name, make in DECLARING.items()
}
UNPACKING = {
    "png of 16384 x 16384 zeros": Hostile(
        lambda: png(16_384, 16_384, png_chunk(b"IDAT", zlib.compress(bytes(40_000_000), 9)), colour=0),
        "image_too_large",
    ),
    "png of 49 million zeros": Hostile(lambda: encoded(Image.new("L", (7000, 7000)), "PNG"), size=(7000, 7000)),
    "tiff of 25 million zeros": Hostile(lambda: unpacking_tiff(5000, 5000), size=(5000, 5000)),
    "tiff that unpacks to more than it declares": Hostile(
        lambda: tiff_with((259, TIFF_SHORT, 1, 8), (279, TIFF_LONG, 1, 64)), "image_corrupt"
    ),
    "gif of 49 million zeros": Hostile(lambda: encoded(Image.new("L", (7000, 7000)), "GIF"), size=(7000, 7000)),
    "webp canvas of 16384 a side": Hostile(lambda: webp(16_384, 16_384), "image_too_large"),
    "png of a thousand texts": Hostile(lambda: png_of_texts(1000, 1_000_000), "metadata_too_large"),
    "png of one text of 50 MB": Hostile(lambda: png_of_texts(1, 50_000_000), "metadata_too_large"),
    "png of a hundred thousand nothings": Hostile(lambda: png_of_nothings(100_000), size=(8, 8)),
    "jpeg of a thousand passes": Hostile(lambda: jpeg_of_passes(1000), "image_too_complex"),
    "netpbm with a white of its own": Hostile(lambda: b"P5 4000 4000 100\n" + bytes(16_000_000), "image_too_complex"),
}
EMPTY_SIDES = {
    f"{name} without {side}": Hostile(lambda make=make, size=size: make(*size))
    for name, make in DECLARING.items()
    for side, size in (("width", (0, 8)), ("height", (8, 0)))
}
ANIMATED = {
    "gif of 20000 frames": Hostile(lambda: gif_of_frames(20_000), size=(8, 8)),
    "gif of 20000 frames on a large screen": Hostile(lambda: gif_of_frames(20_000, 7000), size=(7000, 7000)),
    "webp of 20000 frames": Hostile(lambda: webp_of_frames(20_000, 8), size=(8, 8)),
    "webp of 5000 frames on a large canvas": Hostile(lambda: webp_of_frames(5_000, 4900), size=(4900, 4900)),
    "png of 20000 frames": Hostile(lambda: png_of_frames(20_000), size=(8, 8)),
    "avif of 100 frames": Hostile(lambda: animation("AVIF", 100), size=(40, 30)),
    "tiff of 20000 pages": Hostile(lambda: tiff_of_pages(20_000), size=(8, 8)),
}
LOOPING = {
    "tiff whose page follows itself": Hostile(lambda: tiff_whose_pages(lambda at, _: at), size=(8, 8)),
    "tiff whose next page is its header": Hostile(lambda: tiff_whose_pages(lambda *_: 0 + 4), size=(8, 8)),
    "tiff whose next page lies beyond its end": Hostile(lambda: tiff_whose_pages(lambda *_: 0xFFFF_FFF0), size=(8, 8)),
    "tiff whose EXIF is its own page": Hostile(lambda: tiff_with((0x8769, TIFF_LONG, 1, 72)), size=(8, 8)),
    "tiff whose inner pages are its own": Hostile(lambda: tiff_with((330, TIFF_LONG, 1, 72)), size=(8, 8)),
    "jpeg whose EXIF contains itself": Hostile(
        lambda: encoded(photo(64, 48), "JPEG", exif=exif_that_loops()), size=(64, 48)
    ),
}
LYING = {
    "tiff of four thousand million strips": Hostile(lambda: tiff_with((273, TIFF_LONG, 0xFFFF_FFFF, 8))),
    "tiff of four thousand million samples": Hostile(lambda: tiff_with((277, TIFF_LONG, 1, 0xFFFF_FFFF))),
    "tiff of rows without end": Hostile(lambda: tiff_with((278, TIFF_LONG, 1, 0xFFFF_FFFF)), size=(8, 8)),
    "gif whose frame is larger than its screen": Hostile(
        lambda: gif(10, 10, frame=(60_000, 60_000)), "image_too_large"
    ),
    "webp canvas of another size than its picture": Hostile(lambda: webp(100, 100), "image_corrupt"),
    "riff of four thousand million bytes": Hostile(lambda: b"RIFF\xff\xff\xff\xffWEBPVP8 \xff\xff\xff\xff", None),
    "png whose chunk is two thousand million bytes": Hostile(
        lambda: png(8, 8)[:33] + b"\x7f\xff\xff\xffIDAT" + bytes(40), "image_corrupt"
    ),
    "jpeg whose EXIF counts four thousand million letters": Hostile(
        lambda: encoded(photo(64, 48), "JPEG", exif=exif_that_counts(2)), size=(64, 48)
    ),
    "jpeg whose EXIF counts four thousand million fractions": Hostile(
        lambda: encoded(photo(64, 48), "JPEG", exif=exif_that_counts(5)), size=(64, 48)
    ),
    "jpeg with 250 pieces of a profile of noise": Hostile(
        lambda: jpeg_with_segments(b"\xe2ICC_PROFILE\0\x01\x01" + _noise(60_000), 250), size=(64, 48)
    ),
    "jpeg with a profile of noise": Hostile(
        lambda: encoded(photo(64, 48), "JPEG", icc_profile=_noise(3_000)), size=(64, 48)
    ),
    "jpeg with a thousand empty EXIF": Hostile(lambda: jpeg_with_segments(b"\xe1Exif\0\0", 1000), size=(64, 48)),
    "jpeg with EXIF of noise": Hostile(
        lambda: encoded(photo(64, 48), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + _noise(500)), size=(64, 48)
    ),
    "mpo whose second picture is noise": Hostile(lambda: mpo_with(_noise(500)), size=(64, 48)),
    "mpo whose second picture is huge": Hostile(lambda: mpo_with(jpeg_declaring(HUGE, HUGE)), size=(64, 48)),
}
TRUNCATED = {
    f"half a {name}": Hostile(lambda name=name: _cut(encoded(photo(200, 150), name)))
    for name in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "PPM", "MPO")
} | {"half a HEIC": Hostile(lambda: _cut(heic(photo(64, 48))))}
PRETENDING = {
    "svg": Hostile(lambda: _SVG, "format_refused"),
    "svg of entities": Hostile(lambda: _LOUD_XML, "format_refused"),
    "svg behind a byte order mark": Hostile(lambda: b"\xef\xbb\xbf \n" + _SVG, "format_refused"),
    "svg in two-byte letters": Hostile(lambda: _SVG.decode().encode("utf-16"), "not_an_image"),
    "packed svg": Hostile(lambda: b"\x1f\x8b\x08\0" + bytes(40), "not_an_image"),
    "page": Hostile(lambda: _PAGE, "web_page_not_image"),
    "page that begins as a gif": Hostile(lambda: b"GIF89a/*" + _PAGE + b"*/=1;"),
    "gif that ends as an archive": Hostile(lambda: encoded(photo(64, 48), "GIF") + _ZIP, size=(64, 48)),
    "png that ends as a page": Hostile(lambda: encoded(photo(64, 48), "PNG") + _PAGE, size=(64, 48)),
    "jpeg with a page as its comment": Hostile(lambda: jpeg_with_segments(b"\xfe" + _PAGE, 1), size=(64, 48)),
    "archive that ends as a png": Hostile(lambda: _ZIP + encoded(photo(64, 48), "PNG"), "not_an_image"),
    "pdf that holds a jpeg": Hostile(lambda: b"%PDF-1.7\n" + encoded(photo(64, 48), "JPEG"), "not_an_image"),
    "playlist that calls itself a gif": Hostile(lambda: b"#EXTM3U\nhttp://169.254.169.254/", "not_an_image"),
    "noise": Hostile(lambda: b"\0" + _noise(5_000), "not_an_image"),
    "noise behind the beginning of a jpeg": Hostile(lambda: b"\xff\xd8\xff\xe0" + _noise(5_000)),
    "noise behind the beginning of a png": Hostile(lambda: b"\x89PNG\r\n\x1a\n" + _noise(5_000)),
    "nothing": Hostile(lambda: b"", "body_empty"),
}
CLASSES: Mapping[str, Mapping[str, Hostile]] = {
    "declared too large": DECLARED_TOO_LARGE,
    "unpacking": UNPACKING,
    "empty sides": EMPTY_SIDES,
    "animated": ANIMATED,
    "looping": LOOPING,
    "lying": LYING,
    "truncated": TRUNCATED,
    "pretending": PRETENDING,
}
