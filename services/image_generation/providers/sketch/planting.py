"""Where things grow: woods, framing trees, palms, flowers and grass."""

from collections.abc import Callable, Iterator

import numpy as np

from services.image_generation.providers.sketch import plants
from services.image_generation.providers.sketch.canvas import Sprite
from services.image_generation.providers.sketch.composition import skin_of
from services.image_generation.providers.sketch.ground import cover_colours
from services.image_generation.providers.sketch.palette import mix, times
from services.image_generation.providers.sketch.scenery import DRY_METRES, Placement, number_of, sharpness, spots
from services.image_generation.providers.sketch.stage import Stage

TREE_LINE_METRES = 34.0


def growing(stage: Stage) -> Iterator[Placement]:
    """Everything that grows, and the stones between."""
    scene = stage.scene
    yield from _woods(stage)
    for thing in ("tree", "pine", "palm", "cactus", "rock"):
        if scene.has(thing):
            yield from _named(stage, thing)
    if scene.has("beach", "island") and not scene.has("palm", "pine") and stage.season != "winter":
        yield from _palms(stage)
    if scene.has("desert"):
        yield from _scatter(
            stage, "stones", 14, 14, 90, [plants.boulder(stage.stream("stone", n), 20) for n in range(3)], 0.7
        )
    yield from _undergrowth(stage)


def _trees(stage: Stage, kind: str, nearest_metres: float, variants: int = 5) -> list[Sprite]:
    """Several trees of a kind: `pine`, `tree` (bare in winter) or `mixed`."""
    sharp = min(26.0, sharpness(stage, nearest_metres))
    winter = stage.season == "winter"
    named = stage.scene.mention("pine" if kind == "pine" else "tree").colours or stage.scene.mention("forest").colours
    grown: list[Sprite] = []
    for number in range(variants):
        rng = stage.stream("tree", kind, number)
        if kind == "pine" or (kind == "mixed" and number % 2):
            greens = ((0.05, 0.14, 0.10), (0.11, 0.25, 0.16), (0.30, 0.44, 0.24))
            colours = plants.greens_of(named[0]) if named and kind == "pine" else greens
            grown.append(plants.conifer(rng, colours, sharp, snowy=winter))
        elif winter and not named:
            grown.append(plants.bare_tree(rng, sharp, snowy=True))
        else:
            palette = plants.FOLIAGE[stage.season]
            grown.append(
                plants.broadleaf(rng, plants.greens_of(named[0]) if named else palette[number % len(palette)], sharp)
            )
    return grown


def _woods(stage: Stage) -> Iterator[Placement]:
    scene = stage.scene
    cold = scene.has("mountains") or stage.season == "winter" or scene.has("pine")
    kind = "pine" if cold else "mixed"
    if scene.has("forest"):
        trees = _trees(stage, "pine" if scene.has("pine") or (cold and not scene.has("tree")) else "mixed", 22)
        yield from _scatter(stage, "forest", 270, 24, 420, trees, 1.15, clearing=True)
        yield from _frame(stage, trees, 4)
    elif scene.has("sea", "beach", "desert", "volcano"):
        return
    elif scene.has("city"):
        yield from _scatter(stage, "park", 16, 60, 180, _trees(stage, "tree", 60, 3), 0.8, clearing=True)
    else:
        trees = _trees(stage, kind if scene.has("lake", "river", "mountains", "village", "hills") else "tree", 50)
        count = {"mountains": 130, "lake": 90, "river": 90, "village": 80}
        many = next((count[place] for place in count if scene.has(place)), 46)
        yield from _clumps(stage, many, 70, 420, trees)
        if stage.stream("frame").uniform() < 0.5 and not scene.has("tree"):  # noqa: PLR2004 - half of them are framed
            yield from _frame(stage, trees[:2], 1)


def _frame(stage: Stage, trees: list[Sprite], count: int) -> Iterator[Placement]:
    """Big trees at the sides, through which the picture is seen."""
    rng = stage.stream("frame trees")
    for number in range(count):
        left = (number % 2 == 0) == (stage.sun_share > 0.5)  # noqa: PLR2004 - the middle of the picture
        share = rng.uniform(-0.02, 0.10) if left else rng.uniform(0.90, 1.02)
        z = float(rng.uniform(17, 25))
        x = stage.camera.x_at(float(share), z)
        if stage.ground_at(x, z) > DRY_METRES:
            yield Placement(trees[number % len(trees)], x, z, 1.1, flip=bool(rng.integers(2)))


def _named(stage: Stage, thing: str) -> Iterator[Placement]:
    mention = stage.scene.mention(thing)
    near = {"tree": 27.0, "pine": 32.0, "palm": 24.0, "cactus": 17.0, "rock": 15.0}[thing]
    count = min(number_of(mention), 20)
    sharp = sharpness(stage, near)
    makers: dict[str, Callable[[int], Sprite]] = {
        "palm": lambda n: plants.palm(stage.stream("palm", n), sharp),
        "cactus": lambda n: plants.cactus(stage.stream("cactus", n), sharp),
        "rock": lambda n: plants.boulder(stage.stream("rock", n), sharp),
    }
    kinds = (
        [makers[thing](n) for n in range(min(count, 4))]
        if thing in makers
        else _trees(stage, thing, near, min(count, 5))
    )
    for number, (x, z) in enumerate(spots(stage, thing, count, near, 0.42)):
        z = z * (1 + 0.5 * (number % 3)) if count > 2 else z  # noqa: PLR2004 - a group spreads in depth
        if stage.ground_at(x, z) > DRY_METRES:
            yield Placement(kinds[number % len(kinds)], x, z, mention.size, flip=bool(number % 2))


def _palms(stage: Stage) -> Iterator[Placement]:
    rng = stage.stream("palms")
    kinds = [plants.palm(stage.stream("palms", n), min(40.0, sharpness(stage, 20))) for n in range(4)]
    for island in stage.land.islands:
        for number in range(9):
            x = island[0] + rng.normal(0, island[2] * 0.42)
            z = island[1] + rng.normal(0, island[2] * 0.3)
            if stage.ground_at(float(x), float(z)) > 1.2:  # noqa: PLR2004 - above the sand
                yield Placement(
                    kinds[number % 4], float(x), float(z), float(rng.uniform(0.9, 1.25)), flip=bool(number % 2)
                )
    if stage.scene.has("beach"):
        side = 1.0 if stage.land.lean > 0 else -1.0
        for number in range(4):
            z = float(rng.uniform(18, 34))
            x = stage.camera.x_at(0.5 + side * rng.uniform(0.26, 0.5), z)
            if stage.ground_at(x, z) > DRY_METRES:
                yield Placement(kinds[number], x, z, float(rng.uniform(0.9, 1.15)), flip=side > 0)


def _scatter(
    stage: Stage, name: str, count: int, near: float, far: float, kinds: list[Sprite], size: float, *, clearing: bool = False
) -> Iterator[Placement]:  # fmt: skip
    """Spread things over dry land, evenly as seen from the camera; a clearing leaves the middle open."""
    rng = stage.stream("scatter", name)
    distances = np.exp(rng.uniform(np.log(near), np.log(far), count)).astype(np.float32)
    shares = rng.uniform(-0.06, 1.06, count)
    xs = ((shares - 0.5) * stage.camera.width_px * distances / stage.camera.focal_px).astype(np.float32)
    heights = stage.land.height(xs[None, :], distances[None, :])[0]
    open_by = np.abs(xs - stage.land.road_x(distances)) if clearing else np.full(count, 1e3)
    for number in range(count):
        off_track = open_by[number] > 4 + 0.07 * distances[number]
        if off_track and DRY_METRES < heights[number] < TREE_LINE_METRES:
            vary = float(rng.uniform(0.72, 1.2)) * size
            yield Placement(
                kinds[number % len(kinds)],
                float(xs[number]),
                float(distances[number]),
                vary,
                flip=bool(number % 2),
                foot=float(heights[number]),
            )


def _clumps(stage: Stage, count: int, near: float, far: float, kinds: list[Sprite]) -> Iterator[Placement]:
    """Spread trees in groups, as hedges and copses stand in open land."""
    wanted = _scatter(stage, "clumps", count * 3, near, far, kinds, 1.0, clearing=True)
    for tree in wanted:
        dense = stage.land.soft[int(tree.z * 0.8) & 511, int(tree.x * 1.2) & 511]
        if dense > 0.35:  # noqa: PLR2004 - about a third of the land is wooded
            yield tree


def _undergrowth(stage: Stage) -> Iterator[Placement]:
    """Grass and flowers before the viewer's feet."""
    scene = stage.scene
    if scene.has("sea", "desert", "city", "volcano") or stage.season == "winter":
        return
    if scene.has("beach") and not scene.has("flowers"):
        return
    mention = scene.mention("flowers")
    blooms = mention.colours or plants.PETALS
    flowering = scene.has("flowers") or stage.season == "spring" or scene.has("meadow")
    greens = _grass_greens(stage)
    sharp = min(50.0, sharpness(stage, 13))
    rng = stage.stream("tufts")
    one_kind = (
        [blooms[int(rng.integers(len(blooms)))]]
        if not mention.colours and scene.has("flowers") and rng.uniform() < 0.5
        else blooms
    )  # noqa: E501, PLR2004 - half of the meadows have one flower
    grass = [plants.tuft(stage.stream("tuft", n), greens, sharp) for n in range(4)]
    flowers = [plants.tuft(stage.stream("bloom", n), greens, sharp, tuple(one_kind)) for n in range(5)]
    near = stage.camera.near_metres
    yield from _scatter(stage, "grass", 380, near * 0.82, near * 3, grass, 0.6, clearing=scene.has("road", "forest"))
    if flowering:
        many = 520 if scene.has("flowers") else 90
        yield from _scatter(stage, "flowers", many, near * 0.82, near * 5, flowers, 0.85, clearing=scene.has("road"))


def _grass_greens(stage: Stage) -> plants.Greens:
    """Blades in the colours of the ground on which they stand."""
    skin = skin_of(stage)
    low, high = cover_colours(skin)
    return times(low, 0.62), mix(low, high, 0.5), mix(high, (1.0, 1.0, 0.8), 0.22)
