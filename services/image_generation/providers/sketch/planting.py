"""Where things grow: woods, framing trees, palms, flowers and grass."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from services.image_generation.providers.sketch import plants
from services.image_generation.providers.sketch.canvas import Sprite
from services.image_generation.providers.sketch.composition import skin_of
from services.image_generation.providers.sketch.ground import cover_colours
from services.image_generation.providers.sketch.palette import Colour, mix, times
from services.image_generation.providers.sketch.places import (
    DRY_METRES,
    Placement,
    on_dry_ground,
    sharpness,
    subjects,
)
from services.image_generation.providers.sketch.stage import Stage
from services.image_generation.providers.sketch.vocabulary import FLOWERS

TREE_LINE_METRES = 34.0
ABOVE_SAND_METRES = 1.2
WOODED = 0.35
"""Where the noise of the land is above this, trees stand together: about a third of the land."""

TREES_BY_PLACE: Mapping[str, int] = {"mountains": 130, "lake": 90, "river": 90, "village": 80}
TREES_ELSEWHERE = 46
NAMED_METRES: Mapping[str, float] = {"tree": 27.0, "pine": 32.0, "palm": 24.0, "cactus": 17.0, "rock": 15.0}
"""How far away the plants stand that a description names."""


@dataclass(frozen=True)
class _Sowing:
    """How many of what to spread, between which distances; a clearing leaves the middle open."""

    name: str
    count: int
    near: float
    far: float
    kinds: list[Sprite]
    size: float = 1.0
    clearing: bool = False


def growing(stage: Stage) -> Iterator[Placement]:
    """Place everything that grows, and the stones between."""
    scene = stage.scene
    yield from _woods(stage)
    for thing in NAMED_METRES:
        if scene.has(thing):
            yield from _named(stage, thing)
    if scene.has("beach", "island") and not scene.has("palm", "pine") and stage.season != "winter":
        yield from _island_palms(stage)
        if scene.has("beach"):
            yield from _beach_palms(stage)
    if scene.has("desert"):
        stones = [plants.boulder(stage.stream("stone", number), 20) for number in range(3)]
        yield from _sown(stage, _Sowing("stones", 14, 14, 90, stones, 0.7))
    yield from _undergrowth(stage)


def _trees(stage: Stage, kind: str, nearest_metres: float, variants: int = 5) -> list[Sprite]:
    """Several trees of a kind: `pine`, `tree` (bare in winter) or `mixed`."""
    sharp = min(26.0, sharpness(stage, nearest_metres))
    grow = {"pine": (_conifer,), "tree": (_broadleaf,), "mixed": (_broadleaf, _conifer)}[kind]
    return [grow[number % len(grow)](stage, number, sharp) for number in range(variants)]


def _conifer(stage: Stage, number: int, sharp: float) -> Sprite:
    named = stage.scene.mention("pine").colours
    greens = plants.greens_of(named[0]) if named else plants.NEEDLES
    return plants.conifer(stage.stream("conifer", number), greens, sharp, snowy=stage.season == "winter")


def _broadleaf(stage: Stage, number: int, sharp: float) -> Sprite:
    named = stage.scene.mention("tree").colours or stage.scene.mention("forest").colours
    rng = stage.stream("broadleaf", number)
    if stage.season == "winter" and not named:
        return plants.bare_tree(rng, sharp, snowy=True)
    palette = plants.FOLIAGE[stage.season]
    greens = plants.greens_of(named[0]) if named else palette[(number + 1) % len(palette)]
    return plants.broadleaf(rng, greens, sharp)


def _woods(stage: Stage) -> Iterator[Placement]:
    scene = stage.scene
    cold = scene.has("mountains", "pine") or stage.season == "winter"
    if scene.has("forest"):
        trees = _trees(stage, "pine" if cold and not scene.has("tree") else "mixed", 22)
        yield from _sown(stage, _Sowing("forest", 270, 24, 420, trees, 1.15, clearing=True))
        yield from _framing(stage, trees, 4)
    elif scene.has("city") and not scene.has("sea", "beach"):
        trees = _trees(stage, "tree", 60, 3)
        yield from _sown(stage, _Sowing("park", 16, 60, 180, trees, 0.8, clearing=True))
    elif not scene.has("sea", "beach", "desert", "volcano"):
        mixed = scene.has("lake", "river", "village", "hills")
        trees = _trees(stage, "pine" if cold else "mixed" if mixed else "tree", 50)
        count = next((TREES_BY_PLACE[place] for place in TREES_BY_PLACE if scene.has(place)), TREES_ELSEWHERE)
        yield from _clumps(stage, _Sowing("clumps", count * 3, 70, 420, trees, clearing=True))
        if stage.stream("frame").integers(2) and not scene.has("tree"):
            yield from _framing(stage, trees[:2], 1)


def _framing(stage: Stage, trees: list[Sprite], count: int) -> Iterator[Placement]:
    """Big trees at the sides, through which the picture is seen."""
    rng = stage.stream("frame trees")
    for number in range(count):
        left = (number % 2 == 0) == (stage.sun_share > 0.5)  # noqa: PLR2004 - the middle of the picture
        share = rng.uniform(-0.02, 0.10) if left else rng.uniform(0.90, 1.02)
        z = float(rng.uniform(17, 25))
        x = stage.camera.x_at(float(share), z)
        if stage.ground_at(x, z) > DRY_METRES:
            yield Placement(trees[number % len(trees)], x, z, 1.1, bool(rng.integers(2)))


def _named(stage: Stage, thing: str) -> Iterator[Placement]:
    mention, near = stage.scene.mention(thing), NAMED_METRES[thing]
    spots = list(subjects(stage, thing, several=6, z=near, spread=0.42))
    sharp, variants = sharpness(stage, near), min(len(spots), 5)
    makers: Mapping[str, Callable[[int], Sprite]] = {
        "tree": lambda number: _broadleaf(stage, number, min(26.0, sharp)),
        "pine": lambda number: _conifer(stage, number, min(26.0, sharp)),
        "palm": lambda number: plants.palm(stage.stream("palm", number), sharp),
        "cactus": lambda number: plants.cactus(stage.stream("cactus", number), sharp),
        "rock": lambda number: plants.boulder(stage.stream("rock", number), sharp),
    }
    kinds = [makers[thing](number) for number in range(variants)]
    for number, (x_wish, z_wish) in enumerate(spots):
        back = 1 + 0.5 * (number % 3) if len(spots) > 2 else 1.0  # noqa: PLR2004 - a group spreads in depth
        x, z = on_dry_ground(stage, x_wish, z_wish * back)
        yield Placement(kinds[number % variants], x, z, mention.size, bool(number % 2))


def _palm_kinds(stage: Stage) -> list[Sprite]:
    return [plants.palm(stage.stream("palms", number), min(40.0, sharpness(stage, 20))) for number in range(4)]


def _island_palms(stage: Stage) -> Iterator[Placement]:
    rng, kinds = stage.stream("island palms"), _palm_kinds(stage)
    for at_x, at_z, radius, _ in stage.land.islands:
        for number in range(9):
            x = float(at_x + rng.normal(0, radius * 0.42))
            z = float(at_z + rng.normal(0, radius * 0.3))
            if stage.ground_at(x, z) > ABOVE_SAND_METRES:
                yield Placement(kinds[number % 4], x, z, float(rng.uniform(0.9, 1.25)), bool(number % 2))


def _beach_palms(stage: Stage) -> Iterator[Placement]:
    rng, side = stage.stream("beach palms"), 1.0 if stage.land.lean > 0 else -1.0
    for kind in _palm_kinds(stage):
        z = float(rng.uniform(18, 34))
        x = stage.camera.x_at(0.5 + side * rng.uniform(0.26, 0.5), z)
        if stage.ground_at(x, z) > DRY_METRES:
            yield Placement(kind, x, z, float(rng.uniform(0.9, 1.15)), side > 0)


def _sown(stage: Stage, sowing: _Sowing) -> Iterator[Placement]:
    """Spread things over dry land below the tree line, evenly as seen from the camera."""
    rng = stage.stream("sowing", sowing.name)
    z = np.exp(rng.uniform(np.log(sowing.near), np.log(sowing.far), sowing.count)).astype(np.float32)
    x = (rng.uniform(-0.56, 0.56, sowing.count) * stage.camera.width_px * z / stage.camera.focal_px).astype(np.float32)
    ground = stage.land.height(x[None, :], z[None, :])[0]
    sizes = rng.uniform(0.72, 1.2, sowing.count) * sowing.size
    kept = (ground > DRY_METRES) & (ground < TREE_LINE_METRES)
    if sowing.clearing:
        kept &= np.abs(x - stage.land.road_x(z)) > 4 + 0.07 * z
    for number in np.flatnonzero(kept).tolist():
        kind = sowing.kinds[number % len(sowing.kinds)]
        at = float(x[number]), float(z[number])
        yield Placement(kind, *at, float(sizes[number]), bool(number % 2), foot=float(ground[number]))


def _clumps(stage: Stage, sowing: _Sowing) -> Iterator[Placement]:
    """Spread trees in groups, as hedges and copses stand in open land."""
    soft = stage.land.soft
    for tree in _sown(stage, sowing):
        if soft[int(tree.z * 0.8) % len(soft), int(tree.x * 1.2) % len(soft)] > WOODED:
            yield tree


def _undergrowth(stage: Stage) -> Iterator[Placement]:
    """Grass and flowers before the viewer's feet."""
    scene = stage.scene
    barren = scene.has("sea", "desert", "city", "volcano") or (scene.has("beach") and not scene.has("flowers"))
    if barren or stage.season == "winter":
        return
    greens, near = _grass_greens(stage), stage.camera.near_metres
    sharp = min(50.0, sharpness(stage, 13))
    grass = [plants.tuft(stage.stream("tuft", number), greens, sharp) for number in range(4)]
    path = scene.has("road", "forest")
    yield from _sown(stage, _Sowing("grass", 380, near * 0.82, near * 3, grass, 0.6, clearing=path))
    if scene.has("flowers", "meadow") or stage.season == "spring":
        petals = _petals(stage)
        blooms = [plants.tuft(stage.stream("bloom", number), greens, sharp, petals) for number in range(5)]
        many = 520 if scene.has("flowers") else 90
        yield from _sown(
            stage, _Sowing("flowers", many, near * 0.82, near * 5, blooms, 0.85, clearing=scene.has("road"))
        )


def _petals(stage: Stage) -> tuple[Colour, ...]:
    """Colours of the flowers: as asked for, as their kind has them, or mixed."""
    mention = stage.scene.mention("flowers")
    kinds = tuple(colour for word in sorted(mention.words) for colour in FLOWERS.get(word, ()))
    return mention.colours or kinds or plants.PETALS


def _grass_greens(stage: Stage) -> plants.Greens:
    """Blades in the colours of the ground on which they stand."""
    low, high = cover_colours(skin_of(stage))
    return times(low, 0.62), mix(low, high, 0.5), mix(high, (1.0, 1.0, 0.8), 0.22)
