"""Where things stand: each named thing finds its place on the land, on the water or in the air."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch import buildings, figures
from services.image_generation.providers.sketch.canvas import Sprite
from services.image_generation.providers.sketch.palette import Colour
from services.image_generation.providers.sketch.reading import Mention
from services.image_generation.providers.sketch.stage import Stage
from services.image_generation.providers.sketch.vocabulary import THING_WORDS

DRY_METRES = 0.35
AFLOAT_METRES = -0.5
GROUNDED = frozenset(THING_WORDS) - {
    "moon",
    "sun",
    "stars",
    "milky way",
    "rainbow",
    "aurora",
    "sky",
    "birds",
    "balloon",
}
"""Things that need a place beside each other."""

ANIMALS = ("horse", "cow", "sheep", "deer", "dog", "cat")


@dataclass(frozen=True)
class Placement:
    """One thing at one place; `foot` is the height on which it stands, looked up where it is not given."""

    sprite: Sprite
    x: float
    z: float
    size: float = 1.0
    flip: bool = False
    foot: float | None = None
    afloat: bool = False
    shade: bool = True
    shine: float = 0.0


def sharpness(stage: Stage, z: float) -> float:
    """Pixels a metre that a thing needs at its nearest."""
    return max(0.5, min(60.0, stage.camera.scale(z) * 1.1))


def spots(stage: Stage, thing: str, count: int, z: float, spread: float = 0.3) -> Iterator[tuple[float, float]]:
    """Places (x, z) for the subjects of the picture: beside the middle, on the side away from the sun."""
    rng = stage.stream("spots", thing)
    side = 1.0 if stage.sun_share < 0.5 else -1.0  # noqa: PLR2004 - the middle of the picture
    if _order(stage, thing) % 2:
        side = -side
    middle = 0.5 + side * (0.13 + 0.05 * rng.uniform(-1, 1)) if count == 1 else 0.5 + side * 0.05
    for number in range(count):
        offset = 0.0 if count == 1 else (number / (count - 1) - 0.5) * 2 * spread
        share = middle + offset + rng.uniform(-0.03, 0.03) * (count > 1)
        yield stage.camera.x_at(share, z), z * (1 + rng.uniform(-0.16, 0.3) * (count > 1))


def _order(stage: Stage, thing: str) -> int:
    names = [name for name in stage.scene.things if name in GROUNDED]
    return names.index(thing) if thing in names else 0


def built(stage: Stage) -> Iterator[Placement]:
    """Everything that people built on land."""
    scene, snowy = stage.scene, stage.season == "winter"
    roof = (0.90, 0.93, 0.98) if snowy else buildings.ROOFS[int(stage.stream("roof").integers(4))]
    if scene.has("city"):
        yield from _city(stage)
    if scene.has("village"):
        yield from _village(stage, roof, snowy=snowy)
    if scene.has("house"):
        yield from _houses(stage, roof, snowy=snowy)
    castle = "castle" if scene.has("castle") else "tower"
    if scene.has("castle", "tower"):
        mention = scene.mention(castle)
        wall = mention.colours[0] if mention.colours else (0.66, 0.62, 0.58)
        cone = (0.42, 0.46, 0.62) if not snowy else (0.92, 0.94, 1.0)
        for x, z in spots(stage, castle, mention.number(one=1, several=2), 135):
            x, z = _highest(stage, x, z)
            sprite = buildings.castle(stage.stream("castle", round(x)), wall, cone, sharpness(stage, z))
            yield Placement(sprite, x, z, mention.size * (1.15 if castle == "castle" else 0.7))
    for thing in ("church", "lighthouse", "windmill", "pyramid", "tent", "lantern"):
        if scene.has(thing):
            yield from _lone(stage, thing, roof)
    if scene.has("bridge"):
        yield _bridge(stage)


def _lone(stage: Stage, thing: str, roof: Colour) -> Iterator[Placement]:
    """Towers, mills and the like: one sprite each."""
    mention = stage.scene.mention(thing)
    z = {"church": 80.0, "lighthouse": 92.0, "windmill": 62.0, "pyramid": 135.0, "tent": 22.0, "lantern": 17.0}[thing]
    named = mention.colours[0] if mention.colours else None
    sharp, turn = sharpness(stage, z * 0.8), float(stage.stream(thing).uniform(0.2, 1.2))
    sprite = {
        "church": lambda: buildings.church(named or roof, sharp),
        "lighthouse": lambda: buildings.lighthouse(named or (0.74, 0.18, 0.15), sharp),
        "windmill": lambda: buildings.windmill(turn, sharp),
        "pyramid": lambda: buildings.pyramid(sharp),
        "tent": lambda: buildings.tent(named or (0.88, 0.50, 0.18), sharp),
        "lantern": lambda: figures.lantern(sharp),
    }[thing]()
    for x, z_spot in spots(stage, thing, mention.number(one=1, several=3), z):
        x, z = _footing(stage, x, z_spot) if thing != "lighthouse" else _highest(stage, x, z_spot)
        yield Placement(sprite, x, z, mention.size)


def _houses(stage: Stage, roof: Colour, *, snowy: bool) -> Iterator[Placement]:
    mention = stage.scene.mention("house")
    for number, (x, z) in enumerate(spots(stage, "house", mention.number(one=1, several=4), 46)):
        x, z = _footing(stage, x, z)
        rng = stage.stream("house", number)
        plain = buildings.WALLS[int(rng.integers(len(buildings.WALLS)))]
        wall = mention.colours[number % len(mention.colours)] if mention.colours else plain
        sprite = buildings.house(rng, wall, roof, sharpness(stage, z), snowy=snowy)
        yield Placement(sprite, x, z, mention.size, flip=x > 0)


def _village(stage: Stage, roof: Colour, *, snowy: bool) -> Iterator[Placement]:
    rng = stage.stream("village")
    sharp = sharpness(stage, 62)
    kinds = [
        buildings.house(
            stage.stream("village", n), wall, (roof if n % 2 else buildings.ROOFS[n % 4]), sharp, snowy=snowy
        )
        for n, wall in enumerate(buildings.WALLS)
    ]
    middle = 0.5 + 0.14 * rng.choice([-1, 1])
    for number in range(15):
        z = float(rng.uniform(62, 160))
        x, z = _footing(stage, stage.camera.x_at(middle + rng.normal(0, 0.17), z), z)
        yield Placement(kinds[number % len(kinds)], x, z, float(rng.uniform(0.85, 1.15)), flip=rng.uniform() < 0.5)  # noqa: PLR2004 - half
    if not stage.scene.has("church"):
        x, z = _footing(stage, stage.camera.x_at(middle, 125), 125)
        yield Placement(buildings.church(roof, sharpness(stage, 110)), x, z)


def _city(stage: Stage) -> Iterator[Placement]:
    rng = stage.stream("city")
    walls = ((0.50, 0.53, 0.60), (0.62, 0.58, 0.54), (0.40, 0.46, 0.55), (0.70, 0.66, 0.60), (0.46, 0.42, 0.44))
    blocks = [buildings.skyscraper(stage.stream("block", n), walls[n % 5], sharpness(stage, 190)) for n in range(10)]
    waterside = stage.land.water is not None
    peak = rng.uniform(0.3, 0.7)
    for z, step, lift in ((520.0, 0.030, 1.25), (390.0, 0.040, 1.0), (280.0, 0.055, 0.72), (200.0, 0.075, 0.40)):
        for share in np.arange(-0.03, 1.05, step):
            place = float(share + rng.uniform(-0.4, 0.4) * step)
            tall = lift * (0.55 + 0.75 * math.exp(-(((place - peak) / 0.22) ** 2))) * rng.uniform(0.8, 1.15)
            block = blocks[int(rng.integers(len(blocks)))]
            yield Placement(
                block, stage.camera.x_at(place, z), z, tall, foot=0.2, shade=False, flip=bool(rng.integers(2))
            )
    if not waterside:
        yield from _street(stage, blocks)


def _street(stage: Stage, blocks: list[Sprite]) -> Iterator[Placement]:
    """Both sides of the road, with lamps."""
    rng, lamp = stage.stream("street"), figures.lantern(sharpness(stage, 16))
    for z in np.geomspace(15, 160, 13):
        middle = float(stage.land.road_x(np.float32(z)))  # type: ignore[arg-type]
        for side in (-1, 1):
            yield Placement(lamp, middle + side * 4.2, float(z), 1.15)
    for z in np.geomspace(44, 170, 9):
        middle = float(stage.land.road_x(np.float32(z)))  # type: ignore[arg-type]
        for side in (-1, 1):
            block = blocks[int(rng.integers(len(blocks)))]
            size = float(rng.uniform(0.26, 0.36))
            yield Placement(block, middle + side * (8 + block.width_metres * size * 0.5), float(z), size, flip=side < 0)


def _bridge(stage: Stage) -> Placement:
    mention = stage.scene.mention("bridge")
    colour = mention.colours[0] if mention.colours else buildings.STONE
    z = 62.0 if stage.land.water == "river" else 92.0
    x, span = 0.0, 90.0
    if stage.land.water == "river":
        x, span = float(stage.land.river_x(np.float32(z))), 36.0  # type: ignore[arg-type]
    sprite = buildings.bridge(span, colour, sharpness(stage, z))
    return Placement(sprite, x, z, mention.size, foot=-0.6, shade=False, afloat=True)


def alive(stage: Stage) -> Iterator[Placement]:
    """People and animals on the ground, and the fires they light."""
    scene = stage.scene
    if scene.has("person"):
        mention = scene.mention("person")
        near = stage.camera.near_metres * 1.25
        for number, (x, z) in enumerate(spots(stage, "person", min(mention.number(one=1, several=4), 14), near, 0.2)):
            rng = stage.stream("person", number)
            coat = (
                mention.colours[number % len(mention.colours)]
                if mention.colours
                else figures.COATS[int(rng.integers(6))]
            )
            sprite = figures.person(rng, coat, sharpness(stage, z), child=mention.size < 0.8)  # noqa: PLR2004 - a small person
            x, z = _footing(stage, *_on_road(stage, x, z))
            yield Placement(sprite, x, z, 1.5, flip=bool(rng.integers(2)))
    for animal in ANIMALS:
        if scene.has(animal):
            mention = scene.mention(animal)
            near = stage.camera.near_metres * (1.2 if animal in {"cat", "dog"} else 1.7)
            count = mention.number(one=1, several=5)
            for number, (x, z) in enumerate(spots(stage, animal, count, near)):
                rng = stage.stream(animal, number)
                coat = mention.colours[number % len(mention.colours)] if mention.colours else None
                sprite = figures.four_legged(animal, rng, coat, sharpness(stage, z))
                x, z = _footing(stage, x, z)
                yield Placement(sprite, x, z, 1.4 * mention.size, flip=bool(rng.integers(2)))
    if scene.has("campfire"):
        x, z = next(spots(stage, "campfire", 1, stage.camera.near_metres * 1.5))
        x, z = _footing(stage, x, z)
        yield Placement(figures.campfire(stage.stream("campfire"), sharpness(stage, z)), x, z, 1.5, shine=1.0)


def afloat(stage: Stage) -> Iterator[Placement]:
    """Boats and ships, where the water is deep enough."""
    if stage.land.water is None:
        return
    for thing, z_near in (("ship", 105.0), ("boat", 46.0)):
        if not stage.scene.has(thing):
            continue
        mention = stage.scene.mention(thing)
        for number, (x, z) in enumerate(spots(stage, thing, mention.number(one=1, several=3), z_near)):
            rng = stage.stream(thing, number)
            hull = (
                mention.colours[number % len(mention.colours)]
                if mention.colours
                else ((0.44, 0.25, 0.16), (0.20, 0.30, 0.44), (0.64, 0.16, 0.14))[number % 3]
            )
            sail = figures.CANVAS_WHITE if rng.uniform() < 0.7 else (0.86, 0.50, 0.32)  # noqa: PLR2004 - most sails are white
            draw = figures.sailboat if thing == "boat" else figures.galleon
            x, z = _deep(stage, x, z)
            yield Placement(
                draw(hull, sail, sharpness(stage, z)),
                x,
                z,
                mention.size,
                bool(rng.integers(2)),
                -0.12,
                afloat=True,
                shade=False,
            )


def airborne(stage: Stage) -> Iterator[Placement]:
    """Birds and balloons."""
    camera = stage.camera
    if stage.scene.has("balloon"):
        mention, rng = stage.scene.mention("balloon"), stage.stream("balloon")
        count = mention.number(one=1, several=6)
        for number in range(count):
            z = 78.0 if number == 0 else float(rng.uniform(95, 260))
            share = 0.5 + 0.16 * rng.choice([-1, 1]) if number == 0 else rng.uniform(0.06, 0.94)
            row = camera.horizon_px * (0.80 if number == 0 else rng.uniform(0.35, 0.88))
            foot = camera.eye_metres + (camera.horizon_px - row) / camera.scale(z)
            plain = figures.COATS[number % 6], figures.COATS[(number + 2) % 6], figures.CANVAS_WHITE
            colours = (*mention.colours, figures.CANVAS_WHITE) if mention.colours else plain
            yield Placement(
                figures.balloon(colours, sharpness(stage, z)),
                camera.x_at(share, z),
                z,
                mention.size,
                foot=foot,
                shade=False,
                shine=0.6,
            )
    if stage.scene.has("birds"):
        yield from _flock(stage)


def _flock(stage: Stage) -> Iterator[Placement]:
    camera, mention, rng = stage.camera, stage.scene.mention("birds"), stage.stream("birds")
    colour_free = [figures.bird(float(flap), sharpness(stage, 40)) for flap in (-0.4, 0.2, 0.7, 1.0)]
    middle, up = rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.6)
    for number in range(mention.count or (13 if mention.plural else 3)):
        z = float(rng.uniform(26, 60))
        share = middle + rng.normal(0, 0.12)
        row = camera.horizon_px * (up + rng.normal(0, 0.13))
        foot = camera.eye_metres + (camera.horizon_px - row) / camera.scale(z)
        yield Placement(colour_free[number % 4], camera.x_at(share, z), z, 1.1 * mention.size, foot=foot, shade=False)


def _on_road(stage: Stage, x: float, z: float) -> tuple[float, float]:
    if stage.scene.has("road"):
        return float(stage.land.road_x(np.float32(z))) + 0.12 * (x - stage.camera.x_at(0.5, z)), z  # type: ignore[arg-type]
    return x, z


def _footing(stage: Stage, x: float, z: float) -> tuple[float, float]:
    """Find dry ground near a point: nearer first, then to the sides."""
    return _nearest(stage, x, z, (1.0, 0.8, 1.25, 0.65, 1.6, 0.5, 0.38, 2.0, 2.6), lambda ground: ground > DRY_METRES)


def _deep(stage: Stage, x: float, z: float) -> tuple[float, float]:
    """Find water near a point that carries a boat."""
    return _nearest(stage, x, z, (1.0, 1.3, 0.8, 1.7, 2.2, 0.6, 3.0), lambda ground: ground < AFLOAT_METRES)


def _nearest(
    stage: Stage, x: float, z: float, factors: tuple[float, ...], fits: Callable[[float], bool]
) -> tuple[float, float]:
    """Look at other distances, and at each from side to side within the picture; stay where nothing fits."""
    camera = stage.camera
    share = camera.project(x, 0, z)[0] / camera.width_px
    for factor in factors:
        far = max(camera.near_metres * 1.05, z * factor)
        for shift in (0.0, -0.1, 0.1, -0.22, 0.22, -0.36, 0.36, -0.5, 0.5):
            place = camera.x_at(share + shift, far), far
            if (shift == 0 or 0.12 < share + shift < 0.88) and fits(stage.ground_at(*place)):  # noqa: PLR2004 - well inside the picture
                return place
    return x, z


def _highest(stage: Stage, x: float, z: float) -> tuple[float, float]:
    """Find the best outlook around a point: where a castle or a lighthouse would be built."""
    places = [(x + dx * z * 0.7, z * factor) for factor in (0.8, 1.0, 1.2, 1.4) for dx in np.linspace(-0.7, 0.7, 15)]
    inside = [
        place
        for place in places
        if abs(stage.camera.project(place[0], 0, place[1])[0] / stage.camera.width_px - 0.5) < 0.38
    ]  # noqa: E501, PLR2004 - well inside the picture
    return max(inside or places, key=lambda place: stage.ground_at(*place))


def number_of(mention: Mention) -> int:
    """How many trees or the like a mention stands for."""
    return mention.number(one=1, several=6)
