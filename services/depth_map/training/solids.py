"""Solids that rays can meet, and where exactly they meet them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Shape = Literal["box", "ball", "tube"]

_NEVER = np.float32(np.inf)
_TINY = np.float32(1e-9)
_CORNERS = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(8, 3).astype(np.float32)
_LEAST_STEP = np.float32(1e-4)


@dataclass(frozen=True)
class Solid:
    """One solid: a box, a ball or a tube of half side or radius 1, stretched, turned and moved.

    Attributes:
        shape: what it is; a tube stands along its own third axis.
        centre: metres, world coordinates, the third of which points up.
        axes: 3 x 3, metres; its columns are the half sides.
        top: radius of a tube's top, against 1 at its foot; 0 makes a cone.
        hollow: seen from inside, as the shell of a room is.

    """

    shape: Shape
    centre: Floats
    axes: Floats
    top: float = 1.0
    hollow: bool = False

    @cached_property
    def inwards(self) -> Floats:
        """Turns offsets from the centre (metres) into the solid's own, in which it is of half side or radius 1."""
        return np.asarray((self.axes / np.maximum(np.square(self.axes).sum(axis=0), 1e-12)).T, np.float32)

    def corners(self) -> Floats:
        """Give the eight corners of the box round it, 8 x 3."""
        return np.asarray(self.centre + _CORNERS @ self.axes.T, np.float32)


def turned(half: tuple[float, float, float], yaw: float = 0.0, tilt: float = 0.0, spin: float = 0.0) -> Floats:
    """Make axes of half sides in metres, spun about the first axis, tilted about the second, then turned upright."""
    (cy, sy), (ct, st), (cs, ss) = ((np.cos(angle), np.sin(angle)) for angle in (yaw, tilt, spin))
    about_up = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    about_second = np.array([[ct, 0, st], [0, 1, 0], [-st, 0, ct]])
    about_first = np.array([[1, 0, 0], [0, cs, -ss], [0, ss, cs]])
    return np.asarray(about_up @ about_second @ about_first * np.array(half), np.float32)


def distances(solid: Solid, origins: Floats, directions: Floats) -> Floats:
    """Tell how many lengths of its direction each ray goes until it meets the solid; infinity where it does not.

    Args:
        solid: what is met.
        origins: metres, 3 or ... x 3.
        directions: ... x 3, of any length.

    """
    start = np.asarray((origins - solid.centre) @ solid.inwards.T, np.float32)
    along = np.asarray(directions @ solid.inwards.T, np.float32)
    if solid.shape == "box":
        return _to_box(start, along, hollow=solid.hollow)
    return _to_ball(start, along) if solid.shape == "ball" else _to_tube(start, along, solid.top)


def _to_box(start: Floats, along: Floats, *, hollow: bool) -> Floats:
    pace = np.float32(1) / np.where(np.abs(along) < _TINY, _TINY, along)
    one, other = (-1 - start) * pace, (1 - start) * pace
    enters = _largest(np.minimum(one, other))
    leaves = -_largest(-np.maximum(one, other))
    met = leaves if hollow else enters
    return np.where((enters <= leaves) & (met > _LEAST_STEP), met, _NEVER)


def _largest(values: Floats) -> Floats:
    """Largest of three; far quicker than `max(axis=-1)`."""
    return np.asarray(np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2]), np.float32)


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray(one[..., 0] * other[..., 0] + one[..., 1] * other[..., 1] + one[..., 2] * other[..., 2])


def _to_ball(start: Floats, along: Floats) -> Floats:
    start = np.broadcast_to(start, along.shape)
    return _first_root(_dot(along, along), _dot(start, along), _dot(start, start) - 1)[0]


def _first_root(square: Floats, half: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """Both roots of `square t^2 + 2 half t + rest`, the nearer first; infinity where there is none or it is behind."""
    inside = half * half - square * rest
    root = np.sqrt(np.maximum(inside, 0))
    square = np.where(np.abs(square) < _TINY, _TINY, square)
    one, other = (-half - root) / square, (-half + root) / square
    met = inside > 0
    return (
        np.where(met & (np.minimum(one, other) > _LEAST_STEP), np.minimum(one, other), _NEVER),
        np.where(met & (np.maximum(one, other) > _LEAST_STEP), np.maximum(one, other), _NEVER),
    )


def _to_tube(start: Floats, along: Floats, top: float) -> Floats:
    start = np.broadcast_to(start, along.shape)
    (x, y, z), (dx, dy, dz) = np.moveaxis(start, -1, 0), np.moveaxis(along, -1, 0)
    # The radius at height z is `middle + slope * z`.
    middle, slope = np.float32((1 + top) / 2), np.float32((top - 1) / 2)
    wide, widens = middle + slope * z, slope * dz
    square = dx * dx + dy * dy - widens * widens
    roots = _first_root(square, x * dx + y * dy - wide * widens, x * x + y * y - wide * wide)
    met = np.full(x.shape, _NEVER, np.float32)
    for root in roots:
        height = z + np.where(np.isfinite(root), root, 0) * dz
        met = np.minimum(met, np.where(np.abs(height) <= 1, root, _NEVER))
    for end, radius in ((-1.0, 1.0), (1.0, top)):
        cap = (np.float32(end) - z) / np.where(np.abs(dz) < _TINY, _TINY, dz)
        off = np.square(x + cap * dx) + np.square(y + cap * dy)
        met = np.minimum(met, np.where((cap > _LEAST_STEP) & (off <= radius * radius), cap, _NEVER))
    return np.asarray(met, np.float32)
