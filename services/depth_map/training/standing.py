"""Things that stand before what is behind them, as far away as the floor is where they touch it.

They are laid into pictures of drawn scenes, each point shown only where nothing is nearer. Drawn rooms have walls where
something is tall, and the far end in the middle; photographs have wardrobes, posts, doors, people and animals there,
and tables under which the floor goes on.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.training.before import Floats, Pixels, rounded, surface_of
from services.depth_map.training.textures import Random

_TRIES: Final = 6
_FINE: Final = 4
_HORIZON: Final = 0.42
_AS_NEAR: Final = 1.03
"""What is nearer than the thing by more than this hides it."""

_STANDS_OUT: Final = 0.88
"""Most inverse depth, against its own, of half of what it hides."""


@dataclass(frozen=True)
class _Placed:
    """Where something stands: middle across, half of its width, row of its foot and its height, in pixels."""

    x: float
    half: float
    foot: float
    tall: float


class _Drawing:
    """A thing as it is drawn: which of its faces is seen where, finer than the picture, and its inverse depth.

    Attributes:
        inverse: of the whole plane that faces the camera at the thing's foot; changed where the thing is not flat.
        is_round: it bulges, and has no faces with edges.

    """

    def __init__(self, height: int, width: int, inverse: float) -> None:
        self._faces = np.zeros((height * _FINE, width * _FINE), np.uint8)
        self.inverse = np.full((height, width), inverse, np.float32)
        self.horizon = _HORIZON * height
        self.is_round = False

    def face(self, number: int, *corners: tuple[float, float]) -> None:
        """Draw a face, 1 or more, over what is there."""
        cv2.fillPoly(self._faces, [(np.array(corners) * _FINE).astype(np.int32)], number)

    def upright(self, number: int, columns: tuple[float, float], rows: tuple[float, float]) -> None:
        """Draw a face whose edges are upright and level."""
        (left, right), (top, foot) = columns, rows
        self.face(number, (left, top), (right, top), (right, foot), (left, foot))

    def oval(self, x: float, y: float, half_x: float, half_y: float) -> None:
        """Draw a rounded part."""
        centre = (int(x * _FINE), int(y * _FINE))
        half = (max(1, int(half_x * _FINE)), max(1, int(half_y * _FINE)))
        cv2.ellipse(self._faces, centre, half, 0, 0, 360, 1, -1)

    def faces(self) -> NDArray[np.uint8]:
        """Tell which face is seen in each pixel, 0 where none is."""
        height, width = self.inverse.shape
        return np.asarray(self._faces.reshape(height, _FINE, width, _FINE).max((1, 3)), np.uint8)

    def cover(self) -> Floats:
        """Tell how much of each pixel is covered, 0 to 1."""
        size = self.inverse.shape[::-1]
        full = (self._faces > 0).astype(np.float32)
        return np.asarray(cv2.resize(full, size, interpolation=cv2.INTER_AREA), np.float32)


def stood_before(random: Random, picture: Pixels, inverse: Floats, surface: Pixels) -> tuple[Pixels, Floats]:
    """Stand one to three things into a picture (height x width x 3) with its inverse depth of the same size.

    `surface`: another picture of the same size, of which parts are what the things look like. Where nothing can stand
    both come back as they were.
    """
    shown, near = picture.astype(np.float32), inverse.copy()
    for _ in range(int(random.choice(3, p=(0.55, 0.3, 0.15))) + 1):
        for _ in range(_TRIES):
            thing = _thing(random, near)
            cover = _seen(thing, near)
            if cover is not None:
                lit = surface_of(random, surface) * _light(random, thing, cover)[..., None]
                shown += cover[..., None] * (lit - shown)
                near = np.asarray(np.where(cover > 0.5, thing.inverse, near), np.float32)
                break
    return np.clip(shown, 0, 255).astype(np.uint8), near


def _seen(thing: _Drawing, inverse: Floats) -> Floats | None:
    """Tell where a thing is not hidden, 0 to 1; nothing where it would not stand out, or would be all there is."""
    cover = np.asarray(thing.cover() * (inverse < thing.inverse * _AS_NEAR), np.float32)
    seen = cover > 0.5
    if not 0.01 < float(seen.mean()) < 0.6 or np.median(inverse[seen] / thing.inverse[seen]) > _STANDS_OUT:
        return None
    return cover


def _light(random: Random, thing: _Drawing, cover: Floats) -> Floats:
    """Give each face its light, or let the thing bulge."""
    if thing.is_round:
        return rounded(random, cover)
    faces = np.exp(random.normal(-0.05, 0.3, int(thing.faces().max()) + 1))[thing.faces()]
    down = np.linspace(-1, 1, cover.shape[0])[:, None] * random.normal(0, 0.15)
    return np.asarray(faces * (1 + down), np.float32)


def _thing(random: Random, inverse: Floats) -> _Drawing:
    """Draw a thing somewhere, as near as what is seen where its foot is."""
    height, width = inverse.shape
    draw, slim, wide = _KINDS[int(random.choice(len(_KINDS), p=_SHARES))]
    foot, x = float(random.uniform(0.5, 1.12)) * height, float(random.uniform(0.02, 0.98)) * width
    half = float(np.exp(random.uniform(np.log(slim), np.log(wide)))) * width
    placed = _Placed(x, half, foot, float(random.uniform(0.25, 1.35)) * height)
    left, right, row = (
        int(np.clip(x - half, 0, width - 2)),
        int(np.clip(x + half, 1, width)),
        int(min(foot, height - 1)),
    )
    floor = float(np.median(inverse[max(row - 1, 0) : row + 2, left : max(right, left + 1)]))
    below = max(foot / height - _HORIZON, 0.05) / max(row / height - _HORIZON, 0.05)
    thing = _Drawing(height, width, max(floor, 0.02) * below)
    draw(random, thing, placed)
    thing.inverse *= (1 + np.linspace(-1, 1, height)[:, None] * random.normal(0, 0.03)).astype(np.float32)
    return thing


def _box(random: Random, thing: _Drawing, at: _Placed) -> None:
    """A box, of which one side may be seen beside the front, going away from it."""
    front = float(random.uniform(0.5, 1.0)) if random.random() < 0.6 else 1.0
    left_first = random.random() < 0.5
    edge = at.x - at.half + 2 * at.half * (front if left_first else 1 - front)
    start, end = (at.x - at.half, at.x + at.half) if left_first else (at.x + at.half, at.x - at.half)
    top = at.foot - at.tall
    thing.upright(1, (start, edge), (top, at.foot))
    if front < 1:
        farther = float(random.uniform(0.6, 0.95))
        rise_foot, rise_top = ((row - thing.horizon) * (1 - farther) for row in (at.foot, top))
        thing.face(2, (edge, top), (end, top - rise_top), (end, at.foot - rise_foot), (edge, at.foot))
        across = np.clip((np.arange(thing.inverse.shape[1]) + 0.5 - edge) / (end - edge), 0, 1)
        thing.inverse *= (1 - (1 - farther) * across).astype(np.float32)
    if random.random() < 0.4:  # a door, a drawer, a screen
        low, high = np.sort(random.uniform(0.05, 0.95, 2))
        inset = (edge - start) * 0.1
        thing.upright(3, (start + inset, edge - inset), (top + at.tall * low, top + at.tall * high))


def _body(random: Random, thing: _Drawing, at: _Placed) -> None:
    """Somebody, an animal or a plant: rounded parts one above the other, and what they stand on."""
    thing.is_round = True
    parts, bottom = int(random.integers(2, 5)), at.foot
    for part in range(parts):
        high = at.tall / parts * float(random.uniform(0.8, 1.3))
        wide = at.half * float(random.uniform(0.35, 1.0)) * (0.7 if part == parts - 1 else 1.0)
        thing.oval(at.x + float(random.normal(0, 0.15)) * at.half, bottom - high / 2, wide, high * 0.6)
        bottom -= high * 0.85
    for _ in range(int(random.integers(0, 5))):
        leg, slim = at.x + float(random.uniform(-0.6, 0.6)) * at.half, at.half * float(random.uniform(0.06, 0.2))
        thing.upright(1, (leg - slim, leg + slim), (at.foot - at.tall * 0.4, at.foot))


def _post(random: Random, thing: _Drawing, at: _Placed) -> None:
    """A post, a pipe, a trunk or a lamp, with something at its top or without."""
    thing.is_round = True
    slim, lean = at.half * float(random.uniform(0.15, 0.5)), float(random.normal(0, 0.03)) * at.tall
    head = at.foot - at.tall
    thing.face(
        1, (at.x - slim + lean, head), (at.x + slim + lean, head), (at.x + slim, at.foot), (at.x - slim, at.foot)
    )
    if random.random() < 0.4:
        thing.oval(at.x + lean, head, at.half, at.half * float(random.uniform(0.5, 1.2)))


def _table(random: Random, thing: _Drawing, at: _Placed) -> None:
    """A table or a bench on thin legs, under which is seen what is behind; some have a board along their back."""
    farther, low = float(random.uniform(0.5, 0.85)), float(random.uniform(0.35, 0.75))
    horizon = thing.horizon
    front = horizon + (at.foot - horizon) * low
    back = horizon + (front - horizon) * farther
    vanishing = thing.inverse.shape[1] * float(random.uniform(0.2, 0.8))
    edges = (at.x - at.half, at.x + at.half)
    ends = [vanishing + (edge - vanishing) * farther for edge in edges]
    thick, slim = max(1.0, (at.foot - front) * float(random.uniform(0.03, 0.2))), max(0.7, at.half * 0.05)
    for end in ends:
        thin = slim * farther
        thing.upright(4, (end - thin, end + thin), (back, horizon + (at.foot - horizon) * farther))
    if random.random() < 0.4:
        board = (front - horizon) * float(random.uniform(0.2, 1.2))
        thing.upright(4, (ends[0], ends[1]), (back - board, back))
    for edge in edges:
        thing.upright(3, (edge - slim, edge + slim), (front, at.foot))
    thing.face(1, (ends[0], back), (ends[1], back), (edges[1], front), (edges[0], front))
    thing.upright(2, edges, (front, front + thick))
    faces, rows = thing.faces(), np.arange(thing.inverse.shape[0])[:, None] + 0.5
    along = np.clip((rows - horizon) / max(front - horizon, 1.0), farther, 1.0)
    scale = np.where(faces == 1, along, np.where(faces == 4, farther, 1.0))
    thing.inverse *= scale.astype(np.float32)


_KINDS: Final = ((_box, 0.05, 0.28), (_body, 0.05, 0.28), (_post, 0.02, 0.12), (_table, 0.1, 0.4))
"""How each is drawn, and its least and greatest half width against that of the picture."""

_SHARES: Final = (0.5, 0.15, 0.12, 0.23)
