"""Where a picture is taken from."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from services.depth_map.training.solids import Floats, Solid

Place = NDArray[np.floating]

_NEAREST_METRES = 0.02


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        place: metres, world coordinates.
        right, down, ahead: unit vectors.
        spread: tangent of half the field of view across.
        width, height: pixels.

    """

    place: Floats
    right: Floats
    down: Floats
    ahead: Floats
    spread: float
    width: int
    height: int

    @classmethod
    def looking(cls, place: Place, target: Place, roll: float, degrees: float, size: tuple[int, int]) -> Self:
        """Aim at a target (metres), rolled by an angle in radians, with a field of view across in degrees."""
        ahead = (target - place) / np.linalg.norm(target - place)
        level = np.cross(ahead, np.array([0, 0, 1.0]))
        level /= max(float(np.linalg.norm(level)), 1e-6)
        upright = np.cross(ahead, level)
        right = level * np.cos(roll) + upright * np.sin(roll)
        down = np.cross(ahead, right)
        origin, right, down, ahead = (np.asarray(each, np.float32) for each in (place, right, down, ahead))
        return cls(origin, right, down, ahead, float(np.tan(np.radians(degrees) / 2)), *size)

    def rays(self) -> Floats:
        """Directions through the centres of pixels, height x width x 3; one length of each is one metre of depth."""
        across = ((np.arange(self.width) + 0.5) / self.width * 2 - 1) * self.spread
        below = ((np.arange(self.height) + 0.5) * 2 - self.height) / self.width * self.spread
        rays = self.ahead + across[None, :, None] * self.right + below[:, None, None] * self.down
        return np.asarray(rays, np.float32)

    def window(self, solid: Solid) -> tuple[slice, slice] | None:
        """Rows and columns that may show the solid; none where it is behind the camera or beside the picture."""
        offsets = solid.corners() - self.place
        depth = offsets @ self.ahead
        if depth.max() < _NEAREST_METRES:
            return None
        if depth.min() < _NEAREST_METRES:
            return slice(0, self.height), slice(0, self.width)
        scale = self.width / (2 * self.spread)
        columns = (offsets @ self.right) / depth * scale + self.width / 2
        rows = (offsets @ self.down) / depth * scale + self.height / 2
        window = _span(rows, self.height), _span(columns, self.width)
        return None if any(span.start >= span.stop for span in window) else window


def _span(positions: Place, length: int) -> slice:
    return slice(max(0, int(np.floor(positions.min()))), min(length, int(np.ceil(positions.max())) + 1))
