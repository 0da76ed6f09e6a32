"""Paint a room: its walls, the world behind its window, and what stands in it."""

from dataclasses import replace

import numpy as np
from PIL import Image

from services.image_generation.providers.sketch.canvas import Canvas, as_array
from services.image_generation.providers.sketch.composition import FURNITURE, Setting, set_stage
from services.image_generation.providers.sketch.furnishing import (
    CLOTHS,
    Piece,
    furnished,
    lamps_of,
    pieces_of,
    stands_lit,
)
from services.image_generation.providers.sketch.landscape import Report, paint_landscape
from services.image_generation.providers.sketch.noise import Grid, fractal_tile, smooth_step, stream
from services.image_generation.providers.sketch.palette import Colour, brightness, light_of, mix, times
from services.image_generation.providers.sketch.reading import Scene
from services.image_generation.providers.sketch.room import (
    DEEP_METRES,
    FLOOR,
    Lamp,
    Room,
    Surfaces,
    lighting,
    look_into,
    paint_surfaces,
)

WALLPAPERS: tuple[Colour, ...] = (
    (0.86, 0.80, 0.68),
    (0.64, 0.72, 0.66),
    (0.62, 0.70, 0.78),
    (0.84, 0.66, 0.56),
    (0.80, 0.78, 0.76),
    (0.50, 0.56, 0.50),
)
FLOORS: tuple[Colour, ...] = ((0.62, 0.42, 0.26), (0.72, 0.54, 0.36), (0.44, 0.29, 0.19))
VIEWS = (("hills",), ("lake", "mountains"), ("village", "hills"), ("forest",), ("sea",))
"""What lies behind a window when the description does not say; the sea does not freeze and comes last."""

INDOOR_THINGS = frozenset({*FURNITURE, "room", "window", "person", "cat", "dog"})
SUNNY_HOURS = frozenset({"dawn", "day", "afternoon", "sunset"})
Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels."""


def paint_interior(canvas: Canvas, setting: Setting, seed: int, grain: float, report: Report) -> None:
    """Paint the whole room on the canvas."""
    scene = furnished(setting.scene, seed)
    room = _room(scene, canvas, seed)
    lamps = lamps_of(scene, room, setting)
    seen = look_into(room)
    light = light_of(setting.hour, setting.weather)
    daylight = times(mix(times(light.ambient, 1.35), light.sky[2], 0.5), 1.12)
    bright = setting.weather in {"clear", "cloudy"} and setting.hour in SUNNY_HOURS
    shine = lighting(room, seen, daylight, (-room.far_side * 0.22, 0.72, 0.82) if bright else None, lamps)
    canvas.pixels[:] = paint_surfaces(room, seen, fractal_tile(stream(seed, "plaster")), grain) * shine
    canvas.depth[:] = seen.z
    report(0.3)
    _open_window(canvas, room, setting, seed, shine)
    report(0.6)
    pieces = pieces_of(scene, room, seed, lit=stands_lit(scene, setting))
    for piece in sorted(pieces, key=lambda one: -one.z):
        _put(canvas, room, seen, shine, piece)
    _halos(canvas, room, lamps)
    canvas.spread_glow(0.6)
    report(0.8)


def _room(scene: Scene, canvas: Canvas, seed: int) -> Room:
    rng = stream(seed, "room")
    half = 1.42 * max(0.75, canvas.width_px / canvas.height_px) + 0.25
    wide = min(1.9, half * 1.1) if canvas.width_px >= canvas.height_px else half * 0.95
    middle = float(rng.choice([-1, 1])) * min(0.32 * half, max(0.0, half - wide / 2 - 0.25))
    walls, rug = scene.mention("room").colours, scene.mention("rug").colours
    cloth = CLOTHS[int(rng.integers(len(CLOTHS)))]
    return Room(
        width_px=canvas.width_px,
        height_px=canvas.height_px,
        half_metres=half,
        window=(middle - wide / 2, 1.0, middle + wide / 2, 2.3),
        wall=walls[0] if walls else WALLPAPERS[int(rng.integers(len(WALLPAPERS)))],
        floor=FLOORS[int(rng.integers(len(FLOORS)))],
        rug=(rug[0] if rug else cloth) if scene.has("rug") else None,
    )


def _open_window(canvas: Canvas, room: Room, setting: Setting, seed: int, shine: Grid) -> None:
    """Paint the landscape behind the glass, then frame and curtains."""
    left, top = room.project(room.window[0], room.window[3], DEEP_METRES)
    right, bottom = room.project(room.window[2], room.window[1], DEEP_METRES)
    wide, high = max(16, round(right) - round(left)), max(16, round(bottom) - round(top))
    box = round(left), round(top), round(left) + wide, round(top) + high
    glass = Canvas(wide, high)
    outside = replace(setting, scene=_view(setting.scene, seed))
    paint_landscape(set_stage(outside, glass, seed, 1.0), lambda _: None)
    canvas.stamp(np.dstack([glass.pixels, np.ones((high, wide), np.float32)]), box[0], box[1])
    _frame(canvas, box, room.focal_px / DEEP_METRES, shine)
    _curtains(canvas, box, seed, shine)


def _view(scene: Scene, seed: int) -> Scene:
    places = tuple(place for place in scene.places if place not in {"room", "space", "underwater"})
    if not places:
        views = VIEWS[:-1] if scene.season == "winter" else VIEWS
        places = views[int(stream(seed, "view").integers(len(views)))]
    things = {name: mention for name, mention in scene.things.items() if name not in INDOOR_THINGS}
    return replace(scene, places=places, things=things)


def _frame(canvas: Canvas, box: Box, scale: float, shine: Grid) -> None:
    left, top, right, bottom = box
    thick, thin = max(2, round(0.07 * scale)), max(1, round(0.04 * scale))
    middle, cross = (left + right) // 2, round(top + (bottom - top) * 0.4)
    bars: tuple[Box, ...] = (
        (left - thick, top - thick, right + thick, top),
        (left - thick, top, left, bottom),
        (right, top, right + thick, bottom),
        (middle - thin // 2, top, middle + thin - thin // 2, bottom),
        (left, cross, right, cross + thin),
        (left - 2 * thick, bottom, right + 2 * thick, bottom + round(1.3 * thick)),
    )
    for x0, y0, x1, y1 in bars:
        area = np.s_[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
        canvas.pixels[area] = np.asarray((0.92, 0.90, 0.86), np.float32) * np.clip(shine[area] * 0.92, 0, 1.1)


def _curtains(canvas: Canvas, box: Box, seed: int, shine: Grid) -> None:
    """Hang a gathered curtain at each side of the window."""
    left, top, right, bottom = box
    colour = np.asarray(CLOTHS[int(stream(seed, "curtains").integers(len(CLOTHS)))], np.float32)
    wide, high = max(2, round((right - left) * 0.24)), max(2, round((bottom - top) * 1.38))
    first = max(0, round(top - 0.06 * high))
    y, x = np.mgrid[0 : 1 : high * 1j, 0 : 1 : wide * 1j].astype(np.float32)
    for start, mirrored in ((left - round(wide * 0.72), False), (right - round(wide * 0.28), True)):
        gather = (1 - x if mirrored else x) * (1 + 0.16 * np.sin(y * np.pi * 0.9))
        folds = 0.78 + 0.26 * np.sin(gather * 27 + np.sin(y * 2.2) * 0.7)
        lit = shine[min(first + high // 2, canvas.height_px - 1), min(max(start + wide // 2, 0), canvas.width_px - 1)]
        art = np.empty((high, wide, 4), np.float32)
        art[..., :3] = colour * folds[..., None] * np.clip(lit, 0.05, 1.15)
        art[..., 3] = smooth_step(1.0, 0.97, gather) * 0.98
        canvas.stamp(art, start, first)


def _put(canvas: Canvas, room: Room, seen: Surfaces, shine: Grid, piece: Piece) -> None:
    """Put a piece of furniture into the light of its place, with its shadow on the floor."""
    column, row = room.project(piece.x, piece.y, piece.z)
    scale = room.focal_px / piece.z
    size = max(1, round(piece.sprite.width_metres * scale)), max(1, round(piece.sprite.height_metres * scale))
    foot = min(max(round(row) - 1, 0), canvas.height_px - 1)
    across = min(max(round(column), 0), canvas.width_px - 1)
    lit = np.clip(shine[foot, across] * 0.55 + shine[max(0, foot - size[1] // 2), across] * 0.5, 0.04, 1.25)
    if piece.y == 0:
        gap = np.hypot((seen.x - piece.x) / (piece.sprite.width_metres * 0.55), (seen.z - piece.z) / 0.42)
        canvas.pixels *= (1 - smooth_step(1.15, 0.3, gap) * (seen.plane == FLOOR) * 0.5)[..., None]
    art = _scaled(piece.sprite.art, size) * np.array([*lit, 1], np.float32)
    glow = _scaled(piece.sprite.glow, size) if piece.sprite.glow is not None else None
    canvas.stamp(art, round(column - size[0] / 2), round(row) - size[1], piece.z, glow)


def _scaled(image: Image.Image, size: tuple[int, int]) -> Grid:
    return as_array(image.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0))


def _halos(canvas: Canvas, room: Room, lamps: tuple[Lamp, ...]) -> None:
    """Lay a veil of light in the air around each lamp."""
    y, x = np.mgrid[0 : canvas.height_px, 0 : canvas.width_px].astype(np.float32)
    for lamp in lamps:
        column, row = room.project(lamp.x, lamp.y, lamp.z)
        away = np.hypot(x - column, y - row) / (room.focal_px / lamp.z)
        veil = np.exp(-away / 0.7) * 0.26 * lamp.strength * max(0.4, brightness(lamp.colour))
        canvas.pixels += (np.asarray(lamp.colour, np.float32) - canvas.pixels) * np.clip(veil, 0, 0.6)[..., None]
