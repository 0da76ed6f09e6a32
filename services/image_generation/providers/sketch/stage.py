"""Everything that a painter needs to know: the scene, its light, its land, and the sheet."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from services.image_generation.providers.sketch.camera import Camera
from services.image_generation.providers.sketch.canvas import Canvas, Sprite, as_array
from services.image_generation.providers.sketch.land import Land
from services.image_generation.providers.sketch.noise import Grid, stream
from services.image_generation.providers.sketch.palette import Light
from services.image_generation.providers.sketch.reading import Scene
from services.image_generation.providers.sketch.terrain import View


@dataclass(frozen=True)
class Stage:
    scene: Scene
    seed: int
    camera: Camera
    light: Light
    land: Land
    view: View
    canvas: Canvas
    sun_share: float
    """Where the sun or moon stands, as a share of the width."""
    hour: str
    weather: str
    season: str
    grain: float

    @property
    def sun_px(self) -> tuple[float, float]:
        """Column and row of the sun or moon."""
        return self.sun_share * self.camera.width_px, self.camera.horizon_px * (1 - self.light.sun_height)

    @property
    def sun_direction(self) -> tuple[float, float, float]:
        """Where the light on the land comes from; from the side, even if the sun is seen, so that forms show."""
        side = 1.0 if self.sun_share >= 0.5 else -1.0  # noqa: PLR2004 - the middle of the picture
        vector = np.array([side * 0.78, 0.28 + 0.5 * self.light.sun_height, -0.22])
        vector /= np.linalg.norm(vector)
        return float(vector[0]), float(vector[1]), float(vector[2])

    def stream(self, *names: object) -> np.random.Generator:
        """Random numbers of one thing's own."""
        return stream(self.seed, *names)

    def haze_share(self, z: Grid) -> Grid:
        """How much of a thing's own colour the air takes at distance z."""
        return np.asarray(1 - np.exp(-((z / self.light.haze_metres) ** 1.15)), np.float32)

    def ground_at(self, x: float, z: float) -> float:
        """Height of the land at a point; below 0 in water."""
        grid = self.land.height(np.array([[x]], np.float32), np.array([[z]], np.float32))
        return float(grid[0, 0])

    def place(
        self, sprite: Sprite, x: float, z: float, *, foot: float | None = None, size: float = 1.0, flip: bool = False,
        shade: bool = True, shine: float = 0.0,
    ) -> None:  # fmt: skip
        """Put a thing on the land at (x, z), as big, as hazy and as lit as it is there."""
        ground = self.ground_at(x, z) if foot is None else foot
        column, row = self.camera.project(x, ground, z)
        scale = self.camera.scale(z) * size
        wide, high = round(sprite.width_metres * scale), round(sprite.height_metres * scale)
        if wide < 1 or high < 1 or column + wide < 0 or column - wide > self.camera.width_px:
            return
        if shade and wide > 3:  # noqa: PLR2004 - smaller shadows are not seen
            self._shade(column, row, wide, z)
        art = self._lit(_scaled(sprite.art, wide, high, flip=flip), z)
        glow = None
        lamps = max(self.light.lamps, shine)
        if sprite.glow is not None and lamps > 0:
            glow = _scaled(sprite.glow, wide, high, flip=flip)
            glow[..., 3] *= lamps * (0.4 + 0.6 * math.exp(-((z / self.light.haze_metres) ** 1.15)))
        self.canvas.stamp(art, round(column - wide / 2), round(row - high + 0.04 * scale), z, glow)

    def reflect(self, sprite: Sprite, x: float, z: float, *, size: float, flip: bool) -> None:
        """Show a floating thing upside down in the water before it, broken by waves."""
        column, row = self.camera.project(x, 0.0, z)
        scale = self.camera.scale(z) * size
        wide, high = round(sprite.width_metres * scale), round(sprite.height_metres * scale * 0.86)
        if wide < 2 or high < 2:  # noqa: PLR2004 - too small to be seen
            return
        art = self._lit(_scaled(sprite.art, wide, high, flip=flip)[::-1], z)
        rows = np.arange(high)
        sway = np.sin(rows * 0.9 + np.sin(rows * 0.23) * 2.2) * (0.6 + rows / high * 0.03 * wide)
        source = np.clip(np.arange(wide)[None, :] + np.round(sway).astype(np.intp)[:, None], 0, wide - 1)
        art = np.take_along_axis(art, source[..., None], axis=1)
        art[..., :3] *= 0.72
        art[..., 3] *= (0.62 - 0.5 * rows / high)[:, None] * (0.75 + 0.25 * np.sin(rows * 0.9))[:, None]
        if sprite.glow is not None and self.light.lamps:
            shine = _scaled(sprite.glow, wide, high, flip=flip)[::-1]
            art[..., :3] += (shine[..., :3] - art[..., :3]) * (shine[..., 3:] * self.light.lamps * 0.8)
        self.canvas.stamp(art, round(column - wide / 2), round(row))

    def light_ground(self, x: float, z: float, reach_metres: float) -> None:
        """Lay a round pool of lamplight on the ground about a point."""
        column, row = self.camera.project(x, max(self.ground_at(x, z), 0.0), z)
        wide = round(2 * reach_metres * self.camera.scale(z))
        high = round(wide * min(0.5, self.camera.eye_metres / z))
        if wide < 4 or high < 2:  # noqa: PLR2004 - too small to be seen
            return
        y, across = np.mgrid[-1 : 1 : high * 1j, -1 : 1 : wide * 1j].astype(np.float32)
        pool = np.empty((high, wide, 4), np.float32)
        pool[..., :3] = (0.98, 0.72, 0.36)
        pool[..., 3] = np.clip(1 - np.hypot(y, across), 0, 1) ** 1.6 * 0.62 * self.light.lamps
        self.canvas.stamp(pool, round(column - wide / 2), round(row - high / 2))

    def _lit(self, art: Grid, z: float) -> Grid:
        light = np.asarray(self.light.ambient) + 0.82 * np.asarray(self.light.sun)
        air = 1 - math.exp(-((z / self.light.haze_metres) ** 1.15))
        art *= np.array([*(light * (1 - air)), 1], np.float32)
        art += np.array([*(np.asarray(self.light.haze) * air), 0], np.float32)
        return art

    def _shade(self, column: float, row: float, wide: int, z: float) -> None:
        """Darken the ground at the foot of a thing, away from the light."""
        high = max(2, round(wide * 0.16))
        broad = max(2, round(wide * 1.25))
        y, x = np.mgrid[-1 : 1 : high * 1j, -1 : 1 : broad * 1j].astype(np.float32)
        dark = np.clip(1 - x * x - y * y, 0, 1) * 0.42
        shadow = np.zeros((high, broad, 4), np.float32)
        shadow[..., :3] = np.asarray(self.light.ambient, np.float32) * 0.25
        shadow[..., 3] = dark
        side = -0.14 if self.sun_share > 0.5 else 0.14  # noqa: PLR2004 - the middle of the picture
        left, top = round(column - broad / 2 + side * wide), round(row - high / 2)
        self.canvas.stamp(shadow * self._clear(z), left, top)

    def _clear(self, z: float) -> Grid:
        return np.array([1, 1, 1, math.exp(-((z / self.light.haze_metres) ** 1.15))], np.float32)


def _scaled(image: Image.Image, wide: int, high: int, *, flip: bool) -> Grid:
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return as_array(image.resize((wide, high), Image.Resampling.HAMMING, reducing_gap=2.0)).copy()
