"""The shape of the land: how high the ground is at each point, from the places that a scene names."""

from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch.camera import Camera
from services.image_generation.providers.sketch.noise import (
    Grid,
    fractal_tile,
    ridged_tile,
    sample,
    smooth_step,
    stream,
)

Peak = tuple[float, float, float, float]
"""x, z, radius and height, in metres."""

FOOTHILLS_METRES = 140.0
"""No mountain reaches nearer."""

DUNE_CREST = 0.74
"""Share of a dune's length that climbs gently; the rest falls steeply."""

CRATER_SHARE = 0.1
"""Radius of a crater as a share of the mountain's."""


@dataclass(frozen=True)
class Land:
    """Heights over the water line in metres; what is below 0 is under water."""

    water: str | None
    """`sea`, `beach`, `lake`, `river` or nothing."""
    relief: frozenset[str]
    """Any of `mountains`, `hills`, `dunes`, `cliff`, `volcano`."""
    peaks: tuple[Peak, ...]
    islands: tuple[Peak, ...]
    hill_metres: float
    phase: float
    """Where the bends of river, road and shore begin."""
    lean: float
    """From -1 to 1: to which side the scene opens."""
    soft: Grid
    rolling: Grid
    ridged: Grid

    def height(self, x: Grid, z: Grid) -> Grid:
        """Heights in metres at the points (x, z)."""
        ground = np.array(self._plain(x, z))
        if "hills" in self.relief:
            ground = ground + self._hills(x, z)
        if "dunes" in self.relief:
            ground = ground + self._dunes(x, z)
        if self.water == "lake":
            ground = self._with_lake(ground, x, z)
        if self.water == "river":
            ground = self._with_river(ground, x, z)
        if "cliff" in self.relief:
            ground = np.maximum(ground, self._cliff(x, z))
        if {"mountains", "volcano"} & self.relief:
            far = z.max(axis=1) > FOOTHILLS_METRES
            ground[far] += self._mountains(x[far], z[far])
        for island in self.islands:
            ground = np.maximum(ground, self._island(island, x, z))
        return np.asarray(ground, np.float32)

    def road_x(self, z: Grid) -> Grid:
        """Where the middle of the road runs."""
        bend = np.sin(z / 34 + self.phase * 6.28) * (2.0 + 0.05 * z)
        return np.asarray(bend - self.lean * 0.10 * z, np.float32)

    def river_x(self, z: Grid) -> Grid:
        """Where the middle of the river runs."""
        bend = np.sin(z / 42 + self.phase * 6.28) * (4.0 + 0.11 * z)
        return np.asarray(bend + self.lean * (0.16 * z - 6), np.float32)

    def shore_z(self, x: Grid) -> Grid:
        """How far away the beach meets the sea."""
        wiggle = np.sin(x / 23 + self.phase * 6.28) * 2.2 + np.sin(x / 9.1 + self.phase * 3) * 0.7
        return np.asarray(33 + self.lean * x * 0.5 + wiggle, np.float32)

    def _plain(self, x: Grid, z: Grid) -> Grid:
        if self.water == "sea":
            return np.full(np.broadcast_shapes(x.shape, z.shape), -6.0, np.float32)
        if self.water == "beach":
            return np.asarray(np.clip((self.shore_z(x) - z) * 0.055, -6.0, 1.6), np.float32)
        swell = smooth_step(16, 130, z) * np.clip(sample(self.soft, x / 420, z / 380), -0.4, 2)
        return np.asarray(0.7 + 1.1 * swell, np.float32)

    def _hills(self, x: Grid, z: Grid) -> Grid:
        near = np.clip(0.42 + 0.34 * sample(self.rolling, x / 460 + 0.3, z / 330 + 0.7), 0, 1.3)
        far = np.clip(0.55 + 0.40 * sample(self.rolling, x / 1150 + 0.1, z / 800 + 0.2), 0, 1.5)
        lift = near * smooth_step(20, 150, z) * 0.55 + far * smooth_step(120, 420, z) * 1.5
        return np.asarray(self.hill_metres * lift, np.float32)

    def _dunes(self, x: Grid, z: Grid) -> Grid:
        warp = 0.55 * sample(self.soft, x / 520, z / 430 + 0.2)
        wave = (x * 0.55 + z) / 62 + warp + self.phase
        saw = wave - np.floor(wave)
        profile = np.where(saw < DUNE_CREST, smooth_step(0.0, DUNE_CREST, saw), smooth_step(1.0, DUNE_CREST, saw))
        lift = 0.45 + 0.4 * np.clip(sample(self.soft, x / 700 + 0.5, z / 700), -1, 2)
        return np.asarray(9.5 * smooth_step(14, 90, z) * profile * lift, np.float32)

    def _with_lake(self, ground: Grid, x: Grid, z: Grid) -> Grid:
        across = (x - self.lean * 12) / (95 + 0.9 * z)
        along = (z - 82) / 58
        ragged = 0.10 * sample(self.soft, x / 210, z / 160 + 0.4)
        inside = smooth_step(0.86, 1.16, across**2 + along**2 + ragged)
        return np.asarray(ground * inside - 2.2 * (1 - inside), np.float32)

    def _with_river(self, ground: Grid, x: Grid, z: Grid) -> Grid:
        half_width = 5.0 + 0.035 * z + 1.2 * sample(self.soft, x / 160, z / 130)
        bank = smooth_step(0.0, 7.0, np.abs(x - self.river_x(z)) - half_width)
        flat = smooth_step(0.0, 60.0, np.abs(x - self.river_x(z)) - half_width)
        return np.asarray(np.minimum(ground, 1.0 + (ground - 1.0) * flat) * bank - 1.8 * (1 - bank), np.float32)

    def _cliff(self, x: Grid, z: Grid) -> Grid:
        side = 1.0 if self.lean >= 0 else -1.0
        ragged = 9 * sample(self.ridged, x / 260, z / 240) + 7 * sample(self.soft, x / 330, z / 300)
        edge = side * x - (30 - 0.13 * z) + ragged
        top = 19 + 3 * sample(self.soft, x / 180, z / 180)
        inland = smooth_step(-3.5, 6.5, edge) * smooth_step(24, 60, z) * smooth_step(330, 230, z)
        return np.asarray(-6 + (top + 6) * inland, np.float32)

    def _mountains(self, x: Grid, z: Grid) -> Grid:
        crests = 0.6 * sample(self.ridged, x / 1100, z / 1000) + 0.5 * sample(self.ridged, x / 560 + 0.4, z / 560)
        rough = 0.5 + 0.5 * np.clip(sample(self.soft, x / 900, z / 900), -1, 1.5)
        total = np.zeros_like(crests)
        if "mountains" in self.relief:
            total += 70 * smooth_step(300, 540, z) * rough * (0.25 + 0.75 * crests)
        for at_x, at_z, radius, high in self.peaks:
            away = np.hypot(x - at_x, (z - at_z) * 0.9) / radius
            cone = np.clip(1 - away, 0, 1)
            if "volcano" in self.relief:
                cone = np.where(away < CRATER_SHARE, 0.9 - (CRATER_SHARE - away) * 2.5, cone)
                total = np.maximum(total, high * cone**1.45 * (0.9 + 0.16 * crests))
            else:
                total += high * cone**1.1 * (0.55 + 0.55 * crests)
        return np.asarray(total, np.float32)

    def _island(self, island: Peak, x: Grid, z: Grid) -> Grid:
        at_x, at_z, radius, high = island
        ragged = 0.20 * sample(self.soft, x / 170, z / 170)
        away = np.hypot((x - at_x) / 1.35, z - at_z) / radius + ragged
        return np.asarray(-6 + (high + 6) * np.clip(1.12 - away, 0, 1) ** 1.1, np.float32)


def shape_land(
    seed: int, camera: Camera, water: str | None, relief: frozenset[str], *, tall: float, islands: int
) -> Land:
    """Lay out the land of a scene; `tall` scales hills and mountains."""
    rng = stream(seed, "land")
    volcano = "volcano" in relief
    count = 1 if volcano else int(rng.integers(2, 5))
    first = rng.choice([0.34, 0.66]) + rng.uniform(-0.07, 0.07)
    peaks = []
    for number in range(count):
        z = 520.0 if number == 0 else float(rng.uniform(480, 820))
        share = first if number == 0 else rng.uniform(-0.05, 1.05)
        high = tall * (190 if volcano else 165 - 34 * min(number, 2) + rng.uniform(-12, 12))
        peaks.append((camera.x_at(share, z), z, float(rng.uniform(230, 340)), float(high)))
    bumps = []
    for number in range(islands):
        z = float(rng.uniform(66, 84) + 60 * number)
        share = (0.5 + rng.uniform(-0.14, 0.14)) if number == 0 else rng.uniform(0.05, 0.95)
        bumps.append((camera.x_at(share, z), z, float(rng.uniform(25, 32)), float(rng.uniform(8, 13))))
    return Land(
        water=water,
        relief=relief,
        peaks=tuple(peaks) if {"mountains", "volcano"} & relief else (),
        islands=tuple(bumps),
        hill_metres=20.0 * tall,
        phase=float(rng.uniform()),
        lean=float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.0)),
        soft=fractal_tile(stream(seed, "soft"), cells=4, octaves=6, persistence=0.45),
        rolling=fractal_tile(stream(seed, "rolling"), cells=4, octaves=3, persistence=0.3),
        ridged=ridged_tile(stream(seed, "ridged"), cells=4, octaves=5),
    )
