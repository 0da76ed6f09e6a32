"""Which way surfaces face, from how near they are."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.estimators import Plane
from services.depth_map.rules import NormalSettings

Pixels = NDArray[np.uint8]

_BAND_ROWS = 512
_MARGIN_ROWS = 2


def normals_of(inverse: Plane, settings: NormalSettings) -> Pixels:
    """Draw the normals of a map of inverse depth, as seen by a pinhole camera.

    A plane of space is a plane of inverse depth w too: with u to the right and v down, in pixels from the middle, and
    a focal length f, the normal that faces the camera is along (-f w_u, f w_v, w - u w_u - v w_v), whatever the scale
    of w. So relative inverse depth serves as well, as far as its zero is truly far.

    Args:
        inverse: float32, height x width; larger is nearer, 0 is at infinity.
        settings: the camera.

    Returns:
        uint8, height x width x 3: x to the right, y up, z towards the camera, each -1 to 1 as 0 to 255.

    """
    height, width = inverse.shape
    focal_px = max(height, width) / 2 / math.tan(math.radians(settings.field_of_view_degrees) / 2)
    out = np.empty((height, width, 3), np.uint8)
    for start in range(0, height, _BAND_ROWS):
        stop = min(start + _BAND_ROWS, height)
        first = max(start - _MARGIN_ROWS, 0)
        band = inverse[first : stop + _MARGIN_ROWS]
        rows = np.arange(first, first + len(band), dtype=np.float32)[:, None] - np.float32((height - 1) / 2)
        columns = np.arange(width, dtype=np.float32)[None] - np.float32((width - 1) / 2)
        out[start:stop] = _facing(band, rows, columns, focal_px)[start - first : start - first + stop - start]
    return out


def _facing(inverse: Plane, rows: Plane, columns: Plane, focal_px: float) -> Pixels:
    # Sobel's kernel weighs the difference of two pixels by eight.
    across, down = (
        cv2.Sobel(inverse, cv2.CV_32F, *step, scale=1 / 8, borderType=cv2.BORDER_REPLICATE) for step in ((1, 0), (0, 1))
    )
    # Beyond the border nothing is known, so it slopes as the pixels beside it do.
    across[:, 0], across[:, -1] = across[:, 1], across[:, -2]
    down[0], down[-1] = down[1], down[-2]
    facing = np.stack([-focal_px * across, focal_px * down, inverse - columns * across - rows * down], axis=2)
    length = np.linalg.norm(facing, axis=2, keepdims=True)
    # What is at infinity faces nowhere; it is drawn as if it faced the camera.
    unit = np.where(length > 0, facing / np.maximum(length, np.float32(1e-12)), np.array((0, 0, 1), np.float32))
    return np.asarray(np.rint((unit + 1) * 127.5), np.uint8)
