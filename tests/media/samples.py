"""Pictures made here, honest and hostile, so that the guards are tried wherever the repository is cloned."""

import struct
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.media.heic import heic

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "images"

PIXELS = NDArray[np.uint8]


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Draw something with large shapes, small shapes and many colours."""
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    fine = Image.fromarray(chance.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    size = (width, height)
    return Image.blend(coarse.resize(size, Image.Resampling.BICUBIC), fine.resize(size), 0.2)


def encoded(image: Image.Image, format_name: str, **how: Any) -> bytes:
    content = BytesIO()
    image.save(content, format_name, **how)
    return content.getvalue()


SMALL_FILES: Mapping[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded(photo(64, 48), "JPEG", quality=90),
    "progressive jpeg": lambda: encoded(photo(64, 48), "JPEG", progressive=True, exif=exif_with_place()),
    "png": lambda: encoded(photo(64, 48), "PNG"),
    "palette png": lambda: encoded(photo(64, 48).quantize(16), "PNG", transparency=0),
    "16-bit png": lambda: encoded(Image.fromarray(ramp_of_16_bits()), "PNG"),
    "webp": lambda: encoded(photo(64, 48), "WEBP"),
    "lossless webp": lambda: encoded(photo(64, 48).convert("RGBA"), "WEBP", lossless=True),
    "gif": lambda: encoded(photo(64, 48), "GIF"),
    "animated gif": lambda: animation("GIF"),
    "avif": lambda: encoded(photo(64, 48), "AVIF", speed=10),
    "tiff": lambda: encoded(photo(64, 48), "TIFF"),
    "lzw tiff": lambda: encoded(photo(64, 48), "TIFF", compression="tiff_lzw"),
    "bmp": lambda: encoded(photo(64, 48), "BMP"),
    "heic": lambda: heic(photo(64, 48)),
    "netpbm": lambda: encoded(photo(64, 48), "PPM"),
}


def animation(format_name: str, frames: int = 3) -> bytes:
    """Three frames of which only the first is red."""
    first, *others = [
        Image.new("RGB", (40, 30), "red" if frame == 0 else (0, 0, 60 * frame)) for frame in range(frames)
    ]
    return encoded(first, format_name, save_all=True, append_images=others, duration=100)


def ramp_of_16_bits() -> NDArray[np.uint16]:
    return np.tile(np.linspace(0, 65_535, 256).astype(np.uint16), (32, 1))


def exif_with_place(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Lumen", "Lumen L-1"
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0x9011: "+02:00"})
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)})
    return exif


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, colour: int = 2) -> bytes:
    """Put a PNG together by hand; `chunks` stand between header and end."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IEND", b"")


def gif(width: int, height: int, *, frame: tuple[int, int] = (1, 1)) -> bytes:
    """Put a GIF of one frame together by hand; the frame may be larger than its screen."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return screen + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\0;"


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHI", 58, 0, 0, 54) + struct.pack("<IiiHH", 40, width, height, 1, 24) + bytes(28)


def webp(width: int, height: int) -> bytes:
    """A WebP whose extended header declares any canvas."""
    canvas = bytes(4) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    still = encoded(Image.new("RGB", (1, 1)), "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas + still
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(width: int, height: int) -> bytes:
    """A TIFF of one strip that is not there."""
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    entries += [(277, 3, 1), (278, 4, height), (279, 4, width * height)]
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4)
