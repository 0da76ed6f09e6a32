"""Light for dark pictures, of which a network sees less."""

from typing import Final

import numpy as np

from services.depth_map.estimators.feeding import Pixels

BRIGHT: Final = 0.55
"""Mean level, 0 to 1, to which a darker picture is brightened; training/FINDINGS.md tells what that gains."""

_LEAST_EXPONENT: Final = 0.25
_LEVELS: Final = np.arange(256) / 255


def brightening(levels: Pixels) -> Pixels:
    """Give the new level of each of the 256 levels of a picture, which stays as it is unless it is dark.

    What is dark comes to one mean level by a power, so that black and white stay; what is nearly black comes near it.
    """
    shares = np.bincount(levels.ravel(), minlength=256) / levels.size
    exponent = 1.0
    if shares @ _LEVELS < BRIGHT:
        exponent = _exponent(shares)
    return np.rint(_LEVELS**exponent * 255).astype(np.uint8)


def _exponent(shares: np.typing.NDArray[np.float64]) -> float:
    """Find the power that brings levels of these shares to the mean that is wanted, by halving."""
    low, high = _LEAST_EXPONENT, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        if shares @ _LEVELS**middle > BRIGHT:
            low = middle
        else:
            high = middle
    return high
