"""How good a depth map is, against depth that was measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.depth_map.rules import Kind
from tests.depth_map.scenes import rank_correlation

Values = NDArray[np.float64]

NEAREST_METRES, FARTHEST_METRES = 0.1, 10.0
"""What a depth camera for rooms measures; nothing else is compared."""


@dataclass(frozen=True)
class Goodness:
    """How near an estimate is to the truth.

    Attributes:
        relative_error: mean of |estimate - truth| / truth (AbsRel), after scale and shift are fitted in inverse depth.
        within_a_quarter: share of pixels less than 25 % off (the first delta), likewise.
        order: Spearman's rank correlation of nearness; 1 where all order is right, whatever the scale.
        metric_error: AbsRel of the metres as they are; none where the estimator knows no metres.

    """

    relative_error: float
    within_a_quarter: float
    order: float
    metric_error: float | None


def goodness(inverse: NDArray[np.floating], metres: Values, kind: Kind) -> Goodness:
    """Compare an estimator's inverse depth with measured metres, where these are known."""
    known = (metres > NEAREST_METRES) & (metres < FARTHEST_METRES)
    near, truth = inverse[known].astype(np.float64), metres[known]
    fitted = aligned(near, truth)
    return Goodness(
        relative_error=relative_error(fitted, truth),
        within_a_quarter=share_within_a_quarter(fitted, truth),
        order=rank_correlation(near, -truth),
        metric_error=relative_error(1 / near, truth) if kind == "metric_metres" else None,
    )


def aligned(inverse: Values, metres: Values) -> Values:
    """Fit scale and shift to 1 / metres by least squares, and give metres within what is measured.

    A relative estimator is free to choose both, so that only what is left then is its error (Ranftl et al. 2020).
    """
    design = np.stack([inverse, np.ones_like(inverse)], axis=1)
    (scale, shift), *_ = np.linalg.lstsq(design, 1 / metres, rcond=None)
    fitted = np.maximum(scale * inverse + shift, 1 / FARTHEST_METRES)
    return np.asarray(np.maximum(1 / fitted, NEAREST_METRES), np.float64)


def relative_error(metres: Values, truth: Values) -> float:
    return float(np.mean(np.abs(metres - truth) / truth))


def share_within_a_quarter(metres: Values, truth: Values) -> float:
    return float(np.mean(np.maximum(metres / truth, truth / metres) < 1.25))
