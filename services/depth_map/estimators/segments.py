"""Pieces of a picture that belong together: its things and surfaces, roughly."""

import math
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.estimators.estimator import Plane

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Segments:
    """Labels 0 to n-1, height x width, and how many pixels each has."""

    labels: Labels
    sizes: NDArray[np.int64]

    def mean(self, plane: Plane) -> Plane:
        """Mean of a plane over each segment."""
        sums = np.bincount(self.labels.ravel(), plane.ravel(), len(self.sizes))
        return (sums / self.sizes).astype(np.float32)

    def spread(self, per_segment: Plane) -> Plane:
        """One value for each segment, laid out as a plane."""
        return per_segment[self.labels]


def segmented(lab: Plane, *, tolerance: float = 9.0) -> Segments:
    """Cut a picture into segments of like colour.

    Watershed basins of the colour gradient are merged, most alike first, while the boundary between two is no
    stronger than what either has inside, plus an allowance that shrinks as they grow
    (Felzenszwalb and Huttenlocher 2004).

    Args:
        lab: float32, height x width x 3, CIE Lab; about 256 pixels long.
        tolerance: CIE76 difference at which colours of middle-sized segments part.

    """
    smooth = np.asarray(cv2.bilateralFilter(lab, 7, 12, 3), np.float32)
    gradient = _gradient(smooth)
    basins = _watershed(gradient)
    merged = _merged(basins, smooth, gradient, tolerance)
    return Segments(merged, np.bincount(merged.ravel()))


def _gradient(lab: Plane) -> Plane:
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    strength = np.sqrt((across * across + down * down).sum(axis=2))
    return np.asarray(cv2.GaussianBlur(strength, (0, 0), 1.0), np.float32)


def _watershed(gradient: Plane) -> Labels:
    lowest = gradient <= cv2.erode(gradient, np.ones((7, 7), np.uint8))
    _, seeds = cv2.connectedComponents(lowest.astype(np.uint8))
    grey = np.clip(gradient * 2, 0, 255).astype(np.uint8)
    flooded = np.asarray(cv2.watershed(cv2.merge([grey] * 3), seeds.astype(np.int32)))
    lines = flooded <= 0
    grown = cv2.dilate(np.where(lines, 0, flooded).astype(np.float32), np.ones((3, 3), np.uint8))
    return _renumbered(np.where(lines, grown, flooded))


def _renumbered(labels: NDArray[np.generic]) -> Labels:
    _, dense = np.unique(labels, return_inverse=True)
    return np.asarray(dense.reshape(labels.shape), np.int32)


def _merged(basins: Labels, lab: Plane, gradient: Plane, tolerance: float) -> Labels:
    count = int(basins.max()) + 1
    sizes = np.bincount(basins.ravel(), minlength=count)
    colours = np.stack([np.bincount(basins.ravel(), lab[..., k].ravel(), count) / sizes for k in range(3)], axis=1)
    pairs, strengths = _boundaries(basins, gradient, count)
    differences = np.linalg.norm(colours[pairs[:, 0]] - colours[pairs[:, 1]], axis=1) + 0.25 * strengths
    order = np.argsort(differences, kind="stable")
    roots = _united(
        sizes.tolist(),
        cast("list[tuple[int, int]]", pairs[order].tolist()),
        differences[order].tolist(),
        tolerance,
    )
    return _renumbered(np.asarray(roots)[basins])


def _boundaries(basins: Labels, gradient: Plane, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of neighbouring basins, and the mean gradient along the line between them."""
    keys, crossings = [], []
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        one, other = basins[here].astype(np.int64), basins[there].astype(np.int64)
        between = one != other
        keys.append(np.minimum(one, other)[between] * count + np.maximum(one, other)[between])
        crossings.append(np.maximum(gradient[here], gradient[there])[between])
    unique, inverse, lengths = np.unique(np.concatenate(keys), return_inverse=True, return_counts=True)
    strengths = np.bincount(inverse, np.concatenate(crossings), len(unique)) / lengths
    return np.stack([unique // count, unique % count], axis=1), strengths


def _united(sizes: list[int], pairs: list[tuple[int, int]], differences: list[float], tolerance: float) -> list[int]:
    parents = list(range(len(sizes)))
    inside = [0.0] * len(sizes)

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    def allowed(index: int) -> float:
        return inside[index] + tolerance * (0.3 + 80 * math.pow(sizes[index], -0.75))

    for (left, right), difference in zip(pairs, differences, strict=True):
        one, other = root(left), root(right)
        if one != other and difference <= min(allowed(one), allowed(other)):
            parents[other] = one
            sizes[one] += sizes[other]
            inside[one] = max(inside[one], inside[other], difference)
    return [root(index) for index in range(len(parents))]
