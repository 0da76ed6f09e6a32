"""The skin of the land: grass, sand, snow, rock, crops and roads, lit by the hour."""

from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch.land import Land
from services.image_generation.providers.sketch.noise import Grid, sample, smooth_step
from services.image_generation.providers.sketch.palette import Colour, Light, mix, times
from services.image_generation.providers.sketch.terrain import View

COVERS: dict[str, tuple[Colour, Colour]] = {
    "spring": ((0.36, 0.56, 0.22), (0.58, 0.70, 0.30)),
    "summer": ((0.27, 0.47, 0.17), (0.50, 0.61, 0.25)),
    "autumn": ((0.55, 0.43, 0.18), (0.72, 0.55, 0.24)),
    "winter": ((0.86, 0.90, 0.96), (0.97, 0.98, 1.0)),
    "sand": ((0.84, 0.68, 0.46), (0.95, 0.84, 0.62)),
    "dunes": ((0.83, 0.55, 0.30), (0.95, 0.74, 0.46)),
    "forest": ((0.20, 0.27, 0.13), (0.36, 0.37, 0.18)),
    "paved": ((0.44, 0.44, 0.46), (0.54, 0.54, 0.55)),
    "seabed": ((0.48, 0.52, 0.46), (0.72, 0.72, 0.58)),
    "lava": ((0.17, 0.15, 0.15), (0.29, 0.25, 0.23)),
}
CROPS: tuple[Colour, ...] = (
    (0.86, 0.70, 0.30), (0.72, 0.66, 0.28), (0.42, 0.56, 0.20), (0.58, 0.64, 0.26), (0.52, 0.38, 0.22),
    (0.90, 0.80, 0.42),
)  # fmt: skip
ROCK: tuple[Colour, Colour] = ((0.34, 0.32, 0.33), (0.55, 0.51, 0.48))
SNOW: tuple[Colour, Colour] = COVERS["winter"]


@dataclass(frozen=True)
class Skin:
    """What covers the land."""

    cover: str
    tint: Colour | None
    crops: bool
    road: bool
    winter: bool
    snow_line_metres: float
    grain: float
    """How strong the fine texture is; 0 for flat styles."""


@dataclass
class _Patch:
    """The visible ground with noise at three scales, and the colours so far (N, 3)."""

    view: View
    land: Land
    broad: Grid
    middle: Grid
    fine: Grid
    colour: Grid

    def cover(self, colour: Grid | Colour, share: Grid) -> None:
        self.colour += (np.asarray(colour, np.float32) - self.colour) * share[:, None]


def colours(view: View, land: Land, skin: Skin, light: Light, sun: tuple[float, float, float]) -> Grid:
    """Colours (N, 3) of the visible ground, lit from the direction `sun` and before any haze."""
    fade = np.clip(90 / view.z, 0, 1)
    patch = _Patch(
        view, land,
        broad=smooth_step(-1.1, 1.1, sample(land.soft, view.x / 610 + 0.1, view.z / 470)),
        middle=_mottle(land, view, 83.0) * np.clip(220 / view.z, 0.12, 1),
        fine=_mottle(land, view, 8.3) * fade * skin.grain,
        colour=np.empty((len(view.z), 3), np.float32),
    )  # fmt: skip
    patch.colour[:] = _blend(cover_colours(skin), patch.broad + 0.10 * patch.middle)
    if skin.crops:
        _plant_crops(patch, skin)
    if skin.cover == "dunes":
        _comb_sand(patch, skin)
    _raise_rock(patch, skin)
    _line_shores(patch, skin)
    if skin.road:
        _lay_road(patch, skin)
    patch.colour *= (1 + 0.075 * patch.fine + 0.04 * patch.middle * skin.grain)[:, None]
    return patch.colour * _lighting(view, light, sun)


def _mottle(land: Land, view: View, metres: float) -> Grid:
    """Noise in two turned layers of unlike size, so that no repetition shows."""
    turned_x, turned_z = view.x * 0.81 + view.z * 0.59, view.z * 0.81 - view.x * 0.59
    first = sample(land.soft, turned_x / metres, turned_z / metres)
    second = sample(land.soft, view.z / (metres * 2.7), view.x / (metres * 2.7))
    return np.asarray(0.6 * first + 0.6 * second, np.float32)


def _blend(pair: tuple[Colour, Colour], share: Grid) -> Grid:
    low, high = (np.asarray(colour, np.float32) for colour in pair)
    return np.asarray(low + (high - low) * np.clip(share, 0, 1)[:, None], np.float32)


def cover_colours(skin: Skin) -> tuple[Colour, Colour]:
    """Give the two colours between which the cover of the ground varies."""
    if skin.tint is None:
        return COVERS[skin.cover]
    return times(skin.tint, 0.82), mix(skin.tint, (1.0, 1.0, 0.7), 0.26)


def _plant_crops(patch: _Patch, skin: Skin) -> None:
    """Patchwork of fields; near ones show their rows."""
    view = patch.view
    turned_x, turned_z = view.x * 0.94 + view.z * 0.34, view.z * 0.94 - view.x * 0.34
    across, along = np.floor(turned_x / 46), np.floor(turned_z / 64)
    kind = ((across * 7 + along * 13 + np.floor(patch.land.phase * 40)) % len(CROPS)).astype(np.intp)
    crops = np.asarray(CROPS, np.float32)
    if skin.winter:
        crops = crops * 0.06 + 0.90
    patch.colour[:] = crops[kind] * (0.92 + 0.16 * patch.broad)[:, None]
    rows = np.sin(turned_x * (2 * np.pi / 1.9)) * np.clip(48 / view.z - 0.18, 0, 1)
    patch.colour *= (1 + 0.16 * rows)[:, None]
    gap_x, gap_z = np.abs(turned_x / 46 - across - 0.5), np.abs(turned_z / 64 - along - 0.5)
    hedge = np.maximum(smooth_step(0.475, 0.49, gap_x), smooth_step(0.48, 0.49, gap_z))
    patch.cover((0.22, 0.33, 0.14), hedge * 0.7)


def _comb_sand(patch: _Patch, skin: Skin) -> None:
    """Ripples of the wind across the near sand."""
    view = patch.view
    wave = np.sin((view.z * 1.1 + view.x * 0.5 + patch.middle * 1.6) * 5.2)
    patch.colour *= (1 + 0.05 * skin.grain * wave * np.clip(34 / view.z - 0.3, 0, 1))[:, None]


def _raise_rock(patch: _Patch, skin: Skin) -> None:
    """Bare rock where it is steep or high, snow over the snow line and where it can lie."""
    view, land = patch.view, patch.land
    if not {"mountains", "volcano", "cliff"} & land.relief:
        return
    lava = "volcano" in land.relief
    steep = smooth_step(0.90, 0.72, view.normal_y + 0.03 * patch.middle)
    high = smooth_step(18, 58, view.height + 9 * patch.middle)
    slopes = smooth_step(6, 16, view.height) * smooth_step(300, 360, view.z)
    patch.cover((0.16, 0.25, 0.17) if not skin.winter else (0.55, 0.62, 0.68), slopes * 0.75)
    pair = COVERS["lava"] if lava else ROCK
    strata = sample(land.ridged, view.x / 130, view.height / 60 + view.z / 300)
    patch.cover(_blend(pair, 0.15 + 0.9 * strata), np.maximum(steep, high))
    drift = view.height + 15 * sample(land.soft, view.x / 300, view.z / 300) + 14 * view.hollow
    lies = smooth_step(0.60, 0.80, view.normal_y + 0.05 * patch.middle) * 0.85 + 0.15
    patch.cover(SNOW[1], smooth_step(skin.snow_line_metres - 7, skin.snow_line_metres + 9, drift) * lies)


def _line_shores(patch: _Patch, skin: Skin) -> None:
    view = patch.view
    if patch.land.water is None:
        return
    sandy = patch.land.water in {"sea", "beach"} and not patch.land.relief & {"cliff", "mountains"}
    if sandy and skin.cover not in {"sand", "winter"}:
        patch.cover(_blend(COVERS["sand"], patch.broad), smooth_step(2.6, 1.5, view.height + 0.35 * patch.middle))
    wet = smooth_step(0.55, 0.05, view.height)
    patch.colour *= (1 - 0.34 * wet)[:, None]


def _lay_road(patch: _Patch, skin: Skin) -> None:
    view = patch.view
    off = np.abs(view.x - patch.land.road_x(view.z)) + 0.25 * patch.fine
    dry = smooth_step(0.2, 0.6, view.height) * smooth_step(420, 300, view.z)
    paved = skin.cover == "paved"
    colour = (0.34, 0.34, 0.37) if paved else (0.74, 0.63, 0.46)
    if skin.winter:
        colour = (0.66, 0.66, 0.70)
    patch.cover(colour, smooth_step(2.6, 2.1, off) * dry * 0.92)
    if paved:
        dash = (np.sin(view.z * 0.9) > 0) * smooth_step(0.22, 0.12, off)
        patch.cover((0.9, 0.86, 0.7), dash.astype(np.float32) * dry)
    else:
        patch.colour *= (1 - 0.16 * smooth_step(0.5, 0.2, np.abs(off - 1.0)) * dry)[:, None]


def _lighting(view: View, light: Light, sun: tuple[float, float, float]) -> Grid:
    facing = view.normal_x * sun[0] + view.normal_y * sun[1] + view.normal_z * sun[2]
    open_sky = (0.72 + 0.28 * view.normal_y) * (1 - 0.5 * np.clip(view.hollow, 0, 1))
    direct = np.clip(facing, 0, 1)[:, None] * np.asarray(light.sun, np.float32) * 1.35
    return np.asarray(np.asarray(light.ambient, np.float32) * open_sky[:, None] * 1.05 + direct, np.float32)
