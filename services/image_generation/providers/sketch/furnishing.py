"""What stands in a room, and where: against the far wall, under the window, in the middle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from services.image_generation.providers.sketch import figures, furniture
from services.image_generation.providers.sketch.animals import COATS, animal
from services.image_generation.providers.sketch.canvas import Sprite
from services.image_generation.providers.sketch.composition import FURNITURE, Setting
from services.image_generation.providers.sketch.noise import stream
from services.image_generation.providers.sketch.palette import Colour, times
from services.image_generation.providers.sketch.reading import Scene
from services.image_generation.providers.sketch.room import DEEP_METRES, Lamp, Room

CLOTHS: tuple[Colour, ...] = (
    (0.24, 0.38, 0.46),
    (0.66, 0.30, 0.22),
    (0.36, 0.46, 0.32),
    (0.80, 0.66, 0.40),
    (0.44, 0.30, 0.44),
)
AFTER_DARK = frozenset({"night", "twilight"})


@dataclass(frozen=True)
class Piece:
    """A thing at (x, z) in the room; what hangs on the wall has a height y over the floor."""

    sprite: Sprite
    x: float
    z: float
    y: float = 0.0


def furnished(scene: Scene, seed: int) -> Scene:
    """Add what makes a room a room where little is named."""
    rng = stream(seed, "furniture", *scene.unknown)
    named = [thing for thing in scene.things if thing in FURNITURE]
    if "bed" in named:
        likely = ["rug", "picture", "plant", "lamp"]
    elif "table" in named and "sofa" not in named:
        likely = ["chair", "plant", "picture", "rug"]
    else:
        likely = ["sofa", "rug", "plant", ("books", "picture")[int(rng.integers(2))], "lamp"]
    extra = [thing for thing in likely if thing not in named][: max(1, 5 - len(named))]
    return replace(scene, things={**scene.things, **{thing: scene.mention(thing) for thing in extra}})


def lamps_of(scene: Scene, room: Room, setting: Setting) -> tuple[Lamp, ...]:
    """Say what gives light in the room; by day it gives half as much."""
    dark = setting.hour in AFTER_DARK
    strength = 1.0 if dark else 0.5
    lamps = []
    if stands_lit(scene, setting):
        spot = room.far_side * room.half_metres * 0.80, 1.42, DEEP_METRES - 0.7
        lamps.append(Lamp(*spot, (1.0, 0.76, 0.46), 1.5 * strength))
    if scene.has("candle"):
        lamps.append(Lamp(_table_x(scene, room), 1.1, 3.5, (1.0, 0.66, 0.32), 0.62 * strength))
    if scene.has("fireplace"):
        spot = room.far_side * room.half_metres * 0.45, 0.45, DEEP_METRES - 0.35
        lamps.append(Lamp(*spot, (1.0, 0.50, 0.20), 0.9 * strength))
    return tuple(lamps)


def stands_lit(scene: Scene, setting: Setting) -> bool:
    """Whether a standing lamp burns: where one is named, or it is dark and nothing else gives light."""
    return scene.has("lamp") or (setting.hour in AFTER_DARK and not scene.has("candle", "fireplace"))


def pieces_of(scene: Scene, room: Room, seed: int, *, lit: bool) -> list[Piece]:
    """Choose and place the furniture; what is tall stands away from the window."""
    makers = _makers(scene, room, seed, lit=lit)
    wanted = {thing for thing in makers if scene.has(thing)}
    if scene.has("candle", "chair"):
        wanted.add("table")
    if lit:
        wanted.add("lamp")
    if "books" in wanted or "fireplace" in wanted:
        wanted.discard("picture")
    return [make() for thing, make in makers.items() if thing in wanted]


def _table_x(scene: Scene, room: Room) -> float:
    """Stand the table in the middle, or beside what is larger."""
    return room.far_side * room.half_metres * (0.38 if scene.has("sofa", "bed") else 0.1)


def _makers(scene: Scene, room: Room, seed: int, *, lit: bool) -> Mapping[str, Callable[[], Piece]]:
    half, back, far = room.half_metres, DEEP_METRES, room.far_side
    cloth = CLOTHS[int(stream(seed, "cloth").integers(len(CLOTHS)))]
    sharp, table_x = room.focal_px / 3.0, _table_x(scene, room)

    shelf_share = 0.80 if scene.has("fireplace") else 0.42

    def colour(thing: str, plain: Colour) -> Colour:
        named = scene.mention(thing).colours
        return named[0] if named else plain

    def rng(thing: str) -> np.random.Generator:
        return stream(seed, thing)

    def shade() -> Sprite:
        return furniture.floor_lamp(colour("lamp", (0.93, 0.86, 0.70)), sharp, lit=lit)

    def laid_table() -> Sprite:
        wood = colour("table", furniture.WOOD)
        return furniture.table(rng("table"), wood, sharp, candle=scene.has("candle"))

    def visitor() -> Sprite:
        plain = figures.COATS[int(rng("coat").integers(len(figures.COATS)))]
        return figures.person(rng("person"), colour("person", plain), sharp)

    return {
        "books": lambda: Piece(furniture.bookshelf(rng("books"), sharp), far * half * shelf_share, back - 0.06),
        "fireplace": lambda: Piece(furniture.fireplace(rng("fireplace"), sharp), far * half * 0.42, back - 0.05),
        "picture": lambda: Piece(furniture.framed_picture(rng("picture"), sharp), far * half * 0.5, back - 0.02, 1.5),
        "sofa": lambda: Piece(furniture.sofa(colour("sofa", cloth), sharp), -far * half * 0.22, back - 0.75),
        "bed": lambda: Piece(furniture.bed(colour("bed", cloth), sharp), -far * half * 0.12, back - 1.1),
        "plant": lambda: Piece(furniture.potted_plant(rng("plant"), sharp), -far * half * 0.82, back - 0.6),
        "lamp": lambda: Piece(shade(), far * half * 0.80, back - 0.7),
        "table": lambda: Piece(laid_table(), table_x, 3.5),
        "chair": lambda: Piece(
            furniture.chair(colour("chair", times(furniture.WOOD, 1.1)), sharp), table_x - far * 1.1, 3.75
        ),
        "person": lambda: Piece(visitor(), -far * half * 0.45, 3.6),
        "cat": lambda: Piece(animal("cat", rng("cat"), colour("cat", COATS["cat"]), sharp), -far * 0.7, 3.7),
        "dog": lambda: Piece(animal("dog", rng("dog"), colour("dog", COATS["dog"]), sharp), -far * 0.8, 3.7),
    }
