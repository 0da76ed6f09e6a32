"""Paint a room: what stands in it, its light, and the world behind its window."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from services.image_generation.providers.sketch import figures, furniture
from services.image_generation.providers.sketch.animals import COATS, animal
from services.image_generation.providers.sketch.canvas import Canvas, Sprite, as_array
from services.image_generation.providers.sketch.composition import FURNITURE, Setting, set_stage
from services.image_generation.providers.sketch.landscape import Report, paint_landscape
from services.image_generation.providers.sketch.noise import Grid, fractal_tile, smooth_step, stream
from services.image_generation.providers.sketch.palette import Colour, brightness, light_of, mix, times
from services.image_generation.providers.sketch.reading import Scene
from services.image_generation.providers.sketch.room import (
    DEEP_METRES,
    Lamp,
    Room,
    Surfaces,
    lighting,
    look_into,
    paint_surfaces,
)

WALLPAPERS: tuple[Colour, ...] = (
    (0.86, 0.80, 0.68), (0.64, 0.72, 0.66), (0.62, 0.70, 0.78), (0.84, 0.66, 0.56), (0.80, 0.78, 0.76), (0.50, 0.56, 0.50),
)  # fmt: skip
FLOORS: tuple[Colour, ...] = ((0.62, 0.42, 0.26), (0.72, 0.54, 0.36), (0.44, 0.29, 0.19))
CLOTHS: tuple[Colour, ...] = (
    (0.24, 0.38, 0.46),
    (0.66, 0.30, 0.22),
    (0.36, 0.46, 0.32),
    (0.80, 0.66, 0.40),
    (0.44, 0.30, 0.44),
)
VIEWS = (("hills",), ("lake", "mountains"), ("village", "hills"), ("sea",), ("forest",))
"""What lies behind a window when the description does not say."""


@dataclass(frozen=True)
class _Piece:
    sprite: Sprite
    x: float
    y: float
    z: float


def paint_interior(canvas: Canvas, setting: Setting, seed: int, grain: float, report: Report) -> None:
    """Paint the whole room on the canvas."""
    scene = _furnished(setting.scene, seed)
    room = _room(scene, canvas.width_px, canvas.height_px, seed)
    lamps = _lamps(scene, room, setting)
    light = light_of(setting.hour, setting.weather)
    seen = look_into(room)
    tile = fractal_tile(stream(seed, "plaster"))
    daylight = mix(times(light.ambient, 1.35), light.sky[2], 0.5)
    bright = setting.weather in {"clear", "cloudy"} and setting.hour in {"dawn", "day", "afternoon", "sunset"}
    shine = lighting(room, seen, times(daylight, 1.12), _sun_in(room) if bright else None, lamps)
    canvas.pixels[:] = paint_surfaces(room, seen, tile, grain) * shine
    canvas.depth[:] = seen.z
    report(0.3)
    _open_window(canvas, room, setting, seed, grain, shine)
    report(0.6)
    for piece in sorted(_pieces(scene, room, setting, seed), key=lambda one: -one.z):
        _put(canvas, room, seen, shine, piece)
    _halos(canvas, room, lamps)
    canvas.spread_glow(0.6)
    report(0.8)


def _furnished(scene: Scene, seed: int) -> Scene:
    """Add what makes a room a room where little is named."""
    rng = stream(seed, "furniture", *scene.unknown)
    named = [thing for thing in scene.things if thing in FURNITURE]
    if "bed" in named:
        likely = ["rug", "picture", "plant", "lamp"]
    elif "table" in named and "sofa" not in named:
        likely = ["chair", "plant", "picture", "rug"]
    else:
        likely = ["sofa", "rug", "plant", str(rng.choice(["books", "picture"])), "lamp"]
    extra = [thing for thing in likely if thing not in named][: max(1, 5 - len(named))]
    return replace(scene, things={**scene.things, **{thing: scene.mention(thing) for thing in extra}})


def _room(scene: Scene, width_px: int, height_px: int, seed: int) -> Room:
    rng = stream(seed, "room")
    half = 1.42 * max(0.75, width_px / height_px) + 0.25
    wide = min(1.9, half * 1.1) if width_px >= height_px else half * 0.95
    middle = float(rng.choice([-1, 1])) * min(0.32 * half, max(0.0, half - wide / 2 - 0.25))
    walls, rug = scene.mention("room").colours, scene.mention("rug").colours
    cloth = CLOTHS[int(rng.integers(len(CLOTHS)))]
    return Room(
        width_px, height_px, half, (middle - wide / 2, 1.0, middle + wide / 2, 2.3),
        wall=walls[0] if walls else WALLPAPERS[int(rng.integers(len(WALLPAPERS)))],
        floor=FLOORS[int(rng.integers(len(FLOORS)))],
        rug=(rug[0] if rug else cloth) if scene.has("rug") else None,
    )  # fmt: skip


def _lamps(scene: Scene, room: Room, setting: Setting) -> tuple[Lamp, ...]:
    dark = 1.0 if setting.hour in {"night", "twilight"} else 0.5
    side = -1.0 if room.window[0] + room.window[2] > 0 else 1.0
    lamps = []
    if scene.has("lamp") or (setting.hour in {"night", "twilight"} and not scene.has("candle", "fireplace")):
        lamps.append(Lamp(side * room.half_metres * 0.80, 1.42, DEEP_METRES - 0.7, (1.0, 0.76, 0.46), 1.5 * dark))
    if scene.has("candle"):
        lamps.append(
            Lamp(
                side * room.half_metres * (0.38 if scene.has("sofa", "bed") else 0.1),
                1.1,
                3.5,
                (1.0, 0.66, 0.32),
                0.62 * dark,
            )
        )
    if scene.has("fireplace"):
        lamps.append(Lamp(side * room.half_metres * 0.45, 0.45, DEEP_METRES - 0.35, (1.0, 0.50, 0.20), 0.9 * dark))
    return tuple(lamps)


def _sun_in(room: Room) -> tuple[float, float, float]:
    toward = 1.0 if room.window[0] + room.window[2] > 0 else -1.0
    return toward * 0.22, 0.72, 0.82


def _open_window(canvas: Canvas, room: Room, setting: Setting, seed: int, grain: float, shine: Grid) -> None:
    left, top = room.project(room.window[0], room.window[3], DEEP_METRES)
    right, bottom = room.project(room.window[2], room.window[1], DEEP_METRES)
    box = round(left), round(top), round(right), round(bottom)
    wide, high = max(16, box[2] - box[0]), max(16, box[3] - box[1])
    outside = replace(setting, scene=_view(setting.scene, seed))
    glass = Canvas(wide, high)
    paint_landscape(set_stage(outside, glass, seed, grain), lambda _: None)
    area = np.s_[box[1] : box[1] + high, box[0] : box[0] + wide]
    canvas.pixels[area] = glass.pixels[: canvas.pixels[area].shape[0], : canvas.pixels[area].shape[1]]
    _frame_window(canvas, (box[0], box[1], box[0] + wide, box[1] + high), room.focal_px / DEEP_METRES, shine)
    _curtains(canvas, (box[0], box[1], box[0] + wide, box[1] + high), seed, shine)


def _view(scene: Scene, seed: int) -> Scene:
    places = tuple(place for place in scene.places if place not in {"room", "space", "underwater"})
    if not places:
        places = VIEWS[int(stream(seed, "view").integers(len(VIEWS)))]
        places = ("village", "hills") if places == ("sea",) and scene.season == "winter" else places
    indoor = {*FURNITURE, "room", "window", "person", "cat", "dog"}
    return replace(scene, places=places, things={name: m for name, m in scene.things.items() if name not in indoor})


def _frame_window(canvas: Canvas, box: tuple[int, int, int, int], scale: float, shine: Grid) -> None:
    left, top, right, bottom = box
    thick, thin = max(2, round(0.07 * scale)), max(1, round(0.04 * scale))
    middle, cross = (left + right) // 2, round(top + (bottom - top) * 0.4)
    bars = [
        (left - thick, top - thick, right + thick, top), (left - thick, top, left, bottom), (right, top, right + thick, bottom),
        (middle - thin // 2, top, middle + thin - thin // 2, bottom), (left, cross, right, cross + thin),
        (left - 2 * thick, bottom, right + 2 * thick, bottom + round(1.3 * thick)),
    ]  # fmt: skip
    for x0, y0, x1, y1 in bars:
        area = np.s_[max(0, y0) : y1, max(0, x0) : x1]
        canvas.pixels[area] = np.asarray((0.92, 0.90, 0.86), np.float32) * np.clip(shine[area] * 0.92, 0, 1.1)


def _curtains(canvas: Canvas, box: tuple[int, int, int, int], seed: int, shine: Grid) -> None:
    left, top, right, bottom = box
    rng = stream(seed, "curtains")
    colour = np.asarray(CLOTHS[int(rng.integers(len(CLOTHS)))], np.float32)
    wide, high = round((right - left) * 0.24), round((bottom - top) * 1.38)
    y, x = np.mgrid[0 : 1 : high * 1j, 0 : 1 : wide * 1j].astype(np.float32)
    for start, mirrored in ((left - round(wide * 0.72), False), (right - round(wide * 0.28), True)):
        across = 1 - x if mirrored else x
        gather = across * (1 + 0.16 * np.sin(np.clip(y, 0, 1) * np.pi * 0.9))
        folds = 0.78 + 0.26 * np.sin(gather * 27 + np.sin(y * 2.2) * 0.7)
        art = np.empty((high, wide, 4), np.float32)
        first = max(0, round(top - 0.06 * high))
        lit = shine[min(first + high // 2, shine.shape[0] - 1), min(max(start + wide // 2, 0), shine.shape[1] - 1)]
        art[..., :3] = colour * folds[..., None] * np.clip(lit, 0.05, 1.15)
        art[..., 3] = smooth_step(1.0, 0.97, gather) * 0.98
        canvas.stamp(art, start, first)


def _pieces(scene: Scene, room: Room, setting: Setting, seed: int) -> list[_Piece]:
    """Furniture against the wall away from the window, and what stands in the middle."""
    side = -1.0 if room.window[0] + room.window[2] > 0 else 1.0
    half, back = room.half_metres, DEEP_METRES
    cloth = CLOTHS[int(stream(seed, "cloth").integers(len(CLOTHS)))]

    def colour(thing: str, plain: Colour) -> Colour:
        named = scene.mention(thing).colours
        return named[0] if named else plain

    def rng(thing: str) -> np.random.Generator:
        return stream(seed, thing)

    sharp = room.focal_px / 3.0
    lit = any(lamp.y > 1.2 for lamp in _lamps(scene, room, setting))  # noqa: PLR2004 - only standing lamps are so high
    makers: dict[str, Callable[[], tuple[Sprite, float, float, float]]] = {
        "books": lambda: (furniture.bookshelf(rng("books"), sharp), side * half * 0.42, 0.0, back - 0.06),
        "fireplace": lambda: (furniture.fireplace(rng("fireplace"), sharp), side * half * 0.42, 0.0, back - 0.05),
        "picture": lambda: (furniture.framed_picture(rng("picture"), sharp), side * half * 0.5, 1.5, back - 0.02),
        "sofa": lambda: (furniture.sofa(colour("sofa", cloth), sharp), -side * half * 0.22, 0.0, back - 0.75),
        "bed": lambda: (furniture.bed(colour("bed", cloth), sharp), -side * half * 0.12, 0.0, back - 1.1),
        "plant": lambda: (furniture.potted_plant(rng("plant"), sharp), -side * half * 0.82, 0.0, back - 0.6),
        "lamp": lambda: (furniture.floor_lamp(colour("lamp", (0.93, 0.86, 0.70)), sharp, lit=lit), side * half * 0.80, 0.0, back - 0.7),
        "table": lambda: (furniture.table(rng("table"), colour("table", furniture.WOOD), sharp, candle=scene.has("candle")), side * half * (0.38 if scene.has("sofa", "bed") else 0.1), 0.0, 3.5),
        "chair": lambda: (furniture.chair(colour("chair", times(furniture.WOOD, 1.1)), sharp), side * half * (0.38 if scene.has("sofa", "bed") else 0.1) - side * 1.1, 0.0, 3.75),
        "person": lambda: (figures.person(rng("person"), colour("person", figures.COATS[int(rng("coat").integers(6))]), sharp), -side * half * 0.45, 0.0, 3.6),
        "cat": lambda: (animal("cat", rng("cat"), colour("cat", COATS["cat"]), sharp), -side * 0.7, 0.0, 3.7),
        "dog": lambda: (animal("dog", rng("dog"), colour("dog", COATS["dog"]), sharp), -side * 0.8, 0.0, 3.7),
    }  # fmt: skip
    wanted = {thing for thing in makers if scene.has(thing)}
    wanted |= {"table"} if scene.has("candle", "chair") else set()
    wanted |= {"lamp"} if lit else set()
    wanted -= {"picture"} if wanted & {"books"} else set()
    wanted -= {"books"} if "fireplace" in wanted else set()
    return [_Piece(*makers[thing]()) for thing in makers if thing in wanted]


def _put(canvas: Canvas, room: Room, seen: Surfaces, shine: Grid, piece: _Piece) -> None:
    column, row = room.project(piece.x, piece.y, piece.z)
    scale = room.focal_px / piece.z
    size = max(1, round(piece.sprite.width_metres * scale)), max(1, round(piece.sprite.height_metres * scale))
    at = min(max(round(row) - 1, 0), canvas.height_px - 1), min(max(round(column), 0), canvas.width_px - 1)
    lit = np.clip(shine[at] * 0.55 + shine[max(0, at[0] - size[1] // 2), at[1]] * 0.5, 0.04, 1.25)
    if piece.y == 0:
        gap = np.hypot((seen.x - piece.x) / (piece.sprite.width_metres * 0.55), (seen.z - piece.z) / 0.42)
        dark = smooth_step(1.15, 0.3, gap) * (seen.plane == 2) * 0.5  # noqa: PLR2004 - the floor
        canvas.pixels *= (1 - dark)[..., None]
    art = as_array(piece.sprite.art.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0)).copy()
    art[..., :3] *= lit
    glow = None
    if piece.sprite.glow is not None:
        glow = as_array(piece.sprite.glow.resize(size, Image.Resampling.HAMMING, reducing_gap=2.0))
    canvas.stamp(art, round(column - size[0] / 2), round(row) - size[1], piece.z, glow)


def _halos(canvas: Canvas, room: Room, lamps: tuple[Lamp, ...]) -> None:
    """Lay a veil of light in the air around each lamp."""
    y, x = np.mgrid[0 : canvas.height_px, 0 : canvas.width_px].astype(np.float32)
    for lamp in lamps:
        column, row = room.project(lamp.x, lamp.y, lamp.z)
        away = np.hypot(x - column, y - row) / (room.focal_px / lamp.z)
        veil = np.exp(-away / 0.7) * 0.26 * lamp.strength * max(0.4, brightness(lamp.colour))
        canvas.pixels += (np.asarray(lamp.colour, np.float32) - canvas.pixels) * np.clip(veil, 0, 0.6)[..., None]
