"""Hands with a brush: illustration, watercolour, oil and pastel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step
from services.image_generation.providers.sketch.styles.brushwork import (
    blurred,
    contrasted,
    dab,
    from_image,
    grid_of,
    luma,
    paper,
    saturated,
    to_image,
    tremble,
    unit_px,
    vignette,
)


@dataclass(frozen=True)
class _Brush:
    """Half width as a share of the picture, how wrong a spot must be to be touched, and length of a stroke."""

    share: float
    tolerance: float
    length: float


BRUSHES = (
    _Brush(1 / 50, 0.0, 1.15),
    _Brush(1 / 95, 0.030, 1.15),
    _Brush(1 / 190, 0.035, 0.7),
    _Brush(1 / 360, 0.045, 0.7),
)


def illustrate(pixels: Grid, _depth: Grid, rng: np.random.Generator) -> Grid:
    """Keep the scene as it was painted, with a little more depth of tone and a fine grain."""
    toned = vignette(contrasted(saturated(pixels, 1.08), 0.30), 0.20)
    grain = rng.standard_normal(pixels.shape[:2], np.float32) * np.float32(0.008)
    return toned + grain[..., None]


def paint_watercolour(pixels: Grid, _depth: Grid, rng: np.random.Generator) -> Grid:
    """Thin washes with dark rims and blooms, on rough paper with an open margin."""
    unit = unit_px(pixels)
    washes = dab(tremble(pixels, rng, unit * 0.003, unit * 0.05), max(1, round(unit / 250)))
    washes = dab(washes, max(1, round(unit / 380)))
    row, column = grid_of(pixels)
    bloom_tile = fractal_tile(rng, cells=5, octaves=6, persistence=0.6)
    bloom = sample(bloom_tile, column / unit / 1.3, row / unit / 1.3)
    pigment = saturated(1 - (1 - np.clip(washes, 0, 1)) ** 1.12 * 0.80, 1.28)
    tone = luma(washes)
    soft = blurred(tone, unit / 110)
    rims = np.clip(np.abs(tone - soft) * 2.6, 0, 0.34) + _wash_rims(soft + 0.045 * bloom)
    tooth = paper(pixels, rng, unit / 420)
    density = 1 - luma(pigment)
    ink = (1 - pigment) * (1 + 0.13 * bloom + 0.045 * tooth * (0.4 + density) + rims)[..., None]
    sheet = np.asarray((0.985, 0.972, 0.94), np.float32) * (1 + 0.012 * tooth)[..., None]
    share = _margin(pixels, bloom, tooth)[..., None]
    painted = sheet * np.clip(1 - ink, 0, 1)
    return np.asarray(sheet + (painted - sheet) * share, np.float32)


def _wash_rims(tone: Grid) -> Grid:
    """Where one wash ends on another, pigment gathers: thin dark lines along levels of tone."""
    level = tone * 6
    away = np.abs(level - np.round(level))
    slope = np.hypot(*np.gradient(level)) + 1e-3
    return np.asarray(smooth_step(1.6, 0.4, away / slope) * smooth_step(0.01, 0.05, slope) * 0.13, np.float32)


def _margin(pixels: Grid, bloom: Grid, tooth: Grid) -> Grid:
    row, column = grid_of(pixels)
    high, wide = pixels.shape[:2]
    edge = np.minimum(np.minimum(row, high - 1 - row), np.minimum(column, wide - 1 - column)) / unit_px(pixels)
    return smooth_step(0.020, 0.034, edge + 0.009 * bloom + 0.0022 * tooth)


def paint_oil(pixels: Grid, _depth: Grid, rng: np.random.Generator) -> Grid:
    """Strokes from broad to fine along the forms, with the relief of thick paint."""
    unit = unit_px(pixels)
    rich = saturated(contrasted(pixels, 0.25), 1.18)
    under = blurred(rich, unit / 90)
    sheet = to_image(under)
    flow = _flow(under, rng)
    for brush in BRUSHES:
        _lay_strokes(sheet, rich, flow, rng, brush)
    painted = from_image(sheet)
    height = luma(painted) * 0.5 + 0.5 * luma(blurred(painted, 0.6)) - luma(blurred(painted, unit / 220))
    down, right = np.gradient(height)
    relief = np.asarray(np.clip((down + right) * 1.5, -0.11, 0.11), np.float32)
    weave = paper(pixels, rng, unit / 500) * 0.010
    return np.asarray(painted * (1 + relief + weave)[..., None] + 0.25 * relief[..., None], np.float32)


def _flow(pixels: Grid, rng: np.random.Generator) -> Grid:
    """Angles (H, W) along the forms; where nothing is formed, along slow swirls."""
    row, column = grid_of(pixels)
    unit = unit_px(pixels)
    tile = fractal_tile(rng, cells=3, octaves=3)
    swirl = 0.55 * sample(tile, column / unit / 2, row / unit / 2)
    down, right = np.gradient(blurred(luma(pixels), unit / 60))
    strength = smooth_step(0.0006, 0.004, np.hypot(down, right))
    along = np.arctan2(right, -down)
    along = (along + np.pi / 2) % np.pi - np.pi / 2
    return np.asarray(swirl + (along - swirl) * strength, np.float32)


def _lay_strokes(sheet: Image.Image, goal: Grid, flow: Grid, rng: np.random.Generator, brush: _Brush) -> None:
    """Draw strokes of one brush wherever the sheet is still too far from the goal."""
    high, wide = goal.shape[:2]
    radius = brush.share * unit_px(goal)
    wanted = blurred(goal, max(0.6, radius * 0.45))
    off = np.abs(from_image(sheet) - wanted).mean(axis=2)
    step = max(2.0, radius * 1.05)
    lattice = np.meshgrid(np.arange(0, high, step), np.arange(0, wide, step), indexing="ij")
    spots = np.stack([axis.ravel() for axis in lattice]) + rng.uniform(-0.6, 0.6, (2, lattice[0].size)) * step
    rows, columns = np.clip(spots, 0, [[high - 1], [wide - 1]]).astype(np.intp)
    kept = rng.permutation(np.flatnonzero(off[rows, columns] >= brush.tolerance))
    rows, columns = rows[kept], columns[kept]
    turns = flow[rows, columns] + rng.normal(0, 0.09, rows.size)
    halves = radius * rng.uniform(1.0, 2.2, rows.size) * brush.length
    across, down = np.cos(turns) * halves, np.sin(turns) * halves
    ends = np.stack([columns - across, rows - down, columns + across, rows + down], axis=1)
    shade = wanted[rows, columns] * (1 + rng.normal(0, 0.045, (rows.size, 1))) + rng.normal(0, 0.012, (rows.size, 3))
    _stroke_all(sheet, ends, (np.clip(shade, 0, 1) * 255).astype(np.uint8), radius)


def _stroke_all(sheet: Image.Image, ends: Grid, paint: npt.NDArray[np.uint8], radius: float) -> None:
    draw, width, tip = ImageDraw.Draw(sheet), max(1, round(radius * 1.25)), radius * 0.6
    for (x0, y0, x1, y1), (red, green, blue) in zip(ends.tolist(), paint.tolist(), strict=True):
        draw.line([x0, y0, x1, y1], fill=(red, green, blue), width=width)
        if tip > 2:  # noqa: PLR2004 - smaller tips are not seen
            draw.ellipse([x1 - tip, y1 - tip, x1 + tip, y1 + tip], fill=(red, green, blue))


def rub_pastel(pixels: Grid, _depth: Grid, rng: np.random.Generator) -> Grid:
    """Chalk rubbed over coloured paper: soft light colours, slanting strokes, the tooth of the paper left open."""
    unit = unit_px(pixels)
    soft = dab(tremble(pixels, rng, unit * 0.003, unit * 0.03), max(2, round(unit / 190)))
    light = saturated(np.clip(soft, 0, 1) ** 0.82, 0.92) * 0.86 + 0.13
    row, column = grid_of(pixels)
    tile = fractal_tile(rng, cells=16, octaves=5, persistence=0.8)
    strokes = sample(tile, (column + row) / unit / 0.16 / 4, (column - row) / unit / 1.9)
    tooth = paper(pixels, rng, unit / 380)
    chalk = smooth_step(-2.0, 0.2, 0.9 * tooth + 0.45 * strokes + 1.0 * luma(light))
    ground = np.asarray((0.62, 0.56, 0.52), np.float32)
    rubbed = light * (1 + 0.035 * strokes)[..., None]
    return np.asarray(ground + (rubbed - ground) * (0.50 + 0.50 * chalk)[..., None], np.float32)
