"""Which sizes there are, and where they lie: few enough that nobody fills the store by asking."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.errors import Refused
from shared.object_keys import rendition_key

RENDITION_SIDES_PX: Final[Mapping[str, int]] = MappingProxyType({"250": 250, "1440": 1440})
"""Longest side of each rendition that every image gets, by its name."""

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


def rendition_keys(sha256: str) -> tuple[str, ...]:
    """Name every place where a rendition of an original may lie, for whoever removes them."""
    return tuple(rendition_key(sha256, str(side)) for side in ALLOWED_SIDES_PX)
