"""Animals from the side, looking left: each is one smooth outline, with legs, tail and head-dress."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from services.image_generation.providers.sketch.canvas import Point, Sprite, Stencil
from services.image_generation.providers.sketch.palette import Colour, times

ANIMALS = ("horse", "cow", "sheep", "deer", "dog", "cat")

DARK: Colour = (0.13, 0.12, 0.13)
COATS: dict[str, Colour] = {
    "horse": (0.42, 0.24, 0.13), "cow": (0.92, 0.89, 0.84), "sheep": (0.94, 0.92, 0.87), "deer": (0.60, 0.40, 0.23),
    "dog": (0.58, 0.38, 0.20), "cat": (0.22, 0.20, 0.21),
}  # fmt: skip
BODIES: dict[str, tuple[Point, ...]] = {
    # Metres, from the nose over the back to the hind quarters and along the belly to the chin.
    "horse": (
        (-1.34, 1.34), (-1.26, 1.48), (-1.06, 1.70), (-0.98, 1.84), (-0.93, 1.70), (-0.72, 1.56), (-0.44, 1.38),
        (0.05, 1.31),
        (0.48, 1.39), (0.72, 1.28), (0.78, 1.02), (0.56, 0.80), (0.10, 0.74), (-0.40, 0.76), (-0.64, 0.95),
        (-0.78, 1.22),
        (-1.00, 1.36), (-1.22, 1.24),
    ),
    "cow": (
        (-1.42, 0.94), (-1.36, 1.12), (-1.12, 1.30), (-0.92, 1.26), (-0.60, 1.30), (0.0, 1.26), (0.62, 1.32),
        (0.82, 1.20),
        (0.82, 0.86), (0.58, 0.62), (0.0, 0.54), (-0.50, 0.58), (-0.78, 0.76), (-1.00, 0.96), (-1.22, 0.84),
    ),
    "deer": (
        (-1.00, 1.44), (-0.90, 1.56), (-0.74, 1.64), (-0.56, 1.70), (-0.64, 1.52), (-0.52, 1.28), (-0.34, 1.14),
        (0.10, 1.08),
        (0.46, 1.14), (0.62, 1.04), (0.60, 0.80), (0.40, 0.70), (0.0, 0.70), (-0.34, 0.70), (-0.50, 0.86),
        (-0.66, 1.22),
        (-0.82, 1.38),
    ),
    "dog": (
        (-0.66, 0.62), (-0.58, 0.70), (-0.48, 0.76), (-0.36, 0.74), (-0.27, 0.62), (0.0, 0.56), (0.30, 0.57),
        (0.40, 0.48),
        (0.36, 0.34), (0.10, 0.34), (-0.16, 0.28), (-0.30, 0.36), (-0.42, 0.56), (-0.58, 0.56),
    ),
    "cat": (
        (-0.16, 0.36), (-0.15, 0.44), (-0.13, 0.55), (-0.07, 0.48), (0.0, 0.48), (0.05, 0.55), (0.07, 0.44),
        (0.06, 0.34),
        (0.13, 0.24), (0.18, 0.10), (0.15, 0.0), (-0.12, 0.0), (-0.13, 0.12), (-0.10, 0.26), (-0.12, 0.31),
    ),
    "sheep": (
        (-0.58, 0.62), (-0.50, 0.80), (-0.20, 0.90), (0.14, 0.89), (0.46, 0.84), (0.58, 0.64), (0.50, 0.42),
        (0.10, 0.34),
        (-0.34, 0.36), (-0.54, 0.46),
    ),
}  # fmt: skip
LEGS: dict[str, tuple[tuple[Point, ...], ...]] = {
    # From the body over the joint to the hoof; the far pair first.
    "horse": (((-0.36, 0.80), (-0.34, 0.44), (-0.38, 0.0)), ((0.48, 0.86), (0.56, 0.46), (0.48, 0.0)),
              ((-0.52, 0.84), (-0.56, 0.44), (-0.54, 0.0)), ((0.66, 0.92), (0.74, 0.48), (0.66, 0.0))),
    "cow": (((-0.46, 0.64), (-0.44, 0.34), (-0.46, 0.0)), ((0.46, 0.66), (0.52, 0.36), (0.48, 0.0)),
            ((-0.62, 0.66), (-0.64, 0.34), (-0.62, 0.0)), ((0.66, 0.72), (0.72, 0.38), (0.68, 0.0))),
    "deer": (((-0.28, 0.74), (-0.26, 0.40), (-0.28, 0.0)), ((0.38, 0.76), (0.46, 0.42), (0.38, 0.0)),
             ((-0.40, 0.76), (-0.42, 0.40), (-0.42, 0.0)), ((0.52, 0.82), (0.58, 0.44), (0.52, 0.0))),
    "dog": (((-0.18, 0.34), (-0.16, 0.18), (-0.18, 0.0)), ((0.28, 0.36), (0.32, 0.18), (0.27, 0.0)),
            ((-0.27, 0.36), (-0.28, 0.18), (-0.28, 0.0)), ((0.36, 0.40), (0.41, 0.18), (0.37, 0.0))),
    "cat": (),
    "sheep": (((-0.24, 0.40), (-0.24, 0.0)), ((0.26, 0.40), (0.26, 0.0)), ((-0.36, 0.42), (-0.37, 0.0)),
              ((0.40, 0.44), (0.41, 0.0))),
}  # fmt: skip
THICKNESS = {"horse": 0.13, "cow": 0.15, "deer": 0.085, "dog": 0.075, "cat": 0.0, "sheep": 0.09}
TAILS: dict[str, tuple[tuple[Point, ...], float]] = {
    "horse": (((0.74, 1.28), (0.90, 1.10), (0.94, 0.80), (0.86, 0.48)), 0.11),
    "cow": (((0.82, 1.20), (0.92, 0.90), (0.90, 0.50)), 0.05),
    "deer": (((0.60, 1.06), (0.70, 0.98)), 0.09),
    "dog": (((0.38, 0.52), (0.52, 0.66), (0.56, 0.80)), 0.05),
    "cat": (((0.14, 0.05), (0.28, 0.05), (0.36, 0.14), (0.34, 0.26)), 0.045),
    "sheep": (((0.56, 0.62), (0.62, 0.52)), 0.09),
}


def animal(kind: str, rng: np.random.Generator, coat: Colour | None, sharp: float) -> Sprite:
    """One of `ANIMALS`, life-size; `coat` replaces its own colour."""
    colour = coat or COATS[kind]
    outline = smooth(BODIES[kind])
    wide = 2 * max(abs(x) for x, _ in [*outline, *TAILS[kind][0]]) + (0.7 if kind == "sheep" else 0.3)
    stencil = Stencil(wide, max(y for _, y in outline) + (0.55 if kind == "deer" else 0.12), sharp)
    legs = DARK if kind == "sheep" else colour
    for number, leg in enumerate(LEGS[kind]):
        _leg(stencil, leg, THICKNESS[kind], times(legs, 0.55 if number < 2 else 0.84))  # noqa: PLR2004 - the far pair
    tail, thick = TAILS[kind]
    stencil.line(tail, thick, times(DARK if kind == "horse" else colour, 0.9))
    stencil.polygon(outline, times(colour, 0.74))
    middle = sum(y for _, y in outline) / len(outline)
    stencil.polygon([(x * 0.97, y if y > middle else middle - (middle - y) * 0.45) for x, y in outline], colour)
    _marks(stencil, kind, rng, colour)
    return stencil.sprite()


def smooth(points: Sequence[Point], steps: int = 5) -> list[Point]:
    """Round a closed outline off with a Catmull-Rom spline through its points."""
    knots = np.asarray(points, np.float64)
    before, after, later = np.roll(knots, 1, 0), np.roll(knots, -1, 0), np.roll(knots, -2, 0)
    curve = []
    for t in np.arange(steps) / steps:
        weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
        curve.append(0.5 * sum(w * k for w, k in zip(weights, (before, knots, after, later), strict=True)))
    joined = np.stack(curve, axis=1).reshape(-1, 2)
    return [(float(x), float(y)) for x, y in joined]


def _blob(rng: np.random.Generator) -> list[Point]:
    turns = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    reach = rng.uniform(0.10, 0.24, 6)
    return [(float(r * np.cos(t)), float(r * 0.7 * np.sin(t))) for t, r in zip(turns, reach, strict=True)]


def _leg(stencil: Stencil, joints: tuple[Point, ...], thick: float, colour: Colour) -> None:
    for number, (high, low) in enumerate(pairwise(joints)):
        upper, lower = thick * (0.85 - 0.30 * number), thick * (0.55 - 0.15 * number)
        shape = [
            (high[0] - upper, high[1]),
            (high[0] + upper, high[1]),
            (low[0] + lower, low[1]),
            (low[0] - lower, low[1]),
        ]
        stencil.polygon(shape, colour)


def _marks(stencil: Stencil, kind: str, rng: np.random.Generator, colour: Colour) -> None:
    """Add what tells one animal from another: mane, spots, wool, antlers, ears and eyes."""
    if kind == "horse":
        stencil.polygon(
            [(-1.02, 1.80), (-0.90, 1.74), (-0.40, 1.42), (-0.52, 1.30), (-0.84, 1.50)], times(colour, 0.35)
        )
        stencil.ellipse((-1.14, 1.56), 0.025, 0.03, DARK)
    elif kind == "cow":
        for _ in range(4):
            spot = (float(rng.uniform(-0.5, 0.6)), float(rng.uniform(0.85, 1.16)))
            stencil.polygon(smooth([(spot[0] + dx, spot[1] + dy) for dx, dy in _blob(rng)]), (0.16, 0.12, 0.11))
        stencil.polygon([(-1.10, 1.28), (-0.92, 1.40), (-0.98, 1.24)], times(colour, 0.7))
        stencil.line([(-1.16, 1.28), (-1.24, 1.42)], 0.04, (0.86, 0.82, 0.70))
        stencil.ellipse((-1.38, 0.98), 0.08, 0.09, (0.86, 0.66, 0.62))
        stencil.ellipse((-1.20, 1.16), 0.025, 0.025, DARK)
    elif kind == "sheep":
        for x, y in smooth(BODIES["sheep"], 2):
            stencil.ellipse((x * 0.92, y * 0.92 + 0.05), 0.115, 0.105, times(colour, 0.80 + 0.22 * y))
        stencil.polygon(smooth([(-0.50, 0.80), (-0.66, 0.80), (-0.80, 0.60), (-0.74, 0.52), (-0.56, 0.62)]), DARK)
        stencil.polygon([(-0.56, 0.78), (-0.44, 0.72), (-0.54, 0.70)], DARK)
    elif kind == "deer":
        for lean in (-0.10, 0.10):
            antler = [(-0.60, 1.66), (-0.58 + lean, 1.86), (-0.50 + lean * 2.4, 2.04)]
            stencil.line(antler, 0.035, (0.40, 0.30, 0.20))
            stencil.line([antler[1], (antler[1][0] - 0.14, antler[1][1] + 0.12)], 0.03, (0.40, 0.30, 0.20))
        stencil.ellipse((-0.80, 1.54), 0.02, 0.02, DARK)
        stencil.ellipse((0.58, 0.98), 0.05, 0.08, (0.92, 0.88, 0.80))
    elif kind == "dog":
        stencil.polygon([(-0.44, 0.75), (-0.34, 0.76), (-0.33, 0.56), (-0.40, 0.60)], times(colour, 0.55))
        stencil.ellipse((-0.65, 0.63), 0.025, 0.022, DARK)
        stencil.ellipse((-0.50, 0.68), 0.014, 0.014, DARK)
    else:
        for x in (-0.075, 0.01):
            stencil.ellipse((x - 0.02, 0.415), 0.013, 0.017, (0.86, 0.82, 0.36))
