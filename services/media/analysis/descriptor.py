"""Numbers by which pictures resemble each other, without any model: where colours lie, and which way edges run."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.media.analysis.colour_space import to_oklab
from services.media.analysis.perceptual_hash import over_white

ORIGIN: Final = "diorama.descriptor.v1"
"""Only vectors of one origin can be compared. Whoever changes a number here gives it another name."""

DIMENSIONS: Final = 144

_SIDE_PX: Final = 32
_CELLS: Final = 4
_DIRECTIONS: Final = 6
_DIGITS: Final = 4

# Middle grey, so that dark and bright pictures point away from each other; chroma counts as in `distances`.
_GREY: Final = (0.6, 0.0, 0.0)
_CHANNELS: Final = (1.0, 2.0, 2.0)
_COLOUR_WEIGHT: Final = 0.5
# Gradients this weak, in lightness from 0 to 1, are noise of compression.
_LEAST_SLOPE: Final = 0.01

Vector = NDArray[np.float64]


def descriptor(image: Image.Image) -> tuple[float, ...] | None:
    """Describe an RGB or RGBA picture of any size by a vector of length one; None for one that is grey all over.

    Over white at 32 x 32 pixels in 4 x 4 cells: the mean OKLab colour of each (48 numbers), and how strongly its edges
    run in each of six directions (96 numbers, after Dalal and Triggs, "Histograms of oriented gradients", 2005).
    The inner product of two such vectors is 1 for the same picture and about 0 for any two.
    """
    small = over_white(image).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    lab = to_oklab(np.asarray(small, dtype=np.float64).reshape(-1, 3)).reshape(_SIDE_PX, _SIDE_PX, 3)
    colours = _unit((_pooled(lab) - _GREY) * _CHANNELS)
    both = np.concatenate([_COLOUR_WEIGHT * colours, (1 - _COLOUR_WEIGHT) * _unit(_edges(lab[..., 0]))])
    if not both.any():
        return None
    # Adding zero turns -0.0 into 0.0, which is written in fewer characters.
    return tuple(float(number) for number in _unit(both).round(_DIGITS) + 0.0)


def _pooled(plane: Vector) -> Vector:
    """Average over each of 4 x 4 cells; shape (4, 4, further axes)."""
    size = _SIDE_PX // _CELLS
    pooled: Vector = plane.reshape(_CELLS, size, _CELLS, size, *plane.shape[2:]).mean(axis=(1, 3))
    return pooled


def _edges(lightness: Vector) -> Vector:
    """Histograms of directions; a turn by half a circle is the same direction."""
    down, across = np.gradient(lightness)
    slopes = np.hypot(down, across)
    slopes = np.where(slopes < _LEAST_SLOPE, 0, slopes)
    place = np.arctan2(down, across) % np.pi / np.pi * _DIRECTIONS
    lower = np.floor(place).astype(np.int64) % _DIRECTIONS
    share = place - np.floor(place)
    histograms = np.zeros((_SIDE_PX, _SIDE_PX, _DIRECTIONS))
    rows, columns = np.indices(lightness.shape)
    histograms[rows, columns, lower] += slopes * (1 - share)
    histograms[rows, columns, (lower + 1) % _DIRECTIONS] += slopes * share
    # Square roots keep one strong edge from hiding all others; without their mean, any two would resemble each other.
    strengths = np.sqrt(_pooled(histograms))
    centred: Vector = strengths - strengths.mean()
    return centred


def _unit(numbers: Vector) -> Vector:
    flat = numbers.ravel()
    length = np.linalg.norm(flat)
    return flat / length if length > 1e-9 else np.zeros_like(flat)  # noqa: PLR2004 - rounding noise
