"""What people build: houses, towers, castles, bridges. All sizes in metres, lit from the left."""

import math
from collections.abc import Sequence

import numpy as np

from services.image_generation.providers.sketch.canvas import Point, Sprite, Stencil
from services.image_generation.providers.sketch.palette import Colour, mix, times

LAMPLIGHT: Colour = (1.0, 0.80, 0.42)
GLASS: Colour = (0.36, 0.44, 0.52)
STONE: Colour = (0.62, 0.59, 0.55)
SNOW: Colour = (0.95, 0.97, 1.0)
WALLS: tuple[Colour, ...] = (
    (0.92, 0.88, 0.78), (0.86, 0.74, 0.58), (0.80, 0.55, 0.42), (0.88, 0.84, 0.82), (0.74, 0.68, 0.58),
    (0.93, 0.80, 0.62),
)  # fmt: skip
ROOFS: tuple[Colour, ...] = ((0.55, 0.24, 0.18), (0.46, 0.30, 0.22), (0.35, 0.32, 0.36), (0.62, 0.33, 0.20))


def house(rng: np.random.Generator, wall: Colour, roof: Colour, sharp: float, *, snowy: bool = False) -> Sprite:
    """Draw a cottage seen from its corner, 12 m wide and 8 m high."""
    stencil = Stencil(12.0, 8.4, sharp)
    side, front = wall, times(wall, 0.80)
    stencil.box(2.2, 4.6, 3.1, 7.6, times(STONE, 0.8))
    stencil.polygon([(-5, 0), (-0.6, 0), (-0.6, 3.7), (-2.8, 6.5), (-5, 3.7)], front)
    stencil.polygon([(-0.6, 0), (5.2, 0.1), (5.2, 3.5), (-0.6, 3.7)], side)
    stencil.polygon([(-2.8, 6.9), (3.2, 6.6), (5.8, 3.2), (-0.3, 3.35)], SNOW if snowy else roof)
    stencil.polygon(
        [(-2.8, 6.9), (-5.5, 3.4), (-5.25, 3.2), (-2.75, 6.3), (-0.55, 3.2), (-0.25, 3.35)], times(roof, 0.7)
    )
    if not snowy:
        for row in np.linspace(0.15, 0.85, 5):
            stencil.line(
                [(-2.8 + 2.5 * row, 6.9 - 3.5 * row), (3.2 + 2.6 * row, 6.6 - 3.4 * row)], 0.06, times(roof, 0.84)
            )
    stencil.box(-3.5, 0, -2.3, 2.4, times(wall, 0.36))
    for x in (0.5, 2.9):
        _window(stencil, (x, 1.2), 1.3, 1.4, lit=rng.uniform() < 0.85)  # noqa: PLR2004 - share of lit windows
    _window(stencil, (-3.3, 3.7), 0.9, 1.1, lit=True)
    return stencil.sprite()


def church(roof: Colour, sharp: float) -> Sprite:
    """Draw a village church with a steeple, 20 m high."""
    stencil = Stencil(14.0, 21.0, sharp)
    wall = (0.90, 0.88, 0.82)
    stencil.polygon([(-1, 0), (6.4, 0), (6.4, 5), (-1, 5)], wall)
    stencil.polygon([(-2, 8.6), (5.0, 8.4), (6.9, 4.7), (-2, 4.7)], roof)
    stencil.box(-5.2, 0, -1.2, 12, times(wall, 0.84))
    stencil.box(-5.2, 0, -3.6, 12, times(wall, 0.94))
    stencil.polygon([(-5.6, 12), (-0.8, 12), (-3.2, 19.4)], times(roof, 0.86))
    stencil.line([(-3.2, 19.2), (-3.2, 20.8)], 0.16, (0.3, 0.28, 0.25))
    stencil.line([(-3.7, 20.2), (-2.7, 20.2)], 0.16, (0.3, 0.28, 0.25))
    for x in (0.3, 2.3, 4.3):
        _arched(stencil, (x, 1.2), 0.9, 2.4)
    _arched(stencil, (-3.7, 8.8), 1.0, 1.8)
    _arched(stencil, (-3.9, 0.0), 1.4, 2.6)
    return stencil.sprite()


def castle(rng: np.random.Generator, wall: Colour, roof: Colour, sharp: float) -> Sprite:
    """Draw a castle with towers and pointed roofs, 56 m wide and 46 m high."""
    stencil = Stencil(58.0, 47.0, sharp)
    _tower(stencil, rng, (1.5, 7.5, 27.0), wall, roof)
    for x, wide, high in sorted((float(rng.uniform(-15, 15)), 4.2, float(rng.uniform(20, 29))) for _ in range(3)):
        _tower(stencil, rng, (x, wide, high), times(wall, 0.93), roof)
    _battlement(stencil, -15, 15, 15, times(wall, 0.95))
    _tower(stencil, rng, (float(rng.uniform(-12, -7)), 5.0, float(rng.uniform(20, 24))), wall, roof)
    _battlement(stencil, -25, 25, 9, wall)
    _arched(stencil, (-2.4, 0.0), 4.8, 6.4, dark=(0.16, 0.12, 0.10))
    for x in (-23.0, 23.0):
        _tower(stencil, rng, (x, 5.6, float(rng.uniform(13, 17))), wall, roof)
    return stencil.sprite()


def _tower(
    stencil: Stencil, rng: np.random.Generator, shape: tuple[float, float, float], wall: Colour, roof: Colour
) -> None:
    """Raise a tower at x, so wide and so high."""
    x, wide, high = shape
    half = wide / 2
    for left, right, tone in ((-1.0, 1.0, 0.80), (-1.0, 0.35, 0.92), (-0.85, -0.2, 1.04)):
        stencil.box(x + left * half, 0, x + right * half, high, times(wall, tone))
    stencil.box(x - half * 1.18, high - 1.4, x + half * 1.18, high, times(wall, 0.88))
    stencil.polygon([(x - half * 1.35, high), (x + half * 1.35, high), (x, high + wide * 1.7)], times(roof, 0.74))
    stencil.polygon([(x - half * 1.35, high), (x + half * 0.2, high), (x, high + wide * 1.7)], roof)
    stencil.line([(x, high + wide * 1.6), (x, high + wide * 1.7 + 2.2)], 0.18, (0.25, 0.22, 0.22))
    peak = high + wide * 1.7 + 2.2
    stencil.polygon([(x, peak), (x + 2.2, peak - 0.6), (x, peak - 1.3)], (0.76, 0.20, 0.16))
    for up in np.arange(4.0, high - 3, 5.0):
        if rng.uniform() < 0.7:  # noqa: PLR2004 - share of floors with a window
            _window(stencil, (x - 0.35 + float(rng.uniform(-0.2, 0.2)) * wide, float(up)), 0.75, 1.6, lit=True)


def _battlement(stencil: Stencil, left: float, right: float, high: float, wall: Colour) -> None:
    stencil.box(left, 0, right, high, wall)
    stencil.box(left, 0, right, high * 0.22, times(wall, 0.86))
    for x in np.arange(left, right - 0.5, 2.2):
        stencil.box(float(x), high, float(x) + 1.2, high + 1.3, wall)
    for x in np.arange(left + 3, right - 3, 6.0):
        stencil.box(float(x), high * 0.5, float(x) + 0.5, high * 0.5 + 1.6, times(wall, 0.4))


def lighthouse(stripe: Colour, sharp: float) -> Sprite:
    """Draw a striped lighthouse, 24 m high, with its keeper's house."""
    stencil = Stencil(16.0, 25.0, sharp)
    stencil.polygon([(2, 0), (7.2, 0), (7.2, 3), (2, 3)], (0.92, 0.90, 0.86))
    stencil.polygon([(1.6, 3), (7.6, 3), (6.4, 5), (2.6, 5)], (0.55, 0.24, 0.18))
    _window(stencil, (4.2, 1), 1.0, 1.1, lit=True)
    for number in range(6):
        low, high = number * 3.0, number * 3.0 + 3.0
        colour = stripe if number % 2 else (0.95, 0.94, 0.90)
        for tone, share in ((0.78, 1.0), (1.0, 0.45)):
            left_low, left_high = -2.9 + 0.07 * low, -2.9 + 0.07 * high
            right_low = left_low + (5.8 - 0.14 * low) * share
            right_high = left_high + (5.8 - 0.14 * high) * share
            stencil.polygon(
                [(left_low, low), (right_low, low), (right_high, high), (left_high, high)], times(colour, tone)
            )
    stencil.box(-2.4, 18, 2.4, 18.6, (0.28, 0.28, 0.30))
    stencil.box(-1.4, 18.6, 1.4, 21.2, (0.80, 0.84, 0.80), (1.0, 0.93, 0.66))
    for x in (-1.4, -0.1, 1.2):
        stencil.box(x, 18.6, x + 0.2, 21.2, (0.28, 0.28, 0.30))
    stencil.polygon([(-1.9, 21.2), (1.9, 21.2), (0, 23.6)], times(stripe, 0.8))
    return stencil.sprite()


def windmill(turn: float, sharp: float) -> Sprite:
    """Draw a Dutch windmill, 20 m to the tip of a sail."""
    stencil = Stencil(18.0, 21.0, sharp)
    stencil.polygon([(-3.6, 0), (3.6, 0), (2.2, 11), (-2.2, 11)], (0.66, 0.50, 0.40))
    stencil.polygon([(-3.6, 0), (-0.6, 0), (-0.4, 11), (-2.2, 11)], (0.78, 0.62, 0.50))
    stencil.polygon([(-2.6, 11), (2.6, 11), (1.7, 13.2), (-1.7, 13.2)], (0.35, 0.26, 0.22))
    stencil.box(-0.8, 0, 0.8, 2.4, (0.25, 0.18, 0.14))
    _window(stencil, (-0.5, 5.6), 1.0, 1.4, lit=True)
    hub = (0.0, 11.8)
    for arm in range(4):
        angle = turn + arm * math.pi / 2
        along, across = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
        tip = (hub[0] + along[0] * 8.6, hub[1] + along[1] * 8.6)
        sail = [_off(hub, along, across, *corner) for corner in ((1.6, 0.0), (8.4, 0.0), (8.4, 1.7), (1.6, 1.4))]
        stencil.polygon(sail, (0.90, 0.86, 0.76))
        stencil.line([hub, tip], 0.26, (0.30, 0.22, 0.18))
        for step in np.linspace(2, 8.2, 6):
            stencil.line(
                [_off(hub, along, across, float(step), 0.0), _off(hub, along, across, float(step), 1.6)],
                0.1,
                (0.45, 0.36, 0.28),
            )
    stencil.ellipse(hub, 0.5, 0.5, (0.25, 0.18, 0.14))
    return stencil.sprite()


def skyscraper(rng: np.random.Generator, wall: Colour, sharp: float) -> Sprite:
    """Draw a tower block with a window in every bay, some lit; 60 to 150 m high."""
    wide, high = float(rng.uniform(20, 38)), float(rng.uniform(48, 150))
    stencil = Stencil(wide + 2, high + 26, sharp, over=2)
    tiers = [(1.0, 1.0)] if rng.uniform() < 0.5 else [(1.0, 0.78), (0.72, 0.92), (0.44, 1.0)]  # noqa: PLR2004 - half are stepped
    half = wide / 2
    for share, top in reversed(tiers):
        for left, right, tone in ((-1.0, 1.0, 0.72), (-1.0, 0.42, 1.0)):
            stencil.box(half * left * share, 0, half * right * share, high * top, times(wall, tone))
    if rng.uniform() < 0.45:  # noqa: PLR2004 - share of towers with a mast
        stencil.line([(0, high), (0, high + 22)], 1.0, times(wall, 0.6))
        stencil.ellipse((0, high + 22), 1.3, 1.3, (0.6, 0.2, 0.2), (1.0, 0.25, 0.2))
    bays, floors = int(wide // 4), int(high // 5)
    lit = rng.uniform(size=(floors, bays)) < rng.uniform(0.25, 0.6)
    warm = rng.uniform(size=(floors, bays))
    for floor in range(floors):
        share = next(share for share, top in tiers if floor * 5 + 5 <= high * top + 5)
        for bay in range(bays):
            x, y = -half + 1.4 + bay * 4.0, 1.6 + floor * 5.0
            if abs(x + 1.2) > half * share - 1.0:
                continue
            shine = mix(LAMPLIGHT, (0.75, 0.88, 1.0), float(warm[floor, bay]) ** 3) if lit[floor, bay] else None
            stencil.box(x, y, x + 2.4, y + 2.7, mix(GLASS, wall, 0.35), shine)
    return stencil.sprite()


def bridge(span: float, colour: Colour, sharp: float) -> Sprite:
    """Draw a stone bridge on arches, as long as asked for and 9 m high."""
    stencil = Stencil(span, 9.5, sharp)
    arches = max(2, round(span / 15))
    wide = span / arches
    outline: list[Point] = [(-span / 2, 0)]
    for arch in range(arches):
        middle = -span / 2 + (arch + 0.5) * wide
        outline += [(middle + 0.40 * wide * math.cos(t), 5.2 * math.sin(t)) for t in np.linspace(math.pi, 0, 18)]
    outline.append((span / 2, 0))
    deck = [(x, 7.2 + 1.0 * math.cos(x / span * math.pi)) for x in np.linspace(span / 2, -span / 2, 24)]
    stencil.polygon([*outline, *deck], times(colour, 0.86))
    stencil.line(deck, 0.5, times(colour, 1.12))
    rail = [(x, y + 0.9) for x, y in deck]
    stencil.line(rail, 0.28, colour)
    for x, y in deck[::2]:
        stencil.line([(x, y), (x, y + 0.9)], 0.22, colour)
    return stencil.sprite()


def pyramid(sharp: float) -> Sprite:
    """Draw a pyramid with a lit and a dark face, 60 m wide."""
    stencil = Stencil(62.0, 38.0, sharp)
    stencil.polygon([(-30, 0), (9, 0), (0, 37)], (0.90, 0.72, 0.46))
    stencil.polygon([(9, 0), (30, 0), (0, 37)], (0.58, 0.42, 0.27))
    for up in np.arange(1.5, 36, 1.5):
        left, right = -30 * (1 - up / 37), 9 * (1 - up / 37)
        stencil.line([(left, up), (right, up)], 0.16, (0.78, 0.60, 0.37))
    return stencil.sprite()


def tent(colour: Colour, sharp: float) -> Sprite:
    """Draw a tent lit from within, 4 m wide."""
    stencil = Stencil(5.0, 3.0, sharp)
    stencil.polygon([(-2.2, 0), (1.0, 0), (-0.5, 2.6)], colour, mix(colour, LAMPLIGHT, 0.45))
    stencil.polygon(
        [(1.0, 0), (2.4, 0.4), (0.6, 2.5), (-0.5, 2.6)], times(colour, 0.7), mix(times(colour, 0.7), LAMPLIGHT, 0.2)
    )
    stencil.polygon([(-0.9, 0), (0.1, 0), (-0.5, 1.7)], times(colour, 0.45), (1.0, 0.85, 0.5))
    return stencil.sprite()


def _window(stencil: Stencil, corner: Point, wide: float, high: float, *, lit: bool) -> None:
    x, y = corner
    frame = (0.93, 0.91, 0.86)
    stencil.box(x - 0.12, y - 0.12, x + wide + 0.12, y + high + 0.12, frame)
    stencil.box(x, y, x + wide, y + high, GLASS, LAMPLIGHT if lit else None)
    stencil.line([(x + wide / 2, y), (x + wide / 2, y + high)], 0.08, frame)


def _arched(stencil: Stencil, corner: Point, wide: float, high: float, *, dark: Colour | None = None) -> None:
    x, y = corner
    top = y + high - wide / 2
    shape: Sequence[Point] = [(x, y), (x + wide, y)]
    arc = [(x + wide / 2 + wide / 2 * math.cos(t), top + wide / 2 * math.sin(t)) for t in np.linspace(0, math.pi, 12)]
    stencil.polygon([*shape, *arc], dark or GLASS, None if dark else LAMPLIGHT)


def _off(hub: Point, along: Point, across: Point, far: float, side: float) -> Point:
    return hub[0] + along[0] * far + across[0] * side, hub[1] + along[1] * far + across[1] * side
