"""Things from near: before a room or the open air, and shapes that float in front of each other."""

import numpy as np

from services.depth_map.training import furniture, outdoors, rooms
from services.depth_map.training.cameras import Camera
from services.depth_map.training.furniture import Spot
from services.depth_map.training.scenes import Light, Scene, colour
from services.depth_map.training.solids import Floats

Size = tuple[int, int]


def subject(scene: Scene, size: Size) -> None:
    """Somebody or something in front, with a room, a street or open country behind."""
    random = scene.random
    builders = (rooms.room, rooms.kitchen, outdoors.street, outdoors.country)
    builders[int(random.integers(len(builders)))](scene, size)
    for _ in range(int(random.integers(1, 4))):
        _stand_before(scene)


def _stand_before(scene: Scene) -> None:
    random, camera = scene.random, scene.camera
    if camera is None:
        raise ValueError("a subject stands before a camera")
    distance, share = float(random.uniform(0.7, 2.6)), float(random.uniform(-0.6, 0.6)) * camera.spread
    way = camera.ahead + share * camera.right
    x, y = (camera.place + way / max(float(np.hypot(way[0], way[1])), 0.2) * distance)[:2]
    facing = float(np.arctan2(way[1], way[0])) - np.pi / 2 + random.normal(0, 0.5)
    spot = Spot(float(x), float(y), 0, float(facing))
    kind = random.integers(0, 5)
    if kind in {0, 1}:
        furniture.person(scene, spot, sits=random.random() < 0.3)
    elif kind == 2:
        furniture.table(scene, spot)
    elif kind == 3:
        furniture.plant(scene, spot, float(random.uniform(0.6, 1.6)))
    else:
        for _ in range(int(random.integers(1, 5))):
            place = spot.by(random.normal(0, 0.3), random.normal(0, 0.3))
            furniture.trifle(scene, place, scale=float(random.uniform(3, 8)))


def floating(scene: Scene, size: Size) -> None:
    """Shapes of all kinds at all distances, ordered only by what they hide, how they shrink and how light falls."""
    random = scene.random
    shell = tuple(scene.material(colour(random), metres=3, contrast=float(random.uniform(0.1, 0.7))) for _ in range(6))
    half = tuple(float(value) for value in random.uniform(3, 9, 3))
    scene.add("box", (0, 0, 0), (half[0], half[1], half[2]), shell, hollow=True, yaw=float(random.uniform(0, 6)))
    for _ in range(int(random.integers(8, 45))):
        _float(scene)
    aim = np.array([0, 1.0, random.normal(-0.15, 0.2)], np.float32)
    scene.camera = Camera.looking(np.zeros(3), aim, random.normal(0, 0.15), float(random.uniform(40, 75)), size)
    for _ in range(int(random.integers(1, 4))):
        light = colour(random, "wall") * float(random.uniform(0.6, 2))
        place = random.uniform(-2.5, 2.5, 3).astype(np.float32)
        scene.lights.append(Light(place, light.astype(np.float32), reach_metres=4))
    scene.ambient_above, scene.ambient_below = _level(scene, 0.5), _level(scene, 0.3)


def _float(scene: Scene) -> None:
    random = scene.random
    far = float(np.exp(random.uniform(0.0, 2.0)))
    place = (far * random.uniform(-0.8, 0.8), far, far * random.uniform(-0.7, 0.5))
    half = far * np.exp(random.normal(-2.0, 0.6, 3))
    shape = random.choice(np.array(["box", "ball", "tube"]))
    material = scene.material(colour(random), metres=far * 0.3, contrast=float(random.uniform(0.1, 0.9)))
    angles = random.uniform(0, 6, 3)
    turns = {"yaw": float(angles[0]), "tilt": float(angles[1]), "spin": float(angles[2])}
    scene.add(str(shape), place, (half[0], half[1], half[2]), material, top=float(random.uniform(0, 1)), **turns)  # type: ignore[arg-type]


def _level(scene: Scene, most: float) -> Floats:
    return np.full(3, scene.random.uniform(0.1, most), np.float32)
