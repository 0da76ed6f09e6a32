"""Trees, bushes, flowers and stones, each grown from its own random stream."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from services.image_generation.providers.sketch.canvas import Point, Sprite, Stencil
from services.image_generation.providers.sketch.palette import Colour, mix, times

Greens = tuple[Colour, Colour, Colour]
"""The colours of foliage in shadow, between, and in the light."""

FOLIAGE: dict[str, tuple[Greens, ...]] = {
    "spring": (
        ((0.20, 0.36, 0.14), (0.40, 0.58, 0.22), (0.66, 0.78, 0.36)),
        ((0.62, 0.36, 0.44), (0.90, 0.62, 0.70), (1.0, 0.86, 0.88)),
        ((0.70, 0.50, 0.56), (0.95, 0.76, 0.80), (1.0, 0.95, 0.94)),
    ),
    "summer": (
        ((0.09, 0.22, 0.09), (0.20, 0.39, 0.14), (0.46, 0.60, 0.24)),
        ((0.11, 0.25, 0.13), (0.25, 0.44, 0.20), (0.52, 0.66, 0.32)),
        ((0.13, 0.22, 0.08), (0.30, 0.42, 0.14), (0.58, 0.62, 0.24)),
    ),
    "autumn": (
        ((0.38, 0.13, 0.07), (0.74, 0.28, 0.10), (0.95, 0.52, 0.18)),
        ((0.46, 0.25, 0.06), (0.83, 0.52, 0.12), (0.98, 0.78, 0.28)),
        ((0.32, 0.09, 0.08), (0.62, 0.16, 0.12), (0.87, 0.34, 0.20)),
        ((0.26, 0.26, 0.08), (0.50, 0.46, 0.14), (0.76, 0.68, 0.26)),
    ),
    "winter": (((0.40, 0.44, 0.50), (0.70, 0.75, 0.82), (0.95, 0.97, 1.0)),),
}
NEEDLES: Greens = ((0.05, 0.14, 0.10), (0.11, 0.25, 0.16), (0.30, 0.44, 0.24))
BARK: Colour = (0.25, 0.17, 0.12)
PETALS: tuple[Colour, ...] = (
    (0.93, 0.25, 0.24), (0.98, 0.80, 0.22), (0.94, 0.93, 0.90), (0.62, 0.34, 0.76), (0.96, 0.52, 0.66),
    (0.30, 0.44, 0.86),
)  # fmt: skip


def toned(colours: Greens, share: float) -> Colour:
    """Go from shadow (0) over the middle (0.5) to light (1)."""
    dark, middle, light = colours
    return mix(dark, middle, share * 2) if share < 0.5 else mix(middle, light, share * 2 - 1)  # noqa: PLR2004 - half way


def greens_of(colour: Colour) -> Greens:
    """Foliage in a colour that was asked for."""
    return times(colour, 0.42), colour, mix(colour, (1.0, 1.0, 0.85), 0.4)


def broadleaf(rng: np.random.Generator, colours: Greens, sharp: float) -> Sprite:
    """Draw a tree with a round crown, 11 m high, lit from the upper left."""
    stencil = Stencil(11.0, 11.5, sharp)
    _trunk(stencil, rng, 0.42, 5.2)
    lobes = [(0.0, 7.0, 2.9)]
    lobes += [
        (math.cos(turn) * rng.uniform(1.8, 2.9), 6.4 + math.sin(turn) * rng.uniform(1.3, 2.6), rng.uniform(1.3, 2.1))
        for turn in rng.uniform(-0.5, 3.64, 8)
    ]
    leaves = []
    for x, y, radius in lobes:
        turns, away = rng.uniform(0, 2 * math.pi, 46), np.sqrt(rng.uniform(0, 1, 46)) * radius
        leaves += [(x + a * math.cos(t), y + a * math.sin(t) * 0.86, radius) for t, a in zip(turns, away, strict=True)]
    for layer in (0.0, 0.34, 0.68):
        for x, y, _ in leaves:
            light = 0.5 + 0.085 * (y - 6.8) - 0.075 * x + rng.normal(0, 0.13)
            if light >= layer:
                leaf = rng.uniform(0.20, 0.46) * (1.25 - 0.5 * layer)
                stencil.ellipse((x - 0.14 * layer, y + 0.2 * layer), leaf, leaf * 0.8, toned(colours, _unit(light)))
    return stencil.sprite()


def conifer(rng: np.random.Generator, colours: Greens, sharp: float, *, snowy: bool) -> Sprite:
    """Draw a fir, 13 m high, made of drooping boughs."""
    stencil = Stencil(6.4, 13.2, sharp)
    stencil.polygon([(-0.2, 0), (0.2, 0), (0.1, 5), (-0.1, 5)], BARK)
    tiers = 15
    stencil.polygon([(-0.28, 11.6), (0.28, 11.6), (0, 13.1)], toned(colours, 0.5))
    for tier in range(tiers):
        up = tier / tiers
        y, reach = 1.3 + 11.4 * up, 2.9 * (1 - up) ** 0.85 + 0.14
        for side in np.linspace(-1, 1, 11):
            out = side * reach * rng.uniform(0.82, 1.08)
            drop = 0.85 * abs(side) * (1.1 - 0.5 * up) + 0.55
            light = 0.46 - 0.34 * side + rng.normal(0, 0.10)
            root = out * 0.12
            bough = [
                (root - 0.2, y + 0.8),
                (root + 0.2, y + 0.8),
                (out + 0.15, y - drop + 0.32),
                (out, y - drop),
                (out - 0.15, y - drop + 0.32),
            ]
            stencil.polygon(bough, toned(colours, _unit(light)))
            if snowy and rng.uniform() < 0.72:  # noqa: PLR2004 - share of boughs that hold snow
                top = [
                    (out * 0.2, y + 0.7),
                    (out * 0.55 + 0.2, y + 0.45),
                    (out * 0.95, y - drop + 0.6),
                    (out * 0.5, y + 0.12),
                ]
                stencil.polygon(top, mix((0.72, 0.79, 0.90), (1.0, 1.0, 1.0), _unit(light)))
    return stencil.sprite()


def bare_tree(rng: np.random.Generator, sharp: float, *, snowy: bool) -> Sprite:
    """Draw a tree without leaves, 10 m high."""
    stencil = Stencil(10.0, 10.5, sharp)
    _branch(stencil, rng, (0.0, 0.0), turn=math.pi / 2, long=2.7, thick=0.42, forks=6, snowy=snowy)
    return stencil.sprite()


def _branch(
    stencil: Stencil,
    rng: np.random.Generator,
    start: Point,
    *,
    turn: float,
    long: float,
    thick: float,
    forks: int,
    snowy: bool,
) -> None:
    end = (start[0] + math.cos(turn) * long, start[1] + math.sin(turn) * long)
    stencil.line([start, end], thick, BARK)
    if snowy and abs(math.cos(turn)) > 0.3:  # noqa: PLR2004 - snow stays on what is not upright
        lifted = [(start[0], start[1] + thick * 0.5), (end[0], end[1] + thick * 0.5)]
        stencil.line(lifted, thick * 0.55, (0.93, 0.95, 1.0))
    for side in (-1, 1) if forks else ():
        bend, shrunk = turn + side * rng.uniform(0.22, 0.62), long * rng.uniform(0.66, 0.82)
        _branch(stencil, rng, end, turn=bend, long=shrunk, thick=thick * 0.64, forks=forks - 1, snowy=snowy)


def palm(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw a leaning coconut palm, 9 m high."""
    stencil = Stencil(8.5, 9.8, sharp)
    lean = rng.uniform(0.6, 1.5)
    stem = [(lean * (t**1.8) - 0.6, 7.4 * t) for t in np.linspace(0, 1, 14)]
    for low, high in pairwise(stem):
        stencil.line(
            [low, high], 0.34 - 0.012 * low[1], mix((0.42, 0.30, 0.20), (0.60, 0.46, 0.32), float(rng.uniform()))
        )
    crown = stem[-1]
    for turn in sorted(rng.permutation(np.linspace(-0.75, math.pi + 0.75, 12)), key=math.sin):
        _frond(stencil, rng, crown, float(turn))
    for _ in range(4):
        spot = (crown[0] + rng.uniform(-0.35, 0.35), crown[1] - rng.uniform(0.1, 0.4))
        stencil.ellipse(spot, 0.19, 0.21, (0.36, 0.24, 0.12))
    return stencil.sprite()


def _frond(stencil: Stencil, rng: np.random.Generator, crown: Point, turn: float) -> None:
    long = rng.uniform(2.7, 3.4)
    spine = [
        (crown[0] + math.cos(turn) * long * t, crown[1] + math.sin(turn) * long * t * 0.8 - 1.5 * t * t)
        for t in np.linspace(0, 1, 15)
    ]
    tone = 0.35 + 0.4 * math.sin(turn) - 0.15 * math.cos(turn)
    for step, (low, high) in enumerate(pairwise(spine)):
        colour = toned(FOLIAGE["summer"][1], _unit(tone + rng.normal(0, 0.08)))
        fall = 0.95 * math.sin(math.pi * (step + 1.5) / 16) + 0.1
        stencil.polygon([low, high, (high[0] + 0.10, high[1] - fall), (low[0] + 0.04, low[1] - fall * 0.7)], colour)
    stencil.line(spine, 0.07, toned(FOLIAGE["summer"][1], _unit(tone + 0.35)))


def cactus(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw a saguaro, 5 m high."""
    stencil = Stencil(4.2, 5.4, sharp)
    colours = ((0.12, 0.26, 0.14), (0.22, 0.42, 0.20), (0.42, 0.58, 0.32))
    arms = [[(0.0, 0.0), (0.0, 4.7)]]
    for side in (-1, 1):
        knee, high = rng.uniform(1.5, 2.6), rng.uniform(3.3, 4.2)
        arms.append([(0.0, knee), (side * 1.15, knee + 0.15), (side * 1.2, high)])
    for thick, tone, shift in ((0.86, 0.15, 0.0), (0.56, 0.5, -0.08), (0.16, 0.85, -0.2)):
        for number, arm in enumerate(arms):
            wide = thick * (1.0 if number == 0 else 0.72)
            bent = [(x + shift, y) for x, y in arm]
            stencil.line(bent, wide, toned(colours, tone))
            for x, y in bent[1:]:
                stencil.ellipse((x, y), wide / 2, wide / 2, toned(colours, tone))
    return stencil.sprite()


def bush(rng: np.random.Generator, colours: Greens, sharp: float, blooms: Sequence[Colour] = ()) -> Sprite:
    """Draw a shrub, 1.6 m high; with flowers where colours are given."""
    stencil = Stencil(3.0, 1.8, sharp)
    for _ in range(150):
        x, up = rng.normal(0, 0.55), rng.uniform(0.0, 1.0)
        y = 0.12 + up * 1.15 * math.exp(-((x / 1.0) ** 2))
        leaf = rng.uniform(0.09, 0.2)
        light = _unit(0.25 + 0.5 * up - 0.15 * x + rng.normal(0, 0.12))
        stencil.ellipse((float(np.clip(x, -1.3, 1.3)), y), leaf, leaf * 0.8, toned(colours, light))
    for _ in range(34 if blooms else 0):
        x = float(np.clip(rng.normal(0, 0.55), -1.2, 1.2))
        y = 0.2 + rng.uniform(0.2, 1.1) * math.exp(-((x / 1.0) ** 2))
        stencil.ellipse((x, y), 0.085, 0.085, blooms[int(rng.integers(len(blooms)))])
    return stencil.sprite()


def boulder(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw a stone, 1.4 m high, with lit and dark faces."""
    stencil = Stencil(2.6, 1.6, sharp)
    turns = np.linspace(0, math.pi, 7) + rng.uniform(-0.16, 0.16, 7)
    rim = [
        (1.15 * math.cos(turn) * rng.uniform(0.85, 1.05), 1.35 * math.sin(turn) ** 0.7 * rng.uniform(0.8, 1.0))
        for turn in np.clip(turns, 0, math.pi)
    ]
    heart = (rng.uniform(-0.2, 0.3), rng.uniform(0.5, 0.8))
    for low, high in pairwise(rim):
        middle = (low[0] + high[0]) / 2
        stencil.polygon([low, high, heart], mix((0.26, 0.25, 0.27), (0.66, 0.64, 0.62), _unit(0.5 - 0.42 * middle)))
    stencil.polygon([rim[0], heart, rim[-1], (-1.0, 0.0), (1.0, 0.0)], (0.27, 0.26, 0.28))
    return stencil.sprite()


def tuft(rng: np.random.Generator, colours: Greens, sharp: float, blooms: Sequence[Colour] = ()) -> Sprite:
    """Draw a tuft of grass, 0.9 m high; with flowers where colours are given."""
    stencil = Stencil(1.8, 1.0, sharp)
    for _ in range(34):
        foot, bend, high = rng.normal(0, 0.34), rng.normal(0, 0.22), rng.uniform(0.28, 0.78)
        blade = [(foot - 0.02, 0.0), (foot + 0.02, 0.0), (foot + bend * 0.5 + 0.01, high * 0.6), (foot + bend, high)]
        stencil.polygon(blade, toned(colours, _unit(rng.uniform(0.1, 0.95))))
    for _ in range(9 if blooms else 0):
        x, y = rng.normal(0, 0.42), rng.uniform(0.35, 0.86)
        colour = blooms[int(rng.integers(len(blooms)))]
        stencil.line([(x * 0.8, 0.0), (x, y)], 0.018, toned(colours, 0.35))
        stencil.ellipse((x, y), 0.075, 0.062, colour)
        stencil.ellipse((x - 0.01, y + 0.012), 0.034, 0.028, mix(colour, (1.0, 0.95, 0.6), 0.55))
    return stencil.sprite()


def _trunk(stencil: Stencil, rng: np.random.Generator, thick: float, high: float) -> None:
    lean = rng.uniform(-0.4, 0.4)
    stencil.polygon([(-thick, 0), (thick, 0), (lean + 0.2, high), (lean - 0.2, high)], BARK)
    stencil.polygon([(-thick, 0), (-thick * 0.3, 0), (lean - 0.06, high), (lean - 0.2, high)], times(BARK, 1.7))
    for side in (-1, 1):
        stencil.line(
            [(lean * 0.6, high * 0.62), (side * rng.uniform(1.4, 2.2), high * rng.uniform(1.1, 1.3))], 0.24, BARK
        )


def _unit(value: float) -> float:
    return float(min(1.0, max(0.0, value)))
