"""ThumbHash, a blurred preview in about 25 bytes that keeps aspect ratio and transparency.

The format was published by Evan Wallace. A picture is split into lightness L, yellow against blue P, red
against green Q, and alpha A; of each only the lowest cosine frequencies are kept, in 4 bits a factor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_SIDE_PX: Final = 100
PREVIEW_SIDE_PX: Final = 32

# How many frequencies along the longer side carry lightness: alpha takes its room from them.
_OPAQUE_TERMS: Final = 7
_TRANSPARENT_TERMS: Final = 5
_ALPHA_TERMS: Final = 5
_COLOUR_TERMS: Final = 3
_FEWEST_TERMS: Final = 3
# The preview shows colours a little stronger than stored, since 4 bits lose the faint ones.
_COLOUR_GAIN: Final = 1.25
_HEADER_BYTES: Final = 5

Plane = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Waves:
    """One plane as its mean, the strength of its strongest wave, and all waves relative to that, 0 to 1."""

    mean: float
    scale: float
    factors: Plane


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Hash sRGB pixels, shape (height, width, 4), at most 100 a side.

    Raises:
        ValueError: the picture is larger, or has no pixel.

    """
    height, width = pixels.shape[:2]
    if not 0 < min(height, width) <= max(height, width) <= MAX_SIDE_PX:
        raise ValueError(f"{width} x {height} pixels are not within 1 and {MAX_SIDE_PX} a side")
    red, green, blue, alpha = _over_its_mean(pixels)
    transparent = bool((alpha < 1).any())
    longer_terms = _TRANSPARENT_TERMS if transparent else _OPAQUE_TERMS
    across, down = (max(1, _rounded(longer_terms * side / max(width, height))) for side in (width, height))
    planes = [
        _waves((red + green + blue) / 3, max(_FEWEST_TERMS, across), max(_FEWEST_TERMS, down)),
        _waves((red + green) / 2 - blue, _COLOUR_TERMS, _COLOUR_TERMS),
        _waves(red - green, _COLOUR_TERMS, _COLOUR_TERMS),
    ]
    if transparent:
        planes.append(_waves(alpha, _ALPHA_TERMS, _ALPHA_TERMS))
    landscape = width > height
    return _header(planes, landscape=landscape, shorter_terms=down if landscape else across) + _nibbles(planes)


def _over_its_mean(pixels: NDArray[np.uint8]) -> tuple[Plane, Plane, Plane, Plane]:
    """Lay the picture over its own mean colour, so that what is transparent makes no edges."""
    colours = pixels[..., :3] / 255
    alpha = pixels[..., 3] / 255
    seen = alpha.sum()
    weighted = colours * alpha[..., None]
    mean = weighted.sum(axis=(0, 1)) / seen if seen else np.zeros(3)
    red, green, blue = np.moveaxis(weighted + mean * (1 - alpha[..., None]), -1, 0)
    return red, green, blue, alpha


def _frequencies(across: int, down: int) -> list[tuple[int, int]]:
    """List the kept waves (x, y), a triangle of low frequencies without the constant one."""
    return [(x, y) for y in range(down) for x in range(across) if x * down < across * (down - y) and (x or y)]


def _cosines(terms: int, size: int) -> Plane:
    """Return the cosine of each frequency at each pixel centre, shape (terms, size)."""
    cosines: Plane = np.cos(np.pi / size * np.outer(np.arange(terms), np.arange(size) + 0.5))
    return cosines


def _waves(plane: Plane, across: int, down: int) -> _Waves:
    height, width = plane.shape
    strengths = _cosines(down, height) @ plane @ _cosines(across, width).T / plane.size
    kept = np.array([strengths[y, x] for x, y in _frequencies(across, down)])
    scale = float(np.abs(kept).max())
    if scale < 1e-9:  # noqa: PLR2004 - rounding noise of a plane of one value
        return _Waves(float(strengths[0, 0]), 0.0, np.zeros(len(kept)))
    return _Waves(float(strengths[0, 0]), scale, 0.5 + 0.5 * kept / scale)


def _header(planes: Sequence[_Waves], *, landscape: bool, shorter_terms: int) -> bytes:
    light, yellow, red, *alpha = planes
    first = (
        _rounded(63 * light.mean)
        | _rounded(31.5 + 31.5 * yellow.mean) << 6
        | _rounded(31.5 + 31.5 * red.mean) << 12
        | _rounded(31 * light.scale) << 18
        | bool(alpha) << 23
    )
    second = shorter_terms | _rounded(63 * yellow.scale) << 3 | _rounded(63 * red.scale) << 9 | landscape << 15
    seen = bytes(_rounded(15 * plane.mean) | _rounded(15 * plane.scale) << 4 for plane in alpha)
    return first.to_bytes(3, "little") + second.to_bytes(2, "little") + seen


def _nibbles(planes: Sequence[_Waves]) -> bytes:
    nibbles = [_rounded(15 * factor) for plane in planes for factor in plane.factors]
    nibbles += [0] * (len(nibbles) % 2)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))


def _rounded(value: float) -> int:
    return int(value + 0.5)


def decode(thumbhash: bytes) -> NDArray[np.uint8]:
    """Draw the preview, sRGB with alpha, shape (height, width, 4), 32 pixels along the longer side."""
    first = int.from_bytes(thumbhash[:3], "little")
    second = int.from_bytes(thumbhash[3:5], "little")
    transparent, landscape = bool(first >> 23), bool(second >> 15)
    longer, shorter = _TRANSPARENT_TERMS if transparent else _OPAQUE_TERMS, second & 7
    across, down = (longer, shorter) if landscape else (shorter, longer)
    width, height = (_rounded(PREVIEW_SIDE_PX * min(1.0, ratio)) for ratio in (across / down, down / across))
    drawn = _Drawing(thumbhash[_HEADER_BYTES + transparent :], width, height)
    light = drawn.plane(
        (first & 63) / 63,
        (first >> 18 & 31) / 31,
        max(_FEWEST_TERMS, across),
        max(_FEWEST_TERMS, down),
    )
    yellow = drawn.plane((first >> 6 & 63) / 31.5 - 1, (second >> 3 & 63) / 63 * _COLOUR_GAIN)
    red_green = drawn.plane((first >> 12 & 63) / 31.5 - 1, (second >> 9 & 63) / 63 * _COLOUR_GAIN)
    alpha = np.ones_like(light)
    if transparent:
        seen = thumbhash[_HEADER_BYTES]
        alpha = drawn.plane((seen & 15) / 15, (seen >> 4) / 15, _ALPHA_TERMS, _ALPHA_TERMS)
    blue = light - yellow * 2 / 3
    red = (3 * light - blue + red_green) / 2
    drawn_pixels = np.stack([red, red - red_green, blue, alpha], axis=-1)
    return (drawn_pixels.clip(0, 1) * 255).round().astype(np.uint8)


class _Drawing:
    """Takes the 4-bit factors of one plane after the other."""

    def __init__(self, packed: bytes, width: int, height: int) -> None:
        self._factors = [nibble for byte in packed for nibble in (byte & 15, byte >> 4)]
        self._width, self._height = width, height

    def plane(self, mean: float, scale: float, across: int = _COLOUR_TERMS, down: int = _COLOUR_TERMS) -> Plane:
        strengths = np.zeros((down, across))
        strengths[0, 0] = mean
        for x, y in _frequencies(across, down):
            strengths[y, x] = 2 * (self._factors.pop(0) / 7.5 - 1) * scale
        drawn: Plane = _cosines(down, self._height).T @ strengths @ _cosines(across, self._width)
        return drawn
