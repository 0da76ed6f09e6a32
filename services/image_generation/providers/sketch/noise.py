"""Seeded randomness and tileable noise, the grain from which every surface is made."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Grid = npt.NDArray[np.floating[Any]]
"""A float32 array: one value per pixel (H, W), or one colour per pixel (H, W, 3), each from 0 to 1."""

TILE_SIDE = 512
"""Cells along one side of a noise tile; a power of two, so that wrapping is a bit mask."""


def stream(seed: int, *names: object) -> np.random.Generator:
    """Open a random stream of its own for each named thing, so that one thing never moves another."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _octave(rng: np.random.Generator, cells: int) -> Grid:
    """Fill a tile with smooth bumps, `cells` of them along each side."""
    lattice = np.pad(rng.standard_normal((cells, cells), np.float32), 3, mode="wrap")
    box = (3, 3, cells + 3, cells + 3)
    smooth = Image.fromarray(lattice).resize((TILE_SIDE, TILE_SIDE), Image.Resampling.BICUBIC, box=box)
    return np.asarray(smooth, np.float32)


def _normal(tile: Grid) -> Grid:
    return np.asarray((tile - tile.mean()) / (tile.std() + 1e-6), np.float32)


def fractal_tile(rng: np.random.Generator, cells: int = 4, octaves: int = 6, persistence: float = 0.5) -> Grid:
    """Make a tile (512, 512) of fractal noise with mean 0 and deviation 1 that repeats without a seam."""
    tile = np.zeros((TILE_SIDE, TILE_SIDE), np.float32)
    for octave in range(octaves):
        tile += _octave(rng, cells << octave) * persistence**octave
    return _normal(tile)


def ridged_tile(rng: np.random.Generator, cells: int = 4, octaves: int = 6) -> Grid:
    """Make a tile (512, 512) from 0 to 1 of sharp branching crests, as eroded mountains have."""
    tile = np.zeros((TILE_SIDE, TILE_SIDE), np.float32)
    weight = np.ones_like(tile)
    for octave in range(octaves):
        crest = np.square(np.clip(1 - np.abs(_octave(rng, cells << octave)) * 0.9, 0, 1)) * weight
        tile += crest * 0.5**octave
        weight = np.clip(crest * 2, 0, 1)
    low, high = np.percentile(tile, [1, 99.5])
    return np.asarray(np.clip((tile - low) / (high - low), 0, 1), np.float32)


def sample(tile: Grid, u: Grid, v: Grid) -> Grid:
    """Read a tile at (u, v), in tiles, with bilinear interpolation and without end."""
    side = tile.shape[0]
    across, down = u * side, v * side
    left, top = np.floor(across), np.floor(down)
    along, below = across - left, down - top
    column, row = left.astype(np.int32) & (side - 1), top.astype(np.int32) & (side - 1)
    next_column, next_row = (column + 1) & (side - 1), ((row + 1) & (side - 1)) * side
    row *= side
    cells = tile.ravel()
    upper = cells[row + column] * (1 - along) + cells[row + next_column] * along
    lower = cells[next_row + column] * (1 - along) + cells[next_row + next_column] * along
    return np.asarray(upper + (lower - upper) * below, np.float32)


def smooth_step(low: float | Grid, high: float | Grid, value: Grid) -> Grid:
    """Rise from 0 at `low` to 1 at `high` without a corner."""
    ramp = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)
