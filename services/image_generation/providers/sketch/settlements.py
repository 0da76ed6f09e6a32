"""Where people have built: houses, villages, castles, cities and bridges on the land."""

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from services.image_generation.providers.sketch import buildings, figures
from services.image_generation.providers.sketch.canvas import Sprite
from services.image_generation.providers.sketch.palette import Colour
from services.image_generation.providers.sketch.places import (
    Placement,
    best_outlook,
    colour_of,
    on_dry_ground,
    path_x,
    sharpness,
    subjects,
)
from services.image_generation.providers.sketch.stage import Stage

LANDMARKS: Mapping[str, float] = {
    "church": 80.0,
    "lighthouse": 92.0,
    "windmill": 62.0,
    "pyramid": 135.0,
    "tent": 22.0,
    "lantern": 17.0,
}
"""Buildings of which each is one sprite, and how far away they stand, in metres."""

ROWS = ((520.0, 0.030, 1.25), (390.0, 0.040, 1.0), (280.0, 0.055, 0.72), (200.0, 0.075, 0.40))
"""The rows of a skyline: distance in metres, share of the width from block to block, and height as a factor."""

BLOCK_WALLS: tuple[Colour, ...] = (
    (0.50, 0.53, 0.60),
    (0.62, 0.58, 0.54),
    (0.40, 0.46, 0.55),
    (0.70, 0.66, 0.60),
    (0.46, 0.42, 0.44),
)


def built(stage: Stage) -> Iterator[Placement]:
    """Place everything that people built on land."""
    scene = stage.scene
    if scene.has("city"):
        yield from _city(stage)
    if scene.has("village"):
        yield from _village(stage)
    if scene.has("house"):
        yield from _houses(stage)
    if scene.has("castle", "tower"):
        yield from _castles(stage, "castle" if scene.has("castle") else "tower")
    for thing, z in LANDMARKS.items():
        if scene.has(thing):
            yield from _landmarks(stage, thing, z)
    if scene.has("bridge"):
        yield _bridge(stage)


def _roof(stage: Stage) -> Colour:
    if stage.season == "winter":
        return (0.90, 0.93, 0.98)
    return buildings.ROOFS[int(stage.stream("roof").integers(len(buildings.ROOFS)))]


def _castles(stage: Stage, thing: str) -> Iterator[Placement]:
    mention = stage.scene.mention(thing)
    wall = colour_of(mention, 0, (0.66, 0.62, 0.58))
    cone = (0.92, 0.94, 1.0) if stage.season == "winter" else (0.42, 0.46, 0.62)
    for number, spot in enumerate(subjects(stage, thing, several=2, z=135)):
        x, z = best_outlook(stage, *spot)
        sprite = buildings.castle(stage.stream("castle", number), wall, cone, sharpness(stage, z))
        size = mention.size * (1.15 if thing == "castle" else 0.7)
        yield Placement(sprite, x, z, min(size, _room_above(stage, x, z) / sprite.height_metres))


def _room_above(stage: Stage, x: float, z: float) -> float:
    """Metres that fit between the ground at a point and the upper edge, less a strip of sky."""
    _, row = stage.camera.project(x, stage.ground_at(x, z), z)
    return 0.92 * row / stage.camera.scale(z)


def _landmarks(stage: Stage, thing: str, z_usual: float) -> Iterator[Placement]:
    mention, sharp = stage.scene.mention(thing), sharpness(stage, z_usual * 0.8)
    makers: Mapping[str, Callable[[], Sprite]] = {
        "church": lambda: buildings.church(colour_of(mention, 0, _roof(stage)), sharp),
        "lighthouse": lambda: buildings.lighthouse(colour_of(mention, 0, (0.74, 0.18, 0.15)), sharp),
        "windmill": lambda: buildings.windmill(float(stage.stream("sails").uniform(0.2, 1.2)), sharp),
        "pyramid": lambda: buildings.pyramid(sharp),
        "tent": lambda: buildings.tent(colour_of(mention, 0, (0.88, 0.50, 0.18)), sharp),
        "lantern": lambda: figures.lantern(sharp),
    }
    sprite = makers[thing]()
    pool_metres = 7.0 if thing == "lantern" else 0.0
    for spot in subjects(stage, thing, several=3, z=z_usual):
        x, z = best_outlook(stage, *spot) if thing == "lighthouse" else on_dry_ground(stage, *spot)
        yield Placement(sprite, x, z, mention.size, pool_metres=pool_metres)


def _houses(stage: Stage) -> Iterator[Placement]:
    mention, roof = stage.scene.mention("house"), _roof(stage)
    for number, spot in enumerate(subjects(stage, "house", several=4, z=46)):
        x, z = on_dry_ground(stage, *spot)
        rng = stage.stream("house", number)
        wall = colour_of(mention, number, buildings.WALLS[int(rng.integers(len(buildings.WALLS)))])
        sprite = buildings.house(rng, wall, roof, sharpness(stage, z), snowy=stage.season == "winter")
        yield Placement(sprite, x, z, mention.size, flip=x > 0)


def _village(stage: Stage) -> Iterator[Placement]:
    rng, roof, sharp = stage.stream("village"), _roof(stage), sharpness(stage, 48)
    snowy = stage.season == "winter"
    kinds = []
    for number, wall in enumerate(buildings.WALLS):
        tiles = roof if number % 2 else buildings.ROOFS[number % len(buildings.ROOFS)]
        kinds.append(buildings.house(stage.stream("village", number), wall, tiles, sharp, snowy=snowy))
    middle = 0.5 + 0.14 * rng.choice([-1, 1])
    for number in range(15):
        far = float(rng.uniform(46, 125))
        x, z = on_dry_ground(stage, stage.camera.x_at(middle + rng.normal(0, 0.17), far), far)
        size, flip = float(rng.uniform(0.85, 1.15)), bool(rng.integers(2))
        yield Placement(kinds[number % len(kinds)], x, z, size, flip)
    if not stage.scene.has("church"):
        x, z = on_dry_ground(stage, stage.camera.x_at(middle, 125), 125)
        yield Placement(buildings.church(roof, sharpness(stage, 110)), x, z)


def _city(stage: Stage) -> Iterator[Placement]:
    """Rows of towers, tallest about one place; before them a street, unless there is water."""
    rng, sharp = stage.stream("city"), sharpness(stage, 190)
    blocks = [
        buildings.skyscraper(stage.stream("block", number), BLOCK_WALLS[number % len(BLOCK_WALLS)], sharp)
        for number in range(10)
    ]
    peak = rng.uniform(0.3, 0.7)
    for z, step, lift in ROWS:
        for share in np.arange(-0.03, 1.05, step):
            place = float(share + rng.uniform(-0.4, 0.4) * step)
            tall = lift * (0.55 + 0.75 * math.exp(-(((place - peak) / 0.22) ** 2))) * rng.uniform(0.8, 1.15)
            block, flip = blocks[int(rng.integers(len(blocks)))], bool(rng.integers(2))
            yield Placement(block, stage.camera.x_at(place, z), z, tall, flip, foot=0.2, shade=False)
    if stage.land.water is None:
        yield from _street(stage, blocks)


def _street(stage: Stage, blocks: list[Sprite]) -> Iterator[Placement]:
    """Both sides of the road, with lamps."""
    rng, lamp = stage.stream("street"), figures.lantern(sharpness(stage, 16))
    for z in np.geomspace(15, 160, 13).tolist():
        middle = path_x(stage.land.road_x, z)
        for side in (-1, 1):
            yield Placement(lamp, middle + side * 4.2, z, 1.15, pool_metres=6.0)
    for z in np.geomspace(44, 170, 9).tolist():
        middle = path_x(stage.land.road_x, z)
        for side in (-1, 1):
            block, size = blocks[int(rng.integers(len(blocks)))], float(rng.uniform(0.26, 0.36))
            yield Placement(block, middle + side * (8 + block.width_metres * size * 0.5), z, size, flip=side < 0)


def _bridge(stage: Stage) -> Placement:
    mention = stage.scene.mention("bridge")
    river = stage.land.water == "river"
    z, span = (62.0, 36.0) if river else (92.0, 90.0)
    x = path_x(stage.land.river_x, z) if river else 0.0
    sprite = buildings.bridge(span, colour_of(mention, 0, buildings.STONE), sharpness(stage, z))
    return Placement(sprite, x, z, mention.size, foot=-0.6, shade=False, afloat=True)
