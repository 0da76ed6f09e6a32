"""Furniture that belongs together: chairs round a table, desks before boards, and the floor that is seen below them."""

import numpy as np

from services.depth_map.training import furniture, rooms, views
from services.depth_map.training.furniture import Half, Spot
from services.depth_map.training.rooms import Plan
from services.depth_map.training.scenes import Material, Scene, colour
from services.depth_map.training.solids import Floats
from services.depth_map.training.textures import Random

Size = tuple[int, int]


def dining(scene: Scene, size: Size) -> None:
    """A table to eat or to meet at with chairs round it, seen over those that are nearest."""
    random = scene.random
    plan = views.plan_of(scene, 1.8, 3.6)
    half = (float(random.uniform(0.5, 1.6)), float(random.uniform(0.4, 0.65)), float(random.uniform(0.35, 0.39)))
    turn = float(random.choice([0, 0.5])) * np.pi + float(random.normal(0, 0.12))
    spot = Spot(float(random.uniform(-0.3, 0.3)) * plan.across, float(random.uniform(-0.1, 0.45)) * plan.along, 0, turn)
    furniture.table(scene, spot, half)
    reach = max(half[0], half[1]) + 0.5
    plan.take(spot.x, spot.y, reach, reach)
    _chairs_round(scene, spot, half)
    if random.random() < 0.5:
        _hung_lamp(scene, spot, plan)
    place = _before(random, plan, (spot.x, spot.y), float(random.uniform(1.1, 2.6)))
    plan.take(float(place[0]), float(place[1]), 0.4, 0.4)
    views.lined(scene, plan)
    views.strewn(scene, plan, int(random.integers(0, 3)))
    aim = (spot.x + float(random.normal(0, 0.4)), spot.y + float(random.normal(0.2, 0.4)))
    scene.camera = views.aimed(random, place, *_towards(random, place, aim), size)
    rooms.lit(scene, plan)


def office(scene: Scene, size: Size) -> None:
    """Desks side by side before a board or a wall, with chairs that were pushed back, from two to four steps away."""
    random = scene.random
    plan = views.plan_of(scene, 2.2, 5.0)
    half = (float(random.uniform(0.6, 0.95)), float(random.uniform(0.33, 0.45)), float(random.uniform(0.34, 0.38)))
    y = float(random.uniform(-0.1, 0.8)) * plan.along - half[1]
    facing = Spot(0, y, 0, float(random.normal(0, 0.2)))
    board, high = furniture.cloth(scene), float(random.uniform(0.5, 0.85))
    top = furniture.wooden(scene) if random.random() < 0.7 else None
    count, boarded = int(random.integers(1, 4)), random.random() < 0.75
    for column in range(count):
        desk = facing.by((column - (count - 1) / 2) * half[0] * 2.04 + float(random.normal(0, 0.02)), 0)
        _desk(scene, desk, half, top)
        if boarded:
            desk.by(0, half[1] + 0.03).put(scene, "box", (half[0], 0.025, high), board)
            if random.random() < 0.4:
                edge = desk.by(0, half[1] + 0.03, high * 2)
                furniture.clutter(scene, edge, half[0], 0.02, int(random.integers(1, 5)))
        if boarded and random.random() < 0.4:
            _desk(scene, desk.by(0, half[1] * 2 + 0.06, 0, np.pi), half, top)
    plan.take(facing.x, facing.y, half[0] * count + 0.2, half[1] * 3 + 0.3)
    place = _before(random, plan, (facing.x, facing.y - half[1]), float(random.uniform(1.2, 2.6)))
    plan.take(float(place[0]), float(place[1]), 0.4, 0.4)
    views.lined(scene, plan)
    views.strewn(scene, plan, int(random.integers(0, 4)))
    aim = (facing.x + float(random.normal(0, 0.5)), facing.y)
    scene.camera = views.aimed(random, place, *_towards(random, place, aim), size)
    rooms.lit(scene, plan)


def _desk(scene: Scene, spot: Spot, half: Half, top: Material | None) -> None:
    random = scene.random
    furniture.table(scene, spot, half, bare=True)
    if top is not None:
        spot.by(0, 0, half[2] * 2).put(scene, "box", (half[0], half[1], 0.01), top)
    plate = spot.by(0, 0, half[2] * 2 + 0.02)
    if random.random() < 0.6:
        furniture.screen(scene, plate.by(float(random.normal(0, 0.2)), half[1] * float(random.uniform(0, 0.7))))
    furniture.clutter(scene, plate, half[0], half[1], int(random.integers(0, 10)))
    if random.random() < 0.8:
        back = -half[1] - float(random.uniform(-0.05, 0.6))
        turn = np.pi + float(random.normal(0, 0.7))
        furniture.chair(scene, spot.by(float(random.normal(0, 0.3)), back, 0, turn))


def _chairs_round(scene: Scene, spot: Spot, half: Half) -> None:
    """Set chairs at all sides, drawn out by a little or more; mostly they are alike, made from the same numbers."""
    random = scene.random
    alike = int(random.integers(2**31)) if random.random() < 0.8 else None
    places = [(float(x), side) for side in (-1, 1) for x in _spread(half[0])]
    for x, side in places:
        if random.random() < 0.9:
            out = side * (half[1] + float(random.normal(0.12, 0.12)))
            turn = (0.0 if side > 0 else np.pi) + float(random.normal(0, 0.15))
            _alike(scene, spot.by(x, out, 0, turn), alike)
    for side in (-1, 1):
        if random.random() < 0.6:
            out = side * (half[0] + float(random.normal(0.15, 0.12)))
            _alike(scene, spot.by(out, 0, 0, -side * np.pi / 2 + float(random.normal(0, 0.15))), alike)


def _spread(half: float) -> Floats:
    count = max(1, int(half * 2 / 0.62))
    return np.asarray((np.arange(count) + 0.5) / count * half * 2 - half, np.float32)


def _alike(scene: Scene, spot: Spot, seed: int | None) -> None:
    """Set a chair; those of one seed are the same chair."""
    kept = scene.random
    if seed is not None:
        scene.random = np.random.default_rng(seed)
    furniture.chair(scene, spot)
    scene.random = kept


def _hung_lamp(scene: Scene, spot: Spot, plan: Plan) -> None:
    """Hang a lamp of one or several shades over the table."""
    random = scene.random
    low = float(random.uniform(1.45, 1.95))
    glass = scene.material(colour(random, "wall"), "clouded", glow=float(random.uniform(0.2, 1.5)))
    wire = scene.material(colour(random, "dark"), "clouded")
    spot.by(0, 0, low).put(scene, "tube", (0.012, 0.012, max(plan.high - low, 0.1) / 2), wire)
    count = int(random.integers(1, 7))
    for turn in np.linspace(0, 2 * np.pi, count, endpoint=False):
        place = spot.by(0, 0, low, float(turn)).by(0, 0.0 if count == 1 else 0.25)
        wide = float(random.uniform(0.12, 0.3)) if count == 1 else 0.07
        place.put(scene, "tube" if count == 1 else "ball", (wide, wide, wide * 0.8), glass, top=0.5)


def _before(random: Random, plan: Plan, seen: tuple[float, float], away: float) -> Floats:
    """Where somebody stands who looks at a place (metres) from so far, within the room."""
    turn = float(random.normal(0, 0.6))
    x, y = seen[0] + away * np.sin(turn), seen[1] - away * np.cos(turn)
    x = np.clip(x, -plan.across + 0.25, plan.across - 0.25)
    y = np.clip(y, -plan.along + 0.25, plan.along - 0.25)
    return np.array([x, y, np.clip(random.normal(1.4, 0.2), 0.9, 1.85)], np.float32)


def _towards(random: Random, place: Floats, aim: tuple[float, float]) -> tuple[float, float]:
    """Yaw and how far down (radians) somebody looks from a place to what stands at `aim` (metres) on the floor."""
    across, along = aim[0] - float(place[0]), aim[1] - float(place[1])
    high = float(place[2]) - float(random.uniform(0.4, 1.2))
    down = float(np.arctan2(high, max(float(np.hypot(across, along)), 0.5))) + float(random.normal(0, 0.06))
    return float(np.arctan2(-across, along)), float(np.clip(down, -0.1, 0.9))
