"""Rooms, with what stands in them and hangs on their walls."""

from dataclasses import dataclass

import numpy as np

from services.depth_map.training import furniture
from services.depth_map.training.cameras import Camera
from services.depth_map.training.furniture import Spot
from services.depth_map.training.scenes import Light, Material, Scene, colour
from services.depth_map.training.textures import Random

Size = tuple[int, int]


@dataclass
class Plan:
    """The floor of a room: half sides and height in metres, and what is taken (centre x, y, half sides x, y)."""

    across: float
    along: float
    high: float
    taken: list[tuple[float, float, float, float]]

    def fits(self, x: float, y: float, half_x: float, half_y: float) -> bool:
        return all(abs(x - a) > half_x + c or abs(y - b) > half_y + d for a, b, c, d in self.taken)

    def take(self, x: float, y: float, half_x: float, half_y: float) -> None:
        self.taken.append((x, y, half_x, half_y))


def room(scene: Scene, size: Size) -> None:
    """A room somebody lives or works in, seen from beside one of its walls."""
    plan = shell(scene)
    place = _stand(scene.random, plan)
    plan.take(place[0], place[1], 0.5, 0.5)
    _furnish(scene, plan, int(scene.random.integers(5, 16)))
    _fill_floor(scene, plan)
    scene.camera = _camera(scene.random, plan, place, size)
    lit(scene, plan)


def tabletop(scene: Scene, size: Size) -> None:
    """A desk or a table from near, with the room behind it."""
    random = scene.random
    plan = shell(scene)
    y = plan.along - 0.42 if random.random() < 0.6 else float(random.uniform(-0.3, 0.5)) * plan.along
    x = float(random.uniform(-0.6, 0.6)) * plan.across
    spot = Spot(x, y)
    if random.random() < 0.6:
        furniture.desk(scene, spot)
    else:
        half = (float(random.uniform(0.5, 1.2)), 0.42, float(random.uniform(0.25, 0.4)))
        furniture.table(scene, spot, half)
        furniture.clutter(scene, spot.by(0, 0, half[2] * 2), half[0], half[1], int(random.integers(3, 14)))
    distance, turn = float(random.uniform(0.5, 1.5)), float(random.normal(0, 0.6))
    place = np.array([x + distance * np.sin(turn), y - distance * np.cos(turn), random.uniform(0.95, 1.7)])
    place[:2] = np.clip(place[:2], [-plan.across + 0.2, -plan.along + 0.2], [plan.across - 0.2, plan.along - 0.2])
    plan.take(x, y, 1.1, 0.9)
    plan.take(float(place[0]), float(place[1]), 0.5, 0.5)
    _furnish(scene, plan, int(random.integers(1, 7)))
    target = np.array([x + random.normal(0, 0.3), y + random.normal(0, 0.3), random.uniform(0.55, 1.1)])
    scene.camera = Camera.looking(place, target, random.normal(0, 0.05), random.uniform(42, 72), size)
    lit(scene, plan)


def kitchen(scene: Scene, size: Size) -> None:
    """Cupboards below and above along one or two walls, a fridge, perhaps a table."""
    random = scene.random
    plan = shell(scene)
    place = _stand(random, plan)
    plan.take(place[0], place[1], 0.6, 0.6)
    for wall in random.permutation(4)[: int(random.integers(1, 3))]:
        cupboards(scene, plan, int(wall))
    _furnish(scene, plan, int(random.integers(0, 4)))
    _fill_floor(scene, plan)
    scene.camera = _camera(random, plan, place, size)
    lit(scene, plan)


def shell(scene: Scene, sides: tuple[float, ...] | None = None) -> Plan:
    """Build floor, ceiling and walls with what hangs on them; half sides in metres."""
    random = scene.random
    across, along = sides or np.clip(np.exp(random.normal(0.8, 0.35, 2)), 1.3, 6)
    plan = Plan(float(across), float(along), float(np.clip(random.normal(2.6, 0.3), 2.1, 4.5)), [])
    half = (plan.across, plan.along, plan.high / 2)
    scene.add("box", (0, 0, half[2]), half, _linings(scene), hollow=True)
    if random.random() < 0.7:
        board = furniture.wooden(scene)
        for wall in range(4):
            spot, length = at_wall(plan, wall, 0, 0.01)
            spot.put(scene, "box", (length, 0.01, float(random.uniform(0.03, 0.06))), board)
    for _ in range(int(random.integers(2, 9))):
        hang(scene, plan)
    return plan


def _linings(scene: Scene) -> tuple[Material, ...]:
    random = scene.random
    kinds = ["clouded"] * 5 + ["rough", "rough", "striped", "spotted", "bricks", "tiled", "planks", "leaves"]
    # Were all walls light, all that is light would be taken for a wall.
    tone = "wall" if random.random() < 0.6 else "any"
    wall = scene.material(colour(random, tone), str(random.choice(kinds)), contrast=float(random.uniform(0.02, 0.35)))
    walls = [wall] * 4
    if random.random() < 0.4:
        walls[int(random.integers(4))] = scene.material(colour(random), str(random.choice(kinds)), contrast=0.2)
    shine = max(0.0, float(random.uniform(-0.3, 0.3)))
    floor_kind = str(random.choice(["wood", "wood", "muted", "grey", "dark", "wall"]))
    kinds = ["planks", "planks", "tiled", "rough", "clouded", "clouded", "spotted", "grained", "colourful"]
    contrast = float(random.uniform(0.05, 0.5))
    floor = scene.material(
        colour(random, floor_kind), str(random.choice(kinds)), metres=1.5, contrast=contrast, shine=shine
    )
    ceiling = scene.material(colour(random, tone) ** 0.5, "clouded", "tiled", "planks", metres=2.0, contrast=0.08)
    return (*walls, floor, ceiling)


def at_wall(plan: Plan, wall: int, share: float, out: float) -> tuple[Spot, float]:
    """A spot at a share (-1 to 1) of a wall, so many metres out of it and turned with its back to it."""
    side, other = (plan.along, plan.across) if wall % 2 == 0 else (plan.across, plan.along)
    x, y = share * other, side - out
    yaw = wall * np.pi / 2
    return Spot(
        float(x * np.cos(yaw) - y * np.sin(yaw)), float(x * np.sin(yaw) + y * np.cos(yaw)), 0, float(yaw)
    ), other


def hang(scene: Scene, plan: Plan) -> None:
    """A window, a door, a picture, a curtain or a radiator on one of the walls."""
    random = scene.random
    spot, _ = at_wall(plan, int(random.integers(4)), float(random.uniform(-0.8, 0.8)), 0.01)
    kind = random.integers(0, 6)
    if kind == 0:
        _window(scene, spot)
    elif kind == 1:
        frame, door = furniture.wooden(scene), furniture.wooden(scene)
        spot.put(scene, "box", (0.5, 0.03, 1.05), frame)
        spot.put(scene, "box", (0.43, 0.05, 1.0), door)
        knob = scene.material(colour(random, "grey"), "clouded", shine=0.6)
        spot.by(0.35, -0.08, 0.98).put(scene, "ball", (0.03, 0.03, 0.03), knob)
    elif kind == 2:
        fabric = scene.material(colour(random), "striped", "grained", metres=0.5, contrast=0.3)
        for fold in range(int(random.integers(3, 8))):
            spot.by(fold * 0.12, -0.06).put(scene, "tube", (0.07, 0.07, plan.high * 0.47), fabric)
    elif kind == 3:
        white = scene.material(colour(random, "wall"), "striped", metres=0.3, contrast=0.3)
        spot.by(0, -0.05, 0.12).put(scene, "box", (float(random.uniform(0.3, 0.8)), 0.06, 0.28), white)
    else:
        _picture(scene, spot)


def _picture(scene: Scene, spot: Spot) -> None:
    random = scene.random
    half = (float(random.uniform(0.12, 0.7)), 0.015, float(random.uniform(0.12, 0.5)))
    face = scene.material(
        colour(random), "leaves", "colourful", "written", "clouded", "striped", metres=0.8, contrast=0.8
    )
    place = spot.by(0, 0, 1.5 - half[2] + float(random.normal(0, 0.15)))
    place.put(scene, "box", half, furniture.wooden(scene))
    place.by(0, -0.008, half[2] * 0.1).put(scene, "box", (half[0] * 0.9, 0.015, half[2] * 0.9), face)


def _window(scene: Scene, spot: Spot) -> None:
    random = scene.random
    half = (float(random.uniform(0.35, 1.1)), 0.03, float(random.uniform(0.4, 0.75)))
    place = spot.by(0, 0, float(random.uniform(0.6, 1.0)))
    glow = float(random.uniform(0.2, 1.5))
    view = scene.material(colour(random, "sky"), "clouded", "foliage", "leaves", metres=2.0, contrast=0.4, glow=glow)
    frame = furniture.wooden(scene)
    place.put(scene, "box", half, view)
    for share in np.linspace(-1, 1, int(random.integers(2, 5))):
        place.by(float(share) * half[0], -0.03).put(scene, "box", (0.03, 0.03, half[2]), frame)
    for up in (0, half[2] * 2):
        place.by(0, -0.03, up - 0.03).put(scene, "box", (half[0] + 0.03, 0.05, 0.03), frame)
    out = place.by(0, -0.3, half[2])
    if random.random() < 0.7:
        light = (colour(random, "sky") * float(random.uniform(0.8, 3))).astype(np.float32)
        scene.lights.append(Light(np.array([out.x, out.y, out.z], np.float32), light, reach_metres=2.5))


def _furnish(scene: Scene, plan: Plan, count: int) -> None:
    """Stand furniture along the walls where there is room."""
    random = scene.random
    makers = list(furniture.AGAINST_WALLS)
    for _ in range(count * 2):
        make = makers[int(random.integers(len(makers)))]
        wide, deep = furniture.AGAINST_WALLS[make]
        wall = int(random.integers(4))
        spot, _ = at_wall(plan, wall, float(random.uniform(-0.85, 0.85)), deep + float(random.uniform(0.02, 0.12)))
        taken = (wide, deep) if wall % 2 == 0 else (deep, wide)
        if abs(spot.x) + taken[0] > plan.across + 0.1 or abs(spot.y) + taken[1] > plan.along + 0.1:
            continue
        if plan.fits(spot.x, spot.y, *taken):
            plan.take(spot.x, spot.y, *taken)
            make(scene, Spot(spot.x, spot.y, 0, spot.yaw + float(random.normal(0, 0.04))))


def _fill_floor(scene: Scene, plan: Plan) -> None:
    """Tables, chairs, people, boxes and a carpet away from the walls."""
    random = scene.random
    if random.random() < 0.35:
        half = (float(random.uniform(0.5, 0.8)) * plan.across, float(random.uniform(0.4, 0.7)) * plan.along, 0.006)
        Spot(0, 0).put(scene, "box", half, furniture.cloth(scene))
    for _ in range(int(random.integers(2, 12))):
        x, y = random.uniform(-0.8, 0.8, 2) * [plan.across, plan.along]
        spot = Spot(float(x), float(y), 0, float(random.uniform(0, 6.3)))
        if not plan.fits(spot.x, spot.y, 0.6, 0.6):
            continue
        plan.take(spot.x, spot.y, 0.5, 0.5)
        free_standing(scene, spot)


def free_standing(scene: Scene, spot: Spot) -> None:
    random = scene.random
    kind = random.integers(0, 8)
    if kind in {0, 1}:
        furniture.table(scene, spot)
        for _ in range(int(random.integers(0, 4))):
            angle = float(random.uniform(0, 6.3))
            furniture.chair(scene, spot.by(0, 0, 0, angle).by(0, float(random.uniform(0.6, 0.9))))
    elif kind in {2, 3}:
        furniture.chair(scene, spot)
        if random.random() < 0.2:
            furniture.person(scene, spot, sits=True)
    elif kind == 4:
        furniture.person(scene, spot)
    elif kind == 5:
        furniture.sofa(scene, spot)
    else:
        for _ in range(int(random.integers(1, 5))):
            place = spot.by(float(random.normal(0, 0.3)), float(random.normal(0, 0.3)))
            furniture.trifle(scene, place, scale=float(random.uniform(1.5, 4)))


def cupboards(scene: Scene, plan: Plan, wall: int) -> None:
    random = scene.random
    spot, length = at_wall(plan, wall, 0, 0.32)
    wide = length * float(random.uniform(0.5, 0.98))
    furniture.cabinet(scene, spot, (wide, 0.3, 0.44))
    spot.by(0, -0.02, 0.88).put(scene, "box", (wide, 0.33, 0.02), furniture.wooden(scene))
    furniture.clutter(scene, spot.by(0, 0, 0.92), wide, 0.25, int(random.integers(2, 10)))
    if random.random() < 0.75:
        up = spot.by(float(random.uniform(-0.2, 0.2)) * wide, 0.14, 1.4)
        furniture.cabinet(scene, up, (wide * float(random.uniform(0.4, 0.9)), 0.17, float(random.uniform(0.25, 0.45))))
    if random.random() < 0.6:
        side = wide - 0.3 if random.random() < 0.5 else 0.3 - wide
        cold = scene.material(colour(random, "grey") ** 0.5, "clouded", contrast=0.05, shine=0.3)
        spot.by(side, -0.04).put(scene, "box", (0.32, 0.34, float(random.uniform(0.7, 0.95))), cold)
    taken = (length, 0.65) if wall % 2 == 0 else (0.65, length)
    plan.take(spot.x, spot.y, *taken)


def _stand(random: Random, plan: Plan) -> tuple[float, float]:
    """Where somebody stands to take a picture of a room: mostly near its walls, sometimes anywhere."""
    shares = random.uniform(-0.9, 0.9, 2)
    if random.random() < 0.75:
        shares[int(random.integers(2))] = random.choice([-1, 1]) * random.uniform(0.6, 0.95)
    room_left = np.array([plan.across, plan.along]) - 0.4
    x, y = np.clip(shares * [plan.across, plan.along], -room_left, room_left)
    return float(x), float(y)


def _camera(random: Random, plan: Plan, place: tuple[float, float], size: Size) -> Camera:
    """A camera held by hand or on a shelf, aimed across the room at what stands about there."""
    high = float(np.clip(random.normal(1.4, 0.3), 0.4, plan.high - 0.2))
    for _ in range(20):
        target = random.uniform(-0.95, 0.95, 2) * [plan.across, plan.along]
        if np.linalg.norm(target - place) > 0.45 * (plan.across + plan.along):
            break
    reach = float(np.linalg.norm(target - place))
    pitch = float(np.clip(random.normal(-0.25, 0.15), -0.8, 0.25))
    aim = np.array([*target, high + np.tan(pitch) * reach])
    degrees = float(np.clip(random.normal(60, 9), 35, 95))
    return Camera.looking(np.array([*place, high]), aim, float(random.normal(0, 0.04)), degrees, size)


def lit(scene: Scene, plan: Plan) -> None:
    """Hang lamps, and let light come from everywhere."""
    random = scene.random
    for _ in range(int(random.integers(0 if scene.lights else 1, 3))):
        x, y = random.uniform(-0.7, 0.7, 2) * [plan.across, plan.along]
        warm = np.array([1, random.uniform(0.75, 1), random.uniform(0.5, 1.05)]) * random.uniform(0.5, 2)
        z = plan.high - float(random.uniform(0.15, 0.6))
        scene.lights.append(Light(np.array([x, y, z], np.float32), warm.astype(np.float32), reach_metres=3))
        if random.random() < 0.5:
            shade = scene.material(colour(random, "wall"), "clouded", glow=1.5)
            scene.add("ball", (x, y, z), (0.15, 0.15, 0.1), shade)
    level = float(random.uniform(0.15, 0.6))
    tint = 1 + random.normal(0, 0.06, 3)
    scene.ambient_above = (level * tint).astype(np.float32)
    scene.ambient_below = (level * tint * random.uniform(0.5, 0.95)).astype(np.float32)
