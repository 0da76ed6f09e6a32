"""Outer space: stars, a nebula, and planets lit from one side."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch.canvas import Canvas
from services.image_generation.providers.sketch.composition import Setting
from services.image_generation.providers.sketch.landscape import Report
from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step, stream
from services.image_generation.providers.sketch.palette import Colour, mix

NEBULAE: tuple[tuple[Colour, Colour], ...] = (
    ((0.62, 0.16, 0.46), (0.12, 0.34, 0.72)),
    ((0.85, 0.38, 0.16), (0.16, 0.30, 0.52)),
    ((0.10, 0.52, 0.50), (0.44, 0.18, 0.62)),
)
PLANETS: tuple[tuple[Colour, Colour], ...] = (
    ((0.82, 0.58, 0.36), (0.96, 0.86, 0.68)),
    ((0.20, 0.38, 0.62), (0.86, 0.92, 0.96)),
    ((0.62, 0.26, 0.18), (0.88, 0.56, 0.36)),
    ((0.36, 0.50, 0.46), (0.76, 0.84, 0.70)),
    ((0.44, 0.34, 0.58), (0.80, 0.70, 0.86)),
)
KNOWN: Mapping[str, int] = {"saturn": 0, "jupiter": 0, "mars": 2, "earth": 1}
"""Planets whose colours are known, as indices into `PLANETS`."""

MOST_PLANETS = 6
BANDED_SHARE = 0.6
RING_SHADOW = 0.55
NEIGHBOURS = ((0, 0, 1.0), (0, 1, 0.28), (0, -1, 0.28), (1, 0, 0.28), (-1, 0, 0.28))
"""How far down and right a star shines besides its own pixel, and how brightly."""


@dataclass(frozen=True)
class _Planet:
    """Middle and radius in pixels, its two colours, and whether it is banded gas or solid ground."""

    middle: tuple[float, float]
    radius: float
    colours: tuple[Colour, Colour]
    banded: bool
    ringed: bool


def paint_space(canvas: Canvas, setting: Setting, seed: int, report: Report) -> None:
    """Paint stars, a nebula and planets."""
    rng = stream(seed, "space", *setting.scene.unknown)
    cloud = _nebula(canvas, setting, rng)
    report(0.4)
    _stars(canvas.pixels, rng, cloud)
    mention = setting.scene.mention("space")
    for number in range(min(mention.count or int(rng.integers(1, 4)), MOST_PLANETS)):
        grain = stream(seed, "planet", number)
        _paint_planet(canvas, _planet(canvas, mention.words if number == 0 else frozenset(), number, grain), grain)
    report(0.8)


def _nebula(canvas: Canvas, setting: Setting, rng: np.random.Generator) -> Grid:
    """Paint glowing gas and return how dense it is (H, W)."""
    unit = float(np.sqrt(canvas.width_px * canvas.height_px))
    y, x = np.mgrid[0 : canvas.height_px, 0 : canvas.width_px].astype(np.float32)
    tile = fractal_tile(rng, cells=3, octaves=7, persistence=0.55)
    u, v = x / unit / 2.1, y / unit / 2.1
    warp = sample(tile, u * 0.7 + 0.2, v * 0.7)
    cloud = smooth_step(-0.7, 2.1, sample(tile, u + 0.11 * warp, v + 0.09 * warp))
    dust = smooth_step(0.2, 1.8, sample(tile, u * 1.9 + 0.5, v * 1.9 + 0.1 * warp))
    named = setting.scene.mention("space").colours
    one, other = (named[0], mix(named[0], (0.2, 0.3, 0.8), 0.6)) if named else NEBULAE[int(rng.integers(len(NEBULAE)))]
    share = smooth_step(-1.2, 1.2, warp)[..., None]
    glow = np.asarray(one, np.float32) * share + np.asarray(other, np.float32) * (1 - share)
    dark = np.asarray((0.012, 0.014, 0.035), np.float32)
    canvas.pixels[:] = dark + glow * (cloud**1.4 * (1 - 0.75 * dust))[..., None]
    return cloud


def _stars(pixels: Grid, rng: np.random.Generator, cloud: Grid) -> None:
    high, wide = pixels.shape[:2]
    count = 3200
    rows, columns = rng.integers(1, high - 1, count), rng.integers(1, wide - 1, count)
    bright = np.clip(rng.pareto(2.0, count) * 0.16, 0, 1.6) * (0.6 + 0.6 * cloud[rows, columns])
    tint = np.clip(1 + rng.normal(0, 0.16, (count, 3)), 0.6, 1.3)
    light = (bright[:, None] * tint).astype(np.float32)
    for down, right, share in NEIGHBOURS:
        np.add.at(pixels, (rows + down, columns + right), light * share)


def _planet(canvas: Canvas, words: frozenset[str], number: int, rng: np.random.Generator) -> _Planet:
    """Choose a planet: the first is large and near the middle, the others are moons anywhere."""
    unit = float(np.sqrt(canvas.width_px * canvas.height_px))
    radius = unit * (rng.uniform(0.17, 0.25) if number == 0 else rng.uniform(0.025, 0.07))
    across = rng.uniform(0.30, 0.62) if number == 0 else rng.choice([-1, 1]) * rng.uniform(0.32, 0.46) + 0.48
    down = rng.uniform(0.36, 0.64) if number == 0 else rng.uniform(0.08, 0.92)
    known = next((KNOWN[word] for word in sorted(words) if word in KNOWN), None)
    colours = PLANETS[int(rng.integers(len(PLANETS))) if known is None else known]
    banded = "saturn" in words or "jupiter" in words or (known is None and rng.uniform() < BANDED_SHARE)
    ringed = "saturn" in words or (number == 0 and banded and known is None)
    return _Planet((canvas.width_px * across, canvas.height_px * down), radius, colours, banded, ringed)


def _paint_planet(canvas: Canvas, planet: _Planet, rng: np.random.Generator) -> None:
    y, x = np.mgrid[0 : canvas.height_px, 0 : canvas.width_px].astype(np.float32)
    across, up = (x - planet.middle[0]) / planet.radius, (planet.middle[1] - y) / planet.radius
    away = np.hypot(across, up)
    low, high = planet.colours
    tone = _surface(planet, across, up, rng)
    face = np.asarray(low, np.float32) * (1 - tone) + np.asarray(high, np.float32) * tone
    bulge = np.sqrt(np.clip(1 - away**2, 0, 1))
    day = np.clip(-0.62 * across + 0.42 * up + 0.66 * bulge, 0, 1)[..., None] ** 0.8
    soft = 1.4 / planet.radius
    disc = smooth_step(1.0 + soft, 1.0 - soft, away)[..., None]
    air = np.exp(-np.clip(away - 1, 0, None) * 14)[..., None] * (1 - disc) * 0.5
    lit = np.clip(-0.62 * across + 0.42 * up + 0.3, 0, 1)[..., None]
    canvas.pixels += np.asarray(mix(high, (0.6, 0.8, 1.0), 0.5), np.float32) * air * lit
    canvas.pixels += (face * (0.025 + 1.05 * day) - canvas.pixels) * disc
    canvas.depth[disc[..., 0] > 0.5] = planet.radius  # noqa: PLR2004 - half covered counts
    if planet.ringed:
        _paint_ring(canvas.pixels, across, up, away, high)


def _surface(planet: _Planet, across: Grid, up: Grid, rng: np.random.Generator) -> Grid:
    """Bands of gas or patches of ground, wrapped around the globe."""
    tile = fractal_tile(rng, cells=4, octaves=5)
    turn = np.arcsin(np.clip(across / np.sqrt(np.clip(1 - up**2, 1e-3, 1)), -1, 1)) / 3
    rough = sample(tile, turn, up * 0.3)
    pattern = sample(tile, turn * 0.12, up * 0.42 + 0.018 * rough) if planet.banded else rough
    return smooth_step(-1.4, 1.4, pattern)[..., None]


def _paint_ring(pixels: Grid, across: Grid, up: Grid, away: Grid, colour: Colour) -> None:
    """Lay a tilted ring around the globe, hidden behind it and in its shadow."""
    turned_x, turned_y = across * 0.95 + up * 0.31, (up * 0.95 - across * 0.31) / 0.30
    radius = np.hypot(turned_x, turned_y)
    band = smooth_step(1.32, 1.38, radius) * smooth_step(2.15, 2.08, radius) * (0.5 + 0.32 * np.sin(radius * 31))
    front = (turned_y < 0) | (away > 1)
    shade = np.where((turned_y > 0) & (turned_x > RING_SHADOW), 0.3, 1.0)
    share = np.clip(band * front, 0, 0.85)[..., None]
    pixels += (np.asarray(colour, np.float32) * shade[..., None] - pixels) * share
