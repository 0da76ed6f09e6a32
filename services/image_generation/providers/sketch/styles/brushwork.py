"""What all hands share: softening that keeps edges, outlines, trembling lines and paper."""

import numpy as np
from PIL import Image, ImageFilter

from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def luma(pixels: Grid) -> Grid:
    """Perceived brightness (H, W), by the Rec. 709 weights."""
    return np.asarray(pixels @ LUMA, np.float32)


def unit_px(pixels: Grid) -> float:
    """Measure of a picture: the side of a square of the same area."""
    return float(np.sqrt(pixels.shape[0] * pixels.shape[1]))


def to_image(pixels: Grid) -> Image.Image:
    """Eight bits per channel, rounded."""
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


def from_image(image: Image.Image) -> Grid:
    return np.asarray(image, np.float32) / np.float32(255)


def blurred(pixels: Grid, radius_px: float) -> Grid:
    return from_image(to_image(pixels).filter(ImageFilter.GaussianBlur(radius_px)))


def dab(pixels: Grid, radius_px: int) -> Grid:
    """Replace each pixel by the calmest of the patches around it: flat dabs of colour with sharp edges.

    A Kuwahara filter (Kuwahara et al., 1976) with nine square patches.
    """
    image = to_image(pixels)
    box = ImageFilter.BoxBlur(radius_px)
    means = from_image(image.filter(box))
    bright = luma(pixels)
    unrest = from_image(to_image(np.minimum(np.abs(bright - luma(means)) * 4, 1)).filter(box))
    high, wide = unrest.shape
    padded = np.pad(unrest, radius_px, mode="edge")
    calmest, choice = unrest - 0.004, np.full(unrest.shape, 4, np.intp)
    for number in range(9):
        top, left = (number // 3) * radius_px, (number % 3) * radius_px
        there = padded[top : top + high, left : left + wide]
        calmer = there < calmest
        np.copyto(calmest, there, where=calmer)
        np.copyto(choice, number, where=calmer)
    rows = np.clip(np.arange(high)[:, None] + (choice // 3 - 1) * radius_px, 0, high - 1)
    columns = np.clip(np.arange(wide)[None, :] + (choice % 3 - 1) * radius_px, 0, wide - 1)
    chosen: Grid = means[rows, columns]
    return chosen


def outlines(pixels: Grid, depth: Grid, width_px: float) -> Grid:
    """Lines (H, W) from 0 to 1 where brightness or distance changes at once."""
    bright = luma(pixels)
    fine, broad = blurred(bright, width_px * 0.6), blurred(bright, width_px * 1.6)
    marks = smooth_step(0.012, 0.06, broad - fine)
    near = np.log(np.minimum(depth, 3000))
    jump = np.zeros_like(near)
    jump[1:] = np.abs(near[1:] - near[:-1])
    jump[:, 1:] = np.maximum(jump[:, 1:], np.abs(near[:, 1:] - near[:, :-1]))
    silhouettes = smooth_step(0.22, 0.6, jump)
    thick = blurred(silhouettes, max(0.5, width_px * 0.45)) * 1.7
    return np.asarray(np.clip(np.maximum(marks, thick), 0, 1), np.float32)


def grid_of(pixels: Grid) -> tuple[Grid, Grid]:
    """Rows and columns of every pixel."""
    row, column = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]].astype(np.float32)
    return row, column


def tremble(pixels: Grid, rng: np.random.Generator, reach_px: float, wave_px: float) -> Grid:
    """Shift pixels a little to and fro, as a hand does."""
    row, column = grid_of(pixels)
    tile = fractal_tile(rng, cells=8, octaves=4)
    u, v = column / (wave_px * 8), row / (wave_px * 8)
    down = np.clip(row + reach_px * sample(tile, u, v), 0, pixels.shape[0] - 1).astype(np.intp)
    right = np.clip(column + reach_px * sample(tile, u + 0.37, v + 0.61), 0, pixels.shape[1] - 1).astype(np.intp)
    moved: Grid = pixels[down, right]
    return moved


def paper(pixels: Grid, rng: np.random.Generator, grain_px: float) -> Grid:
    """Give the tooth of paper (H, W), mean 0 and deviation about 1."""
    row, column = grid_of(pixels)
    tile = fractal_tile(rng, cells=64, octaves=3, persistence=0.7)
    return sample(tile, column / (grain_px * 64), row / (grain_px * 64))


def saturated(pixels: Grid, factor: float) -> Grid:
    grey = luma(pixels)[..., None]
    return np.asarray(grey + (pixels - grey) * factor, np.float32)


def contrasted(pixels: Grid, strength: float) -> Grid:
    """Bend tones along an S by `strength` from 0 to 1."""
    kept = np.clip(pixels, 0, 1)
    curve = kept * kept * (3 - 2 * kept)
    return np.asarray(kept + (curve - kept) * strength, np.float32)


def vignette(pixels: Grid, strength: float) -> Grid:
    """Darken the corners."""
    row, column = grid_of(pixels)
    away = np.hypot(row / pixels.shape[0] - 0.5, column / pixels.shape[1] - 0.5)
    return np.asarray(pixels * (1 - strength * smooth_step(0.38, 0.78, away))[..., None], np.float32)
