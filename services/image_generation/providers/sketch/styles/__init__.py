"""The hands in which a finished scene can be drawn again."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch.noise import Grid
from services.image_generation.providers.sketch.styles.painted import (
    illustrate,
    paint_oil,
    paint_watercolour,
    rub_pastel,
)
from services.image_generation.providers.sketch.styles.printed import (
    cut_flat,
    cut_woodblock,
    draw_ink,
    grade_noir,
    set_pixels,
    tone_sepia,
)

Hand = Callable[[Grid, Grid, np.random.Generator], Grid]
"""Takes pixels (H, W, 3), distances (H, W) and random numbers; gives pixels of the same size."""


@dataclass(frozen=True)
class Style:
    name: str
    hand: Hand
    grain: float = 1.0
    """How much fine texture the scene is painted with before the hand goes over it."""
    coarseness: int = 1
    """The scene is painted so many times smaller, and every pixel becomes a square."""


DEFAULT_STYLE = "illustration"
STYLES: dict[str, Style] = {
    style.name: style
    for style in (
        Style("illustration", illustrate),
        Style("watercolour", paint_watercolour, grain=0.6),
        Style("ink", draw_ink, grain=0.7),
        Style("oil", paint_oil),
        Style("flat", cut_flat, grain=0.0),
        Style("pixel", set_pixels, grain=0.5, coarseness=4),
        Style("noir", grade_noir),
        Style("pastel", rub_pastel, grain=0.7),
        Style("woodblock", cut_woodblock, grain=0.0),
        Style("sepia", tone_sepia),
    )
}
ALIASES = {
    "watercolor": "watercolour", "aquarelle": "watercolour", "gouache": "watercolour",
    "pen": "ink", "pencil": "ink", "sketch": "ink", "engraving": "ink", "etching": "ink", "line": "ink", "manga": "ink",
    "painting": "oil", "impressionist": "oil", "acrylic": "oil", "painterly": "oil",
    "vector": "flat", "minimal": "flat", "minimalist": "flat", "cartoon": "flat", "poster": "flat", "graphic": "flat",
    "8bit": "pixel", "16bit": "pixel", "retro": "pixel",
    "monochrome": "noir", "black": "noir", "film": "noir",
    "chalk": "pastel", "crayon": "pastel", "ukiyo": "woodblock", "print": "woodblock", "japanese": "woodblock",
    "vintage": "sepia", "old": "sepia", "illustrated": "illustration", "digital": "illustration",
    "default": "illustration",
}  # fmt: skip


def style_of(wish: str) -> tuple[Style, bool]:
    """Find the style for a wish such as `Water-Colour, soft`, and whether it was one that is known.

    An unknown style is drawn in `illustration`; an empty wish asks for just that.
    """
    plain = wish.casefold().strip()
    if not plain:
        return STYLES[DEFAULT_STYLE], True
    for word in re.findall(r"[a-z0-9]+", f"{plain.replace('-', '')} {plain}"):
        name = ALIASES.get(word, word)
        if name in STYLES:
            return STYLES[name], True
    return STYLES[DEFAULT_STYLE], False
