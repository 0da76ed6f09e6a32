"""pHash: the signs of a picture's lowest frequencies, which survive scaling and compression."""

from typing import Final

import numpy as np
from PIL import Image

SIDE_PX: Final = 32
KEPT_FREQUENCIES: Final = 8

# Below this spread (of 255 levels) there is nothing but noise to compare.
_LEAST_SPREAD_LEVELS: Final = 1.0
# A photo sets about half of the 64 bits. With fewer than these, as in a plain gradient, any two would match.
_FEWEST_BITS: Final = 8

# Frequencies this weak, against the strongest, are what compression left behind: they set no bit.
_NOISE: Final = 0.002

# Rows of the orthogonal DCT-II, up to a factor that no sign depends on.
_COSINES: Final = np.cos(np.pi / SIDE_PX * np.outer(np.arange(KEPT_FREQUENCIES), np.arange(SIDE_PX) + 0.5))


def perceptual_hash(image: Image.Image) -> str | None:
    """Hash an RGB or RGBA picture to 64 bits, as 16 hex digits; None for one without structure.

    Lightness over white at 32 x 32 pixels, its 8 x 8 lowest cosine frequencies; a bit says whether a
    frequency is clearly above their median. Row by row, the highest bit first.
    """
    levels = np.asarray(
        over_white(image).convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX), dtype=np.float64
    )
    if levels.std() < _LEAST_SPREAD_LEVELS:
        return None
    # Without the mean, a picture and its brighter copy have the same hash.
    strengths = _COSINES @ (levels - levels.mean()) @ _COSINES.T
    bits = (strengths > np.median(strengths) + _NOISE * np.abs(strengths).max()).ravel()
    return np.packbits(bits).tobytes().hex() if bits.sum() >= _FEWEST_BITS else None


def over_white(image: Image.Image) -> Image.Image:
    """Lay an RGB or RGBA picture on white paper; RGB."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
