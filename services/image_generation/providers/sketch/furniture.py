"""Furniture seen from the front and a little from above, in metres."""

import math

import numpy as np

from services.image_generation.providers.sketch.canvas import Sprite, Stencil
from services.image_generation.providers.sketch.palette import Colour, mix, times
from services.image_generation.providers.sketch.plants import FOLIAGE, PETALS, toned

WOOD: Colour = (0.48, 0.31, 0.19)
WARM: Colour = (1.0, 0.86, 0.58)


def table(rng: np.random.Generator, colour: Colour, sharp: float, *, candle: bool) -> Sprite:
    """Draw a table with a vase of flowers, a cup and books, 1.7 m wide."""
    stencil = Stencil(1.9, 1.5, sharp)
    for x, high, tone in ((-0.66, 0.78, 0.5), (0.66, 0.78, 0.5), (-0.8, 0.72, 0.75), (0.76, 0.72, 0.75)):
        stencil.box(x - 0.035, 0, x + 0.045, high, times(colour, tone))
    stencil.polygon([(-0.88, 0.74), (0.88, 0.74), (0.72, 0.90), (-0.72, 0.90)], times(colour, 1.22))
    stencil.box(-0.88, 0.68, 0.88, 0.745, times(colour, 0.85))
    _vase(stencil, rng, -0.25 if candle else 0.05, 0.83)
    stencil.polygon([(0.40, 0.79), (0.68, 0.79), (0.62, 0.84), (0.36, 0.84)], (0.62, 0.22, 0.18))
    stencil.polygon([(0.38, 0.83), (0.64, 0.83), (0.60, 0.88), (0.36, 0.88)], (0.20, 0.34, 0.46))
    stencil.polygon([(-0.60, 0.79), (-0.46, 0.79), (-0.44, 0.91), (-0.62, 0.91)], (0.92, 0.90, 0.86))
    if candle:
        stencil.box(0.08, 0.80, 0.15, 1.06, (0.94, 0.90, 0.78))
        stencil.ellipse((0.115, 1.12), 0.03, 0.065, (1.0, 0.80, 0.40), (1.0, 0.86, 0.5))
    return stencil.sprite()


def _vase(stencil: Stencil, rng: np.random.Generator, x: float, y: float) -> None:
    for _ in range(9):
        tip = (x + rng.normal(0, 0.13), y + 0.36 + rng.uniform(0, 0.2))
        stencil.line([(x, y + 0.2), tip], 0.012, (0.24, 0.40, 0.18))
        stencil.ellipse(tip, 0.045, 0.042, PETALS[int(rng.integers(len(PETALS)))])
    stencil.polygon(
        [
            (x - 0.05, y),
            (x + 0.05, y),
            (x + 0.09, y + 0.12),
            (x + 0.045, y + 0.24),
            (x - 0.045, y + 0.24),
            (x - 0.09, y + 0.12),
        ],
        (0.30, 0.48, 0.58),
    )
    stencil.polygon(
        [(x - 0.045, y), (x - 0.02, y), (x - 0.02, y + 0.24), (x - 0.04, y + 0.24), (x - 0.085, y + 0.12)],
        (0.55, 0.72, 0.78),
    )


def chair(colour: Colour, sharp: float) -> Sprite:
    """Draw a wooden chair, 0.95 m high."""
    stencil = Stencil(0.6, 1.0, sharp)
    for x in (-0.22, 0.22):
        stencil.box(x - 0.022, 0, x + 0.022, 0.95, times(colour, 0.7))
    for y in (0.62, 0.76, 0.90):
        stencil.box(-0.22, y, 0.22, y + 0.06, times(colour, 0.86))
    stencil.polygon([(-0.26, 0.42), (0.26, 0.42), (0.21, 0.52), (-0.21, 0.52)], times(colour, 1.2))
    for x in (-0.24, 0.24):
        stencil.box(x - 0.025, 0, x + 0.025, 0.43, colour)
    return stencil.sprite()


def sofa(colour: Colour, sharp: float) -> Sprite:
    """Draw a sofa with cushions, 2.2 m wide."""
    stencil = Stencil(2.4, 1.0, sharp)
    for x in (-0.95, 0.95):
        stencil.box(x - 0.04, 0, x + 0.04, 0.12, times(WOOD, 0.6))
    stencil.polygon(
        [(-1.0, 0.4), (1.0, 0.4), (0.97, 0.86), (0.9, 0.92), (-0.9, 0.92), (-0.97, 0.86)], times(colour, 0.74)
    )
    for left in (-0.86, 0.02):
        stencil.polygon(
            [(left, 0.46), (left + 0.84, 0.46), (left + 0.82, 0.84), (left + 0.02, 0.84)], times(colour, 0.88)
        )
        stencil.polygon(
            [(left - 0.03, 0.36), (left + 0.86, 0.36), (left + 0.82, 0.50), (left + 0.02, 0.50)], times(colour, 1.14)
        )
        stencil.box(left - 0.03, 0.28, left + 0.86, 0.37, colour)
    stencil.box(-1.0, 0.10, 1.0, 0.29, times(colour, 0.80))
    for side in (-1, 1):
        stencil.box(side * 1.02 - 0.13, 0.10, side * 1.02 + 0.13, 0.60, times(colour, 0.92))
        stencil.ellipse((side * 1.02, 0.60), 0.14, 0.08, times(colour, 1.08))
    stencil.polygon([(-0.72, 0.48), (-0.34, 0.46), (-0.30, 0.80), (-0.68, 0.82)], (0.90, 0.74, 0.36))
    stencil.polygon([(0.42, 0.46), (0.76, 0.48), (0.74, 0.80), (0.40, 0.78)], (0.90, 0.88, 0.82))
    return stencil.sprite()


def bed(colour: Colour, sharp: float) -> Sprite:
    """Draw a bed seen from its foot, 1.9 m wide."""
    stencil = Stencil(2.1, 1.35, sharp)
    stencil.polygon(
        [(-0.86, 0.3), (0.86, 0.3), (0.86, 1.18), (0.6, 1.28), (-0.6, 1.28), (-0.86, 1.18)], times(WOOD, 0.9)
    )
    stencil.polygon([(-0.92, 0.50), (0.92, 0.50), (0.78, 0.86), (-0.78, 0.86)], (0.94, 0.92, 0.88))
    for left in (-0.70, 0.06):
        stencil.polygon([(left, 0.78), (left + 0.64, 0.78), (left + 0.60, 1.0), (left + 0.04, 1.0)], (0.98, 0.97, 0.94))
        stencil.polygon(
            [(left, 0.78), (left + 0.64, 0.78), (left + 0.62, 0.84), (left + 0.02, 0.84)], (0.84, 0.83, 0.84)
        )
    stencil.polygon([(-0.98, 0.42), (0.98, 0.42), (0.84, 0.76), (-0.84, 0.76)], colour)
    stencil.polygon([(-0.86, 0.70), (0.86, 0.70), (0.84, 0.77), (-0.84, 0.77)], mix(colour, (1.0, 1.0, 1.0), 0.55))
    stencil.box(-0.98, 0.12, 0.98, 0.43, times(colour, 0.72))
    for fold in np.linspace(-0.8, 0.8, 7):
        stencil.line([(float(fold), 0.14), (float(fold) * 0.97, 0.42)], 0.02, times(colour, 0.58))
    return stencil.sprite()


def bookshelf(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw shelves full of books, 2.1 m high."""
    stencil = Stencil(1.5, 2.15, sharp)
    stencil.box(-0.72, 0, 0.72, 2.12, times(WOOD, 0.78))
    hues = (
        (0.60, 0.18, 0.16),
        (0.20, 0.34, 0.46),
        (0.74, 0.60, 0.30),
        (0.24, 0.38, 0.28),
        (0.86, 0.82, 0.72),
        (0.36, 0.22, 0.34),
    )
    for shelf in np.arange(0.10, 2.0, 0.40):
        stencil.box(-0.66, float(shelf), 0.66, float(shelf) + 0.36, times(WOOD, 0.38))
        x = -0.64
        while x < 0.58:  # noqa: PLR2004 - the end of the shelf
            wide, high = rng.uniform(0.028, 0.065), rng.uniform(0.22, 0.33)
            if rng.uniform() < 0.9:  # noqa: PLR2004 - some books are out
                tone = times(hues[int(rng.integers(6))], float(rng.uniform(0.8, 1.15)))
                stencil.box(x, float(shelf), x + wide, float(shelf) + high, tone)
                stencil.box(
                    x, float(shelf) + high * 0.7, x + wide, float(shelf) + high * 0.76, mix(tone, (1.0, 0.9, 0.6), 0.5)
                )
            x += wide + 0.004
    return stencil.sprite()


def fireplace(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw a fireplace with a burning fire, 1.6 m wide."""
    stencil = Stencil(1.8, 1.5, sharp)
    stone = (0.70, 0.66, 0.60)
    stencil.box(-0.8, 0, 0.8, 1.2, stone)
    for row in range(8):
        for column in range(7):
            x, y = -0.8 + column * 0.24 - (row % 2) * 0.12, row * 0.15
            tone = times(stone, float(rng.uniform(0.80, 1.06)))
            stencil.box(max(-0.8, x), y, min(0.8, x + 0.225), y + 0.135, tone)
    stencil.box(-0.9, 1.18, 0.9, 1.28, WOOD)
    arch = [(0.48 * math.cos(t), 0.5 + 0.36 * math.sin(t)) for t in np.linspace(0, math.pi, 14)]
    stencil.polygon([(-0.48, 0), (0.48, 0), *arch], (0.10, 0.07, 0.06))
    stencil.box(-0.34, 0.05, 0.34, 0.14, (0.24, 0.14, 0.09))
    for wide, high, colour in (
        (0.30, 0.62, (0.95, 0.38, 0.10)),
        (0.22, 0.46, (1.0, 0.64, 0.18)),
        (0.12, 0.28, (1.0, 0.92, 0.6)),
    ):
        for shift in (-0.6, 0.0, 0.55):
            tip = (shift * wide + rng.uniform(-0.05, 0.05), 0.12 + high * (1 - 0.4 * abs(shift)))
            stencil.polygon(
                [(shift * wide - wide * 0.45, 0.12), (shift * wide + wide * 0.45, 0.12), tip], colour, colour
            )
    return stencil.sprite()


def floor_lamp(shade: Colour, sharp: float, *, lit: bool) -> Sprite:
    """Draw a standing lamp, 1.65 m high."""
    stencil = Stencil(0.7, 1.7, sharp)
    stencil.ellipse((0, 0.03), 0.17, 0.035, (0.16, 0.14, 0.13))
    stencil.line([(0, 0.03), (0, 1.3)], 0.03, (0.20, 0.17, 0.15))
    glow = mix(shade, WARM, 0.7) if lit else None
    stencil.polygon([(-0.27, 1.25), (0.27, 1.25), (0.17, 1.62), (-0.17, 1.62)], shade, glow)
    return stencil.sprite()


def potted_plant(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw a leafy plant in a pot, 1.2 m high."""
    stencil = Stencil(1.2, 1.35, sharp)
    greens = FOLIAGE["summer"][1]
    for number, turn in enumerate(np.sort(rng.uniform(0.15, math.pi - 0.15, 17))):
        long = rng.uniform(0.42, 0.78)
        tip = (math.cos(turn) * long * 0.75, 0.45 + math.sin(turn) * long)
        bend = (tip[0] * 0.45, 0.5 + math.sin(turn) * long * 0.75)
        across = 0.075
        leaf = [(0.0, 0.4), (bend[0] - across, bend[1]), tip, (bend[0] + across, bend[1] - 0.05)]
        stencil.polygon(leaf, toned(greens, 0.25 + 0.6 * ((number * 7) % 10) / 10))
    stencil.polygon([(-0.17, 0), (0.17, 0), (0.23, 0.42), (-0.23, 0.42)], (0.72, 0.40, 0.27))
    stencil.polygon([(-0.17, 0), (-0.05, 0), (-0.06, 0.42), (-0.23, 0.42)], (0.84, 0.52, 0.37))
    return stencil.sprite()


def framed_picture(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw a small landscape in a frame, 0.9 m wide."""
    stencil = Stencil(0.9, 0.7, sharp)
    stencil.box(-0.44, 0.01, 0.44, 0.69, (0.32, 0.22, 0.13))
    stencil.box(-0.39, 0.06, 0.39, 0.64, (0.93, 0.90, 0.83))
    stencil.box(
        -0.31, 0.13, 0.31, 0.57, ((0.55, 0.72, 0.82), (0.94, 0.72, 0.50), (0.36, 0.42, 0.60))[int(rng.integers(3))]
    )
    stencil.ellipse((float(rng.uniform(-0.15, 0.15)), 0.45), 0.05, 0.05, (0.99, 0.93, 0.75))
    peak = float(rng.uniform(-0.15, 0.15))
    stencil.polygon([(-0.31, 0.13), (0.31, 0.13), (0.31, 0.26), (peak, 0.42), (-0.31, 0.22)], (0.34, 0.42, 0.46))
    stencil.polygon([(-0.31, 0.13), (0.31, 0.13), (0.31, 0.21), (-0.05, 0.18), (-0.31, 0.25)], (0.28, 0.38, 0.24))
    return stencil.sprite()
