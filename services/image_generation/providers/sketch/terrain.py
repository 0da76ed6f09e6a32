"""What the camera sees of the land: distance, height and slope of the ground in each pixel."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.image_generation.providers.sketch.camera import Camera
from services.image_generation.providers.sketch.land import Land
from services.image_generation.providers.sketch.noise import Grid

Cells = npt.NDArray[np.intp]


@dataclass(frozen=True)
class View:
    """The visible ground, pixel by pixel. `rows` and `columns` name the pixels; the rest is parallel to them."""

    rows: Cells
    columns: Cells
    x: Grid
    z: Grid
    height: Grid
    normal_x: Grid
    normal_y: Grid
    normal_z: Grid
    hollow: Grid
    """How much a point lies below its surroundings; dark corners of the land."""
    depth: Grid
    """Distance in metres for the whole picture (H, W); infinite in the sky."""
    edges: tuple[Cells, Cells, Grid]
    """Rows, columns and shares by which a nearer crest covers the pixel in front of it (see `soften`)."""

    @property
    def water(self) -> npt.NDArray[np.bool_]:
        return self.height < 0


def look(camera: Camera, land: Land) -> View:
    """March from near to far over every column at once and keep what is not hidden."""
    z = camera.distances(rugged=bool({"mountains", "volcano"} & land.relief))
    rays = camera.columns()
    x_grid = rays[None, :] * z[:, None]
    z_grid = np.broadcast_to(z[:, None], x_grid.shape)
    height = land.height(x_grid, z_grid)
    surface = np.maximum(height, 0)
    row = camera.horizon_px - (surface - camera.eye_metres) * (camera.focal_px / z[:, None])
    crest = np.minimum.accumulate(row, axis=0)
    first = _first_hits(crest, camera.height_px)
    rows, columns = np.nonzero(first < len(z))
    hit = first[rows, columns]
    share = _share_between(crest, hit, rows, columns)
    fields = _fields(height, surface, z_grid, rays, z)
    values = _between(fields, hit, columns, share)
    depth = np.full((camera.height_px, camera.width_px), np.inf, np.float32)
    depth[rows, columns] = values[0]
    return View(
        rows=rows, columns=columns, x=values[0] * rays[columns], z=values[0], height=values[1],
        normal_x=values[2], normal_y=values[3], normal_z=values[4], hollow=values[5], depth=depth,
        edges=_edges(crest, first, depth),
    )  # fmt: skip


def _first_hits(crest: Grid, height_px: int) -> Cells:
    """For each pixel (H, W), the first step whose crest reaches its middle; the step count where none does."""
    steps, width = crest.shape
    covers = np.clip(np.ceil(crest - 0.5), 0, height_px).astype(np.intp)
    slots = covers + np.arange(width) * (height_px + 1)
    counts = np.bincount(slots.ravel(), minlength=width * (height_px + 1)).reshape(width, height_px + 1)
    return np.asarray(steps - np.cumsum(counts, axis=1)[:, :height_px].T, np.intp)


def _share_between(crest: Grid, hit: Cells, rows: Cells, columns: Cells) -> Grid:
    """How far a pixel lies from the crest of its step towards that of the step before, from 0 to 1."""
    upper = crest[hit, columns]
    lower = np.minimum(crest[np.maximum(hit - 1, 0), columns], upper + 40)
    return np.asarray(np.clip((rows + 0.5 - upper) / np.maximum(lower - upper, 1e-3), 0, 1), np.float32)


def _fields(height: Grid, surface: Grid, z_grid: Grid, rays: Grid, z: Grid) -> list[Grid]:
    pixel = np.float32(rays[1] - rays[0])
    slope_x = np.gradient(surface, axis=1) / (pixel * z[:, None])
    slope_z = np.gradient(surface, z, axis=0)
    length = np.sqrt(slope_x**2 + slope_z**2 + 1)
    reach = 7
    around = (np.roll(surface, reach, 1) + np.roll(surface, -reach, 1)) / 2
    hollow = np.clip((around - surface) / (pixel * reach * z[:, None]), -1, 1)
    hollow[:, :reach] = 0
    hollow[:, -reach:] = 0
    return [z_grid, height, -slope_x / length, 1 / length, -slope_z / length, hollow]


def _between(fields: list[Grid], hit: Cells, columns: Cells, share: Grid) -> list[Grid]:
    width = fields[0].shape[1]
    here = hit * width + columns
    before = np.maximum(hit - 1, 0) * width + columns
    return [
        (flat[here] * (1 - share) + flat[before] * share).astype(np.float32)
        for flat in (np.ascontiguousarray(one).ravel() for one in fields)
    ]


def _edges(crest: Grid, first: Cells, depth: Grid) -> tuple[Cells, Cells, Grid]:
    behind, front = depth[:-1], depth[1:]
    rows, columns = np.nonzero(np.isfinite(front) & (behind > front * 1.06))
    top = crest[first[rows, columns] - 1, columns]
    return rows, columns, (rows + 1 - top).astype(np.float32)


def soften(pixels: Grid, view: View) -> None:
    """Blend each crest with what lies behind it by the exact share of the pixel that it covers."""
    rows, columns, over = view.edges
    above, below = pixels[rows, columns], pixels[rows + 1, columns]
    up = np.clip(over, 0, 1)[:, None]
    down = np.clip(-over, 0, 1)[:, None]
    pixels[rows, columns] = above + (below - above) * up
    pixels[rows + 1, columns] = below + (above - below) * down
