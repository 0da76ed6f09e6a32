"""Water: it shows what stands behind it upside down, broken by waves, and the path of the sun."""

import numpy as np

from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step
from services.image_generation.providers.sketch.palette import Colour, times
from services.image_generation.providers.sketch.stage import Stage

ROUGHNESS = {"storm": 2.6, "rain": 1.5, "snowfall": 0.9, "fog": 0.5, "mist": 0.5, "clear": 0.9}
"""How high the waves go by weather, as a factor."""

BODY: Colour = (0.07, 0.24, 0.30)
SHALLOW: Colour = (0.22, 0.55, 0.54)


def paint_water(stage: Stage) -> None:
    """Paint every water pixel that no thing covers; the picture above the shore must be finished."""
    view, camera = stage.view, stage.camera
    footprint = 0.12 * view.z**2 / (camera.focal_px * camera.eye_metres)
    covered = np.clip(0.5 - view.height / np.maximum(footprint, 0.004), 0, 1)
    wet = covered > 0
    if not view.water.any():
        return
    rows, columns, z = view.rows[wet], view.columns[wet], view.z[wet]
    open_sea = stage.land.water in {"sea", "beach"}
    rough = ROUGHNESS.get(stage.weather, 1.0) * (1.0 if open_sea else 0.36)
    x = view.x[wet]
    tile = fractal_tile(stage.stream("waves"), cells=6, octaves=5, persistence=0.55)
    long_waves = sample(tile, x / 210, z / 62)
    short_waves = sample(tile, x / 52 + 0.4, z / 13 + 0.2) * np.clip(130 / z, 0, 1)
    slope = (0.6 * long_waves + 0.7 * short_waves).astype(np.float32)
    mirrored = _mirror(stage, rows, columns, slope * rough)
    steepness = np.clip(1 - z / 60, 0, 1) ** 0.7
    shine = np.clip(0.86 - 0.50 * steepness - 0.10 * rough * slope, 0.12, 0.95)[:, None]
    colour = _body(stage, view.height[wet]) * (1 - shine) + mirrored * shine
    colour *= (1 + 0.085 * rough * slope)[:, None]
    colour += _glitter(stage, columns, rows, slope)
    colour += _foam(stage, view.height[wet], slope, short=short_waves, z=z, rough=rough)[:, None] * _whiteness(stage)
    air = stage.haze_share(z)[:, None] * 0.8
    colour += (np.asarray(stage.light.haze, np.float32) - colour) * air
    share = ((1 - stage.canvas.cover[rows, columns]) * covered[wet])[:, None]
    pixels = stage.canvas.pixels
    pixels[rows, columns] += (np.clip(colour, 0, 1.2) - pixels[rows, columns]) * share
    if stage.light.lamps and camera.horizon_px:
        stage.canvas.glow[rows, columns] *= 0.4


def _mirror(stage: Stage, rows: Grid, columns: Grid, slope: Grid) -> Grid:
    """Find what each water pixel reflects: the picture over the horizon, bent by the slope of the waves."""
    camera = stage.camera
    near = (rows - camera.horizon_px) / camera.unit_px
    lift = slope * (0.012 + 0.16 * near) * camera.unit_px
    mirrored = camera.horizon_px - (rows - rows.min()) - np.abs(lift) * 0.9 + lift * 0.4
    row = np.clip(mirrored, 0, rows - 1).astype(np.intp)
    column = np.clip(columns + slope * 0.018 * camera.unit_px * (0.2 + near), 0, camera.width_px - 1).astype(np.intp)
    picture: Grid = stage.canvas.pixels[row, column]
    return picture


def _body(stage: Stage, height: Grid) -> Grid:
    """Give the water its own colour: deeper is darker, and the hour dims it."""
    place = stage.land.water or "sea"
    named = stage.scene.mention("beach" if place == "beach" and stage.scene.has("beach") else place).colours
    light = np.asarray(stage.light.ambient, np.float32) + 0.7 * np.asarray(stage.light.sun, np.float32)
    deep = np.asarray(times(named[0], 0.55) if named else BODY, np.float32)
    shallow = np.asarray(named[0] if named else SHALLOW, np.float32)
    share = smooth_step(-3.2, -0.1, height)[:, None]
    return np.asarray((deep + (shallow - deep) * share) * light, np.float32)


def _glitter(stage: Stage, columns: Grid, rows: Grid, slope: Grid) -> Grid:
    column, _ = stage.sun_px
    camera = stage.camera
    low = stage.light.sun_height < 0.45 or stage.hour == "night"  # noqa: PLR2004 - only low lights make a path
    if not low or stage.weather in {"rain", "storm", "snowfall", "overcast", "fog"}:
        return np.zeros((len(columns), 3), np.float32)
    down = (rows - camera.horizon_px) / camera.unit_px
    width = (0.022 + 0.16 * down) * camera.unit_px
    path = np.exp(-(((columns - column) / width) ** 2)) * np.exp(-down * 2.0)
    sparkle = smooth_step(0.05, 0.9, slope) * 0.95 + 0.22
    return np.asarray((path * sparkle)[:, None] * np.asarray(stage.light.disc, np.float32) * 0.85, np.float32)


def _foam(stage: Stage, height: Grid, slope: Grid, *, short: Grid, z: Grid, rough: float) -> Grid:
    foam = np.zeros_like(height)
    if stage.land.water in {"sea", "beach"}:
        foam = smooth_step(-0.20, -0.02, height + 0.05 * short) * 0.85
        swash = np.sin(np.clip(-height, 0, 2.2) * 7.5 + slope * 0.9)
        foam = np.maximum(foam, smooth_step(0.72, 1.0, swash) * smooth_step(-1.9, -0.25, height) * 0.75)
    if rough > 1.2:  # noqa: PLR2004 - white caps come with bad weather
        foam = np.maximum(foam, smooth_step(1.5, 2.3, slope) * np.clip(120 / z, 0, 1) * 0.8)
    return np.asarray(foam, np.float32)


def _whiteness(stage: Stage) -> Grid:
    return (np.asarray(stage.light.ambient, np.float32) + 0.5 * np.asarray(stage.light.sun, np.float32)) * 0.85
