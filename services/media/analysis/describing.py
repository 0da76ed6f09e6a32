from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from services.media.analysis.descriptor import descriptor
from services.media.analysis.palette import Swatch, find_palette
from services.media.analysis.perceptual_hash import perceptual_hash
from services.media.analysis.thumbhash import MAX_SIDE_PX, encode

STUDIED_SIDE_PX: Final = 160
"""Colours do not change when a picture shrinks this far, and 25,600 pixels are read in milliseconds."""


@dataclass(frozen=True, slots=True)
class Description:
    """What one picture looks like.

    Attributes:
        palette: at most six colours, the largest share first; empty where no pixel is visible.
        perceptual_hash: 16 hex digits, or None for a picture without structure.
        embedding: `descriptor` of the picture; the closer two are, the larger is their inner product.
            None for a picture that is grey all over.
        thumbhash: ThumbHash bytes of a blurred preview, 5 to 25 of them.

    """

    palette: tuple[Swatch, ...]
    perceptual_hash: str | None
    embedding: tuple[float, ...] | None
    thumbhash: bytes


def describe(image: Image.Image) -> Description:
    """Describe an upright sRGB picture, RGB or RGBA, of any size."""
    studied = _within(image, STUDIED_SIDE_PX)
    preview = _within(studied, MAX_SIDE_PX).convert("RGBA")
    return Description(
        palette=find_palette(np.asarray(studied.convert("RGBA"))),
        perceptual_hash=perceptual_hash(image),
        embedding=descriptor(studied),
        thumbhash=encode(np.asarray(preview)),
    )


def _within(image: Image.Image, side_px: int) -> Image.Image:
    smaller = image.copy()
    smaller.thumbnail((side_px, side_px), Image.Resampling.BOX)
    return smaller
