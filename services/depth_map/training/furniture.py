"""Things that stand in rooms."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.depth_map.training.scenes import Material, Scene, colour
from services.depth_map.training.solids import Shape
from services.depth_map.training.textures import Random

Half = tuple[float, float, float]


@dataclass(frozen=True)
class Spot:
    """A place on a floor or on a top (metres), and the angle to which things there are turned; their front is -y."""

    x: float
    y: float
    z: float = 0.0
    yaw: float = 0.0

    def by(self, across: float, along: float, up: float = 0.0, turn: float = 0.0) -> "Spot":
        cosine, sine = float(np.cos(self.yaw)), float(np.sin(self.yaw))
        x, y = self.x + across * cosine - along * sine, self.y + across * sine + along * cosine
        return Spot(x, y, self.z + up, self.yaw + turn)

    def put(
        self,
        scene: Scene,
        shape: Shape,
        half: Half,
        material: Material,
        *,
        yaw: float = 0.0,
        tilt: float = 0.0,
        spin: float = 0.0,
        top: float = 1.0,
    ) -> None:
        """Stand a solid on this spot, turned beside how the spot is."""
        place = (self.x, self.y, self.z + half[2])
        scene.add(shape, place, half, material, yaw=self.yaw + yaw, tilt=tilt, spin=spin, top=top)


def _some(random: Random, low: float, high: float) -> float:
    return float(random.uniform(low, high))


def wooden(scene: Scene) -> Material:
    kind = str(scene.random.choice(["wood", "wood", "wall", "dark", "muted"]))
    patterns = ("grained", "planks", "clouded")
    contrast = _some(scene.random, 0.05, 0.5)
    return scene.material(colour(scene.random, kind), *patterns, contrast=contrast, shine=_some(scene.random, 0, 0.3))


def cloth(scene: Scene) -> Material:
    kind = str(scene.random.choice(["muted", "dark", "wall", "vivid"]))
    patterns = ["rough", "rough", "clouded", "clouded", "striped", "spotted", "leaves", "colourful"]
    pattern = str(scene.random.choice(patterns))
    return scene.material(colour(scene.random, kind), pattern, metres=0.5, contrast=_some(scene.random, 0.05, 0.6))


def anything(scene: Scene) -> Material:
    random = scene.random
    shine = max(0.0, _some(random, -0.4, 0.6))
    return scene.material(
        colour(random), metres=_some(random, 0.1, 0.6), contrast=_some(random, 0.05, 0.9), shine=shine
    )


def table(scene: Scene, spot: Spot, half: Half | None = None, *, bare: bool = False) -> None:
    random = scene.random
    half = half or (_some(random, 0.4, 1.0), _some(random, 0.3, 0.5), _some(random, 0.2, 0.39))
    wood, thick = wooden(scene), _some(random, 0.01, 0.03)
    spot.by(0, 0, half[2] * 2 - thick * 2).put(scene, "box", (half[0], half[1], thick), wood)
    legs = wood if random.random() < 0.7 else wooden(scene)
    shape: Shape = "box" if random.random() < 0.7 else "tube"
    slim = _some(random, 0.015, 0.05)
    for across in (-1, 1):
        for along in (-1, 1):
            leg = spot.by(across * (half[0] - slim), along * (half[1] - slim))
            leg.put(scene, shape, (slim, slim, half[2] - thick), legs)
    if random.random() < 0.3:
        drawer = (half[0] * 0.25, half[1] * 0.9, half[2] - thick)
        spot.by(half[0] * 0.7, 0).put(scene, "box", drawer, wooden(scene))
    if not bare:
        clutter(scene, spot.by(0, 0, half[2] * 2), half[0], half[1], int(random.integers(0, 9)))


def desk(scene: Scene, spot: Spot) -> None:
    """A table against a wall, full of things, with a screen more often than not."""
    random = scene.random
    half = (_some(random, 0.5, 1.1), _some(random, 0.3, 0.45), _some(random, 0.34, 0.4))
    table(scene, spot, half, bare=True)
    top = spot.by(0, 0, half[2] * 2)
    for _ in range(int(random.integers(0, 3))):
        screen(scene, top.by(_some(random, -0.6, 0.6) * half[0], half[1] * _some(random, 0.0, 0.7)))
    if random.random() < 0.5:
        board = (0.22, 0.07, 0.01)
        top.by(_some(random, -0.3, 0.3), -half[1] * 0.4).put(scene, "box", board, anything(scene))
    clutter(scene, top, half[0], half[1], int(random.integers(3, 16)))


def screen(scene: Scene, spot: Spot) -> None:
    random = scene.random
    wide, tall = _some(random, 0.18, 0.38), _some(random, 0.12, 0.22)
    frame = scene.material(colour(random, "dark" if random.random() < 0.8 else "wall"), "clouded", contrast=0.1)
    face = scene.material(colour(random), "leaves", "written", "clouded", metres=0.4, glow=_some(random, 0, 0.6))
    turned = replace(spot, yaw=spot.yaw + random.normal(0, 0.25))
    turned.put(scene, "box", (0.1, 0.08, 0.01), frame)
    turned.by(0, 0.03).put(scene, "box", (0.03, 0.01, 0.1), frame)
    turned.by(0, 0, 0.1).put(scene, "box", (wide, _some(random, 0.01, 0.04), tall), frame)
    turned.by(0, -0.035, 0.11).put(scene, "box", (wide * 0.95, 0.008, tall * 0.93), face)


def clutter(scene: Scene, spot: Spot, across: float, along: float, count: int) -> None:
    """Small things strewn over a rectangle of half sides across x along."""
    for _ in range(count):
        place = spot.by(_some(scene.random, -0.9, 0.9) * across, _some(scene.random, -0.9, 0.9) * along)
        trifle(scene, replace(place, yaw=spot.yaw + scene.random.normal(0, 0.6)))


def trifle(scene: Scene, spot: Spot, scale: float = 1.0) -> None:
    """One small thing."""
    random, size = scene.random, scale * float(np.exp(scene.random.normal(-2.6, 0.45)))
    material = anything(scene)
    kind = random.integers(0, 8)
    if kind == 0:  # a ball
        spot.put(scene, "ball", (size, size, size * _some(random, 0.7, 1.1)), material)
    elif kind in {1, 2}:  # a cup, a tin, a bottle
        tall = size * _some(random, 0.8, 2.4)
        spot.put(scene, "tube", (size * 0.6, size * 0.6, tall), material, top=_some(random, 0.6, 1.2))
        if random.random() < 0.4:
            spot.by(0, 0, tall * 2).put(scene, "tube", (size * 0.25, size * 0.25, tall * 0.4), material)
    elif kind == 3:  # papers, a book
        spot.put(scene, "box", (size * 1.5, size * 1.1, size * _some(random, 0.02, 0.4)), material)
    elif kind == 4:  # a row of books
        books = scene.material(colour(random), "books", metres=0.35)
        spot.put(scene, "box", (size * 2, size * 0.9, size * 1.2), books)
    elif kind == 5:  # a plant
        plant(scene, spot, size * 2.5)
    else:
        half = tuple(float(size * random.uniform(0.3, 1.6)) for _ in range(3))
        spot.put(scene, "box", (half[0], half[1], half[2]), material)


def plant(scene: Scene, spot: Spot, tall: float) -> None:
    random = scene.random
    spot.put(scene, "tube", (tall * 0.25, tall * 0.25, tall * 0.2), anything(scene), top=1.2)
    leaf = scene.material(colour(random, "green"), "foliage", "grained", metres=tall, contrast=0.8)
    for _ in range(int(random.integers(4, 12))):
        half = (tall * _some(random, 0.05, 0.3), tall * _some(random, 0.03, 0.2), tall * _some(random, 0.05, 0.3))
        place = spot.by(random.normal(0, tall * 0.2), random.normal(0, tall * 0.2), tall * _some(random, 0.4, 1.2))
        place.put(scene, "ball", half, leaf, tilt=_some(random, -1, 1), yaw=_some(random, 0, 6))


def potted(scene: Scene, spot: Spot) -> None:
    plant(scene, spot, _some(scene.random, 0.5, 1.3))


def chair(scene: Scene, spot: Spot) -> None:
    """A chair on four legs or on one with a star of feet; some have rounded backs, rungs or rests for the arms."""
    random = scene.random
    seat, frame = (cloth(scene) if random.random() < 0.5 else wooden(scene)), wooden(scene)
    wide, high, back = _some(random, 0.18, 0.27), _some(random, 0.2, 0.25), _some(random, 0.15, 0.35)
    spot.by(0, 0, high * 2).put(scene, "box", (wide, wide, _some(random, 0.015, 0.05)), seat)
    rest = spot.by(0, wide, high * 2 + (0.0 if random.random() < 0.5 else 0.15))
    lean, kind = float(random.normal(-0.1, 0.05)), random.random()
    if kind < 0.45:
        rest.put(scene, "box", (wide, 0.02, back), seat, spin=lean)
    elif kind < 0.75:
        rest.put(scene, "ball", (wide, _some(random, 0.02, 0.07), back), seat, spin=lean)
    else:
        for across in np.linspace(-1, 1, int(random.integers(3, 7))):
            rest.by(float(across) * wide * 0.92, 0).put(scene, "box", (0.012, 0.012, back), frame, spin=lean)
        rest.by(0, 0, back * 2 - 0.05).put(scene, "box", (wide, 0.015, 0.04), frame)
    if random.random() < 0.3:
        for side in (-1, 1):
            arm = spot.by(side * (wide + 0.02), 0, high * 2 + _some(random, 0.15, 0.22))
            arm.put(scene, "box", (0.02, wide * 0.8, 0.015), frame)
            arm.by(0, -wide * 0.6, -0.18).put(scene, "box", (0.015, 0.015, 0.09), frame)
    if random.random() < 0.35:
        spot.by(0, 0, 0.08).put(scene, "tube", (0.03, 0.03, high - 0.04), frame)
        for turn in np.linspace(0, 2 * np.pi, 5, endpoint=False):
            foot = spot.by(0, 0, 0.03, float(turn)).by(0, wide * 0.6)
            foot.put(scene, "box", (0.02, wide * 0.6, 0.02), frame)
        return
    for across in (-1, 1):
        for along in (-1, 1):
            spot.by(across * wide * 0.9, along * wide * 0.9).put(scene, "box", (0.02, 0.02, high), frame)


def sofa(scene: Scene, spot: Spot) -> None:
    random, fabric = scene.random, cloth(scene)
    wide, deep, seat = _some(random, 0.4, 1.1), _some(random, 0.38, 0.5), _some(random, 0.18, 0.23)
    spot.put(scene, "box", (wide, deep, seat), fabric)
    spot.by(0, deep * 0.8, seat * 2).put(scene, "box", (wide, deep * 0.2, _some(random, 0.18, 0.3)), fabric)
    for side in (-1, 1):
        spot.by(side * wide, 0).put(scene, "box", (0.1, deep, seat + 0.1), fabric)
    for _ in range(int(random.integers(0, 4))):
        place = spot.by(_some(random, -0.8, 0.8) * wide, deep * 0.4, seat * 2)
        place.put(scene, "ball", (0.22, 0.1, 0.2), cloth(scene), spin=-0.3)


def bed(scene: Scene, spot: Spot) -> None:
    random = scene.random
    wide, deep, high = _some(random, 0.45, 0.95), _some(random, 0.95, 1.05), _some(random, 0.1, 0.2)
    spot.put(scene, "box", (wide, deep, high), wooden(scene))
    spot.by(0, 0, high * 2).put(scene, "box", (wide * 0.98, deep * 0.98, _some(random, 0.08, 0.15)), cloth(scene))
    spot.by(0, deep).put(scene, "box", (wide, 0.03, _some(random, 0.3, 0.65)), wooden(scene))
    for side in (-0.5, 0.5):
        spot.by(side * wide, deep * 0.75, high * 2 + 0.2).put(scene, "ball", (0.3, 0.2, 0.1), cloth(scene))


def cabinet(scene: Scene, spot: Spot, half: Half | None = None) -> None:
    """A closed cabinet with doors or drawers that stand out a little."""
    random = scene.random
    half = half or (_some(random, 0.25, 1.0), _some(random, 0.2, 0.32), _some(random, 0.25, 1.1))
    wood = wooden(scene)
    door = wood if random.random() < 0.6 else wooden(scene)
    knob = scene.material(colour(random, "grey"), "clouded", shine=0.5)
    spot.put(scene, "box", half, wood)
    columns, rows = max(1, round(half[0] * 2 / 0.5)), int(random.integers(1, 4))
    wide, tall = half[0] / columns, half[2] / rows
    for column in range(columns):
        for row in range(rows):
            place = spot.by((column * 2 + 1) * wide - half[0], -half[1], row * tall * 2 + tall * 0.08)
            place.put(scene, "box", (wide * 0.95, 0.015, tall * 0.92), door)
            place.by(wide * 0.7, -0.02, tall).put(scene, "box", (0.015, 0.015, 0.05), knob)
    if half[2] < 0.7:
        clutter(scene, spot.by(0, 0, half[2] * 2), half[0], half[1], int(random.integers(0, 7)))


def shelves(scene: Scene, spot: Spot, half: Half | None = None) -> None:
    """Open shelves with books and things."""
    random = scene.random
    half = half or (_some(random, 0.3, 0.9), _some(random, 0.12, 0.22), _some(random, 0.4, 1.1))
    wood, thick = wooden(scene), 0.015
    count = max(2, round(half[2] * 2 / _some(random, 0.28, 0.45)))
    step = half[2] * 2 / count
    spot.by(0, half[1]).put(scene, "box", (half[0], 0.01, half[2]), wood)
    for side in (-1, 1):
        spot.by(side * half[0], 0).put(scene, "box", (thick, half[1], half[2]), wood)
    for row in range(count + 1):
        spot.by(0, 0, row * step).put(scene, "box", (half[0], half[1], thick), wood)
        if row < count:
            _shelved(scene, spot.by(0, 0, row * step + thick * 2), half, step)


def _shelved(scene: Scene, spot: Spot, half: Half, step: float) -> None:
    random = scene.random
    if random.random() < 0.6:
        wide, tall = half[0] * _some(random, 0.3, 0.95), step * _some(random, 0.3, 0.42)
        place = spot.by(_some(random, -1, 1) * (half[0] - wide) * 0.95, half[1] * 0.2)
        books = scene.material(colour(random), "books", metres=_some(random, 0.3, 0.6))
        place.put(scene, "box", (wide, half[1] * 0.7, tall), books)
    else:
        clutter(scene, spot, half[0], half[1] * 0.6, int(random.integers(0, 4)))


def lamp(scene: Scene, spot: Spot) -> None:
    random, tall = scene.random, _some(scene.random, 0.5, 0.85)
    metal = scene.material(colour(random, "grey"), "clouded", shine=0.4)
    spot.put(scene, "tube", (0.15, 0.15, 0.02), metal)
    spot.put(scene, "tube", (0.015, 0.015, tall), metal)
    shade = scene.material(colour(random, "wall"), "rough", glow=_some(random, 0, 0.8))
    spot.by(0, 0, tall * 2).put(scene, "tube", (0.2, 0.2, 0.13), shade, top=_some(random, 0.4, 1))


def stack(scene: Scene, spot: Spot) -> None:
    """Boxes, cases or sacks on each other, up to the height of somebody."""
    random, up = scene.random, 0.0
    alike = anything(scene) if random.random() < 0.4 else None
    for _ in range(int(random.integers(2, 7))):
        half = (_some(random, 0.18, 0.42), _some(random, 0.15, 0.3), _some(random, 0.1, 0.26))
        shape: Shape = "ball" if random.random() < 0.12 else "box"
        place = spot.by(float(random.normal(0, 0.04)), 0, up, float(random.normal(0, 0.12)))
        place.put(scene, shape, half, alike or anything(scene))
        up += half[2] * (1.6 if shape == "ball" else 2)
        if up > 1.9:
            return


def person(scene: Scene, spot: Spot, *, sits: bool = False) -> None:
    """Someone who stands or sits, of about human proportions."""
    random, size = scene.random, _some(scene.random, 0.75, 1.08)
    skin = scene.material(colour(random, "skin"), "clouded", contrast=0.1)
    shirt, trousers = cloth(scene), cloth(scene)
    hip = 0.45 if sits else 0.85 * size
    for side in (-1, 1):
        if sits:
            spot.by(side * 0.1, -0.2, hip - 0.08).put(scene, "box", (0.08, 0.25, 0.08), trousers)
            spot.by(side * 0.1, -0.42).put(scene, "tube", (0.07, 0.07, hip / 2), trousers)
        else:
            spot.by(side * 0.1, random.normal(0, 0.06)).put(scene, "tube", (0.08, 0.09, hip / 2), trousers, top=1.2)
        arm = spot.by(side * 0.23, random.normal(0, 0.05), hip - 0.05)
        arm.put(scene, "tube", (0.05, 0.05, 0.32 * size), shirt, tilt=side * -0.12, spin=random.normal(0, 0.3))
    spot.by(0, 0, hip - 0.08).put(scene, "ball", (0.21 * size, 0.14 * size, 0.36 * size), shirt)
    neck = hip + 0.58 * size
    spot.by(0, 0, neck - 0.06).put(scene, "tube", (0.05, 0.05, 0.08), skin)
    spot.by(0, -0.02, neck + 0.03).put(scene, "ball", (0.085, 0.1, 0.12), skin)
    hair = scene.material(colour(random, "dark"), "grained", metres=0.2)
    spot.by(0, 0.03, neck + 0.08).put(scene, "ball", (0.095, 0.1, 0.1), hair)


AGAINST_WALLS: Final[dict[Callable[[Scene, Spot], None], tuple[float, float]]] = {
    desk: (1.1, 0.45),
    sofa: (1.1, 0.5),
    bed: (0.95, 1.05),
    cabinet: (0.8, 0.35),
    shelves: (0.9, 0.25),
    table: (0.8, 0.5),
    potted: (0.3, 0.3),
    lamp: (0.2, 0.2),
    chair: (0.27, 0.27),
    stack: (0.42, 0.3),
}
"""What stands with its back to a wall, and the half sides of the floor that it takes."""
