"""Who and what moves through a scene: people and animals, boats, birds and balloons."""

from collections.abc import Iterator

import numpy as np

from services.image_generation.providers.sketch import figures
from services.image_generation.providers.sketch.animals import ANIMALS, COATS, animal
from services.image_generation.providers.sketch.palette import Colour
from services.image_generation.providers.sketch.places import (
    Placement,
    colour_of,
    in_deep_water,
    on_dry_ground,
    path_x,
    sharpness,
    subjects,
)
from services.image_generation.providers.sketch.stage import Stage
from services.image_generation.providers.sketch.vocabulary import GOWNED, YOUNG

HULLS: tuple[Colour, ...] = ((0.44, 0.25, 0.16), (0.20, 0.30, 0.44), (0.64, 0.16, 0.14))
FLAPS = (-0.4, 0.2, 0.7, 1.0)


def afoot(stage: Stage) -> Iterator[Placement]:
    """Place people and animals on the ground, and the fires they light."""
    if stage.scene.has("person"):
        yield from _people(stage)
    for kind in ANIMALS:
        if stage.scene.has(kind):
            yield from _animals(stage, kind)
    if stage.scene.has("campfire"):
        spot = next(subjects(stage, "campfire", several=1, z=stage.camera.near_metres * 1.5))
        x, z = on_dry_ground(stage, *spot)
        fire = figures.campfire(stage.stream("campfire"), sharpness(stage, z))
        yield Placement(fire, x, z, 1.5, shine=1.0, pool_metres=9.0)


def _people(stage: Stage) -> Iterator[Placement]:
    mention = stage.scene.mention("person")
    child, dress = bool(mention.words & YOUNG), bool(mention.words & GOWNED)
    near = stage.camera.near_metres * 1.25
    spread = min(0.25, 0.025 * mention.number(one=1, several=4))
    for number, spot in enumerate(subjects(stage, "person", several=4, z=near, spread=spread)):
        rng = stage.stream("person", number)
        coat = colour_of(mention, number, figures.COATS[int(rng.integers(len(figures.COATS)))])
        sprite = figures.person(rng, coat, sharpness(stage, near), child=child, dress=dress)
        x, z = on_dry_ground(stage, *_on_road(stage, *spot))
        yield Placement(sprite, x, z, 2.4 if "portrait" in mention.words else 1.5, bool(rng.integers(2)))


def _animals(stage: Stage, kind: str) -> Iterator[Placement]:
    mention = stage.scene.mention(kind)
    near = stage.camera.near_metres * (1.2 if kind in {"cat", "dog"} else 1.7)
    for number, spot in enumerate(subjects(stage, kind, several=5, z=near)):
        rng = stage.stream(kind, number)
        sprite = animal(kind, rng, colour_of(mention, number, COATS[kind]), sharpness(stage, near))
        x, z = on_dry_ground(stage, *spot)
        yield Placement(sprite, x, z, 1.5 * mention.size, bool(rng.integers(2)))


def afloat(stage: Stage) -> Iterator[Placement]:
    """Place boats and ships where the water is deep enough."""
    if stage.land.water is None:
        return
    for thing, z_usual, draw in (("ship", 105.0, figures.galleon), ("boat", 46.0, figures.sailboat)):
        if not stage.scene.has(thing):
            continue
        mention = stage.scene.mention(thing)
        for number, spot in enumerate(subjects(stage, thing, several=3, z=z_usual)):
            rng = stage.stream(thing, number)
            sail = figures.CANVAS_WHITE if rng.uniform() < 0.7 else (0.86, 0.50, 0.32)  # noqa: PLR2004 - most are white
            x, z = in_deep_water(stage, spot[0], spot[1] * (1 + 0.25 * number))
            sprite = draw(colour_of(mention, number, HULLS[number % len(HULLS)]), sail, sharpness(stage, z))
            yield Placement(sprite, x, z, mention.size, bool(rng.integers(2)), -0.12, afloat=True, shade=False)


def airborne(stage: Stage) -> Iterator[Placement]:
    """Place birds and balloons in the sky."""
    if stage.scene.has("balloon"):
        yield from _balloons(stage)
    if stage.scene.has("birds"):
        yield from _flock(stage)


def _balloons(stage: Stage) -> Iterator[Placement]:
    camera, mention, rng = stage.camera, stage.scene.mention("balloon"), stage.stream("balloon")
    for number in range(mention.number(one=1, several=6)):
        z, share, height = float(rng.uniform(95, 260)), rng.uniform(0.06, 0.94), rng.uniform(0.5, 0.9)
        if number == 0:
            z, share, height = 78.0, 0.5 + 0.16 * rng.choice([-1, 1]), 0.80
        coats = figures.COATS
        plain = coats[number % len(coats)], coats[(number + 2) % len(coats)], figures.CANVAS_WHITE
        colours = (*mention.colours, figures.CANVAS_WHITE) if mention.colours else plain
        sprite = figures.balloon(colours, sharpness(stage, z))
        x = camera.x_at(share, z)
        yield Placement(sprite, x, z, mention.size, foot=_altitude(stage, height, z), shade=False, shine=0.6)


def _flock(stage: Stage) -> Iterator[Placement]:
    mention, rng = stage.scene.mention("birds"), stage.stream("birds")
    kinds = [figures.bird(flap, sharpness(stage, 40)) for flap in FLAPS]
    middle, height = rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.6)
    for number in range(mention.number(one=3, several=13)):
        z = float(rng.uniform(26, 60))
        x = stage.camera.x_at(middle + rng.normal(0, 0.12), z)
        foot = _altitude(stage, height + rng.normal(0, 0.13), z)
        yield Placement(kinds[number % len(kinds)], x, z, 1.1 * mention.size, foot=foot, shade=False)


def _altitude(stage: Stage, share: float, z: float) -> float:
    """Height in metres of what is seen at a share of the way from the upper edge down to the horizon."""
    camera = stage.camera
    return camera.eye_metres + camera.horizon_px * (1 - float(np.clip(share, 0, 1))) / camera.scale(z)


def _on_road(stage: Stage, x: float, z: float) -> tuple[float, float]:
    if not stage.scene.has("road"):
        return x, z
    return path_x(stage.land.road_x, z) + 0.12 * x, z
