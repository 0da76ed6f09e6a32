"""Two worlds without weather: outer space and the bottom of the sea."""

import numpy as np

from services.image_generation.providers.sketch.camera import Camera
from services.image_generation.providers.sketch.canvas import Canvas, Stencil
from services.image_generation.providers.sketch.composition import Setting
from services.image_generation.providers.sketch.landscape import Report
from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step, stream
from services.image_generation.providers.sketch.palette import Colour, mix, times

NEBULAE: tuple[tuple[Colour, Colour], ...] = (
    ((0.62, 0.16, 0.46), (0.12, 0.34, 0.72)), ((0.85, 0.38, 0.16), (0.16, 0.30, 0.52)), ((0.10, 0.52, 0.50),
    (0.44, 0.18, 0.62)),
)  # fmt: skip
PLANETS: tuple[tuple[Colour, Colour], ...] = (
    ((0.82, 0.58, 0.36), (0.96, 0.86, 0.68)), ((0.20, 0.38, 0.62), (0.86, 0.92, 0.96)), ((0.62, 0.26, 0.18),
    (0.88, 0.56, 0.36)),
    ((0.36, 0.50, 0.46), (0.76, 0.84, 0.70)), ((0.44, 0.34, 0.58), (0.80, 0.70, 0.86)),
)  # fmt: skip


def paint_space(canvas: Canvas, setting: Setting, seed: int, report: Report) -> None:
    """Paint stars, a nebula and planets."""
    width_px, height_px, pixels = canvas.width_px, canvas.height_px, canvas.pixels
    rng = stream(seed, "space", *setting.scene.unknown)
    unit = float(np.sqrt(width_px * height_px))
    y, x = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    tile = fractal_tile(rng, cells=3, octaves=7, persistence=0.55)
    u, v = x / unit / 2.1, y / unit / 2.1
    warp = sample(tile, u * 0.7 + 0.2, v * 0.7)
    cloud = smooth_step(-0.7, 2.1, sample(tile, u + 0.11 * warp, v + 0.09 * warp))
    dust = smooth_step(0.2, 1.8, sample(tile, u * 1.9 + 0.5, v * 1.9 + 0.1 * warp))
    named = setting.scene.mention("space").colours
    one, other = (named[0], mix(named[0], (0.2, 0.3, 0.8), 0.6)) if named else NEBULAE[int(rng.integers(3))]
    share = smooth_step(-1.2, 1.2, warp)[..., None]
    glow = np.asarray(one, np.float32) * share + np.asarray(other, np.float32) * (1 - share)
    pixels[:] = np.asarray((0.012, 0.014, 0.035), np.float32) + glow * (cloud**1.4 * (1 - 0.75 * dust))[..., None]
    report(0.4)
    _stars(pixels, rng, cloud)
    count = setting.scene.mention("space").count or int(rng.integers(1, 4))
    for number in range(min(count, 6)):
        _planet(pixels, x, y, unit, number, stream(seed, "planet", number), (width_px, height_px))
    report(0.8)


def _stars(pixels: Grid, rng: np.random.Generator, cloud: Grid) -> None:
    high, wide = pixels.shape[:2]
    count = 3200
    rows, columns = rng.integers(1, high - 1, count), rng.integers(1, wide - 1, count)
    bright = np.clip(rng.pareto(2.0, count) * 0.16, 0, 1.6) * (0.6 + 0.6 * cloud[rows, columns])
    tint = np.clip(1 + rng.normal(0, 0.16, (count, 3)), 0.6, 1.3)
    light = (bright[:, None] * tint).astype(np.float32)
    for down, right, share in ((0, 0, 1.0), (0, 1, 0.28), (0, -1, 0.28), (1, 0, 0.28), (-1, 0, 0.28)):
        np.add.at(pixels, (rows + down, columns + right), light * share)


def _planet(
    pixels: Grid, x: Grid, y: Grid, unit: float, number: int, rng: np.random.Generator, size: tuple[int, int]
) -> None:  # fmt: skip
    radius = unit * (rng.uniform(0.17, 0.25) if number == 0 else rng.uniform(0.025, 0.07))
    middle = size[0] * rng.uniform(0.28, 0.72), size[1] * rng.uniform(0.36, 0.64)
    if number:
        middle = size[0] * rng.uniform(0.05, 0.95), size[1] * rng.uniform(0.08, 0.92)
    across, up = (x - middle[0]) / radius, (middle[1] - y) / radius
    away = np.hypot(across, up)
    bulge = np.sqrt(np.clip(1 - away**2, 0, 1))
    tile = fractal_tile(rng, cells=4, octaves=5)
    low, high = PLANETS[int(rng.integers(len(PLANETS)))]
    banded = rng.uniform() < 0.6  # noqa: PLR2004 - most planets are gas
    turn = np.arcsin(np.clip(across / np.sqrt(np.clip(1 - up**2, 1e-3, 1)), -1, 1)) / 3
    rough = sample(tile, turn, up * 0.3)
    pattern = sample(tile, turn * 0.12, up * 0.42 + 0.018 * rough) if banded else rough
    tone = smooth_step(-1.4, 1.4, pattern)[..., None]
    face = np.asarray(low, np.float32) * (1 - tone) + np.asarray(high, np.float32) * tone
    day = np.clip(-0.62 * across + 0.42 * up + 0.66 * bulge, 0, 1)[..., None] ** 0.8
    disc = smooth_step(1.0 + 1.4 / radius, 1.0 - 1.4 / radius, away)[..., None]
    rim = np.exp(-np.clip(away - 1, 0, None) * 14)[..., None] * (1 - disc) * 0.5
    pixels += (
        np.asarray(mix(high, (0.6, 0.8, 1.0), 0.5), np.float32)
        * rim
        * np.clip(-0.62 * across + 0.42 * up + 0.3, 0, 1)[..., None]
    )
    pixels += (face * (0.025 + 1.05 * day) - pixels) * disc
    if number == 0 and banded:
        _ring(pixels, across, up, away, high)


def _ring(pixels: Grid, across: Grid, up: Grid, away: Grid, colour: Colour) -> None:
    turned_x, turned_y = across * 0.95 + up * 0.31, (up * 0.95 - across * 0.31) / 0.30
    radius = np.hypot(turned_x, turned_y)
    band = smooth_step(1.32, 1.38, radius) * smooth_step(2.15, 2.08, radius) * (0.5 + 0.32 * np.sin(radius * 31))
    front = (turned_y < 0) | (away > 1)
    shade = np.where((turned_y > 0) & (turned_x > 0.55), 0.3, 1.0)
    share = np.clip(band * front, 0, 0.85)[..., None]
    pixels += (np.asarray(colour, np.float32) * shade[..., None] - pixels) * share


def paint_underwater(canvas: Canvas, setting: Setting, seed: int, report: Report) -> None:
    """Paint the sea from below: rays of light, sand, weed, coral and fish."""
    width_px, height_px = canvas.width_px, canvas.height_px
    rng = stream(seed, "underwater", *setting.scene.unknown)
    camera = Camera(width_px, height_px, height_px * 0.62, 4.0)
    y, x = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    dim = 0.45 if setting.hour == "night" else 1.0
    deep, bright = np.asarray((0.01, 0.12, 0.25), np.float32) * dim, np.asarray((0.30, 0.74, 0.80), np.float32) * dim
    rise = (y / height_px)[..., None]
    canvas.pixels[:] = bright + (deep - bright) * np.clip(rise * 1.35, 0, 1) ** 0.8
    tile = fractal_tile(rng, cells=5, octaves=4)
    source = width_px * rng.uniform(0.3, 0.7)
    turn = (x - source) / (y + height_px * 0.35)
    rays = smooth_step(0.3, 2.0, sample(tile, turn * 0.55, turn * 0 + 0.3)) * np.exp(-y / height_px * 1.7)
    canvas.pixels += rays[..., None] * np.asarray((0.30, 0.36, 0.32), np.float32) * dim
    _seabed(canvas, camera, x, y, tile, deep)
    report(0.4)
    _weeds(canvas, camera, rng, deep)
    _fishes(canvas, camera, setting, rng, deep)
    report(0.8)


def _seabed(canvas: Canvas, camera: Camera, x: Grid, y: Grid, tile: Grid, deep: Grid) -> None:
    ridge = camera.horizon_px + camera.unit_px * 0.05 * sample(tile, x / camera.unit_px / 2.4, x * 0 + 0.2)
    below = smooth_step(-1.0, 1.0, y - ridge)
    z = camera.focal_px * camera.eye_metres / np.maximum(y - ridge + 14, 4)
    along = (x - camera.width_px / 2) * z / camera.focal_px
    net = np.abs(sample(tile, along / 34, z / 22)) + np.abs(sample(tile, along / 23 + 0.4, z / 15))
    caustic = smooth_step(0.75, 0.05, net) * np.clip(26 / z, 0, 1)
    sand = (
        np.asarray((0.52, 0.66, 0.58), np.float32)
        * (0.74 + 0.05 * sample(tile, along / 9, z / 5) + 0.34 * caustic)[..., None]
    )
    near = np.exp(-((z / 62) ** 1.2))
    canvas.pixels += (sand - canvas.pixels) * (below * near)[..., None]


def _weeds(canvas: Canvas, camera: Camera, rng: np.random.Generator, deep: Grid) -> None:
    corals: tuple[Colour, ...] = (
        (0.90, 0.42, 0.36),
        (0.94, 0.66, 0.30),
        (0.72, 0.36, 0.62),
        (0.20, 0.52, 0.30),
        (0.30, 0.60, 0.28),
    )
    for z in np.sort(rng.uniform(9, 46, 46))[::-1]:
        share = rng.uniform(-0.02, 1.02)
        if abs(share - 0.5) < 0.18 and z < 20:  # noqa: PLR2004 - the middle stays open
            continue
        colour = corals[int(rng.integers(len(corals)))]
        stencil = Stencil(3.0, 4.4, min(40.0, camera.scale(float(z))), over=2)
        weed = colour[1] > colour[0]
        for _ in range(9 if weed else 7):
            foot, sway, high = (
                rng.normal(0, 0.35),
                rng.normal(0, 0.4),
                rng.uniform(1.4, 4.0) if weed else rng.uniform(0.6, 1.5),
            )
            steps = np.linspace(0, 1, 9)
            stem = [
                (float(foot + sway * t + (0.16 if weed else 0.05) * np.sin(t * 7 + foot * 9)), float(high * t))
                for t in steps
            ]
            stencil.line(stem, 0.13 if weed else 0.24, times(colour, float(rng.uniform(0.6, 1.1))))
            if not weed:
                stencil.ellipse(stem[-1], 0.2, 0.2, times(colour, 1.15))
        _sink(canvas, camera, stencil, (share, -camera.eye_metres * 0.98, float(z)), deep, flip=False)


def _fishes(canvas: Canvas, camera: Camera, setting: Setting, rng: np.random.Generator, deep: Grid) -> None:
    mention = setting.scene.mention("fish")
    colours = mention.colours or ((0.98, 0.60, 0.16), (0.95, 0.86, 0.30), (0.32, 0.62, 0.92), (0.90, 0.36, 0.42))
    heading = bool(rng.integers(2))
    for z in np.sort(rng.uniform(8, 34, mention.count or 26))[::-1]:
        stencil = Stencil(1.7, 1.0, min(70.0, camera.scale(float(z))))
        colour = colours[int(rng.integers(len(colours)))]
        stencil.polygon([(0.42, 0.5), (0.80, 0.82), (0.72, 0.5), (0.80, 0.18)], times(colour, 0.72))
        stencil.polygon([(-0.15, 0.68), (0.1, 0.92), (0.32, 0.66)], times(colour, 0.66))
        stencil.ellipse((-0.05, 0.5), 0.58, 0.26, colour)
        stencil.ellipse((-0.05, 0.42), 0.50, 0.15, mix(colour, (1.0, 1.0, 1.0), 0.45))
        stencil.line([(-0.15, 0.32), (-0.12, 0.70)], 0.09, (0.96, 0.96, 0.92))
        stencil.ellipse((-0.43, 0.56), 0.055, 0.055, (0.06, 0.06, 0.08))
        height = rng.uniform(-0.1, 0.75) * camera.horizon_px / camera.scale(float(z)) * 0.9
        _sink(canvas, camera, stencil, (rng.uniform(0.03, 0.97), float(height), float(z)), deep, flip=heading)


def _sink(
    canvas: Canvas, camera: Camera, stencil: Stencil, at: tuple[float, float, float], deep: Grid, *, flip: bool
) -> None:
    """Put a drawing (share of the width, height over the eye, distance) into the water, which takes its colour."""
    share, height, z = at
    art = np.asarray(stencil.sprite().art, np.float32) / 255
    art = art[:, ::-1].copy() if flip else art.copy()
    air = 1 - float(np.exp(-((z / 40) ** 1.1)))
    art[..., :3] = art[..., :3] * np.asarray((0.72, 0.92, 0.95), np.float32)
    art[..., :3] += (deep * 2.0 - art[..., :3]) * air
    column, row = share * camera.width_px, camera.horizon_px - height * camera.scale(z)
    canvas.stamp(art, round(column - art.shape[1] / 2), round(row - art.shape[0]))
