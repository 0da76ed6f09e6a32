"""Streets, gardens and open country under a sky, and things from near before them."""

import numpy as np

from services.depth_map.training import furniture
from services.depth_map.training.cameras import Camera
from services.depth_map.training.furniture import Spot
from services.depth_map.training.scenes import Light, Scene, colour
from services.depth_map.training.textures import Random

Size = tuple[int, int]
_FAR = 400.0


def street(scene: Scene, size: Size) -> None:
    """A street along y between two rows of houses, with cars, trees, posts and people."""
    random = scene.random
    _open_air(scene)
    ground(scene, "grey", "rough", "clouded", "tiled", "bricks")
    half = float(random.uniform(3, 9))
    pavement = scene.material(colour(random, "grey"), "tiled", "clouded", "rough", metres=2, contrast=0.2)
    for side in (-1, 1):
        scene.add("box", (side * (half + 2), 100, 0.05), (2, 150, 0.06), pavement)
        _row_of_houses(scene, side * (half + float(random.uniform(3, 7))), side)
        for _ in range(int(random.integers(2, 12))):
            _beside_the_road(scene, side * (half + float(random.uniform(-1.2, 3.0))), float(random.uniform(2, 60)))
    for _ in range(int(random.integers(0, 5))):
        car(
            scene,
            Spot(float(random.uniform(-1, 1)) * half * 0.6, float(random.uniform(4, 50)), 0, random.normal(0, 0.1)),
        )
    for _ in range(int(random.integers(0, 4))):
        furniture.person(scene, Spot(float(random.uniform(-1, 1)) * half, float(random.uniform(3, 25)), 0, 1))
    scene.camera = _held(random, size, float(random.uniform(-0.7, 0.7)) * half, spread=0.35)


def country(scene: Scene, size: Size) -> None:
    """Meadows and hills with trees, rocks and now and then a house."""
    random = scene.random
    _open_air(scene)
    ground(scene, "green" if random.random() < 0.7 else "wood", "foliage", "rough", "grained", "spotted")
    land = scene.material(colour(random, "green"), "foliage", "rough", metres=15, contrast=0.5)
    for _ in range(int(random.integers(2, 9))):
        far = float(np.exp(random.uniform(2.6, 5.3)))
        wide, high = far * float(random.uniform(0.3, 1.0)), far * float(random.uniform(0.03, 0.22))
        scene.add("ball", (random.normal(0, 0.7) * far, far + wide, 0), (wide, wide, high), land)
    for _ in range(int(random.integers(3, 22))):
        far = float(np.exp(random.uniform(1.2, 4.6)))
        spot = Spot(far * float(random.uniform(-0.9, 0.9)), far)
        if random.random() < 0.7:
            tree(scene, spot)
        else:
            rock(scene, spot, float(np.exp(random.normal(-0.6, 0.6))))
    if random.random() < 0.4:
        house(scene, Spot(random.normal(0, 12), float(random.uniform(12, 60)), 0, float(random.uniform(0, 6))))
    if random.random() < 0.3:
        _fence(scene, float(random.uniform(3, 15)))
    scene.camera = _held(random, size, 0, spread=0.3)


def garden(scene: Scene, size: Size) -> None:
    """A yard before a house: terrace, table and chairs, pots, a hedge."""
    random = scene.random
    _open_air(scene)
    ground(scene, str(random.choice(["green", "grey", "wood"])), "foliage", "tiled", "planks", "bricks", "rough")
    house(scene, Spot(random.normal(0, 5), float(random.uniform(9, 18)), 0, random.normal(0, 0.3)))
    hedge = scene.material(colour(random, "green"), "foliage", metres=2, contrast=0.8)
    for side in (-1, 1):
        if random.random() < 0.7:
            wide = float(random.uniform(3, 10))
            scene.add("box", (side * wide, 6, 0.8), (0.4, 9, float(random.uniform(0.5, 1.4))), hedge)
    for _ in range(int(random.integers(2, 9))):
        spot = Spot(random.normal(0, 2.2), float(random.uniform(1.8, 9)), 0, float(random.uniform(0, 6)))
        kinds = [furniture.table, furniture.chair, furniture.person, tree]
        maker = kinds[int(random.integers(len(kinds)))]
        maker(scene, spot)
        furniture.plant(scene, spot.by(1, 0.5), float(random.uniform(0.4, 1.2)))
    scene.camera = _held(random, size, 0, spread=0.3)


def ground(scene: Scene, kind: str, *patterns: str) -> None:
    shade = scene.material(
        colour(scene.random, kind), *patterns, metres=3, contrast=float(scene.random.uniform(0.1, 0.6))
    )
    scene.add("box", (0, _FAR * 0.4, -0.5), (_FAR, _FAR, 0.5), shade)


def tree(scene: Scene, spot: Spot) -> None:
    random, tall = scene.random, float(np.exp(scene.random.normal(1.6, 0.5)))
    bark = scene.material(colour(random, "wood") * 0.5, "grained", "rough", contrast=0.6)
    leaf = scene.material(colour(random, "green"), "foliage", metres=tall * 0.5, contrast=0.9)
    spot.put(scene, "tube", (tall * 0.04, tall * 0.04, tall * 0.3), bark, top=0.6)
    if random.random() < 0.3:
        for step in range(3):
            half = (tall * (0.25 - 0.06 * step), tall * (0.25 - 0.06 * step), tall * 0.2)
            spot.by(0, 0, tall * (0.2 + 0.22 * step)).put(scene, "tube", half, leaf, top=0.0)
        return
    for _ in range(int(random.integers(3, 10))):
        wide = tall * float(random.uniform(0.1, 0.28))
        place = spot.by(
            random.normal(0, tall * 0.14), random.normal(0, tall * 0.14), tall * float(random.uniform(0.4, 0.8))
        )
        place.put(scene, "ball", (wide, wide, wide * float(random.uniform(0.6, 1))), leaf)


def rock(scene: Scene, spot: Spot, size: float) -> None:
    random = scene.random
    stone = scene.material(colour(random, "grey"), "rough", "spotted", contrast=0.6)
    for _ in range(int(random.integers(1, 4))):
        half = tuple(float(size * value) for value in random.uniform(0.4, 1.2, 3))
        place = spot.by(random.normal(0, size * 0.6), random.normal(0, size * 0.6), -half[2] * 0.6)
        place.put(scene, "ball", (half[0], half[1], half[2]), stone, yaw=float(random.uniform(0, 6)))


def house(scene: Scene, spot: Spot) -> None:
    random = scene.random
    half = (float(random.uniform(3, 8)), float(random.uniform(3, 6)), float(random.uniform(1.4, 4)))
    wall = scene.material(colour(random, "wall"), "clouded", "bricks", "facade", "planks", metres=3, contrast=0.3)
    tiles = scene.material(colour(random), "tiled", "bricks", "striped", metres=1.5, contrast=0.4)
    spot.put(scene, "box", half, wall)
    roof = spot.by(0, 0, half[2] * 2)
    for side in (-1, 1):
        slope = roof.by(0, side * half[1] * 0.5, half[1] * 0.25)
        slope.put(scene, "box", (half[0] * 1.05, half[1] * 0.72, 0.1), tiles, spin=-side * 0.6)
    pane = scene.material(colour(random, "dark"), "clouded", shine=0.5)
    for share in np.linspace(-0.7, 0.7, int(random.integers(2, 6))):
        place = spot.by(float(share) * half[0], -half[1], 0 if random.random() < 0.25 else 0.9)
        place.put(scene, "box", (0.5, 0.05, 0.65 if place.z else 1.0), pane)


def car(scene: Scene, spot: Spot) -> None:
    random = scene.random
    paint = scene.material(colour(random), "clouded", contrast=0.08, shine=0.7)
    glass = scene.material(colour(random, "dark"), "clouded", shine=0.6)
    rubber = scene.material(np.full(3, 0.02, np.float32), "rough")
    high = float(random.uniform(0.28, 0.5))
    spot.by(0, 0, 0.25).put(scene, "box", (0.85, 2.1, high), paint)
    spot.by(0, 0.2, 0.25 + high * 2).put(scene, "box", (0.75, float(random.uniform(0.9, 1.7)), 0.26), glass)
    spot.by(0, 0.2, 0.25 + high * 2 + 0.5).put(scene, "box", (0.74, 0.9, 0.03), paint)
    for side in (-0.8, 0.8):
        for end in (-1.3, 1.3):
            spot.by(side, end).put(scene, "ball", (0.12, 0.32, 0.32), rubber)


def _open_air(scene: Scene) -> None:
    random = scene.random
    blue = colour(random, "sky")
    haze = np.clip(blue * 0.5 + float(random.uniform(0.4, 0.6)), 0, 1.2)
    scene.sky = (haze.astype(np.float32), blue)
    scene.fog_metres = float(np.exp(random.uniform(4.0, 7.5)))
    up = float(random.uniform(0.2, 1.2))
    sun = np.array([random.normal(), random.normal(), up * 1.5], np.float32)
    strong = float(random.choice([0.05, 0.8, 1.4]))
    scene.lights.append(Light(sun, np.array([1, 0.95, 0.85], np.float32) * strong, distant=True))
    scene.ambient_above = (haze * random.uniform(0.5, 0.8)).astype(np.float32)
    scene.ambient_below = (haze * random.uniform(0.2, 0.4)).astype(np.float32)


def _row_of_houses(scene: Scene, x: float, side: int) -> None:
    random, y = scene.random, -10.0
    level = float(np.exp(random.normal(1.7, 0.5)))
    while y < 150:
        long, deep = float(random.uniform(3, 10)), float(random.uniform(3, 8))
        high = level * float(np.exp(random.normal(0, 0.3)))
        kinds = ("facade", "facade", "bricks", "clouded")
        wall = scene.material(colour(random, "wall"), *kinds, metres=float(random.uniform(4, 12)), contrast=0.3)
        if random.random() < 0.88:
            out = x + side * (deep + float(random.uniform(0, 1.5)))
            scene.add("box", (out, y + long, high / 2), (deep, long, high / 2), wall)
        else:
            tree(scene, Spot(x + side * 3, y + long))
        y += long * 2 + max(0.0, float(random.uniform(-2, 3)))


def _beside_the_road(scene: Scene, x: float, y: float) -> None:
    random = scene.random
    kind, spot = random.integers(0, 5), Spot(x, y)
    if kind == 0:
        tree(scene, spot)
    elif kind == 1:
        metal = scene.material(colour(random, "grey"), "clouded", shine=0.3)
        spot.put(scene, "tube", (0.06, 0.06, float(random.uniform(0.5, 3.5))), metal)
        if random.random() < 0.5:
            sign = scene.material(colour(random, "vivid"), "written", "clouded", metres=0.5)
            spot.by(0, -0.07, 2).put(scene, "box", (0.3, 0.02, 0.3), sign)
    elif kind == 2:
        furniture.person(scene, Spot(x, y, 0, float(random.uniform(0, 6))))
    elif kind == 3:
        furniture.trifle(scene, spot, scale=6)
    else:
        car(scene, spot)


def _fence(scene: Scene, y: float) -> None:
    wood = furniture.wooden(scene)
    for x in np.arange(-12, 12, 1.5):
        Spot(float(x), y).put(scene, "box", (0.05, 0.05, 0.6), wood)
    for up in (0.4, 0.9):
        Spot(0, y - 0.06, up).put(scene, "box", (12, 0.02, 0.05), wood)


def _held(random: Random, size: Size, x: float, spread: float) -> Camera:
    high = float(np.clip(random.normal(1.6, 0.25), 0.7, 3))
    turn, pitch = random.normal(0, spread), random.normal(-0.03, 0.1)
    aim = np.array([x + np.sin(turn), np.cos(turn), high + np.tan(pitch)])
    degrees = float(np.clip(random.normal(60, 10), 32, 95))
    return Camera.looking(np.array([x, 0, high]), aim, random.normal(0, 0.03), degrees, size)
