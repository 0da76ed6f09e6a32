"""What moves: people, animals, boats and balloons, drawn in metres and lit from the left."""

import math

import numpy as np

from services.image_generation.providers.sketch.canvas import Point, Sprite, Stencil
from services.image_generation.providers.sketch.palette import Colour, mix, times

COATS: tuple[Colour, ...] = (
    (0.72, 0.16, 0.14), (0.16, 0.24, 0.42), (0.85, 0.66, 0.22), (0.24, 0.36, 0.26), (0.42, 0.26, 0.40),
    (0.86, 0.84, 0.78),
)  # fmt: skip
SKIN: tuple[Colour, ...] = ((0.88, 0.68, 0.54), (0.62, 0.42, 0.30), (0.42, 0.27, 0.18), (0.94, 0.78, 0.66))
DARK: Colour = (0.14, 0.13, 0.15)
WOOD: Colour = (0.42, 0.26, 0.16)
CANVAS_WHITE: Colour = (0.96, 0.94, 0.88)
DOME_SHARE = 0.62


def person(rng: np.random.Generator, coat: Colour, sharp: float, *, child: bool = False, dress: bool = False) -> Sprite:
    """Draw a walking figure, 1.75 m high (a child: 1.2 m), in a coat or in a dress with long hair."""
    tall = 1.2 / 1.75 if child else 1.0
    stencil = Stencil(1.5 * tall, 1.9 * tall, sharp)
    stride, skin = rng.uniform(0.10, 0.24), SKIN[int(rng.integers(len(SKIN)))]
    hair = mix((0.12, 0.08, 0.06), (0.60, 0.40, 0.18), float(rng.uniform()))

    def shape(colour: Colour, *points: Point) -> None:
        stencil.polygon([(x * tall, y * tall) for x, y in points], colour)

    def limb(colour: Colour, width: float, *points: Point) -> None:
        stencil.line([(x * tall, y * tall) for x, y in points], width * tall, colour)

    legs = skin if dress else mix(DARK, coat, 0.15)
    for foot, tone in ((stride, 1.25), (-stride, 0.95)):
        thin = 0.04 if dress else 0.0
        shape(
            times(legs, tone),
            (-0.14 + thin, 0.85),
            (0.14 - thin, 0.85),
            (foot + 0.06, 0.04),
            (foot - 0.08 + thin, 0.04),
        )
        shape(DARK, (foot - 0.09, 0), (foot + 0.17, 0), (foot + 0.06, 0.09), (foot - 0.09, 0.09))
    if dress:
        shape(hair, (-0.14, 1.70), (0.16, 1.70), (0.20, 1.28), (-0.18, 1.28))
        shape(times(coat, 0.74), (-0.17, 1.43), (0.16, 1.43), (0.12, 1.02), (0.40, 0.38), (-0.40, 0.38), (-0.13, 1.02))
        shape(coat, (-0.17, 1.43), (0.02, 1.43), (0.0, 1.02), (0.06, 0.38), (-0.40, 0.38), (-0.13, 1.02))
    else:
        shape(times(coat, 0.72), (-0.22, 1.43), (0.2, 1.43), (0.3, 0.62), (-0.31, 0.62))
        shape(coat, (-0.22, 1.43), (0.0, 1.43), (0.0, 0.62), (-0.31, 0.62))
    limb(times(coat, 1.1), 0.11, (-0.19, 1.36), (-0.30, 1.08), (-0.2 - stride * 0.5, 0.82))
    limb(times(coat, 0.62), 0.11, (0.17, 1.36), (0.27, 1.08), (0.22 + stride * 0.6, 0.84))
    limb(times(skin, 0.8), 0.11, (0.0, 1.4), (0.0, 1.52))
    stencil.ellipse((0.01 * tall, 1.62 * tall), 0.115 * tall, 0.14 * tall, skin)
    shape(hair, (-0.13, 1.60), (-0.11, 1.75), (0.02, 1.80), (0.13, 1.74), (0.13, 1.66), (0.0, 1.70))
    if not dress and rng.uniform() < 0.35:  # noqa: PLR2004 - share of people with a hat
        shape(DARK, (-0.22, 1.70), (0.22, 1.70), (0.22, 1.735), (-0.22, 1.735))
        shape(DARK, (-0.13, 1.73), (0.13, 1.73), (0.10, 1.87), (-0.10, 1.87))
    return stencil.sprite()


def sailboat(hull: Colour, sail: Colour, sharp: float) -> Sprite:
    """Draw a boat under two sails, 9 m long and 11 m high."""
    stencil = Stencil(10.5, 11.8, sharp)
    stencil.line([(-0.1, 0.8), (-0.1, 11.2)], 0.18, (0.30, 0.21, 0.15))
    curve = [(0.1 + 3.7 * math.sin(t * 1.5) * (1 - t * 0.32), 1.7 + 9.0 * t) for t in np.linspace(0, 1, 14)]
    stencil.polygon([(0.1, 1.7), *curve[1:-1], (0.1, 10.7)], sail)
    stencil.polygon([(0.1, 1.7), *[(x * 0.45 + 0.05, y) for x, y in curve[1:-1]], (0.1, 10.7)], times(sail, 0.88))
    stencil.polygon([(-0.3, 9.6), (-0.35, 1.9), (-4.3, 1.5), (-2.4, 4.4)], times(sail, 0.94))
    stencil.line([(0.0, 1.6), (3.9, 1.8)], 0.14, (0.30, 0.21, 0.15))
    stencil.polygon([(-4.9, 1.45), (4.6, 1.2), (3.7, 0), (-3.4, 0)], hull)
    stencil.polygon([(-4.9, 1.45), (4.6, 1.2), (4.45, 1.0), (-4.6, 1.15)], mix(hull, (1.0, 1.0, 1.0), 0.55))
    stencil.polygon([(-3.9, 0.45), (4.0, 0.4), (3.7, 0), (-3.4, 0)], times(hull, 0.55))
    stencil.box(-1.6, 1.3, 1.4, 1.95, (0.88, 0.84, 0.76), (1.0, 0.80, 0.42))
    return stencil.sprite()


def galleon(hull: Colour, sail: Colour, sharp: float) -> Sprite:
    """Draw a three-masted ship, 40 m long and 34 m high."""
    stencil = Stencil(44.0, 35.0, sharp)
    stencil.line([(-14, 8), (-21.5, 13)], 0.5, WOOD)
    for mast, high in ((-11.0, 28.0), (0.5, 33.0), (11.5, 26.0)):
        stencil.line([(mast, 4), (mast, high)], 0.6, times(WOOD, 0.8))
        for low, top, half in ((0.30, 0.52, 5.4), (0.56, 0.76, 4.4), (0.80, 0.95, 3.2)):
            foot, head = high * low + 2, high * top + 1
            belly = [
                (mast + half * math.cos(t) * 0.9 - 1.2 * math.sin(t), foot + 0.9 * math.sin(t))
                for t in np.linspace(0, math.pi, 9)
            ]
            stencil.polygon([(mast - half, head), (mast + half, head), *belly], sail)
            stencil.polygon([(mast, head), (mast + half, head), *belly[:5]], times(sail, 0.82))
            stencil.line([(mast - half, head), (mast + half, head)], 0.35, WOOD)
        stencil.polygon([(mast, high), (mast + 3.4, high + 0.4), (mast, high + 1.4)], (0.72, 0.18, 0.15))
    body = [(-18, 7.0), (-9, 5.6), (8, 5.4), (12, 7.6), (18, 8.4), (16.5, 2.0), (14.5, 0), (-12, 0), (-16, 3.0)]
    stencil.polygon(body, hull)
    stencil.polygon([(-17, 4.2), (17.2, 4.0), (16.5, 2.0), (14.5, 0), (-12, 0), (-16, 3.0)], times(hull, 0.66))
    stencil.line([(-17, 4.3), (17.2, 4.1)], 0.45, (0.85, 0.68, 0.35))
    for x in np.arange(-11, 13, 3.4):
        stencil.box(float(x), 2.4, float(x) + 1.1, 3.4, DARK, (1.0, 0.76, 0.40))
    stencil.box(12.6, 5.6, 16.8, 7.2, DARK, (1.0, 0.80, 0.45))
    return stencil.sprite()


def balloon(colours: tuple[Colour, ...], sharp: float) -> Sprite:
    """Draw a striped hot-air balloon, 16 m wide and 22 m high."""
    stencil = Stencil(17.0, 23.0, sharp)
    gores = 12
    for gore in range(gores):
        left, right = (math.cos(math.pi * (1 - share / gores)) for share in (gore, gore + 1))
        shape = [(left * _swell(t), 5.2 + 16.8 * t) for t in np.linspace(0, 1, 22)]
        shape += [(right * _swell(t), 5.2 + 16.8 * t) for t in np.linspace(1, 0, 22)]
        light = 1.12 - 0.62 * gore / gores
        stencil.polygon(shape, times(colours[gore % len(colours)], light))
    for x in (-1.0, 0.95):
        stencil.line([(x * 1.4, 5.3), (x, 2.2)], 0.14, DARK)
    stencil.ellipse((0.0, 4.9), 0.8, 0.7, (0.9, 0.6, 0.3), (1.0, 0.75, 0.3))
    stencil.box(-1.2, 0.3, 1.2, 2.2, (0.52, 0.36, 0.20))
    stencil.box(-1.35, 1.9, 1.35, 2.3, (0.34, 0.22, 0.12))
    return stencil.sprite()


def _swell(share: float) -> float:
    """Half width of the envelope at a share of its height: a cone that closes into a dome."""
    if share < DOME_SHARE:
        return float(1.5 + 6.5 * math.sin(math.pi / 2 * share / DOME_SHARE) ** 0.9)
    return 8.0 * math.sqrt(max(0.0, 1 - ((share - DOME_SHARE) / (1 - DOME_SHARE)) ** 2))


def campfire(rng: np.random.Generator, sharp: float) -> Sprite:
    """Draw a fire on crossed logs, 1.3 m high."""
    stencil = Stencil(1.8, 1.4, sharp)
    for left, right in ((-0.6, 0.5), (0.6, -0.5)):
        stencil.line([(left, 0.08), (right, 0.26)], 0.15, (0.24, 0.15, 0.10))
    for wide, high, colour in (
        (0.46, 1.25, (0.95, 0.35, 0.10)),
        (0.32, 0.92, (1.0, 0.62, 0.16)),
        (0.17, 0.55, (1.0, 0.92, 0.55)),
    ):
        for shift in (-0.5, 0.0, 0.5):
            tip = (shift * wide + rng.uniform(-0.1, 0.1), high * (1 - abs(shift) * 0.6))
            stencil.polygon([(shift * wide - wide * 0.5, 0.18), (shift * wide + wide * 0.5, 0.18), tip], colour, colour)
        stencil.ellipse((0.0, 0.28), wide, 0.16, colour, colour)
    return stencil.sprite()


def lantern(sharp: float) -> Sprite:
    """Draw a street lamp, 4.4 m high."""
    stencil = Stencil(1.4, 4.6, sharp)
    stencil.line([(0, 0), (0, 3.6)], 0.12, DARK)
    stencil.polygon([(-0.2, 3.6), (0.2, 3.6), (0.3, 4.2), (-0.3, 4.2)], (0.85, 0.82, 0.70), (1.0, 0.84, 0.50))
    stencil.polygon([(-0.36, 4.2), (0.36, 4.2), (0, 4.5)], DARK)
    return stencil.sprite()


def bird(flap: float, sharp: float) -> Sprite:
    """Draw a bird on the wing, 2 m across; `flap` from -1 (down) to 1 (up)."""
    stencil = Stencil(2.2, 1.2, sharp)
    for side in (-1, 1):
        elbow, tip = (side * 0.42, 0.55 + 0.32 * flap), (side * 1.02, 0.5 + 0.12 * flap)
        stencil.polygon([(0, 0.58), elbow, tip, (side * 0.40, 0.40 + 0.30 * flap), (0, 0.42)], DARK)
    stencil.ellipse((0, 0.5), 0.17, 0.09, DARK)
    return stencil.sprite()
