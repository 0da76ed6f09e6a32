"""Things that stand upright before what is behind them, as far away as the floor is where they touch it.

They are laid into pictures of drawn scenes, each point shown only where nothing is nearer. Drawn rooms have walls where
something is tall, and the far end in the middle; photographs have wardrobes, posts, doors, people and animals there.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.training.before import Floats, Pixels, rounded, surface_of
from services.depth_map.training.textures import Random

_BOXES: Final = 0.65
_BODIES: Final = 0.85
"""Of all things so many are boxes; from there to here bodies; the rest are posts."""

_TRIES: Final = 6
_FINE: Final = 4
_HORIZON: Final = 0.42
_AS_NEAR: Final = 1.03
"""What is nearer than the thing by more than this hides it."""

_STANDS_OUT: Final = 0.88
"""Most inverse depth, against its own, of half of what it hides."""


def stood_before(random: Random, picture: Pixels, inverse: Floats, surface: Pixels) -> tuple[Pixels, Floats]:
    """Stand one to three things into a picture (height x width x 3) with its inverse depth of the same size.

    `surface`: another picture of the same size, of which parts are what the things look like. Where nothing can stand
    both come back as they were.
    """
    shown, near = picture.astype(np.float32), inverse.copy()
    for _ in range(int(random.choice(3, p=(0.55, 0.3, 0.15))) + 1):
        for _ in range(_TRIES):
            if (thing := _thing(random, near)) is not None:
                cover, itself = thing
                lit = surface_of(random, surface) * _shaded(random, cover, itself)[..., None]
                shown += cover[..., None] * (lit - shown)
                near = np.asarray(np.where(cover > 0.5, itself, near), np.float32)
                break
    return np.clip(shown, 0, 255).astype(np.uint8), near


def _thing(random: Random, inverse: Floats) -> tuple[Floats, Floats] | None:
    """Give where a thing is seen, 0 to 1, and its inverse depth there; nothing where it would not stand out."""
    height, width = inverse.shape
    foot, x = float(random.uniform(0.5, 1.12)) * height, float(random.uniform(0.02, 0.98)) * width
    kind = random.random()
    slim, wide = (0.02, 0.12) if kind > _BODIES else (0.05, 0.28)
    half = float(np.exp(random.uniform(np.log(slim), np.log(wide)))) * width
    tall = float(random.uniform(0.25, 1.35)) * height
    left, right = int(np.clip(x - half, 0, width - 1)), int(np.clip(x + half, 1, width))
    row = int(min(foot, height - 1))
    floor = float(np.median(inverse[max(row - 1, 0) : row + 2, left : max(right, left + 1)]))
    beyond = max(foot / height - _HORIZON, 0.05) / max(row / height - _HORIZON, 0.05)
    itself = np.full(inverse.shape, max(floor, 0.02) * beyond, np.float32)
    mask = np.zeros((height * _FINE, width * _FINE), np.uint8)
    if kind < _BOXES:
        itself = _box(random, mask, itself, (x, half, foot, tall))
    elif kind < _BODIES:
        _body(random, mask, (x, half, foot, tall))
    else:
        _post(random, mask, (x, half, foot, tall))
    itself = np.asarray(itself * (1 + np.linspace(-1, 1, height)[:, None] * random.normal(0, 0.03)), np.float32)
    cover = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)
    cover = np.asarray(cover * (inverse < itself * _AS_NEAR), np.float32)
    seen = cover > 0.5
    if not 0.01 < float(seen.mean()) < 0.6 or np.median(inverse[seen] / itself[seen]) > _STANDS_OUT:
        return None
    return cover, itself


Placed = tuple[float, float, float, float]
"""Middle across, half of the width, row of the foot and height, in pixels."""


def _box(random: Random, mask: Pixels, itself: Floats, placed: Placed) -> Floats:
    """A box, of which one side may be seen beside the front, going away from it."""
    x, half, foot, tall = placed
    front = float(random.uniform(0.5, 1.0)) if random.random() < 0.6 else 1.0
    left_first = random.random() < 0.5
    edge = x - half + 2 * half * (front if left_first else 1 - front)
    farther = float(random.uniform(0.6, 0.95)) if front < 1 else 1.0
    horizon = _HORIZON * itself.shape[0]
    rise_foot, rise_top = (foot - horizon) * (1 - farther), (foot - tall - horizon) * (1 - farther)
    flat = (x - half, edge) if left_first else (edge, x + half)
    _filled(mask, [(flat[0], foot - tall), (flat[1], foot - tall), (flat[1], foot), (flat[0], foot)])
    if front == 1:
        return itself
    end = x + half if left_first else x - half
    _filled(mask, [(edge, foot - tall), (end, foot - tall - rise_top), (end, foot - rise_foot), (edge, foot)])
    across = np.clip((np.arange(itself.shape[1]) + 0.5 - edge) / (end - edge), 0, 1)
    return np.asarray(itself * (1 - (1 - farther) * across), np.float32)


def _body(random: Random, mask: Pixels, placed: Placed) -> None:
    """Somebody, an animal or a plant: rounded parts one above the other, and what they stand on."""
    x, half, foot, tall = placed
    parts = int(random.integers(2, 5))
    bottom = foot
    for part in range(parts):
        high = tall / parts * float(random.uniform(0.8, 1.3))
        wide = half * float(random.uniform(0.35, 1.0)) * (0.7 if part == parts - 1 else 1.0)
        middle = (x + float(random.normal(0, 0.15)) * half, bottom - high / 2)
        _oval(mask, middle, (wide, high * 0.6))
        bottom -= high * 0.85
    for _ in range(int(random.integers(0, 5))):
        leg = x + float(random.uniform(-0.6, 0.6)) * half
        wide = half * float(random.uniform(0.06, 0.2))
        top = foot - tall * 0.4
        _filled(mask, [(leg - wide, top), (leg + wide, top), (leg + wide, foot), (leg - wide, foot)])


def _post(random: Random, mask: Pixels, placed: Placed) -> None:
    """A post, a pipe, a trunk or a lamp, with something at its top or without."""
    x, half, foot, tall = placed
    slim, lean = half * float(random.uniform(0.15, 0.5)), float(random.normal(0, 0.03)) * tall
    head = foot - tall
    _filled(mask, [(x - slim + lean, head), (x + slim + lean, head), (x + slim, foot), (x - slim, foot)])
    if random.random() < 0.4:
        _oval(mask, (x + lean, head), (half, half * float(random.uniform(0.5, 1.2))))


def _filled(mask: Pixels, corners: list[tuple[float, float]]) -> None:
    cv2.fillPoly(mask, [(np.array(corners) * _FINE).astype(np.int32)], 255)


def _oval(mask: Pixels, middle: tuple[float, float], half: tuple[float, float]) -> None:
    centre = tuple(int(value * _FINE) for value in middle)
    cv2.ellipse(mask, centre, tuple(max(1, int(value * _FINE)) for value in half), 0, 0, 360, 255, -1)


def _shaded(random: Random, cover: Floats, itself: Floats) -> NDArray[np.float32]:
    """Give each face its light, or let it bulge."""
    if random.random() < 0.4:
        return rounded(random, cover)
    highest = float(itself[cover > 0].max())
    aside = itself < highest * 0.985
    side = float(np.exp(random.normal(-0.1, 0.35)))
    down = np.linspace(-1, 1, cover.shape[0], dtype=np.float32)[:, None] * float(random.normal(0, 0.15))
    return np.asarray(np.where(aside, side, 1.0) * (1 + down), np.float32)
