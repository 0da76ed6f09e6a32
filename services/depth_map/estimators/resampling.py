"""Making maps larger without steps, and true to the edges of the picture they belong to."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.estimators.estimator import Plane

_BAND_ROWS = 256
_WHITE = np.float32(255)


def enlarged(values: Plane, height: int, width: int, *, corners_aligned: bool = False) -> Plane:
    """Resize by exact linear interpolation; `cv2.resize` has no `corners_aligned`, which models are trained with."""
    tall = _stretched_rows(values, height, corners_aligned, 0, height)
    return _turned(_stretched_rows(_turned(tall), width, corners_aligned, 0, width))


def _turned(values: Plane) -> Plane:
    """Transpose in memory, tile by tile, which is faster than to read along columns."""
    return np.asarray(cv2.transpose(values), np.float32)


def guided_enlarged(values: Plane, guide: NDArray[np.uint8], *, epsilon: float = 1e-3, radius: int = 4) -> Plane:
    """Enlarge to the size of a grey picture, so that steps of `values` fall on the picture's edges.

    The fast guided filter (He and Sun 2015): a line `values = slope * grey + offset` is fitted round each pixel
    of the small map, and the two planes of coefficients are enlarged. Worked in bands of rows, so that a picture
    of 50 megapixels needs no second plane of its size.

    Args:
        values: float32, any size below that of `guide`.
        guide: uint8, height x width, the grey picture.
        epsilon: variance of grey (0 to 1) below which a surface counts as even.
        radius: half width of the window, in pixels of the small map.

    """
    slope, offset = _lines(values, guide, epsilon, radius)
    height, width = guide.shape
    out = np.empty((height, width), np.float32)
    for start in range(0, height, _BAND_ROWS):
        stop = min(start + _BAND_ROWS, height)
        band = _stretched_columns(_stretched_rows(slope, height, False, start, stop), width)
        band *= guide[start:stop].astype(np.float32) / _WHITE
        band += _stretched_columns(_stretched_rows(offset, height, False, start, stop), width)
        out[start:stop] = band
    # The fitted lines overshoot at strong edges; nothing is nearer than the nearest that was seen.
    return np.clip(out, values.min(), values.max(), out=out)


def _lines(values: Plane, guide: NDArray[np.uint8], epsilon: float, radius: int) -> tuple[Plane, Plane]:
    small = cv2.resize(guide, values.shape[::-1], interpolation=cv2.INTER_AREA)
    grey = small.astype(np.float32) / _WHITE
    mean_grey, mean_value = _window_mean(grey, radius), _window_mean(values, radius)
    variance = np.maximum(_window_mean(grey * grey, radius) - mean_grey * mean_grey, 0)
    covariance = _window_mean(grey * values, radius) - mean_grey * mean_value
    slope = (covariance / (variance + epsilon)).astype(np.float32)
    return _window_mean(slope, radius), _window_mean(np.subtract(mean_value, slope * mean_grey), radius)


def _window_mean(values: Plane, radius: int) -> Plane:
    side = 2 * radius + 1
    return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)


def _stretched_columns(rows: Plane, width: int) -> Plane:
    return np.asarray(cv2.resize(rows, (width, rows.shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _stretched_rows(values: Plane, height: int, corners_aligned: bool, start: int, stop: int) -> Plane:
    """Rows `start` to `stop` of `values` as they are when its rows are stretched to `height`."""
    last = values.shape[0] - 1
    index = np.arange(start, stop, dtype=np.float64)
    if corners_aligned:
        position = index * (last / max(height - 1, 1))
    else:
        position = ((index + 0.5) * ((last + 1) / height) - 0.5).clip(0, last)
    above = np.minimum(position.astype(np.intp), last)
    share = (position - above).astype(np.float32)[:, None]
    upper = values[above]
    rows = np.asarray(values[np.minimum(above + 1, last)], np.float32)
    # In place: planes as large as a picture would else be taken anew, page by page, for each step of the sum.
    rows -= upper
    rows *= share
    rows += upper
    return rows
