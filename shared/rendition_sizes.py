"""Which sizes of a picture there are: few enough that nobody fills the store by asking for others."""

from typing import Final

from shared.errors import Refused

ALLOWED_SIDES_PX: Final = (64, 128, 250, 360, 480, 640, 800, 1080, 1440, 1920, 2560)
"""Longest sides that may be asked for, least first."""


def allowed_side(asked_px: int, width_px: int, height_px: int) -> int:
    """Choose the size in which a picture is drawn for whoever asks for this longest side.

    A picture is never enlarged, so that all sides beyond its own are one file.

    Raises:
        Refused: `rendition_size_refused`.

    """
    if asked_px not in ALLOWED_SIDES_PX:
        sides = ", ".join(map(str, ALLOWED_SIDES_PX))
        raise Refused("rendition_size_refused", f"Pictures are drawn with a longest side of {sides} pixels.")
    longest_px = max(width_px, height_px)
    enough = (side for side in ALLOWED_SIDES_PX if side >= longest_px)
    return min(asked_px, next(enough, asked_px))


def rendition_size(width_px: int, height_px: int, longest_px: int) -> tuple[int, int]:
    """Fit a picture into a square of `longest_px`; it is never made larger, and no side vanishes."""
    scale = min(1.0, longest_px / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))
