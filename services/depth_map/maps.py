"""Depth as files: 16-bit PNG, previews, and what is written beside them."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from services.depth_map.estimators import Plane
from services.depth_map.rules import Kind
from shared.errors import Refused

Pixels = NDArray[np.uint8]

DEEPEST_LEVEL = 65_535
PREVIEW_LONG_SIDE_PX = 512

# Less than this, relative to the values themselves, is rounding and no relief.
_FLAT_RELIEF = 1e-5
# Beneath this the factor that stretches it to all levels would be no number.
_LEAST_RELIEF = 1e-30
_WEBP_QUALITY = 90
# Depth is smooth in its high bits and noise in its low ones: higher levels gain 2 % and take thrice as long.
_PNG_COMPRESSION = 4

_MEANINGS: dict[Kind, str] = {
    "inverse_relative": "Relative inverse depth without unit: larger is nearer. Not comparable between pictures.",
    "depth_relative": "Inverse of relative depth without unit: larger is nearer. Not comparable between pictures.",
    "metric_metres": "Inverse depth in 1/metre: larger is nearer. metres = 1 / (min + level / 65535 * (max - min)).",
}


@dataclass(frozen=True)
class Relief:
    """Depth as stored: the nearest point is 65535 and the farthest 0, unless it is flat, then all is 0.

    Attributes:
        levels: uint16, height x width.
        lowest: inverse depth that level 0 stands for.
        highest: inverse depth that level 65535 stands for.
        flat: there is no relief worth the name.

    """

    levels: NDArray[np.uint16]
    lowest: float
    highest: float
    flat: bool


def relief(inverse: Plane) -> Relief:
    """Scale inverse depth to the full range of 16 bits.

    Raises:
        Refused: `depth_not_finite`, where the estimator gave NaN or infinity.

    """
    lowest, highest = float(inverse.min()), float(inverse.max())
    # NaN and infinity anywhere show in the extremes, so no second pass is needed.
    if not np.isfinite([lowest, highest]).all():
        raise not_finite()
    if highest - lowest <= max(_FLAT_RELIEF * max(abs(lowest), abs(highest)), _LEAST_RELIEF):
        return Relief(np.zeros(inverse.shape, np.uint16), lowest, highest, flat=True)
    scaled = inverse - np.float32(lowest)
    scaled *= np.float32(DEEPEST_LEVEL / (highest - lowest))
    levels = np.rint(scaled, out=scaled).clip(0, DEEPEST_LEVEL, out=scaled).astype(np.uint16)
    return Relief(levels, lowest, highest, flat=False)


def not_finite() -> Refused:
    """Say that an estimator gave NaN or infinity."""
    return Refused("depth_not_finite", "The estimator gave values that are no numbers for this picture.")


def preview_of(levels: NDArray[np.uint16]) -> Pixels:
    """Shrink to 8 bits of grey, the long side at most 512 px."""
    height, width = levels.shape
    scale = min(1.0, PREVIEW_LONG_SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(levels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(np.asarray(small, np.float32) * (255 / DEEPEST_LEVEL)), np.uint8)


def coloured(preview: Pixels) -> Pixels:
    """Colour a grey preview by Turbo (Mikhailov 2019): red is near, blue is far; uint8, height x width x 3, RGB."""
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(preview, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB), np.uint8)


def png(pixels: NDArray[np.uint16] | Pixels, text: Mapping[str, str]) -> bytes:
    """Encode grey of 8 or 16 bits without loss, with its provenance as tEXt chunks."""
    info = PngImagePlugin.PngInfo()
    for key, value in text.items():
        info.add_text(key, value)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=info, compress_level=_PNG_COMPRESSION)
    return file.getvalue()


def webp(pixels: Pixels) -> bytes:
    """Encode a preview."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=_WEBP_QUALITY)
    return file.getvalue()


def meaning(kind: Kind) -> str:
    """Say in a sentence what the levels of a map stand for."""
    return _MEANINGS[kind]


def size_of(content: bytes) -> tuple[int, int]:
    """Read width and height, in px, from the header of a file that was made here."""
    with Image.open(io.BytesIO(content), formats=("PNG", "WEBP")) as image:
        return image.size
