"""The walls of a room in one-point perspective, and the light of its window and lamps on them."""

from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch.noise import Grid, sample, smooth_step
from services.image_generation.providers.sketch.palette import Colour

HIGH_METRES = 2.8
EYE_METRES = 1.45
DEEP_METRES = 5.4
BACK_SHARE = 0.64
"""Share of the picture's height that the far wall takes."""

FAR_WALL, SIDE_WALL, FLOOR, CEILING = range(4)


@dataclass(frozen=True)
class Room:
    """A box seen through its missing wall: x from the middle, y up from the floor, z into the room, in metres."""

    width_px: int
    height_px: int
    half_metres: float
    window: tuple[float, float, float, float]
    """Left, bottom, right and top of the opening in the far wall."""
    wall: Colour
    floor: Colour
    rug: Colour | None

    @property
    def focal_px(self) -> float:
        return BACK_SHARE * self.height_px / HIGH_METRES * DEEP_METRES

    @property
    def far_side(self) -> float:
        """The side, -1 left or 1 right, on which the window is not."""
        return -1.0 if self.window[0] + self.window[2] > 0 else 1.0

    @property
    def vanishing_row(self) -> float:
        return self.height_px * (0.5 - BACK_SHARE * (0.5 - EYE_METRES / HIGH_METRES))

    def project(self, x: float, y: float, z: float) -> tuple[float, float]:
        """Find the pixel (column, row) of a point."""
        scale = self.focal_px / z
        return self.width_px / 2 + x * scale, self.vanishing_row - (y - EYE_METRES) * scale


@dataclass(frozen=True)
class Surfaces:
    """For each pixel (H, W) the point that it shows and its plane: `FAR_WALL`, `SIDE_WALL`, `FLOOR` or `CEILING`."""

    x: Grid
    y: Grid
    z: Grid
    plane: Grid


@dataclass(frozen=True)
class Lamp:
    """A light in the room: where, its colour and its strength."""

    x: float
    y: float
    z: float
    colour: Colour
    strength: float


def look_into(room: Room) -> Surfaces:
    """Find what each pixel shows of the empty room."""
    row, column = np.mgrid[0 : room.height_px, 0 : room.width_px].astype(np.float32)
    across = (column + 0.5 - room.width_px / 2) / room.focal_px
    up = (room.vanishing_row - row - 0.5) / room.focal_px
    tiny = np.float32(1e-6)
    sides = room.half_metres / np.maximum(np.abs(across), tiny)
    floor = np.where(up < 0, EYE_METRES / np.maximum(-up, tiny), np.inf)
    ceiling = np.where(up > 0, (HIGH_METRES - EYE_METRES) / np.maximum(up, tiny), np.inf)
    hits = np.stack([np.full_like(across, DEEP_METRES), sides, floor, ceiling])
    plane = hits.argmin(axis=0)
    z = hits.min(axis=0).astype(np.float32)
    return Surfaces(
        (across * z).astype(np.float32), (EYE_METRES + up * z).astype(np.float32), z, plane.astype(np.float32)
    )


def paint_surfaces(room: Room, seen: Surfaces, tile: Grid, grain: float) -> Grid:
    """Colours (H, W, 3) of walls, floor and ceiling in even light."""
    wall = np.asarray(room.wall, np.float32)
    pixels = np.broadcast_to(wall, (*seen.x.shape, 3)).copy()
    sideways = np.where(seen.plane == SIDE_WALL, seen.z, seen.x)
    plaster = sample(tile, sideways / 2.3, seen.y / 2.3) * 0.018 * grain
    pixels *= (1 + plaster)[..., None]
    skirting = smooth_step(0.17, 0.15, seen.y) + smooth_step(2.66, 2.68, seen.y)
    pixels += (np.asarray((0.94, 0.92, 0.88), np.float32) - pixels) * (skirting * (seen.plane <= SIDE_WALL))[..., None]
    pixels[seen.plane == CEILING] = (0.93, 0.92, 0.89)
    below = seen.plane == FLOOR
    pixels[below] = _boards(room, seen.x[below], seen.z[below], tile, grain)
    return pixels


def _boards(room: Room, x: Grid, z: Grid, tile: Grid, grain: float) -> Grid:
    """Planks that run towards the far wall, each with its own tone, and the rug on them."""
    plank = np.floor(x / 0.17)
    shifted = z + 3.1 * np.sin(plank * 12.9)
    tone = 0.5 + 0.5 * np.sin(plank * 78.2 + np.floor(shifted / 1.9) * 37.7)
    seam = smooth_step(0.44, 0.48, np.abs(x / 0.17 - plank - 0.5)) * np.clip(3.2 / z, 0.2, 1)
    butt = smooth_step(0.492, 0.497, np.abs(shifted / 1.9 - np.floor(shifted / 1.9) - 0.5))
    fibre = sample(tile, x / 0.55 + plank * 0.37, z / 5.1) * grain
    shade = 0.84 + 0.22 * tone + 0.045 * fibre - 0.42 * np.maximum(seam, butt * 0.6)
    pixels = np.asarray(room.floor, np.float32) * shade[:, None]
    if room.rug is not None:
        away = np.hypot((x + 0.1) / (room.half_metres * 0.62), (z - 3.6) / 1.25)
        ring = 0.5 + 0.5 * np.cos(away * 34)
        rug = np.asarray(room.rug, np.float32) * (0.74 + 0.26 * ring + 0.05 * fibre)[:, None]
        pixels += (rug - pixels) * smooth_step(1.0, 0.97, away)[:, None]
    return np.asarray(pixels, np.float32)


def lighting(
    room: Room, seen: Surfaces, daylight: Colour, sun: tuple[float, float, float] | None, lamps: tuple[Lamp, ...]
) -> Grid:
    """Light (H, W, 3) on every surface: soft from the window, sharp from the sun through it, round from the lamps."""
    left, bottom, right, top = room.window
    middle_x, middle_y = (left + right) / 2, (bottom + top) / 2
    away = np.sqrt((seen.x - middle_x) ** 2 + (seen.y - middle_y) ** 2 + (seen.z - DEEP_METRES - 0.4) ** 2)
    facing = np.where(seen.plane == FAR_WALL, 0.42, np.clip((DEEP_METRES + 0.4 - seen.z) / away, 0.12, 1) * 0.8 + 0.35)
    day = np.asarray(daylight, np.float32)
    light = day * (0.52 + 1.05 * facing / (0.75 + 0.24 * away**1.4))[..., None]
    light *= _corners(room, seen)[..., None]
    if sun is not None:
        light += (
            np.asarray((1.0, 0.84, 0.60), np.float32) * max(daylight) * (0.62 * _sun_patch(room, seen, sun))[..., None]
        )
    for lamp in lamps:
        gap = np.sqrt((seen.x - lamp.x) ** 2 + (seen.y - lamp.y) ** 2 + (seen.z - lamp.z) ** 2)
        light += np.asarray(lamp.colour, np.float32) * (lamp.strength / (0.35 + gap**1.7))[..., None]
    return np.asarray(light, np.float32)


def _corners(room: Room, seen: Surfaces) -> Grid:
    """Less light comes into corners."""
    side = np.minimum(np.abs(room.half_metres - np.abs(seen.x)), 1.0)
    low = np.minimum(np.minimum(seen.y, HIGH_METRES - seen.y), 1.0)
    back = np.minimum(np.abs(DEEP_METRES - seen.z), 1.0)
    near = np.sort(np.stack([side, low, back]), axis=0)[1]
    return np.asarray(0.74 + 0.26 * np.clip(near / 0.7, 0, 1) ** 0.6, np.float32)


def _sun_patch(room: Room, seen: Surfaces, sun: tuple[float, float, float]) -> Grid:
    left, bottom, right, top = room.window
    steps = (DEEP_METRES - seen.z) / sun[2]
    x, y = seen.x + sun[0] * steps, seen.y + sun[1] * steps
    blur = np.float32(0.03) + 0.02 * steps
    inside = smooth_step(-blur, blur, x - left) * smooth_step(-blur, blur, right - x)
    inside *= smooth_step(-blur, blur, y - bottom) * smooth_step(-blur, blur, top - y)
    bar_x = smooth_step(0.03, 0.06, np.abs(x - (left + right) / 2))
    bar_y = smooth_step(0.03, 0.06, np.abs(y - (bottom * 0.4 + top * 0.6)))
    return np.asarray(inside * bar_x * bar_y * (seen.plane != FAR_WALL), np.float32)
