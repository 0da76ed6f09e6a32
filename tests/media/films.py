"""Small videos, made here: what is in each of them is known."""

import struct
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from PIL import Image

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "video"

RED, GREEN, BLUE, WHITE = (220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 240, 240)


def quarters(width_px: int, height_px: int, shift: int = 0) -> Image.Image:
    """Four colours in four corners: red green above, blue white below."""
    image = Image.new("RGB", (width_px, height_px), RED)
    half_x, half_y = width_px // 2, height_px // 2
    image.paste(GREEN, (half_x, 0, width_px, half_y))
    image.paste(BLUE, (0, half_y, half_x, height_px))
    image.paste(WHITE, (half_x, half_y, width_px, height_px))
    image.paste((10, 10, 10), (shift, half_y - 2, shift + 4, half_y + 2))
    return image


def film(
    *,
    container: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (160, 96),
    frames: int = 40,
    black: int = 0,
    aspect: Fraction | None = None,
    sound: bool = False,
) -> bytes:
    """Encode so many frames at 20 a second, of which the first ones are black."""
    file = BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=20)
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = 10
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        audio = output.add_stream("aac" if container == "mp4" else "libopus", rate=48_000) if sound else None
        for number in range(frames):
            image = Image.new("RGB", size) if number < black else quarters(*size, shift=number)
            output.mux(stream.encode(av.VideoFrame.from_image(image)))
        output.mux(stream.encode())
        if audio:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4_800), dtype=np.float32), format="fltp", layout="mono")
            silence.sample_rate = 48_000
            output.mux(audio.encode(silence))
            output.mux(audio.encode())
    return file.getvalue()


def turned(mp4: bytes, degrees: int) -> bytes:
    """Ask players to turn a film clockwise, as a telephone held upright does: by the matrix of its track header."""
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = [cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30]
    at = mp4.index(b"tkhd") + 4 + 40
    return mp4[:at] + struct.pack(">9i", *matrix) + mp4[at + 36 :]


def exaggerating(mjpeg: bytes, width_px: int, height_px: int) -> bytes:
    """Have every picture of a film, and the film, announce another size than there is."""
    size = struct.pack(">HH", height_px, width_px)
    told = mjpeg.replace(b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 96, 160), b"\xff\xc0\0\x11\x08" + size)
    assert told != mjpeg
    at = told.index(b"jpeg", told.index(b"stsd")) + 4 + 24
    return told[:at] + struct.pack(">HH", width_px, height_px) + told[at + 4 :]


def corners(image: Image.Image) -> list[str]:
    """Name the colours of the four corners, row by row."""
    rgb = image.convert("RGB")
    width, height = rgb.size
    names = {"red": RED, "green": GREEN, "blue": BLUE, "white": WHITE}

    def nearest(x: int, y: int) -> str:
        seen = rgb.getpixel((x, y))
        assert isinstance(seen, tuple)
        return min(names, key=lambda name: sum((a - b) ** 2 for a, b in zip(names[name], seen, strict=True)))

    x, y = width // 8, height // 8
    return [nearest(x, y), nearest(width - x, y), nearest(x, height - y), nearest(width - x, height - y)]
