"""What a person would see of a picture, as numbers."""

import colorsys
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.image_generation.providers.sketch import draw

Pixels = npt.NDArray[np.float64]
"""(H, W, 3), each channel from 0 to 1."""


@lru_cache(maxsize=256)
def drawn(description: str, *, seed: int = 7, style: str = "", size: tuple[int, int] = (320, 180)) -> Pixels:
    sketch = draw(description, width_px=size[0], height_px=size[1], seed=seed, style=style)
    pixels = pixels_of(sketch.image)
    pixels.flags.writeable = False
    return pixels


def pixels_of(image: Image.Image) -> Pixels:
    return np.asarray(image, np.float64) / 255


def upper(pixels: Pixels) -> Pixels:
    """The upper third, which is sky in every outdoor scene that has no tall things."""
    return pixels[: len(pixels) // 3]


def lower(pixels: Pixels) -> Pixels:
    return pixels[-(len(pixels) // 3) :]


def brightness(pixels: Pixels) -> float:
    return float(pixels.mean())


def mean_colour(pixels: Pixels) -> tuple[float, float, float]:
    red, green, blue = pixels.reshape(-1, 3).mean(axis=0)
    return float(red), float(green), float(blue)


def saturation(pixels: Pixels) -> float:
    """How far from grey, from 0 to 1."""
    return float((pixels.max(axis=2) - pixels.min(axis=2)).mean())


def hue_degrees(pixels: Pixels) -> float:
    """Hue of the mean colour: 0 red, 120 green, 240 blue."""
    return colorsys.rgb_to_hsv(*mean_colour(pixels))[0] * 360


def share_of(pixels: Pixels, *, red: float, green: float, blue: float, within: float = 0.22) -> float:
    """Share of pixels near one colour."""
    away = np.abs(pixels - np.array([red, green, blue])).max(axis=2)
    return float((away < within).mean())


def changed(one: Pixels, other: Pixels) -> npt.NDArray[np.bool_]:
    """Which pixels a person would call different."""
    return np.asarray(np.abs(one - other).max(axis=2) > 0.06)
