"""Depth from what a picture shows by itself: where things stand, and what they hide."""

import cv2
import numpy as np

from services.depth_map.estimators.estimator import Plane
from services.depth_map.estimators.feeding import Pixels
from services.depth_map.estimators.frames import drawn_within_frame
from services.depth_map.estimators.resampling import guided_enlarged
from services.depth_map.estimators.segments import Segments, segmented
from services.depth_map.rules import Kind, Provenance

_LONG_SIDE_PX = 256
_SHORT_SIDE_PX = 16
# A camera held upright sees its horizon near the middle; between 0.35 and 0.55 of the height little changes.
_HORIZON = 0.45
# Where no channel (0 to 255) ranges as wide, nothing in the picture tells near from far.
_LEAST_CONTRAST = 6
# CIE Lab; light and shadow fall on one floor, so lightness counts less than hue.
_LAB_WEIGHTS = np.array([0.6, 1.3, 1.3], np.float32)
_GROUND_TOLERANCE = 20.0
# How much farther each row of an upright thing is than the row below, against a row of the ground.
_UPRIGHT_LEAN = 0.15


class CuesEstimator:
    """Classical monocular cues; needs no download and no learned weights.

    The picture is cut into segments. What resembles the bottom of the picture is ground and recedes with height;
    everything else stands upright and is as near as the place where it touches the ground, both for a whole segment
    (its lowest point) and column by column, as in pop-up models of scenes (Hoiem et al. 2005). Steps are then
    smoothed inside things and kept at their outlines.

    What was tried on real pairs and left out, because it was wrong as often as right: haze, texture, sharpness,
    warmth of colour, and a box-shaped room round the vanishing point.
    """

    name = "cues (no model)"
    kind: Kind = "inverse_relative"

    def provenance(self) -> Provenance:
        return Provenance(
            estimator="cues",
            model=self.name,
            weights_sha256=None,
            kind=self.kind,
            input_size=f"long side {_LONG_SIDE_PX} px, without a frame",
        )

    def input_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        scale = _LONG_SIDE_PX / max(width_px, height_px)
        return (
            max(_SHORT_SIDE_PX, round(width_px * scale)),
            max(_SHORT_SIDE_PX, round(height_px * scale)),
        )

    def estimate(self, rgb: Plane) -> Plane:
        """Draw relative inverse depth, 0 to 1; zero everywhere where the picture has no contrast."""
        return drawn_within_frame(np.asarray(cv2.convertScaleAbs(rgb, alpha=255), np.uint8), self._drawn)

    def _drawn(self, levels: Pixels) -> Plane:
        if not shows_anything(levels):
            return np.zeros(levels.shape[:2], np.float32)
        grey = np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY), np.uint8)
        small = cv2.resize(levels, self.input_size(*levels.shape[1::-1]), interpolation=cv2.INTER_AREA)
        return guided_enlarged(nearness(np.asarray(small / 255, np.float32)), grey)


def shows_anything(levels: Pixels) -> bool:
    """Tell whether a picture is more than one even colour."""
    return int(np.ptp(levels, axis=(0, 1)).max()) >= _LEAST_CONTRAST


def nearness(rgb: Plane) -> Plane:
    """See how near everything in a small picture is, 0 to 1, before it is enlarged."""
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.float32)
    segments = segmented(lab)
    ground = _ground_likeness(lab, segments)
    near = np.float32(0.5) * (_by_contact(ground, segments) + _by_column(ground, segments))
    smooth = _smoothed_within_edges(near, lab * np.float32(0.01))
    return np.asarray((smooth - smooth.min()) / max(float(np.ptp(smooth)), 1e-6), np.float32)


def _heights(shape: tuple[int, int]) -> Plane:
    """Position of each pixel, 0 at the top and 1 at the bottom."""
    rows = (np.arange(shape[0], dtype=np.float32) + 0.5) / shape[0]
    return np.array(np.broadcast_to(rows[:, None], shape), np.float32)


def _feet(segments: Segments) -> Plane:
    """Lowest point of each segment, but for its last 5 % of pixels, which may be a shadow or a leak."""
    order = np.argsort(segments.labels.ravel(), kind="stable")
    heights = _heights(segments.labels.shape).ravel()[order]
    # Stable sorting keeps the pixels of a segment in reading order, hence by height.
    last = np.cumsum(segments.sizes) - 1
    return np.asarray(heights[last - (segments.sizes * 0.05).astype(np.int64)], np.float32)


def _below_horizon(height: Plane) -> Plane:
    """Inverse depth of level ground, which is linear in the image row; nothing beyond the horizon."""
    return np.asarray(np.maximum((height - _HORIZON) / (1 - _HORIZON), 0), np.float32)


def _ground_likeness(lab: Plane, segments: Segments) -> Plane:
    bottom = lab[int(lab.shape[0] * 0.93) :].reshape(-1, 3)
    difference = np.linalg.norm((lab - np.median(bottom, axis=0)) * _LAB_WEIGHTS, axis=2)
    like = segments.mean(np.exp(-((difference / _GROUND_TOLERANCE) ** 2)).astype(np.float32))
    # Walls have the floor's colour often enough; a ground must reach well below the horizon.
    reach = np.clip((_feet(segments) - _HORIZON) / 0.3, 0, 1).astype(np.float32)
    return segments.spread(like * reach)


def _by_contact(ground: Plane, segments: Segments) -> Plane:
    own = _below_horizon(_heights(ground.shape))
    foot = segments.spread(_below_horizon(_feet(segments)))
    return _mixed(ground, own, np.maximum(foot, own))


def _by_column(ground: Plane, segments: Segments) -> Plane:
    """Walk up each column: over ground it recedes, up an upright thing hardly."""
    receding = np.cumsum(np.maximum(ground, _UPRIGHT_LEAN)[::-1], axis=0)[::-1]
    near = ((receding.max() - receding) / max(float(np.ptp(receding)), 1e-6)).astype(np.float32)
    return _mixed(ground, near, segments.spread(segments.mean(near)))


def _mixed(share: Plane, one: Plane, other: Plane) -> Plane:
    return np.asarray(other + share * (one - other), np.float32)


def _smoothed_within_edges(
    values: Plane, guide: Plane, *, reach_px: float = 40, edge_contrast: float = 0.3, rounds: int = 3
) -> Plane:
    """Smooth, but not across edges of the guide: the recursive domain transform (Gastal and Oliveira 2011)."""
    across = 1 + reach_px / edge_contrast * np.abs(np.diff(guide, axis=1)).sum(axis=2)
    down = 1 + reach_px / edge_contrast * np.abs(np.diff(guide, axis=0)).sum(axis=2)
    smooth = values.copy()
    for step in range(rounds):
        sigma_px = reach_px * 3**0.5 * 2 ** (rounds - step - 1) / (4**rounds - 1) ** 0.5
        feedback = float(np.exp(-(2**0.5) / sigma_px))
        _swept(smooth.T, (feedback**across).T)
        _swept(smooth, feedback**down)
    return smooth


def _swept(lines: Plane, feedback: Plane) -> None:
    """Carry each line's values into the next, there and back, in place."""
    for index in range(1, len(lines)):
        lines[index] += feedback[index - 1] * (lines[index - 1] - lines[index])
    for index in range(len(lines) - 2, -1, -1):
        lines[index] += feedback[index] * (lines[index + 1] - lines[index])
