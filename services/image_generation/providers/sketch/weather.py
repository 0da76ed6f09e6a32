"""What is in the air between the scene and the eye: rain, snow, drifting fog and lightning."""

import numpy as np
from PIL import Image, ImageDraw

from services.image_generation.providers.sketch.canvas import as_array
from services.image_generation.providers.sketch.noise import fractal_tile, sample, smooth_step
from services.image_generation.providers.sketch.palette import Colour, mix
from services.image_generation.providers.sketch.stage import Stage


def paint_weather(stage: Stage) -> None:
    """Lay the weather over the finished scene."""
    if stage.weather in {"fog", "mist"}:
        _drift_fog(stage)
    if stage.weather == "storm":
        _strike(stage)
    if stage.weather in {"rain", "storm"}:
        _rain(stage)
    if stage.weather == "snowfall":
        _snow(stage)


def _drift_fog(stage: Stage) -> None:
    """Banks of fog that lie low and thicken with distance."""
    camera, canvas = stage.camera, stage.canvas
    tile = fractal_tile(stage.stream("fog"), cells=3, octaves=4)
    y, x = np.mgrid[0 : camera.height_px, 0 : camera.width_px].astype(np.float32)
    bank = 0.55 + 0.42 * sample(tile, x / camera.unit_px / 2.6, y / camera.unit_px / 0.9)
    low = np.exp(-(((y - camera.horizon_px) / (0.24 * camera.unit_px)) ** 2))
    far = smooth_step(10, 120, np.minimum(canvas.depth, 400))
    share = np.clip(bank * low * far * (0.85 if stage.weather == "fog" else 0.5), 0, 0.92)
    canvas.pixels += (np.asarray(stage.light.haze, np.float32) - canvas.pixels) * share[..., None]


def _strike(stage: Stage) -> None:
    camera, rng = stage.camera, stage.stream("lightning")
    sheet = Image.new("L", (camera.width_px, camera.height_px))
    draw = ImageDraw.Draw(sheet)
    column = camera.width_px * rng.uniform(0.2, 0.8)
    _bolt(draw, rng, (column, 0.0), foot=camera.horizon_px, width=camera.unit_px * 0.0042, forks=2)
    bolt = np.asarray(sheet, np.float32)[..., None] / 255
    soft = as_array(sheet.reduce(8).resize(sheet.size, Image.Resampling.BICUBIC))[..., None]
    _, x = np.mgrid[0 : camera.height_px, 0 : camera.width_px].astype(np.float32)
    flash = np.exp(-np.abs(x - column) / (camera.unit_px * 0.22))[..., None] * np.isinf(stage.canvas.depth)[..., None]
    pixels = stage.canvas.pixels
    pixels += np.asarray((0.26, 0.28, 0.40), np.float32) * flash
    pixels += (np.asarray((0.80, 0.84, 1.0), np.float32) - pixels) * np.clip(soft * 1.4, 0, 0.7)
    pixels += (np.asarray((1.0, 1.0, 1.0), np.float32) - pixels) * bolt


def _bolt(
    draw: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    start: tuple[float, float],
    *,
    foot: float,
    width: float,
    forks: int,
) -> None:
    column, row = start
    step = (foot - row) / 16
    for number in range(16):
        end = column + rng.normal(0, step * 0.62), row + step * rng.uniform(0.75, 1.25)
        draw.line([(column, row), end], fill=255, width=max(1, round(width)))
        column, row = end
        if forks and number % 5 == 3 and rng.uniform() < 0.8:  # noqa: PLR2004 - where a bolt forks
            _bolt(draw, rng, (column, row), foot=row + (foot - row) * 0.6, width=width * 0.5, forks=forks - 1)


def _rain(stage: Stage) -> None:
    camera, rng = stage.camera, stage.stream("rain")
    sheet = Image.new("L", (camera.width_px, camera.height_px))
    draw = ImageDraw.Draw(sheet)
    lean = rng.uniform(0.08, 0.2) * (2.4 if stage.weather == "storm" else 1.0) * rng.choice([-1, 1])
    for depth, count in ((0.35, 900), (0.65, 500), (1.0, 220)):
        starts = rng.uniform(-0.1, 1.1, (count, 2)) * (camera.width_px, camera.height_px)
        longs = camera.unit_px * depth * rng.uniform(0.03, 0.075, count)
        for (column, row), long in zip(starts, longs, strict=True):
            end = column + lean * long, row + long
            draw.line(
                [(column, row), end], fill=round(70 + 90 * depth), width=max(1, round(camera.unit_px * 0.0016 * depth))
            )
    share = as_array(sheet)[..., None] * 0.62
    colour = np.asarray(mix(stage.light.haze, (1.0, 1.0, 1.0), 0.45), np.float32)
    stage.canvas.pixels += (colour - stage.canvas.pixels) * share


def _snow(stage: Stage) -> None:
    camera, rng = stage.camera, stage.stream("snow")
    white: Colour = mix(stage.light.haze, (1.0, 1.0, 1.0), 0.8)
    for radius, count, strength, over in (
        (0.0011, 900, 0.75, 2),
        (0.0021, 380, 0.85, 2),
        (0.0040, 90, 0.8, 2),
        (0.011, 16, 0.42, 1),
    ):
        size = (camera.width_px * over, camera.height_px * over)
        sheet = Image.new("L", size)
        draw = ImageDraw.Draw(sheet)
        for column, row in rng.uniform(0, 1, (count, 2)) * size:
            flake = camera.unit_px * over * radius * rng.uniform(0.7, 1.4)
            draw.ellipse([column - flake, row - flake, column + flake, row + flake], fill=255)
        flat = sheet.reduce(over) if over > 1 else sheet.reduce(6).resize(size, Image.Resampling.BICUBIC)
        share = as_array(flat)[..., None] * strength
        stage.canvas.pixels += (np.asarray(white, np.float32) - stage.canvas.pixels) * share
