"""The lines of a picture: one pixel thin, at its own size, where it has them."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.rules import EdgeSettings

Pixels = NDArray[np.uint8]
_Gradients = NDArray[np.int16]

# A band goes through a dozen steps, which take half the time where it stays near the processor from one to the next.
_BAND_ROWS = 64
# What a blur reaches beyond a band is reckoned twice, so that a wide one has higher bands, up to what memory bears.
_BAND_MARGINS = 16
_MOST_BAND_ROWS = 512
# 8-bit values are blurred as 13-bit ones, so that the slow ramps of a large picture keep their gradient.
_FINER = 32
# Gaussian that gives a sharp step the gradient which it has after shrinking by one, in detection pixels.
_SHRINKING_SIGMA = 0.8


def edges_of(rgb: Pixels, settings: EdgeSettings) -> Pixels:
    """Draw Canny's edges of a picture.

    A picture whose short side exceeds `detect_short_side_px` is blurred, and its gradients are scaled, as if it had
    been shrunk to that; but nothing is resized, so the lines stay thin and aligned with the picture. Colour counts:
    the channel with the strongest gradient decides, as in `cv2.Canny`, which this equals on smaller pictures.

    Args:
        rgb: uint8, height x width x 3.
        settings: thresholds, blur and detection size.

    Returns:
        uint8, height x width, 0 or 255.

    """
    across, down = _gradients(rgb, settings)
    return np.asarray(
        cv2.Canny(across, down, settings.low_threshold, settings.high_threshold, L2gradient=False), np.uint8
    )


def _gradients(rgb: Pixels, settings: EdgeSettings) -> tuple[_Gradients, _Gradients]:
    """Gradients along rows and columns at detection scale, band by band to spare memory."""
    height, width = rgb.shape[:2]
    scale = max(1.0, min(height, width) / settings.detect_short_side_px)
    sigma_px = math.hypot(settings.blur_sigma_px * scale, _SHRINKING_SIGMA * math.sqrt(scale**2 - 1))
    margin = math.ceil(4 * sigma_px) + 2
    across, down = np.empty((height, width), np.int16), np.empty((height, width), np.int16)
    band_rows = min(max(_BAND_ROWS, _BAND_MARGINS * margin), _MOST_BAND_ROWS)
    for start in range(0, height, band_rows):
        stop = min(start + band_rows, height)
        first = max(start - margin, 0)
        band = _strongest(rgb[first : stop + margin], sigma_px, scale)
        kept = slice(start - first, stop - first)
        across[start:stop], down[start:stop] = band[0][kept], band[1][kept]
    return across, down


def _strongest(rgb: Pixels, sigma_px: float, scale: float) -> tuple[_Gradients, _Gradients]:
    seen: NDArray[Any] = rgb
    if sigma_px > 0:
        fine = rgb.astype(np.int16) * np.int16(_FINER)
        seen = cv2.GaussianBlur(fine, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)
        scale /= _FINER
    across, down = (
        cv2.Sobel(seen, cv2.CV_16S, *step, scale=scale, borderType=cv2.BORDER_REPLICATE) for step in ((1, 0), (0, 1))
    )
    return _of_strongest_channel(np.asarray(across, np.int16), np.asarray(down, np.int16))


def _of_strongest_channel(across: _Gradients, down: _Gradients) -> tuple[_Gradients, _Gradients]:
    """Choose for each pixel the channel that slopes most, of equals the first; four times as fast as `argmax` does."""
    (first_across, *others_across), (first_down, *others_down) = _channels(across), _channels(down)
    most = np.abs(first_across) + np.abs(first_down)
    for other_across, other_down in zip(others_across, others_down, strict=True):
        slope = np.abs(other_across) + np.abs(other_down)
        steeper = (slope > most).view(np.uint8)
        cv2.copyTo(other_across, steeper, first_across)
        cv2.copyTo(other_down, steeper, first_down)
        np.maximum(most, slope, out=most)
    return first_across, first_down


def _channels(gradients: _Gradients) -> list[_Gradients]:
    return [np.asarray(plane, np.int16) for plane in cv2.split(gradients)]
