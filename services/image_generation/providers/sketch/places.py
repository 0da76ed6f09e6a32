"""Where a thing can stand: beside the middle, on dry ground, in deep water, or where the view is best."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.image_generation.providers.sketch.canvas import Sprite
from services.image_generation.providers.sketch.noise import Grid
from services.image_generation.providers.sketch.palette import Colour
from services.image_generation.providers.sketch.reading import Mention
from services.image_generation.providers.sketch.stage import Stage
from services.image_generation.providers.sketch.vocabulary import THING_WORDS

DRY_METRES = 0.35
AFLOAT_METRES = -0.5
SHIFTS = (0.0, -0.1, 0.1, -0.22, 0.22, -0.36, 0.36, -0.5, 0.5)
"""How far aside to look for a better place, as shares of the picture's width."""

MARGIN_SHARE = 0.12
"""What matters stands at least this far from the sides of the picture."""

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
    pool_metres: float = 0.0
    """How far around its foot it lights the ground at night."""


def sharpness(stage: Stage, z: float) -> float:
    """Pixels a metre that a thing needs at its nearest."""
    return max(0.5, min(60.0, stage.camera.scale(z) * 1.1))


def path_x(path: Callable[[Grid], Grid], z: float) -> float:
    """Where a road or river runs at one distance."""
    return float(path(np.full(1, z, np.float32))[0])


def subjects(stage: Stage, thing: str, *, several: int, z: float, spread: float = 0.3) -> Iterator[tuple[float, float]]:
    """Places (x, z) for each of a thing: beside the middle, on the side away from the sun."""
    rng = stage.stream("spots", thing)
    count = stage.scene.mention(thing).number(one=1, several=several)
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


def colour_of(mention: Mention, number: int, plain: Colour) -> Colour:
    """Give the colour that was asked for the n-th of a thing, else its plain one."""
    return mention.colours[number % len(mention.colours)] if mention.colours else plain


def on_dry_ground(stage: Stage, x: float, z: float) -> tuple[float, float]:
    """Find ground near a point that is not under water."""
    factors = (1.0, 0.8, 1.25, 0.65, 1.6, 0.5, 0.38, 2.0, 2.6)
    return _nearest(stage, x, z, factors, lambda ground: ground > DRY_METRES)


def in_deep_water(stage: Stage, x: float, z: float) -> tuple[float, float]:
    """Find water near a point that carries a boat."""
    return _nearest(stage, x, z, (1.0, 1.3, 0.8, 1.7, 2.2, 0.6, 3.0), lambda ground: ground < AFLOAT_METRES)


def _nearest(
    stage: Stage, x: float, z: float, factors: tuple[float, ...], fits: Callable[[Grid], npt.NDArray[np.bool_]]
) -> tuple[float, float]:
    """Look at other distances, and at each from side to side within the picture; stay where nothing fits."""
    camera = stage.camera
    share = camera.project(x, 0, z)[0] / camera.width_px
    places = [
        (camera.x_at(share + shift, far), far)
        for far in (max(camera.near_metres * 1.05, z * factor) for factor in factors)
        for shift in SHIFTS
        if shift == 0 or MARGIN_SHARE < share + shift < 1 - MARGIN_SHARE
    ]
    fitting = np.flatnonzero(fits(_grounds(stage, places)))
    return places[int(fitting[0])] if fitting.size else (x, z)


def best_outlook(stage: Stage, x: float, z: float) -> tuple[float, float]:
    """Find the highest ground around a point: where a castle or a lighthouse would be built."""
    camera = stage.camera
    places = [
        (x + shift * z * 0.7, z * factor) for factor in (0.8, 1.0, 1.2, 1.4) for shift in np.linspace(-0.7, 0.7, 15)
    ]
    shares = np.array([camera.project(place[0], 0, place[1])[0] / camera.width_px for place in places])
    inside = np.abs(shares - 0.5) < 0.5 - MARGIN_SHARE
    return places[int(np.argmax(np.where(inside | ~inside.any(), _grounds(stage, places), -np.inf)))]


def _grounds(stage: Stage, places: list[tuple[float, float]]) -> Grid:
    """Heights of the land at many points at once."""
    x, z = np.asarray(places, np.float32).T
    return np.asarray(stage.land.height(x[None], z[None])[0], np.float32)
