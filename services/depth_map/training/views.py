"""Rooms as people photograph them: from within, held at breast height and a little down, at what stands at the walls.

What is near is mostly low in such pictures, and what is far is in their middle or above it; that is what they have in
common with each other, and what the pictures of `rooms` have less of.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from services.depth_map.training import furniture, rooms
from services.depth_map.training.cameras import Camera, Place
from services.depth_map.training.furniture import Spot
from services.depth_map.training.rooms import Plan
from services.depth_map.training.scenes import Scene, colour
from services.depth_map.training.textures import Random

Size = tuple[int, int]
Maker = Callable[[Scene, Spot], None]

_LOW: Final[dict[Maker, tuple[float, float]]] = {
    furniture.bed: (0.95, 1.05),
    furniture.sofa: (1.1, 0.5),
    furniture.table: (0.8, 0.5),
    furniture.desk: (1.0, 0.45),
}
"""What is looked over, and the half sides of the floor that it takes."""


def lived_in(scene: Scene, size: Size) -> None:
    """A furnished room, seen from one end towards the other or into a corner."""
    random = scene.random
    plan = plan_of(scene, 1.4, 3.3)
    place = _at_the_end(random, plan)
    plan.take(*place, 0.5, 0.6)
    if random.random() < 0.45:
        _before(scene, plan, place)
    lined(scene, plan)
    strewn(scene, plan, int(random.integers(0, 7)))
    scene.camera = _held(random, plan, place, size)
    rooms.lit(scene, plan)


def seated(scene: Scene, size: Size) -> None:
    """The desk or table at which somebody sits, full of things, and what is behind it."""
    random = scene.random
    plan = plan_of(scene, 1.6, 4.0)
    half = (float(random.uniform(0.6, 1.3)), float(random.uniform(0.33, 0.55)), float(random.uniform(0.34, 0.39)))
    y = plan.along - half[1] - 0.05 if random.random() < 0.55 else float(random.uniform(-0.2, 0.5)) * plan.along
    spot = Spot(float(random.uniform(-0.5, 0.5)) * plan.across, y)
    furniture.table(scene, spot, half, bare=True)
    _laid(scene, spot.by(0, 0, half[2] * 2), half)
    plan.take(spot.x, y, half[0] + 0.1, half[1] + 0.1)
    away, turn = half[1] + float(random.uniform(-0.2, 0.5)), float(random.normal(0, 0.4))
    place = np.array([spot.x + away * np.sin(turn), y - away * np.cos(turn), half[2] * 2 + random.uniform(0.28, 0.85)])
    plan.take(float(place[0]), float(place[1]), 0.4, 0.4)
    lined(scene, plan)
    strewn(scene, plan, int(random.integers(0, 4)))
    down = float(np.clip(random.normal(0.42, 0.17), 0.05, 0.9))
    yaw = -turn + float(random.normal(0, 0.3))
    scene.camera = aimed(random, place, yaw, down, size)
    rooms.lit(scene, plan)


def counter(scene: Scene, size: Size) -> None:
    """A kitchen, a bathroom or a workshop: cupboards and tops along its walls, from two steps away."""
    random = scene.random
    plan = plan_of(scene, 1.4, 2.7)
    place = _at_the_end(random, plan)
    plan.take(*place, 0.5, 0.6)
    walls = [0, *([1] if random.random() < 0.45 else []), *([3] if random.random() < 0.35 else [])]
    for wall in walls:
        rooms.cupboards(scene, plan, wall)
    lined(scene, plan)
    strewn(scene, plan, int(random.integers(0, 4)))
    scene.camera = _held(random, plan, place, size)
    rooms.lit(scene, plan)


def rows(scene: Scene, size: Size) -> None:
    """An office, a class or an eating room: tables in rows with chairs, screens and a few people."""
    random = scene.random
    plan = plan_of(scene, 2.6, 6.0)
    place = _at_the_end(random, plan)
    gap_x, gap_y = float(random.uniform(1.6, 2.6)), float(random.uniform(1.4, 2.2))
    half = (float(random.uniform(0.4, 0.75)), float(random.uniform(0.3, 0.45)), float(random.uniform(0.34, 0.39)))
    facing = float(random.integers(4)) * np.pi / 2
    for x in np.arange(-plan.across + 1, plan.across - 0.6, gap_x):
        for y in np.arange(place[1] + 1.3, plan.along - 0.6, gap_y):
            if random.random() < 0.88:
                _workplace(scene, Spot(float(x), float(y), 0, facing + float(random.normal(0, 0.05))), half)
            plan.take(float(x), float(y), half[0], half[0])
    lined(scene, plan)
    scene.camera = _held(random, plan, place, size)
    rooms.lit(scene, plan)


def close(scene: Scene, size: Size) -> None:
    """One piece of furniture with what belongs to it, filling the picture."""
    random = scene.random
    plan = plan_of(scene, 1.5, 3.0)
    makers = list(furniture.AGAINST_WALLS)
    make = makers[int(random.integers(len(makers)))]
    wide, deep = furniture.AGAINST_WALLS[make]
    x = float(random.uniform(-0.6, 0.6)) * plan.across
    make(scene, Spot(x, plan.along - deep - 0.03))
    plan.take(x, plan.along - deep, wide, deep)
    away, turn = float(random.uniform(1.0, 2.2)), float(random.normal(0, 0.4))
    y = plan.along - deep * 2
    high = float(np.clip(random.normal(1.3, 0.25), 0.6, 1.75))
    place = np.array([x + away * np.sin(turn), y - away * np.cos(turn), high])
    place[:2] = np.clip(place[:2], [-plan.across + 0.3, -plan.along + 0.3], [plan.across - 0.3, plan.along - 0.3])
    plan.take(float(place[0]), float(place[1]), 0.4, 0.4)
    lined(scene, plan)
    strewn(scene, plan, int(random.integers(0, 5)))
    down = float(np.clip((high - 0.55) / (away + deep) + random.normal(0.05, 0.15), 0.0, 1.0))
    scene.camera = aimed(random, place, -turn + float(random.normal(0, 0.25)), down, size)
    rooms.lit(scene, plan)


def plan_of(scene: Scene, least: float, most: float) -> Plan:
    plan = rooms.shell(scene, tuple(float(value) for value in scene.random.uniform(least, most, 2)))
    for _ in range(int(scene.random.integers(2, 9))):
        rooms.hang(scene, plan)
    return plan


def _at_the_end(random: Random, plan: Plan) -> tuple[float, float]:
    """In a doorway or with the back to a wall, and a step away from the walls at the sides."""
    side = max(plan.across - float(random.uniform(0.6, 1.3)), 0.2)
    return float(random.uniform(-1, 1)) * side, -plan.along + float(random.uniform(0.15, 0.8))


def _held(random: Random, plan: Plan, place: tuple[float, float], size: Size) -> Camera:
    """A camera in both hands, aimed at the far wall or its corners, and mostly a little down."""
    high = float(np.clip(random.normal(1.4, 0.17), 0.85, 1.85))
    target = np.array([random.uniform(-1, 1) * plan.across, random.uniform(0.1, 1) * plan.along]) - place
    down = float(np.clip(random.normal(0.29, 0.14), -0.06, 0.7))
    return aimed(random, np.array([*place, high]), float(np.arctan2(-target[0], target[1])), down, size)


def aimed(random: Random, place: Place, yaw: float, down: float, size: Size) -> Camera:
    ahead = np.array([-np.sin(yaw), np.cos(yaw), -np.tan(down)])
    degrees = float(np.clip(random.normal(61, 6), 45, 80)) * (0.8 if size[0] < size[1] else 1.0)
    return Camera.looking(place, place + ahead, float(random.normal(0, 0.03)), degrees, size)


def lined(scene: Scene, plan: Plan) -> None:
    """Stand furniture along all walls but the one behind, with few gaps."""
    random, makers = scene.random, list(furniture.AGAINST_WALLS)
    full = float(random.uniform(0.5, 1.0))
    for wall in (0, 1, 3):
        length = rooms.at_wall(plan, wall, 0, 0)[1]
        reached = -length
        while reached < length:
            make = makers[int(random.integers(len(makers)))]
            wide, deep = furniture.AGAINST_WALLS[make]
            spot, _ = rooms.at_wall(plan, wall, (reached + wide) / length, deep + float(random.uniform(0.02, 0.1)))
            taken = (wide, deep) if wall % 2 == 0 else (deep, wide)
            if random.random() < full and reached + 2 * wide <= length + 0.1 and plan.fits(spot.x, spot.y, *taken):
                plan.take(spot.x, spot.y, *taken)
                make(scene, spot)
            reached += wide * 2 + float(random.exponential(0.2)) if random.random() < 0.7 else 0.3


def _before(scene: Scene, plan: Plan, place: tuple[float, float]) -> None:
    """Put something low between the camera and the room, which the picture begins with at its bottom."""
    random, makers = scene.random, list(_LOW)
    make = makers[int(random.integers(len(makers)))]
    wide, deep = _LOW[make]
    x = place[0] + float(random.uniform(-1.0, 1.0))
    y = place[1] + deep + float(random.uniform(0.5, 1.3))
    if abs(x) + wide < plan.across + 0.3 and y + deep < plan.along:
        plan.take(x, y, wide, deep)
        make(scene, Spot(x, y, 0, float(random.choice([0, 0.5, 1, 1.5])) * np.pi + float(random.normal(0, 0.1))))


def strewn(scene: Scene, plan: Plan, count: int) -> None:
    """Chairs, bags, boxes, now and then somebody, and a carpet on the floor."""
    random = scene.random
    if random.random() < 0.4:
        half = (float(random.uniform(0.3, 0.8)) * plan.across, float(random.uniform(0.3, 0.7)) * plan.along, 0.006)
        Spot(float(random.normal(0, 0.3)), float(random.normal(0, 0.3))).put(
            scene, "box", half, furniture.cloth(scene), yaw=float(random.normal(0, 0.1))
        )
    for _ in range(count):
        x, y = (float(value) for value in random.uniform(-0.85, 0.85, 2) * [plan.across, plan.along])
        if not plan.fits(x, y, 0.3, 0.3):
            continue
        plan.take(x, y, 0.3, 0.3)
        spot, kind = Spot(x, y, 0, float(random.uniform(0, 6.3))), random.random()
        if kind < 0.4:
            furniture.chair(scene, spot)
        elif kind < 0.5:
            furniture.person(scene, spot, sits=random.random() < 0.3)
        else:
            furniture.trifle(scene, spot, scale=float(random.uniform(1.5, 4)))


def _laid(scene: Scene, top: Spot, half: tuple[float, float, float]) -> None:
    """Screens, a keyboard, papers and many small things on a table's top."""
    random = scene.random
    for _ in range(int(random.integers(0, 3))):
        across, along = float(random.uniform(-0.7, 0.7)) * half[0], half[1] * float(random.uniform(0.1, 0.75))
        furniture.screen(scene, top.by(across, along, 0, float(random.normal(0, 0.25))))
    if random.random() < 0.6:
        board = (float(random.uniform(0.15, 0.24)), 0.07, 0.01)
        place = top.by(float(random.uniform(-0.4, 0.4)), -half[1] * float(random.uniform(0, 0.6)))
        place.put(scene, "box", board, furniture.anything(scene), yaw=float(random.normal(0, 0.2)))
    for _ in range(int(random.integers(0, 6))):
        sheet = scene.material(colour(random, "wall"), "written", "clouded", metres=0.3, contrast=0.4)
        place = top.by(*(float(value) for value in random.uniform(-0.85, 0.85, 2) * half[:2]))
        place.put(scene, "box", (0.105, 0.148, 0.003), sheet, yaw=float(random.uniform(0, 6.3)))
    furniture.clutter(scene, top, half[0], half[1], int(random.integers(4, 22)))


def _workplace(scene: Scene, spot: Spot, half: tuple[float, float, float]) -> None:
    random = scene.random
    furniture.table(scene, spot, half)
    if random.random() < 0.4:
        furniture.screen(scene, spot.by(0, half[1] * 0.3, half[2] * 2))
    if random.random() < 0.8:
        chair = spot.by(float(random.normal(0, 0.1)), -half[1] - 0.25, 0, np.pi + float(random.normal(0, 0.3)))
        furniture.chair(scene, chair)
        if random.random() < 0.12:
            furniture.person(scene, chair, sits=True)
