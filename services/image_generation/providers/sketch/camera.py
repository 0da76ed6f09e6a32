"""One perspective for everything: where a point of the scene lies in the picture."""

from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch.noise import Grid


@dataclass(frozen=True)
class Camera:
    """A camera at `eye_metres` over the water line, looking level along z. x goes right, y up, in metres."""

    width_px: int
    height_px: int
    horizon_px: float
    eye_metres: float

    @property
    def unit_px(self) -> float:
        """Measure for things that have no distance: the side of a square of the same area."""
        return float(np.sqrt(self.width_px * self.height_px))

    @property
    def focal_px(self) -> float:
        """Pixels that a metre covers at the distance of one metre."""
        return 0.84 * self.unit_px

    @property
    def near_metres(self) -> float:
        """Distance of the ground at the lower edge of the picture."""
        return self.focal_px * self.eye_metres / (self.height_px - self.horizon_px)

    def scale(self, z: float) -> float:
        """Pixels that a metre covers at distance z."""
        return self.focal_px / z

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Find the pixel (column, row) of a point."""
        scale = self.scale(z)
        return self.width_px / 2 + x * scale, self.horizon_px - (y - self.eye_metres) * scale

    def x_at(self, share: float, z: float) -> float:
        """Find the place across that lies at a share of the picture's width, at distance z."""
        return (share - 0.5) * self.width_px / self.scale(z)

    def z_at(self, row_px: float) -> float:
        """Distance of level ground under a row below the horizon."""
        return self.focal_px * self.eye_metres / max(row_px - self.horizon_px, 1.0)

    def columns(self) -> Grid:
        """Give x per metre of distance, for each column; shape (W,)."""
        middles = np.arange(self.width_px, dtype=np.float32) + np.float32(0.5 - self.width_px / 2)
        return np.asarray(middles / np.float32(self.focal_px), np.float32)

    def distances(self, *, rugged: bool) -> Grid:
        """Distances to look at: each row of level ground, and steadily into the distance, finely where it is rugged."""
        rows = np.arange(self.height_px - self.horizon_px + 24, 2, -1.0)
        near = self.focal_px * self.eye_metres / rows
        middle = np.geomspace(60.0, 250.0, 90, endpoint=False)
        far = np.geomspace(250.0, 1300.0, 360 if rugged else 90)
        return np.unique(np.concatenate([near[near < far[-1]], middle, far])).astype(np.float32)
