"""Hands with a pen, a knife or a screen: ink, flat colour, woodblock, pixels, noir and sepia."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step
from services.image_generation.providers.sketch.styles.brushwork import (
    blurred,
    contrasted,
    dab,
    from_image,
    grid_of,
    luma,
    outlines,
    paper,
    saturated,
    to_image,
    tremble,
    unit_px,
    vignette,
)

INK = np.array([0.10, 0.10, 0.14], np.float32)
CREAM = np.array([0.955, 0.930, 0.870], np.float32)
HATCHES = ((0.78, 0.79), (0.56, -0.79), (0.36, 0.10), (0.20, 1.45))
"""Each layer of hatching: the tone below which it is drawn, and its angle in radians."""


def draw_ink(pixels: Grid, depth: Grid, rng: np.random.Generator) -> Grid:
    """Pen and ink: outlines, and hatching that thickens with the shadow, over a faint wash."""
    unit = unit_px(pixels)
    held = tremble(pixels, rng, unit * 0.0012, unit * 0.03)
    tone = blurred(luma(held), unit / 420)
    low, high = np.percentile(tone, [2, 97])
    tone = np.clip((tone - low) / max(float(high - low), 0.05), 0, 1) ** 0.62
    row, column = grid_of(pixels)
    sway = sample(fractal_tile(rng, cells=6, octaves=4), column / unit / 1.6, row / unit / 1.6)
    lines = outlines(held, depth, max(1.0, unit / 560)) * 0.92
    spacing = max(3.2, unit / 150)
    for below, turn in HATCHES:
        along = (column * np.sin(turn) + row * np.cos(turn)) / spacing + 0.30 * sway
        ridge = np.abs(along - np.floor(along) - 0.5) * 2
        dark = np.clip((below - tone) / 0.42, 0, 1)
        sharp = 1.3 / spacing
        lines = np.maximum(lines, _stroke(ridge, dark, sharp))
    wash = (1 - tone)[..., None] * 0.22
    sheet = CREAM * (1 + 0.014 * paper(pixels, rng, unit / 420))[..., None]
    tinted = sheet * (1 - wash) + np.asarray((0.42, 0.44, 0.52), np.float32) * wash
    return np.asarray(tinted + (INK - tinted) * np.clip(lines, 0, 1)[..., None], np.float32)


def _stroke(ridge: Grid, dark: Grid, sharp: float) -> Grid:
    """Draw a line whose width grows with darkness, from nothing to two thirds of its spacing."""
    half = 0.66 * dark
    return np.asarray(smooth_step(half + sharp, half - sharp, ridge) * smooth_step(0.02, 0.10, dark) * 0.9, np.float32)


def _posterised(pixels: Grid, colours: int, radius_px: int) -> Grid:
    """Few flat colours with clean borders."""
    calm = to_image(dab(dab(pixels, radius_px), max(1, radius_px // 2)))
    thumbnail = calm.resize((160, 160)).quantize(colours, Image.Quantize.MEDIANCUT, kmeans=1)
    inks = np.asarray(thumbnail.getpalette(), np.float32).reshape(-1, 3)[:colours]
    return np.asarray(inks[_nearest_ink(np.asarray(calm), inks)] / 255, np.float32)


def _nearest_ink(pixels: npt.NDArray[np.uint8], inks: Grid) -> npt.NDArray[np.uint8]:
    """For each pixel the number of the ink nearest to it, by way of a table of 32 steps a channel."""
    steps = np.arange(32, dtype=np.float32) * 8 + 4
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    away = np.square(cube[:, None] - inks[None]).sum(axis=2)
    red, green, blue = np.moveaxis(pixels.astype(np.intp) >> 3, 2, 0)
    nearest: npt.NDArray[np.uint8] = away.argmin(axis=1).astype(np.uint8)[(red << 10) + (green << 5) + blue]
    return nearest


def cut_flat(pixels: Grid, _depth: Grid, _rng: np.random.Generator) -> Grid:
    """Paper cut-outs: a few clear colours and no texture at all."""
    unit = unit_px(pixels)
    flat = _posterised(saturated(contrasted(pixels, 0.25), 1.25), 18, max(2, round(unit / 230)))
    return blurred(flat, 0.7)


def cut_woodblock(pixels: Grid, depth: Grid, rng: np.random.Generator) -> Grid:
    """Print a colour woodcut: muted flat inks, dark key lines, and the grain of the block."""
    unit = unit_px(pixels)
    flat = _posterised(saturated(pixels, 0.95), 10, max(2, round(unit / 200)))
    muted = flat * np.asarray((0.92, 0.90, 0.84), np.float32) + np.asarray((0.06, 0.055, 0.035), np.float32)
    row, column = grid_of(pixels)
    grain = sample(fractal_tile(rng, cells=8, octaves=5, persistence=0.7), column / unit / 2.4, row / unit / 0.16)
    inked = muted * (1 + 0.030 * grain)[..., None]
    lines = outlines(tremble(pixels, rng, unit * 0.001, unit * 0.03), depth, max(1.0, unit / 480)) * 0.85
    key = np.asarray((0.13, 0.15, 0.22), np.float32)
    printed = inked + (key - inked) * lines[..., None]
    tooth = paper(pixels, rng, unit / 380)
    worn = smooth_step(1.9, 2.7, tooth + 0.4 * grain)[..., None] * 0.5
    return _with_border((printed + (CREAM - printed) * worn).astype(np.float32), tooth)


def _with_border(pixels: Grid, tooth: Grid) -> Grid:
    row, column = grid_of(pixels)
    high, wide = pixels.shape[:2]
    edge = np.minimum(np.minimum(row, high - 1 - row), np.minimum(column, wide - 1 - column)) / unit_px(pixels)
    share = smooth_step(0.020, 0.0225, edge + 0.0008 * tooth)[..., None]
    sheet = CREAM * (1 + 0.012 * tooth)[..., None]
    return np.asarray(sheet + (pixels - sheet) * share, np.float32)


def set_pixels(pixels: Grid, _depth: Grid, _rng: np.random.Generator) -> Grid:
    """Thirty-two colours and an ordered dither; the squares come from the coarseness of the style."""
    vivid = saturated(contrasted(pixels, 0.35), 1.25)
    row, column = (axis.astype(np.intp) % 4 for axis in grid_of(pixels))
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 - 0.47
    dithered = to_image(vivid + (bayer[row, column] * 0.055)[..., None])
    palette = to_image(vivid).quantize(32, Image.Quantize.MEDIANCUT, kmeans=3)
    return from_image(dithered.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB"))


def grade_noir(pixels: Grid, _depth: Grid, rng: np.random.Generator) -> Grid:
    """Black-and-white film: deep shadows, hard light, grain and dark corners."""
    red_filter = np.asarray(np.clip(pixels, 0, 1) @ np.array([0.52, 0.38, 0.10], np.float32), np.float32)
    low, high = np.percentile(red_filter, [1, 95])
    tone = np.clip((red_filter - low) / max(float(high - low), 0.08), 0, 1)
    tone = contrasted(contrasted(tone**0.82, 0.9), 0.35)
    bloom = blurred(np.clip(tone - 0.72, 0, 1), unit_px(pixels) / 60)
    grain = rng.standard_normal(tone.shape, np.float32) * (0.035 + 0.025 * (1 - tone))
    grey = np.clip(tone + 0.9 * bloom, 0, 1) + blurred(grain * 0.5 + 0.5, 0.7) * 2 - 1
    film = np.clip(grey, 0, 1)[..., None] * np.asarray((0.985, 0.985, 1.0), np.float32)
    return vignette(film.astype(np.float32), 0.5)


def tone_sepia(pixels: Grid, _depth: Grid, rng: np.random.Generator) -> Grid:
    """Fade the scene to a brown print."""
    tone = contrasted(luma(np.clip(pixels, 0, 1)), 0.35)[..., None]
    dark, light = np.asarray((0.20, 0.13, 0.08), np.float32), np.asarray((0.96, 0.89, 0.74), np.float32)
    faded = dark + (light - dark) * tone
    grain = rng.standard_normal(pixels.shape[:2], np.float32) * np.float32(0.018)
    return vignette((faded + grain[..., None]).astype(np.float32), 0.38)
