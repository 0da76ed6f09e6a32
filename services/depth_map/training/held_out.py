"""Kinds of scenes that no network is trained on, by which versions of it are compared."""

import numpy as np

from services.depth_map.training import furniture, outdoors
from services.depth_map.training.cameras import Camera
from services.depth_map.training.furniture import Spot
from services.depth_map.training.scenes import Light, Scene, colour
from services.depth_map.training.solids import Shape

Size = tuple[int, int]


def corridor(scene: Scene, size: Size) -> None:
    """A long passage with doors, pillars and lamps along it."""
    random = scene.random
    half, long, high = float(random.uniform(0.8, 2.2)), float(random.uniform(5, 18)), float(random.uniform(2.3, 3.4))
    wall = scene.material(colour(random, "wall"), "clouded", "bricks", "tiled", contrast=0.15)
    floor = scene.material(colour(random, "grey"), "tiled", "planks", "clouded", metres=2, contrast=0.3)
    ceiling = scene.material(colour(random, "wall"), "clouded", "tiled", metres=2, contrast=0.1)
    lining = (wall, wall, wall, wall, floor, ceiling)
    scene.add("box", (0, long - 1, high / 2), (half, long, high / 2), lining, hollow=True)
    pillars = random.random() < 0.4
    for y in np.arange(1, long * 2 - 2, float(random.uniform(1.5, 3.5))):
        for side in (-1, 1):
            spot = Spot(side * (half - 0.02), float(y), 0, -side * np.pi / 2)
            if pillars:
                spot.put(scene, "tube", (0.25, 0.25, high / 2), wall)
            elif random.random() < 0.6:
                spot.put(scene, "box", (0.45, 0.04, 1.0), furniture.wooden(scene))
            elif random.random() < 0.5:
                furniture.cabinet(scene, spot.by(0, -0.2), (0.4, 0.15, 0.5))
    for y in np.arange(1, long * 2 - 2, 3.0):
        scene.lights.append(
            Light(np.array([0, y, high - 0.2], np.float32), np.full(3, 0.5, np.float32), reach_metres=2)
        )
    aim = np.array([random.normal(0, 0.3), 3, 1.4 + random.normal(-0.3, 0.3)])
    place = np.array([random.uniform(-0.6, 0.6) * half, 0, random.uniform(1, 1.8)])
    scene.camera = Camera.looking(place, aim, random.normal(0, 0.04), float(random.uniform(45, 75)), size)


def stairs(scene: Scene, size: Size) -> None:
    """Steps that lead up between two walls, with somebody on them, or down from where one stands."""
    random = scene.random
    stone = scene.material(colour(random, "grey"), "clouded", "rough", "planks", contrast=0.2)
    wall = scene.material(colour(random, "wall"), "bricks", "clouded", "rough", contrast=0.2)
    half, deep, rise = (
        float(random.uniform(0.8, 2)),
        float(random.uniform(0.25, 0.4)),
        float(random.uniform(0.13, 0.19)),
    )
    scene.add("box", (0, 5, 2.5), (half + 1, 8, 5), (wall,) * 6, hollow=True)
    scene.add("box", (0, 5, -0.1), (half + 1, 8, 0.1), stone)
    start = float(random.uniform(1.2, 3))
    for step in range(int(random.integers(6, 16))):
        scene.add("box", (0, start + step * deep + 4, step * rise / 2), (half, 4, step * rise / 2 + 0.01), stone)
    for side in (-1, 1):
        if random.random() < 0.7:
            scene.add("box", (side * half, start + 3, 1.2), (0.06, 3, 1.2), wall, spin=0.2)
    if random.random() < 0.6:
        furniture.person(scene, Spot(random.normal(0, 0.4), start + deep * 3.5, rise * 3.5))
    scene.lights.append(Light(np.array([0.3, 2, 4], np.float32), np.full(3, 1.2, np.float32), reach_metres=5))
    aim = np.array([random.normal(0, 0.4), 3, 1.2 + random.normal(0, 0.4)])
    scene.camera = Camera.looking(np.array([0, 0, 1.5]), aim, 0.0, float(random.uniform(50, 72)), size)


def market(scene: Scene, size: Size) -> None:
    """A square with stalls, awnings, goods and people."""
    random = scene.random
    outdoors._open_air(scene)  # noqa: SLF001
    outdoors.ground(scene, "grey", "tiled", "bricks", "rough")
    for row in range(int(random.integers(2, 5))):
        for column in range(-2, 3):
            spot = Spot(
                column * 3.5 + random.normal(0, 0.3), 3.0 + row * 4 + random.normal(0, 0.4), 0, random.normal(0, 0.2)
            )
            furniture.table(scene, spot, (1.1, 0.5, 0.4))
            furniture.clutter(scene, spot.by(0, 0, 0.8), 1.0, 0.4, 6)
            spot.by(0, 0, 2.1).put(scene, "box", (1.4, 0.9, 0.03), furniture.cloth(scene), spin=0.25)
            for side in (-1.3, 1.3):
                spot.by(side, 0.4).put(scene, "tube", (0.03, 0.03, 1.1), furniture.wooden(scene))
    for _ in range(int(random.integers(3, 12))):
        furniture.person(scene, Spot(random.normal(0, 3), float(random.uniform(2, 14)), 0, float(random.uniform(0, 6))))
    outdoors.house(scene, Spot(0, 30))
    scene.camera = outdoors._held(random, size, 0, 0.3)  # noqa: SLF001


def storeroom(scene: Scene, size: Size) -> None:
    """Boxes in heaps along the walls of a cellar, and a way between them."""
    random = scene.random
    half, long, high = float(random.uniform(1.5, 3)), float(random.uniform(2, 4)), float(random.uniform(2.2, 3.2))
    lining = tuple(
        scene.material(colour(random), metres=2, contrast=float(random.uniform(0.05, 0.5))) for _ in range(6)
    )
    scene.add("box", (0, long - 0.5, high / 2), (half, long, high / 2), lining, hollow=True)
    for _ in range(int(random.integers(8, 30))):
        side, y = float(random.choice([-1, 1])), float(random.uniform(0.8, long * 2 - 0.8))
        back = random.random() < 0.35
        x = float(random.uniform(-0.9, 0.9)) * half if back else side * (half - float(random.uniform(0.1, 0.5)))
        _heap(scene, Spot(x, long * 2 - 0.9 if back else y, 0, float(random.normal(0, 0.2))))
    for _ in range(int(random.integers(1, 3))):
        lamp = np.array([random.uniform(-1, 1) * half, random.uniform(0, 2) * long, high - 0.2], np.float32)
        scene.lights.append(Light(lamp, np.full(3, 0.9, np.float32), reach_metres=3))
    place = np.array([random.uniform(-0.5, 0.5) * half, 0, random.uniform(1.2, 1.7)])
    aim = np.array([random.normal(0, 0.4) * half, long * 1.4, random.uniform(0.2, 1.3)])
    scene.camera = Camera.looking(place, aim, random.normal(0, 0.03), float(random.uniform(54, 74)), size)


def _heap(scene: Scene, spot: Spot) -> None:
    random, up = scene.random, 0.0
    for _ in range(int(random.integers(1, 5))):
        half = tuple(float(value) for value in random.uniform(0.1, 0.38, 3))
        place = spot.by(float(random.normal(0, 0.05)), 0, up, float(random.normal(0, 0.15)))
        shape: Shape = "tube" if random.random() < 0.2 else "box"
        place.put(scene, shape, (half[0], half[1], half[2]), scene.material(colour(random), metres=0.6, contrast=0.4))
        up += half[2] * 2


def workbench(scene: Scene, size: Size) -> None:
    """A long bench with things on it, seen from somebody who stands at it, and a wall with boards behind."""
    random = scene.random
    wall, wood = (scene.material(colour(random), metres=2, contrast=0.3) for _ in range(2))
    far = float(random.uniform(0.45, 1.6))
    scene.add("box", (0, far + 0.5, 1.3), (6, 0.5, 2), wall)
    scene.add("box", (0, 0.6, -0.05), (6, 5, 0.05), scene.material(colour(random), metres=1, contrast=0.4))
    scene.add("box", (0, 0.35, 0.86), (float(random.uniform(0.8, 3)), 0.4, 0.03), wood)
    for row in range(int(random.integers(0, 3))):
        scene.add("box", (random.normal(0, 0.5), far - 0.14, 1.35 + row * 0.35), (0.8, 0.14, 0.015), wood)
    for _ in range(int(random.integers(8, 30))):
        spot = Spot(float(random.normal(0, 0.5)), float(random.uniform(0.02, 0.7)), 0.89, float(random.uniform(0, 6)))
        half = tuple(float(value) for value in np.exp(random.normal(-2.9, 0.5, 3)))
        shape: Shape = "box" if random.random() < 0.5 else "tube" if random.random() < 0.6 else "ball"
        spot.put(scene, shape, (half[0], half[1], half[2]), scene.material(colour(random), metres=0.3, contrast=0.5))
    scene.lights.append(Light(np.array([0.5, -0.5, 2.4], np.float32), np.full(3, 1.0, np.float32), reach_metres=3))
    place = np.array([random.normal(0, 0.2), random.uniform(-0.5, 0.0), random.uniform(1.25, 1.7)])
    aim = np.array([random.normal(0, 0.3), 0.5, random.uniform(0.85, 1.15)])
    scene.camera = Camera.looking(place, aim, random.normal(0, 0.05), float(random.uniform(50, 70)), size)
