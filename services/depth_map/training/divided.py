"""Rooms that are divided: tall things stand free in them, and past those is seen what is behind.

In other rooms all that reaches up to the top of a picture is a wall, and what is in the middle is far.
"""

from typing import Final

import numpy as np

from services.depth_map.training import furniture, rooms, views
from services.depth_map.training.furniture import Spot
from services.depth_map.training.rooms import Plan
from services.depth_map.training.scenes import Scene, colour
from services.depth_map.training.textures import Random

Size = tuple[int, int]

_NEAREST_METRES: Final = 1.3


def divided(scene: Scene, size: Size) -> None:
    """A large room with wardrobes, shelves, pillars or pieces of wall in it, one of which the camera is aimed at."""
    random = scene.random
    plan = views.plan_of(scene, 2.3, 5.0)
    place = (float(random.uniform(-0.6, 0.6)) * plan.across, -plan.along + float(random.uniform(0.15, 0.9)))
    plan.take(*place, 0.5, 0.6)
    if random.random() < 0.35:
        _opening(scene, plan, place[1] + float(random.uniform(2.2, 4.0)))
    aims = [aim for _ in range(int(random.integers(1, 5))) if (aim := _stood(scene, plan, place)) is not None]
    views.lined(scene, plan)
    views.strewn(scene, plan, int(random.integers(1, 8)))
    if random.random() < 0.35:
        _overhead(scene, plan)
    yaw = aims[0] if aims else 0.0
    high = float(np.clip(random.normal(1.4, 0.17), 0.85, 1.85))
    down = float(np.clip(random.normal(0.14, 0.12), -0.08, 0.5))
    scene.camera = views.aimed(random, np.array([*place, high]), yaw + float(random.normal(0, 0.25)), down, size)
    rooms.lit(scene, plan)


def _stood(scene: Scene, plan: Plan, place: tuple[float, float]) -> float | None:
    """Stand something tall before the camera where there is room; tell at which angle it is seen, left is positive."""
    random = scene.random
    away = float(random.uniform(_NEAREST_METRES, max(plan.along * 1.5, _NEAREST_METRES + 0.1)))
    aside = float(random.normal(0, 0.35)) * away
    x, y = place[0] + aside, place[1] + away
    half = _half(random)
    reach = max(half[0], half[1])
    if abs(x) + half[0] > plan.across or y + half[1] > plan.along or not plan.fits(x, y, reach, reach):
        return None
    plan.take(x, y, reach, reach)
    turn = float(random.normal(0, 0.15)) if random.random() < 0.7 else float(random.uniform(0, 2 * np.pi))
    _tall(scene, Spot(x, y, 0, turn), half, plan.high)
    return float(np.arctan2(-aside, away))


def _half(random: Random) -> tuple[float, float, float]:
    return float(random.uniform(0.25, 0.8)), float(random.uniform(0.15, 0.4)), float(random.uniform(0.7, 1.1))


def _tall(scene: Scene, spot: Spot, half: tuple[float, float, float], high: float) -> None:
    random, kind = scene.random, scene.random.random()
    if kind < 0.3:
        furniture.cabinet(scene, spot, half)
    elif kind < 0.45:
        furniture.shelves(scene, spot, half)
    elif kind < 0.6:  # a fridge, a machine, a wardrobe of cloth
        skin = furniture.cloth(scene) if random.random() < 0.5 else furniture.anything(scene)
        spot.put(scene, "box", half, skin)
        if random.random() < 0.5:
            spot.by(0, -half[1], half[2] * 0.1).put(
                scene,
                "box",
                (half[0] * 0.9, 0.01, half[2] * float(random.uniform(0.3, 0.85))),
                furniture.anything(scene),
            )
    elif kind < 0.75:  # a piece of wall
        wall = scene.material(colour(random, "wall"), contrast=float(random.uniform(0.03, 0.4)), metres=1.5)
        spot.put(scene, "box", (half[0] * 1.4, float(random.uniform(0.04, 0.12)), high / 2), wall)
    elif kind < 0.87:  # a pillar or a post
        slim = float(random.uniform(0.04, 0.25))
        spot.put(scene, "box" if random.random() < 0.5 else "tube", (slim, slim, high / 2), furniture.anything(scene))
    else:
        furniture.stack(scene, spot)
    if kind < 0.6 and random.random() < 0.5:
        furniture.clutter(scene, spot.by(0, 0, half[2] * 2), half[0], half[1], int(random.integers(1, 5)))


def _opening(scene: Scene, plan: Plan, y: float) -> None:
    """Build a wall across the room with a wide opening, through which the room behind is seen."""
    random = scene.random
    if y > plan.along - 0.8:
        return
    wide, centre = float(random.uniform(0.45, 1.3)), float(random.uniform(-0.5, 0.5)) * plan.across
    wall = scene.material(colour(random, "wall"), contrast=float(random.uniform(0.03, 0.35)), metres=1.5)
    for side, edge in ((-1, centre - wide), (1, centre + wide)):
        half = (plan.across - side * edge) / 2
        if half > 0.05:
            Spot(side * (plan.across - half), y).put(scene, "box", (half, 0.06, plan.high / 2), wall)
            plan.take(side * (plan.across - half), y, half, 0.2)
    lintel = float(random.uniform(0.05, 0.3))
    Spot(centre, y, plan.high - lintel * 2).put(scene, "box", (wide, 0.06, lintel), wall)


def _overhead(scene: Scene, plan: Plan) -> None:
    """Hang beams, pipes and ducts under the ceiling, as in cellars and halls."""
    random = scene.random
    skin, apart = furniture.anything(scene), float(random.uniform(0.4, 1.2))
    if random.random() < 0.6:
        low = float(random.uniform(0.05, 0.14))
        for share in np.arange(-plan.along, plan.along, apart):
            Spot(0, float(share), plan.high - low * 2).put(scene, "box", (plan.across, 0.04, low), skin)
    for _ in range(int(random.integers(0, 5))):
        slim, along = float(random.uniform(0.03, 0.16)), random.random() < 0.5
        x, y = float(random.uniform(-0.9, 0.9)) * plan.across, float(random.uniform(-0.9, 0.9)) * plan.along
        spot = Spot(x, 0, 0) if along else Spot(0, y, 0, np.pi / 2)
        half = plan.along if along else plan.across
        pipe = furniture.anything(scene)
        spot.by(0, 0, plan.high - float(random.uniform(0.2, 0.4)) - half).put(
            scene, "tube", (slim, slim, half), pipe, spin=np.pi / 2
        )
