"""What makes a mountain a volcano: the plume over the crater and the lava on its flanks."""

import numpy as np

from services.image_generation.providers.sketch.noise import fractal_tile, sample, smooth_step
from services.image_generation.providers.sketch.stage import Stage

LAVA = np.array([1.0, 0.42, 0.10], np.float32)


def paint_plume(stage: Stage) -> None:
    """Smoke that leans with the wind, lit from below; painted before the land."""
    camera, canvas = stage.camera, stage.canvas
    x0, z0, _, high = stage.land.peaks[0]
    column, row = camera.project(x0, high * 0.86, z0)
    y, x = np.mgrid[0 : camera.height_px, 0 : camera.width_px].astype(np.float32)
    up = np.clip((row - y) / camera.unit_px, 0, None)
    tile = fractal_tile(stage.stream("plume"), cells=4, octaves=6, persistence=0.55)
    lean = -0.55 if stage.sun_share > 0.5 else 0.55  # noqa: PLR2004 - the middle of the picture
    puffs = sample(tile, (x - column) / camera.unit_px * 0.7, y / camera.unit_px * 0.7)
    off = (x - column) / camera.unit_px - lean * up**1.4 + 0.035 * puffs * np.clip(up * 8, 0, 1)
    wide = 0.022 + 0.30 * up**0.9
    smoke = np.exp(-((off / wide) ** 2)) * smooth_step(-1.2, 0.8, puffs + 1.0 - 1.1 * up) * (row > y)
    shade = 0.30 + 0.30 * smooth_step(-1.0, 1.4, puffs)
    light = np.asarray(stage.light.ambient, np.float32) + 0.5 * np.asarray(stage.light.sun, np.float32)
    colour = shade[..., None] * light + LAVA * (np.exp(-up / 0.07) * 0.85)[..., None]
    canvas.pixels += (colour - canvas.pixels) * np.clip(smoke * 0.92, 0, 1)[..., None]
    away = np.hypot(x - column, y - row) / camera.unit_px
    canvas.pixels += LAVA * (np.exp(-away / 0.09) * 0.5 * (0.35 + 0.65 * stage.light.lamps))[..., None]


def paint_lava(stage: Stage) -> None:
    """Streams of lava that run down from the crater; painted on the finished land."""
    view, canvas, land = stage.view, stage.canvas, stage.land
    x0, z0, radius, high = land.peaks[0]
    turn = np.arctan2(view.x - x0, z0 - view.z)
    away = np.hypot(view.x - x0, (view.z - z0) * 0.9) / radius
    tile = fractal_tile(stage.stream("lava"), cells=8, octaves=4)
    bend = turn * 0.16 + 0.012 * sample(tile, view.x / 400, view.height / 260)
    run = sample(tile, bend, np.full_like(bend, 0.3))
    stream = smooth_step(0.26, 0.04, np.abs(run - 0.4)) * smooth_step(0.72, 0.15, away) * (view.height > 0.2 * high)
    crater = smooth_step(0.14, 0.05, away)
    share = np.clip(np.maximum(stream, crater), 0, 1)[:, None]
    pixels = canvas.pixels[view.rows, view.columns]
    molten = LAVA + np.array([0.0, 0.35, 0.15], np.float32) * share
    canvas.pixels[view.rows, view.columns] = pixels + (molten - pixels) * share
    canvas.glow[view.rows, view.columns] += LAVA * share
    canvas.glows = True
