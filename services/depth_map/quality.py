"""Signals that sort the review queue, suspicious maps first. None of them approves anything."""

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.estimators import Estimator, Plane
from services.depth_map.maps import DEEPEST_LEVEL, Pixels, Relief, not_finite

_LOOKED_AT_PX = 1024
_NEAR_AN_EDGE_PX = 2
# A step between neighbours that a person sees as an outline, as share of the whole range.
_STRONG_STEP = 0.04
# A map that went through 8 bits has 256 levels; a real one of any size has thousands.
_FEWEST_LEVELS = 1024


@dataclass(frozen=True)
class Quality:
    """What can be told of a map without knowing the truth.

    Attributes:
        flat: the map shows no relief at all.
        flat_share: share of pixels that are exactly as near as the ones right of and below them.
        level_count: how many of the 65,536 levels are in use.
        banded: so few levels that the map has steps.
        edge_alignment: share of the map's outlines within 2 px of an edge of the picture, both seen at 1,024 px at
            most; none where the map has no outlines.
        flip_difference: mean difference, as share of the range, from the map of the mirrored picture; none where it
            was not asked for.

    """

    flat: bool
    flat_share: float
    level_count: int
    banded: bool
    edge_alignment: float | None
    flip_difference: float | None

    def facts(self) -> dict[str, object]:
        return asdict(self)


def judged(relief: Relief, near_edges: Pixels, flip_difference: float | None = None) -> Quality:
    """Take the signals of a map; `near_edges` as `near` gives it for the edges of its picture."""
    levels = relief.levels
    count = int(np.count_nonzero(cv2.calcHist([levels], [0], None, [DEEPEST_LEVEL + 1], [0, DEEPEST_LEVEL + 1])))
    here = levels[:-1, :-1]
    alike = int(np.count_nonzero((here == levels[:-1, 1:]) & (here == levels[1:, :-1])))
    return Quality(
        flat=relief.flat,
        flat_share=round(alike / max(here.size, 1), 4),
        level_count=count,
        banded=count < min(_FEWEST_LEVELS, levels.size // 4),
        edge_alignment=_alignment(levels, near_edges),
        flip_difference=flip_difference,
    )


def looked_at(width_px: int, height_px: int) -> tuple[int, int]:
    """Tell the width and height at which outlines are compared with edges."""
    scale = min(1.0, _LOOKED_AT_PX / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def near(edges: Pixels) -> Pixels:
    """Mark with 1 what lies within 2 px of an edge, and with 0 what does not, at the size of `looked_at`."""
    size = looked_at(edges.shape[1], edges.shape[0])
    lines = (np.asarray(cv2.resize(edges, size, interpolation=cv2.INTER_AREA)) > 0).astype(np.uint8)
    reach = 2 * _NEAR_AN_EDGE_PX + 1
    return np.asarray(cv2.dilate(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))), np.uint8)


def flip_difference(estimator: Estimator, rgb: Plane, inverse: Plane) -> float:
    """Estimate the mirrored picture and compare; costs a second estimate.

    The mirrored map is first fitted by scale and shift, which a relative estimator is free to choose.

    Args:
        estimator: that which drew `inverse`.
        rgb: float32, height x width x 3, 0 to 1.
        inverse: float32, height x width.

    """
    return mirror_difference(estimator.estimate(np.ascontiguousarray(rgb[:, ::-1])), inverse)


def mirror_difference(of_mirror: Plane, inverse: Plane) -> float:
    """Compare the map of the mirrored picture with that of the picture; raises Refused (`depth_not_finite`)."""
    if not np.isfinite([of_mirror.min(), of_mirror.max()]).all():
        raise not_finite()
    mirrored = of_mirror[:, ::-1].astype(np.float64)
    span = float(np.ptp(inverse))
    if span == 0:
        return 0.0
    straight = inverse - np.mean(inverse, dtype=np.float64)
    mirrored -= mirrored.mean()
    # Never below zero: a map turned inside out is no likeness.
    scale = max(float(np.sum(straight * mirrored)), 0) / max(float(np.sum(mirrored * mirrored)), 1e-12)
    return round(float(np.mean(np.abs(scale * mirrored - straight))) / span, 4)


def _alignment(levels: NDArray[np.uint16], near_edges: Pixels) -> float | None:
    size = looked_at(levels.shape[1], levels.shape[0])
    depth = np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.float32)
    # Sobel's kernel weighs a step by eight pixels' worth.
    steps = np.asarray(cv2.magnitude(cv2.Sobel(depth, cv2.CV_32F, 1, 0), cv2.Sobel(depth, cv2.CV_32F, 0, 1)))
    outlines = steps > 8 * _STRONG_STEP * DEEPEST_LEVEL
    total = int(np.count_nonzero(outlines))
    return round(int(np.count_nonzero(outlines & (near_edges > 0))) / total, 4) if total else None
