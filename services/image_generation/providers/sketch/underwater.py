"""The sea from below: rays of light, sand, weed, coral and fish."""

import numpy as np

from services.image_generation.providers.sketch.camera import Camera
from services.image_generation.providers.sketch.canvas import Canvas, Sprite, Stencil, as_array
from services.image_generation.providers.sketch.composition import Setting
from services.image_generation.providers.sketch.landscape import Report
from services.image_generation.providers.sketch.noise import Grid, fractal_tile, sample, smooth_step, stream
from services.image_generation.providers.sketch.palette import Colour, mix, times

DEEP: Colour = (0.01, 0.12, 0.25)
BRIGHT: Colour = (0.30, 0.74, 0.80)
SIGHT_METRES = 40.0
CORALS: tuple[Colour, ...] = ((0.90, 0.42, 0.36), (0.94, 0.66, 0.30), (0.72, 0.36, 0.62))
WEEDS: tuple[Colour, ...] = ((0.20, 0.52, 0.30), (0.30, 0.60, 0.28))
SCALES: tuple[Colour, ...] = ((0.98, 0.60, 0.16), (0.95, 0.86, 0.30), (0.32, 0.62, 0.92), (0.90, 0.36, 0.42))


def paint_underwater(canvas: Canvas, setting: Setting, seed: int, report: Report) -> None:
    """Paint the sea from below."""
    rng = stream(seed, "underwater", *setting.scene.unknown)
    camera = Camera(canvas.width_px, canvas.height_px, canvas.height_px * 0.62, 4.0)
    dim = 0.45 if setting.hour == "night" else 1.0
    tile = fractal_tile(rng, cells=5, octaves=4)
    _paint_water(canvas, tile, float(rng.uniform(0.3, 0.7)), dim)
    _paint_sand(canvas, camera, tile, dim)
    report(0.4)
    things = [*_weeds(camera, seed), *_fishes(camera, setting, seed)]
    for sprite, x_px, row_px, z in sorted(things, key=lambda thing: -thing[3]):
        _put(canvas, sprite, (x_px, row_px, z), times(DEEP, 2.0 * dim))
    report(0.8)


def _paint_water(canvas: Canvas, tile: Grid, source_share: float, dim: float) -> None:
    y, x = np.mgrid[0 : canvas.height_px, 0 : canvas.width_px].astype(np.float32)
    deep, bright = np.asarray(times(DEEP, dim), np.float32), np.asarray(times(BRIGHT, dim), np.float32)
    fall = np.clip(y / canvas.height_px * 1.35, 0, 1)[..., None] ** 0.8
    canvas.pixels[:] = bright + (deep - bright) * fall
    turn = (x - canvas.width_px * source_share) / (y + canvas.height_px * 0.35)
    rays = smooth_step(0.3, 2.0, sample(tile, turn * 0.55, turn * 0 + 0.3)) * np.exp(-y / canvas.height_px * 1.7)
    canvas.pixels += rays[..., None] * np.asarray((0.30, 0.36, 0.32), np.float32) * dim


def _paint_sand(canvas: Canvas, camera: Camera, tile: Grid, dim: float) -> None:
    """Sand with the net of light that waves throw on it, lost in the blue with distance."""
    y, x = np.mgrid[0 : canvas.height_px, 0 : canvas.width_px].astype(np.float32)
    ridge = camera.horizon_px + camera.unit_px * 0.05 * sample(tile, x / camera.unit_px / 2.4, x * 0 + 0.2)
    below = smooth_step(-1.0, 1.0, y - ridge)
    z = camera.focal_px * camera.eye_metres / np.maximum(y - ridge + 14, 4)
    along = (x - camera.width_px / 2) * z / camera.focal_px
    net = np.abs(sample(tile, along / 34, z / 22)) + np.abs(sample(tile, along / 23 + 0.4, z / 15))
    caustic = smooth_step(0.75, 0.05, net) * np.clip(26 / z, 0, 1)
    tone = 0.74 + 0.05 * sample(tile, along / 9, z / 5) + 0.34 * caustic
    sand = np.asarray((0.52, 0.66, 0.58), np.float32) * tone[..., None] * dim
    near = np.exp(-((z / 62) ** 1.2))
    canvas.pixels += (sand - canvas.pixels) * (below * near)[..., None]
    canvas.depth[:] = np.where(below > 0, z, np.inf)


def _weeds(camera: Camera, seed: int) -> list[tuple[Sprite, float, float, float]]:
    """Weed and coral on the ground; the middle stays open for the fish."""
    grown = []
    for number in range(46):
        rng = stream(seed, "weed", number)
        z, share = float(rng.uniform(9, 46)), float(rng.uniform(-0.02, 1.02))
        if abs(share - 0.5) < 0.18 and z < 20:  # noqa: PLR2004 - near the middle
            continue
        sharp = min(40.0, camera.scale(z))
        sprite = _weed(rng, sharp) if rng.integers(2) else _coral(rng, sharp)
        grown.append((sprite, share * camera.width_px, camera.project(0, 0.08, z)[1], z))
    return grown


def _weed(rng: np.random.Generator, sharp: float) -> Sprite:
    stencil, colour = Stencil(3.0, 4.4, sharp, over=2), WEEDS[int(rng.integers(len(WEEDS)))]
    for _ in range(9):
        foot, sway, high = rng.normal(0, 0.35), rng.normal(0, 0.4), rng.uniform(1.4, 4.0)
        steps = np.linspace(0, 1, 9).tolist()
        stem = [(float(foot + sway * t + 0.16 * np.sin(t * 7 + foot * 9)), float(high * t)) for t in steps]
        stencil.line(stem, 0.13, times(colour, float(rng.uniform(0.6, 1.1))))
    return stencil.sprite()


def _coral(rng: np.random.Generator, sharp: float) -> Sprite:
    stencil, colour = Stencil(3.0, 1.9, sharp, over=2), CORALS[int(rng.integers(len(CORALS)))]
    for _ in range(7):
        foot, lean, high = rng.normal(0, 0.3), rng.normal(0, 0.35), rng.uniform(0.6, 1.5)
        tip = (float(foot + lean), float(high))
        stencil.line([(float(foot), 0.0), (float(foot + lean * 0.3), high * 0.6), tip], 0.24, colour)
        stencil.ellipse(tip, 0.2, 0.2, times(colour, 1.15))
    return stencil.sprite()


def _fishes(camera: Camera, setting: Setting, seed: int) -> list[tuple[Sprite, float, float, float]]:
    mention = setting.scene.mention("fish")
    colours = mention.colours or SCALES
    heading = bool(stream(seed, "heading").integers(2))
    swum = []
    for number in range(mention.number(one=1, several=26) if "fish" in setting.scene.things else 12):
        rng = stream(seed, "fish", number)
        z, share, rise = float(rng.uniform(8, 30)), float(rng.uniform(0.05, 0.95)), float(rng.uniform(-0.05, 0.72))
        if number == 0:
            z, share, rise = 9.0, 0.5 + 0.12 * float(rng.choice([-1, 1])), 0.35
        sprite = _fish(colours[int(rng.integers(len(colours)))], min(90.0, camera.scale(z)), flip=heading)
        swum.append((sprite, share * camera.width_px, camera.horizon_px * (1 - rise), z))
    return swum


def _fish(colour: Colour, sharp: float, *, flip: bool) -> Sprite:
    """Draw a striped fish, 1.4 m long, looking left or, flipped, right."""
    stencil, side = Stencil(1.8, 1.0, sharp), -1 if flip else 1
    stencil.polygon(
        [(0.42 * side, 0.5), (0.80 * side, 0.82), (0.72 * side, 0.5), (0.80 * side, 0.18)], times(colour, 0.7)
    )
    stencil.polygon([(-0.15 * side, 0.68), (0.1 * side, 0.92), (0.32 * side, 0.66)], times(colour, 0.66))
    stencil.ellipse((-0.05 * side, 0.5), 0.58, 0.26, colour)
    stencil.ellipse((-0.05 * side, 0.42), 0.50, 0.15, mix(colour, (1.0, 1.0, 1.0), 0.45))
    stencil.line([(-0.15 * side, 0.32), (-0.12 * side, 0.70)], 0.09, (0.96, 0.96, 0.92))
    stencil.ellipse((-0.43 * side, 0.56), 0.055, 0.055, (0.06, 0.06, 0.08))
    return stencil.sprite()


def _put(canvas: Canvas, sprite: Sprite, at: tuple[float, float, float], blue: Colour) -> None:
    """Put a sprite at (column, row of its foot, distance); the water takes its colour with distance."""
    column, row, z = at
    art = as_array(sprite.art)
    lost = 1 - float(np.exp(-((z / SIGHT_METRES) ** 1.1)))
    art = art * np.array([*times((0.72, 0.92, 0.95), 1 - lost), 1], np.float32)
    art += np.array([*times(blue, lost), 0], np.float32)
    canvas.stamp(art, round(column - art.shape[1] / 2), round(row - art.shape[0]), z)
