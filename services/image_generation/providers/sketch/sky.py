"""The sky: its gradient, clouds in perspective, sun and moon, and what else shines up there."""

import numpy as np

from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step
from services.image_generation.providers.sketch.palette import gradient
from services.image_generation.providers.sketch.stage import Stage

COVERAGE = {"clear": 1.15, "cloudy": 0.10, "overcast": -0.75, "rain": -0.9, "storm": -0.8, "snowfall": -0.9,
            "fog": 0.4, "mist": 0.5}  # fmt: skip
"""Deviations of the noise from which on there is cloud: the lower, the more cloud."""


def paint_sky(stage: Stage) -> None:
    """Fill the whole sheet with sky; the land is painted over it."""
    camera = stage.camera
    y, x = np.mgrid[0 : camera.height_px, 0 : camera.width_px].astype(np.float32)
    height = np.clip(1 - y / max(camera.horizon_px, 1), 0, 1)
    stage.canvas.pixels[:] = gradient(stage.light.sky[::-1], (0.0, 0.16, 0.48, 1.0), height)
    away = _distance_to_sun(stage, x, y)
    _paint_sun_glow(stage, away, height)
    if stage.light.stars > 0.02:  # noqa: PLR2004 - fainter stars are not seen
        _paint_stars(stage, height)
    if stage.scene.has("milky way"):
        _paint_milky_way(stage, x, y, height)
    if stage.scene.has("aurora"):
        _paint_aurora(stage, x, y)
    _paint_disc(stage, away, x, y)
    _paint_clouds(stage, x, y, height)
    if stage.scene.has("rainbow"):
        _paint_rainbow(stage, x, y)


def _distance_to_sun(stage: Stage, x: Grid, y: Grid) -> Grid:
    column, row = stage.sun_px
    return np.asarray(np.hypot(x - column, y - row) / stage.camera.unit_px, np.float32)


def _paint_sun_glow(stage: Stage, away: Grid, height: Grid) -> None:
    low = stage.light.sun_height < 0.45  # noqa: PLR2004 - a low sun colours the whole sky
    reach, strength = (0.42, 0.62) if low else (0.26, 0.40)
    if stage.hour == "night":
        reach, strength = 0.20, 0.34
    veil = np.exp(-away / reach) * strength * (0.35 if stage.weather in {"storm", "rain", "snowfall"} else 1.0)
    band = np.exp(-(((height - stage.light.sun_height) / 0.2) ** 2)) * np.exp(-away / 0.9) * (0.22 if low else 0)
    share = np.clip(veil + band, 0, 1)[..., None]
    stage.canvas.pixels += (np.asarray(stage.light.disc, np.float32) - stage.canvas.pixels) * share


def shows_moon(stage: Stage) -> bool:
    """Whether the light in the sky is the moon."""
    others = stage.scene.has("stars", "milky way", "aurora", "sun")
    return stage.scene.has("moon") or (stage.hour == "night" and not others)


def _shows_sun(stage: Stage) -> bool:
    if shows_moon(stage) or stage.hour in {"night", "twilight"}:
        return False
    return stage.scene.has("sun") or (stage.hour in {"dawn", "sunset"} and stage.weather in {"clear", "cloudy", "mist"})


def _paint_disc(stage: Stage, away: Grid, x: Grid, y: Grid) -> None:
    moon = shows_moon(stage)
    if not moon and not _shows_sun(stage):
        return
    size = stage.scene.mention("moon" if moon else "sun").size
    radius = (0.052 if moon else 0.047) * size
    soft = 1.6 / stage.camera.unit_px
    disc = smooth_step(radius + soft, radius - soft, away)
    colours = stage.scene.mention("moon" if moon else "sun").colours
    colour = np.asarray(colours[0] if colours else stage.light.disc, np.float32)
    pixels = stage.canvas.pixels
    pixels += (colour - pixels) * (np.exp(-np.clip(away - radius, 0, None) / (radius * 0.9)) * 0.55)[..., None]
    if moon:
        scale = 1 / (radius * stage.camera.unit_px * 7)
        seas = smooth_step(-0.2, 1.3, sample(stage.land.soft, x * scale + 0.3, y * scale + 0.6))
        face = colour * (1 - 0.26 * seas[..., None])
    else:
        face = np.broadcast_to(np.clip(colour * 1.08, 0, 1), pixels.shape)
    pixels += (face - pixels) * disc[..., None]


def _paint_stars(stage: Stage, height: Grid) -> None:
    camera, rng = stage.camera, stage.stream("stars")
    count = round(1500 * (1.6 if stage.scene.has("stars", "milky way") else 1.0))
    columns = rng.integers(1, camera.width_px - 1, count)
    rows = (rng.uniform(0, 1, count) * (camera.horizon_px - 2)).astype(np.intp)
    bright = rng.pareto(2.2, count) * 0.16 * stage.light.stars
    tint = 1 + rng.normal(0, 0.10, (count, 3))
    light = (bright[:, None] * tint * (0.25 + 0.75 * height[rows, columns])[:, None]).astype(np.float32)
    pixels = stage.canvas.pixels
    np.add.at(pixels, (rows, columns), np.clip(light, 0, 1))
    big = bright > 0.45 * stage.light.stars
    for down, right, share in ((0, 1, 0.35), (0, -1, 0.35), (1, 0, 0.35), (-1, 0, 0.35)):
        at = np.clip(rows[big] + down, 0, camera.height_px - 1), columns[big] + right
        np.add.at(pixels, at, np.clip(light[big] * share, 0, 0.6))


def _paint_milky_way(stage: Stage, x: Grid, y: Grid, height: Grid) -> None:
    camera, rng = stage.camera, stage.stream("milky way")
    across = x / camera.width_px - rng.uniform(0.35, 0.65)
    slope = rng.choice([-1, 1]) * rng.uniform(0.5, 0.9)
    grain = sample(fractal_tile(rng, cells=5), x / camera.unit_px / 1.6, y / camera.unit_px / 1.6)
    off = across - slope * (height - 0.5) + 0.025 * grain
    cloud = np.exp(-((off / 0.14) ** 2)) * np.clip(0.62 + 0.34 * grain, 0, 2)
    dust = np.exp(-(((off - 0.012) / 0.034) ** 2)) * smooth_step(-0.5, 0.9, grain)
    colour = np.asarray((0.55, 0.55, 0.72), np.float32) * (cloud * 0.62 * (1 - 0.72 * dust))[..., None]
    warm = np.asarray((0.30, 0.17, 0.16), np.float32) * np.exp(-((off / 0.06) ** 2))[..., None]
    stage.canvas.pixels += (colour + warm) * smooth_step(0.0, 0.3, height)[..., None]
    count = 2600
    rows = (rng.uniform(0, 1, count) * (camera.horizon_px - 2)).astype(np.intp)
    columns = rng.integers(0, camera.width_px, count)
    points = np.clip(rng.pareto(2.4, count) * 0.2, 0, 1) * cloud[rows, columns]
    np.add.at(stage.canvas.pixels, (rows, columns), points[:, None].astype(np.float32))


def _paint_aurora(stage: Stage, x: Grid, y: Grid) -> None:
    camera, rng = stage.camera, stage.stream("aurora")
    tile = fractal_tile(rng, cells=4)
    along = x[:1] / camera.width_px
    for curtain in range(3):
        foot = camera.horizon_px * (0.80 - 0.17 * curtain + 0.10 * sample(tile, along * 0.34, along * 0 + curtain / 3))
        rays = 0.45 + 0.40 * sample(tile, along * 2.3, along * 0 + 0.17 * curtain + 0.05)
        rise = (foot - y) / (camera.horizon_px * 0.5)
        light = np.clip(rays, 0.04, 1.3) * np.exp(-np.clip(rise, 0, None) * 2.6) * smooth_step(-0.045, 0.02, rise)
        low, high = np.array([0.16, 0.95, 0.55]), np.array([0.52, 0.22, 0.80])
        colour = low + (high - low) * np.clip(rise * 1.35, 0, 1)[..., None]
        stage.canvas.pixels += (colour * light[..., None] * (0.62 - 0.14 * curtain)).astype(np.float32)


def _paint_clouds(stage: Stage, x: Grid, y: Grid, height: Grid) -> None:
    camera, rng = stage.camera, stage.stream("clouds")
    tile = fractal_tile(rng, cells=4, octaves=7, persistence=0.52)
    coverage = COVERAGE[stage.weather] - (0.5 if stage.scene.has("clouds") else 0)
    rows = slice(0, min(camera.height_px, int(camera.horizon_px) + 1))
    x, y, height = x[rows], y[rows], height[rows]
    away = 1 / ((camera.horizon_px - y) / camera.unit_px + 0.10)
    u = (x - camera.width_px / 2) / camera.unit_px * away * 0.105
    v = away * 0.20
    toward = np.float32(0.010 if stage.sun_share >= 0.5 else -0.010)  # noqa: PLR2004 - the middle of the picture
    body = sample(tile, u, v)
    lit = np.clip(0.55 + 0.55 * (body - sample(tile, u + toward, v - 0.012)), 0, 1)
    alpha = smooth_step(coverage, coverage + 1.15, body) * smooth_step(0.0, 0.10, height) * 0.94
    thick = smooth_step(coverage + 0.4, coverage + 2.4, body)
    shade = np.clip(lit * (1 - 0.45 * thick), 0, 1)[..., None]
    low, high = (np.asarray(c, np.float32) for c in (stage.light.cloud_shadow, stage.light.cloud_lit))
    near_sun = np.exp(-_distance_to_sun(stage, x, y) / 0.3)[..., None] * 0.4
    colour = low + (high - low) * shade
    colour += (np.asarray(stage.light.disc, np.float32) - colour) * near_sun * (stage.hour != "day")
    pixels = stage.canvas.pixels[rows]
    pixels += (colour - pixels) * alpha[..., None]


def _paint_rainbow(stage: Stage, x: Grid, y: Grid) -> None:
    camera = stage.camera
    middle = camera.width_px * (1 - stage.sun_share)
    radius = np.hypot(x - middle, y - camera.horizon_px * 1.12) / camera.unit_px
    place = (radius - 0.47) / 0.055
    bow = np.clip(1 - np.abs(place - 0.5) * 2, 0, 1) ** 0.6
    hue = np.clip(place, 0, 1)
    stops = (
        (0.45, 0.2, 0.75),
        (0.2, 0.45, 0.9),
        (0.25, 0.8, 0.45),
        (0.98, 0.9, 0.3),
        (0.98, 0.55, 0.2),
        (0.92, 0.2, 0.2),
    )
    colour = gradient(stops, (0.0, 0.22, 0.42, 0.62, 0.8, 1.0), hue)
    share = (bow * 0.62)[..., None]
    stage.canvas.pixels += (colour - stage.canvas.pixels) * share
