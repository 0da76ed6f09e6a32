"""What moves: people, animals, boats and balloons, drawn in metres and lit from the left."""

import math

import numpy as np

from services.image_generation.providers.sketch.canvas import Point, Sprite, Stencil
from services.image_generation.providers.sketch.palette import Colour, mix, times

COATS: tuple[Colour, ...] = (
    (0.72, 0.16, 0.14), (0.16, 0.24, 0.42), (0.85, 0.66, 0.22), (0.24, 0.36, 0.26), (0.42, 0.26, 0.40), (0.86, 0.84, 0.78),
)  # fmt: skip
SKIN: tuple[Colour, ...] = ((0.88, 0.68, 0.54), (0.62, 0.42, 0.30), (0.42, 0.27, 0.18), (0.94, 0.78, 0.66))
DARK: Colour = (0.14, 0.13, 0.15)
WOOD: Colour = (0.42, 0.26, 0.16)
CANVAS_WHITE: Colour = (0.96, 0.94, 0.88)


def person(rng: np.random.Generator, coat: Colour, sharp: float, *, child: bool = False) -> Sprite:
    """A walking figure, 1.75 m high (a child: 1.2 m)."""
    tall = 1.2 / 1.75 if child else 1.0
    stencil = Stencil(1.5 * tall, 1.9 * tall, sharp / tall)
    stride = rng.uniform(0.10, 0.24)
    trousers, skin = mix(DARK, coat, 0.15), SKIN[int(rng.integers(len(SKIN)))]

    def at(*points: Point) -> list[Point]:
        return [(x * tall, y * tall) for x, y in points]

    for foot, tone in ((stride, 1.4), (-stride, 1.0)):
        stencil.polygon(
            at((-0.14, 0.85), (0.14, 0.85), (foot + 0.06, 0.04), (foot - 0.08, 0.04)), times(trousers, tone)
        )
        stencil.polygon(at((foot - 0.09, 0), (foot + 0.17, 0), (foot + 0.06, 0.09), (foot - 0.09, 0.09)), DARK)
    stencil.polygon(at((-0.22, 1.43), (0.2, 1.43), (0.3, 0.62), (-0.31, 0.62)), times(coat, 0.72))
    stencil.polygon(at((-0.22, 1.43), (0.0, 1.43), (0.0, 0.62), (-0.31, 0.62)), coat)
    stencil.line(at((-0.2, 1.36), (-0.30, 1.08), (-0.2 - stride * 0.5, 0.82)), 0.12 * tall, times(coat, 1.1))
    stencil.line(at((0.18, 1.36), (0.27, 1.08), (0.22 + stride * 0.6, 0.84)), 0.12 * tall, times(coat, 0.62))
    stencil.line(at((0.0, 1.4), (0.0, 1.52)), 0.11 * tall, times(skin, 0.8))
    stencil.ellipse((0.01 * tall, 1.62 * tall), 0.115 * tall, 0.14 * tall, skin)
    hair = mix((0.12, 0.08, 0.06), (0.55, 0.36, 0.16), float(rng.uniform()))
    stencil.polygon(at((-0.13, 1.60), (-0.11, 1.75), (0.02, 1.80), (0.13, 1.74), (0.13, 1.66), (0.0, 1.70)), hair)
    if rng.uniform() < 0.4:  # noqa: PLR2004 - share of people with a hat
        stencil.box(-0.22 * tall, 1.70 * tall, 0.22 * tall, 1.735 * tall, DARK)
        stencil.polygon(at((-0.13, 1.73), (0.13, 1.73), (0.10, 1.87), (-0.10, 1.87)), DARK)
    return stencil.sprite()


def sailboat(hull: Colour, sail: Colour, sharp: float) -> Sprite:
    """A boat under two sails, 9 m long and 11 m high."""
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
    """A three-masted ship, 40 m long and 34 m high."""
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
    """A striped hot-air balloon, 16 m wide and 22 m high."""
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
    return (
        1.6 + 6.4 * math.sin(math.pi * min(1.0, share * 0.62 + 0.06)) ** 0.9
        if share < 0.72
        else 7.98 * math.sqrt(max(0.0, 1 - ((share - 0.66) / 0.34) ** 2))
    )  # noqa: E501, PLR2004 - a cone that closes into a dome at 0.72


def four_legged(kind: str, rng: np.random.Generator, coat: Colour | None, sharp: float) -> Sprite:
    """A horse, cow, sheep, deer, dog or cat, grazing or standing, at most 2 m high."""
    shapes: dict[str, tuple[float, float, float, Colour]] = {
        # Body length, height at the shoulder, thickness of the body, coat.
        "horse": (1.5, 1.45, 0.62, (0.36, 0.20, 0.11)), "cow": (1.6, 1.25, 0.78, (0.90, 0.87, 0.82)),
        "sheep": (0.95, 0.78, 0.60, (0.93, 0.91, 0.86)), "deer": (1.2, 1.2, 0.48, (0.55, 0.36, 0.20)),
        "dog": (0.75, 0.6, 0.28, (0.50, 0.33, 0.18)), "cat": (0.45, 0.32, 0.18, (0.20, 0.18, 0.18)),
    }  # fmt: skip
    long, high, thick, plain = shapes[kind]
    colour = coat or plain
    legs = times(colour, 0.6) if kind != "sheep" else DARK
    stencil = Stencil(long * 2.1, high * 1.75, sharp * 1.6 / high)
    for x in (-0.40, -0.28, 0.30, 0.42):
        stencil.line([(x * long, high - thick * 0.6), (x * long + rng.uniform(-0.03, 0.03), 0.0)], 0.10 * high, legs)
    stencil.ellipse((0.0, high - thick * 0.35), long * 0.52, thick * 0.52, times(colour, 0.78))
    stencil.ellipse((-0.02, high - thick * 0.26), long * 0.50, thick * 0.42, colour)
    if kind == "cow":
        for _ in range(4):
            spot = (rng.uniform(-0.35, 0.35) * long, high - thick * rng.uniform(0.1, 0.5))
            stencil.ellipse(spot, 0.16, 0.13, (0.16, 0.12, 0.11))
    if kind == "sheep":
        for turn in np.linspace(0, 2 * math.pi, 15):
            puff = (math.cos(turn) * long * 0.46, high - thick * 0.32 + math.sin(turn) * thick * 0.42)
            stencil.ellipse(puff, 0.13, 0.12, times(colour, 0.86 + 0.14 * math.sin(turn)))
    _head(stencil, kind, long, high, thick, DARK if kind == "sheep" else colour)
    return stencil.sprite()


def _head(stencil: Stencil, kind: str, long: float, high: float, thick: float, colour: Colour) -> None:
    grazing = kind in {"cow", "sheep"}
    neck = (-0.45 * long, high - thick * 0.15)
    nose = (-0.78 * long, high * (0.72 if grazing else 1.22))
    stencil.line([neck, nose], thick * (0.42 if kind in {"horse", "deer"} else 0.5), times(colour, 0.92))
    tip = (nose[0] - 0.15 * long, nose[1] - 0.07 * high)
    stencil.line([nose, tip], thick * 0.32, colour)
    stencil.ellipse(tip, thick * 0.16, thick * 0.16, times(colour, 0.8))
    ear = (nose[0] + 0.02, nose[1] + thick * 0.26)
    stencil.polygon(
        [ear, (ear[0] + 0.12 * high, ear[1]), (ear[0] + 0.07 * high, ear[1] + 0.17 * high)], times(colour, 0.7)
    )
    if kind == "horse":
        stencil.line([neck, (nose[0] + 0.1, nose[1] + 0.1)], 0.12, DARK)
    if kind in {"horse", "dog", "cat", "cow"}:
        rise = 0.35 if kind in {"dog", "cat"} else -0.45
        stencil.line(
            [(0.5 * long, high - 0.2 * thick), (0.72 * long, high + rise * high)], 0.06 * high, times(colour, 0.5)
        )
    if kind == "deer":
        for bend in (-0.12, 0.16):
            stencil.line(
                [ear, (ear[0] + bend, ear[1] + 0.34), (ear[0] + bend * 2.2, ear[1] + 0.5)], 0.04, (0.35, 0.24, 0.16)
            )


def campfire(rng: np.random.Generator, sharp: float) -> Sprite:
    """A fire on crossed logs, 1.3 m high."""
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
    """A street lamp, 4.4 m high."""
    stencil = Stencil(1.4, 4.6, sharp)
    stencil.line([(0, 0), (0, 3.6)], 0.12, DARK)
    stencil.polygon([(-0.2, 3.6), (0.2, 3.6), (0.3, 4.2), (-0.3, 4.2)], (0.85, 0.82, 0.70), (1.0, 0.84, 0.50))
    stencil.polygon([(-0.36, 4.2), (0.36, 4.2), (0, 4.5)], DARK)
    return stencil.sprite()


def bird(flap: float, sharp: float) -> Sprite:
    """A bird on the wing, 2 m across; `flap` from -1 (down) to 1 (up)."""
    stencil = Stencil(2.2, 1.2, sharp)
    for side in (-1, 1):
        elbow, tip = (side * 0.42, 0.55 + 0.32 * flap), (side * 1.02, 0.5 + 0.12 * flap)
        stencil.polygon([(0, 0.58), elbow, tip, (side * 0.40, 0.40 + 0.30 * flap), (0, 0.42)], DARK)
    stencil.ellipse((0, 0.5), 0.17, 0.09, DARK)
    return stencil.sprite()
