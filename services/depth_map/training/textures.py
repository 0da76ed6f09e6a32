"""Surfaces' patterns, drawn from nothing but random numbers, and looked up without aliasing."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.training.solids import Floats

SIDE: Final = 256
_LEVELS: Final = 9
_STARTS: Final = np.concatenate([[0], np.cumsum([(SIDE >> level) ** 2 for level in range(_LEVELS)])])

Random = np.random.Generator


class Textures:
    """A bank of square patterns that repeat without a seam, each with its smaller copies for the distance.

    Attributes:
        plain: which patterns are of one scale and quiet, as walls and large things are.
        names: the kind of each pattern.

    """

    def __init__(self, random: Random, count: int = 96) -> None:
        kinds = [list(PATTERNS)[k % len(PATTERNS)] for k in range(count)]
        self.names = kinds
        self._texels = np.concatenate([_with_smaller_copies(PATTERNS[kind](random)) for kind in kinds])

    def pick(self, random: Random, *kinds: str) -> int:
        """Choose one of the patterns of these kinds, or of all."""
        among = [index for index, name in enumerate(self.names) if not kinds or name in kinds]
        return int(random.choice(among))

    def colours(self, which: NDArray[np.int64], across: Floats, along: Floats, footprint: Floats) -> Floats:
        """Look patterns up, 0 to 1, n x 3.

        Args:
            which: pattern of each point.
            across: position in sides of the pattern, n.
            along: likewise.
            footprint: how many texels of the largest copy a pixel covers there, n.

        """
        level = np.clip(np.log2(np.maximum(footprint, 1e-3)), 0, _LEVELS - 1).astype(np.int64)
        side = SIDE >> level
        base = which * _STARTS[-1] + _STARTS[level]
        column, row = np.mod(across, 1) * side, np.mod(along, 1) * side
        left, top = column.astype(np.int64), row.astype(np.int64)
        right_share, low_share = (column - left)[:, None], (row - top)[:, None]
        left, top = left % side, top % side
        right, low = (left + 1) % side, (top + 1) % side
        upper = self._mixed(base + top * side, left, right, right_share)
        lower = self._mixed(base + low * side, left, right, right_share)
        return np.asarray((upper + low_share * (lower - upper)) / 255, np.float32)

    def _mixed(
        self, row: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64], share: Floats
    ) -> Floats:
        one, other = self._texels[row + left].astype(np.float32), self._texels[row + right].astype(np.float32)
        return np.asarray(one + share * (other - one), np.float32)


def _with_smaller_copies(pattern: Floats) -> NDArray[np.uint8]:
    copies = []
    if pattern.ndim == 2:
        pattern = np.repeat(pattern[..., None], 3, axis=2)
    for _ in range(_LEVELS):
        copies.append(np.rint(np.clip(pattern, 0, 1) * 255).astype(np.uint8).reshape(-1, 3))
        side = max(1, len(pattern) // 2)
        pattern = np.asarray(cv2.resize(pattern, (side, side), interpolation=cv2.INTER_AREA), np.float32)
    return np.concatenate(copies)


def noise(random: Random, slope: float, stretch: float = 1.0) -> Floats:
    """Noise whose spectrum falls by a power of frequency, as that of nature does; 0 to 1, mostly."""
    down, across = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None]
    frequency = np.sqrt((down * stretch) ** 2 + (across / stretch) ** 2)
    frequency[0, 0] = np.inf
    spectrum = frequency**-slope * np.exp(2j * np.pi * random.random(frequency.shape))
    values = np.fft.irfft2(spectrum, (SIDE, SIDE))
    return np.asarray(np.clip(values / values.std() * 0.18 + 0.5, 0, 1), np.float32)


def _rough(random: Random) -> Floats:
    return noise(random, random.uniform(0.6, 2.0))


def _clouded(random: Random) -> Floats:
    return np.asarray(0.5 + (noise(random, random.uniform(1.6, 2.4)) - 0.5) * random.uniform(0.2, 0.8), np.float32)


def _colourful(random: Random) -> Floats:
    slope = random.uniform(0.8, 1.8)
    return np.stack([noise(random, slope) for _ in range(3)], axis=-1)


def _grid(random: Random, rows: int, columns: int, shift: float, gap: float) -> tuple[Floats, Floats]:
    """Cells in rows that may be shifted: a value for each cell, and where the gaps between them are."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
    row = (y * rows).astype(np.int64)
    position = (x * columns + shift * (row % 2)) % columns
    values = random.random((rows, columns))[row, position.astype(np.int64)]
    across, down = position % 1, (y * rows) % 1
    aspect = rows / columns
    gaps = (down < gap) | (across < gap / max(aspect, 1e-3))
    return values.astype(np.float32), gaps.astype(np.float32)


def _tiled(random: Random) -> Floats:
    count = int(random.integers(1, 6)) * 2
    values, gaps = _grid(random, count, count, 0, random.uniform(0.02, 0.1))
    tone = 0.65 + random.uniform(0, 0.5) * (values - 0.5) + 0.3 * (noise(random, 1.2) - 0.5)
    return np.asarray(tone * (1 - gaps) + random.choice([0.1, 0.95]) * gaps, np.float32)


def _bricks(random: Random) -> Floats:
    rows = int(random.integers(3, 8)) * 2
    values, gaps = _grid(random, rows, rows // 2, 0.5, random.uniform(0.06, 0.15))
    tone = 0.4 + random.uniform(0.1, 0.6) * (values - 0.5) + 0.5 * (noise(random, 0.8) - 0.5)
    return np.asarray(tone * (1 - gaps) + random.choice([0.1, 0.85]) * gaps, np.float32)


def _planks(random: Random) -> Floats:
    rows = int(random.integers(2, 7)) * 2
    values, gaps = _grid(random, rows, int(random.integers(1, 3)), 0.5, random.uniform(0.01, 0.05))
    grain = noise(random, random.uniform(1.0, 1.6), stretch=random.uniform(2, 5)) - 0.5
    tone = 0.55 + random.uniform(0.1, 0.6) * (values - 0.5) + random.uniform(0.3, 1.2) * grain
    return np.asarray(tone * (1 - gaps * 0.7), np.float32)


def _grained(random: Random) -> Floats:
    return noise(random, random.uniform(1.0, 1.8), stretch=random.uniform(2, 6))


def _striped(random: Random) -> Floats:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) / SIDE
    count, power = int(random.integers(2, 24)), random.uniform(0.3, 4)
    wave = np.tanh(power * np.sin(2 * np.pi * count * x)) / np.tanh(power)
    if random.random() < 0.4:
        wave = (wave + np.tanh(power * np.sin(2 * np.pi * count * y))) / 2
    return np.asarray(0.5 + 0.45 * wave + 0.2 * (noise(random, 1.0) - 0.5), np.float32)


def _books(random: Random) -> Floats:
    picture = np.full((SIDE, SIDE, 3), random.uniform(0, 0.3), np.float32)
    rows = int(random.integers(1, 5))
    for row in range(rows):
        top, bottom = row * SIDE // rows, (row + 1) * SIDE // rows
        left = 0
        while left < SIDE:
            width = int(random.integers(4, 26))
            start = top + int((bottom - top) * random.uniform(0.05, 0.4))
            picture[start : bottom - 4, left : left + width] = random.random(3) * random.uniform(0.3, 1)
            picture[start : bottom - 4, left : left + 1] *= 0.4
            left += width
        picture[bottom - 4 : bottom] = random.uniform(0.3, 0.9)
    return picture


def _leaves(random: Random) -> Floats:
    """Overlapping shapes of all sizes, which have the statistics of pictures of things that hide each other."""
    picture = np.zeros((SIDE, SIDE, 3), np.float32)
    palette = random.random((int(random.integers(3, 9)), 3))
    for radius in SIDE / 2 * np.linspace(1, 0.15, 60) ** 2.0:
        colour = np.clip(random.choice(palette) + random.normal(0, 0.06, 3), 0, 1)
        for middle in random.uniform(0, SIDE, (3, 2)):
            _stamp(picture, random, middle, radius, colour)
    return np.asarray(picture * (0.8 + 0.4 * noise(random, 1.0)[..., None]), np.float32)


def _stamp(picture: Floats, random: Random, middle: Floats, radius: float, colour: Floats) -> None:
    size = np.maximum(radius * random.uniform(0.4, 1.0, 2), 1.5)
    shade = tuple(float(value) for value in colour)
    angle = float(random.uniform(0, 180))
    if random.random() < 0.5:
        cv2.ellipse(picture, (tuple(map(float, middle)), tuple(map(float, size * 2)), angle), shade, -1)
    else:
        corners = cv2.boxPoints((tuple(map(float, middle)), tuple(map(float, size * 2)), angle))
        cv2.fillConvexPoly(picture, np.rint(corners).astype(np.int32), shade)


def _written(random: Random) -> Floats:
    picture = np.full((SIDE, SIDE), random.uniform(0.8, 1), np.float32)
    line = int(random.integers(6, 20))
    for top in range(line, SIDE - line, line):
        left = int(random.integers(4, 20))
        while left < SIDE * random.uniform(0.6, 1):
            width = int(random.integers(2, line * 2))
            picture[top : top + line // 2, left : left + width] = random.uniform(0, 0.4)
            left += width + max(1, line // 4)
    return picture


def _spotted(random: Random) -> Floats:
    """Cells round random points, as stones, scales and flowers have."""
    points = random.uniform(0, SIDE, (int(random.integers(10, 80)), 2)).astype(np.float32)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    near = np.full((SIDE, SIDE), np.inf, np.float32)
    for down, across in points:
        off_x, off_y = np.abs(x - across), np.abs(y - down)
        near = np.minimum(near, np.minimum(off_x, SIDE - off_x) ** 2 + np.minimum(off_y, SIDE - off_y) ** 2)
    distance = np.sqrt(near)
    return np.asarray(np.clip(distance / distance.max() * random.uniform(0.8, 1.6), 0, 1), np.float32)


def _facade(random: Random) -> Floats:
    count = int(random.integers(2, 6))
    picture = np.repeat((0.6 + 0.3 * (noise(random, 1.2) - 0.5))[..., None], 3, axis=2)
    tall, wide = random.uniform(0.4, 0.8), random.uniform(0.3, 0.85)
    for row in range(count):
        for column in range(count):
            pane = np.array([0.12, 0.15, 0.2]) * random.uniform(0.3, 3.0)
            top, left = (np.array([row, column]) + 0.1) * SIDE / count
            size = SIDE / count * np.array([tall, wide])
            picture[int(top) : int(top + size[0]), int(left) : int(left + size[1])] = pane
    return np.asarray(picture, np.float32)


def _foliage(random: Random) -> Floats:
    contrast = random.uniform(1.5, 5)
    return np.asarray(np.clip(0.45 + contrast * (noise(random, random.uniform(0.4, 1.1)) - 0.5), 0, 1), np.float32)


PATTERNS: Final[dict[str, Callable[[Random], Floats]]] = {
    "rough": _rough,
    "clouded": _clouded,
    "tiled": _tiled,
    "planks": _planks,
    "leaves": _leaves,
    "striped": _striped,
    "books": _books,
    "bricks": _bricks,
    "written": _written,
    "grained": _grained,
    "foliage": _foliage,
    "spotted": _spotted,
    "facade": _facade,
    "colourful": _colourful,
}
