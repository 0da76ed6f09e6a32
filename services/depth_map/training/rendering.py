"""Drawing a scene: exact depth for every pixel, and light that is close enough to that of photographs."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.training.cameras import Camera
from services.depth_map.training.scenes import FACES, Light, Scene
from services.depth_map.training.solids import Floats, Solid, distances
from services.depth_map.training.textures import SIDE

_SKY = -1
_NEAR_SHADE = ((3, 0), (-3, 0), (0, 3), (0, -3), (7, 5), (-7, 5), (5, -7), (-5, -7))


@dataclass(frozen=True)
class Rendering:
    """A picture with its depth.

    Attributes:
        radiance: linear light, height x width x 3.
        depth: metres along the camera's axis; infinity where there is sky.

    """

    radiance: Floats
    depth: Floats


@dataclass(frozen=True)
class _Surface:
    """What is seen at each of n points: where it is, how it is turned, what it is made of."""

    points: Floats
    normals: Floats
    albedo: Floats
    shine: Floats
    glow: Floats


def render(scene: Scene) -> Rendering:
    """Draw a scene through its camera."""
    camera = scene.camera
    if camera is None:
        raise ValueError("the scene has no camera")
    rays = camera.rays()
    depth, which = visible(scene, camera, rays)
    seen = which != _SKY
    radiance = _sky(scene, rays)
    if seen.any():
        surface = _surface(scene, camera, rays[seen], depth[seen], which[seen])
        light = _lit(scene, camera, surface, seen, depth)
        radiance[seen] = _in_haze(scene, light, depth[seen])
    return Rendering(radiance, depth)


def visible(scene: Scene, camera: Camera, rays: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Depth of each pixel, and the index of the solid that is seen there, -1 for none."""
    depth = np.full(rays.shape[:2], np.inf, np.float32)
    which = np.full(rays.shape[:2], _SKY, np.int64)
    for index, solid in enumerate(scene.solids):
        window = camera.window(solid)
        if window is None:
            continue
        met = distances(solid, camera.place, rays[window])
        nearer = met < depth[window]
        depth[window][nearer] = met[nearer]
        which[window][nearer] = index
    return depth, which


def _surface(scene: Scene, camera: Camera, rays: Floats, depth: Floats, which: NDArray[np.int64]) -> _Surface:
    points = camera.place + rays * depth[:, None]
    axes = np.stack([solid.axes for solid in scene.solids])
    inwards = np.stack([solid.inwards for solid in scene.solids])
    centres = np.stack([solid.centre for solid in scene.solids])
    local = np.einsum("nij,nj->ni", inwards[which], points - centres[which])
    halves = np.linalg.norm(axes, axis=1)[which]
    face, own, across, along = _faces(scene, which, local, halves)
    normals = np.einsum("nji,nj->ni", inwards[which], own)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    lean = np.abs((normals * rays).sum(axis=1)) / np.linalg.norm(rays, axis=1)
    normals *= -np.sign((normals * rays).sum(axis=1, keepdims=True))
    footprint = depth * (2 * camera.spread / camera.width) / np.maximum(lean, 0.15)
    paint = which * FACES + face
    sides = _pattern_sides(scene, camera)[paint]
    return _painted(scene, points, normals, paint, (across / sides, along / sides, footprint / sides))


def _faces(
    scene: Scene, which: NDArray[np.int64], local: Floats, halves: Floats
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Face, normal in the solid's own axes, and two positions on the surface in metres."""
    box = np.array([solid.shape == "box" for solid in scene.solids])[which]
    tube = np.array([solid.shape == "tube" for solid in scene.solids])[which]
    rows = np.arange(len(which))
    axis = np.argmax(np.abs(local), axis=1)
    sign = np.sign(local[rows, axis])
    own = np.zeros_like(local)
    own[rows, axis] = sign
    own[~box] = local[~box]
    side = tube & (np.abs(local[:, 2]) < 0.999)
    own[side, 2] = 0
    own[tube & ~side] = (0, 0, 1)
    metres = local * halves
    first = np.where(axis == 0, metres[:, 1], metres[:, 0])
    second = np.where(axis == 2, metres[:, 1], metres[:, 2])
    turn = np.arctan2(local[:, 1], local[:, 0]) * halves[:, 0]
    face = np.where(box, axis * 2 + (sign > 0), 0)
    return face, own, np.where(box | (tube & ~side), first, turn), np.where(box | side, second, metres[:, 2])


def _pattern_sides(scene: Scene, camera: Camera) -> Floats:
    """Side of the pattern of every face of every solid, in metres."""
    distances_metres = [float(np.linalg.norm(solid.centre - camera.place)) for solid in scene.solids]
    sides = [
        face.share_of_distance * metres if face.share_of_distance else face.metres
        for metres, faces in zip(distances_metres, scene.materials, strict=True)
        for face in faces
    ]
    return np.maximum(np.array(sides, np.float32), np.float32(0.01))


def _painted(
    scene: Scene, points: Floats, normals: Floats, paint: NDArray[np.int64], place: tuple[Floats, Floats, Floats]
) -> _Surface:
    materials = [face for faces in scene.materials for face in faces]
    patterns = np.array([it.pattern for it in materials])[paint]
    shifts = np.random.default_rng(len(materials)).random(len(materials)).astype(np.float32)[paint]
    across, along, footprint = place
    values = scene.textures.colours(patterns, across + shifts, along + shifts * 7, footprint * SIDE)
    dark, bright = (np.stack([getattr(it, name) for it in materials])[paint] for name in ("dark", "bright"))
    shine, glow = (np.array([getattr(it, name) for it in materials], np.float32)[paint] for name in ("shine", "glow"))
    return _Surface(points, normals, dark + values * (bright - dark), shine, glow)


def _lit(scene: Scene, camera: Camera, surface: _Surface, seen: NDArray[np.bool_], depth: Floats) -> Floats:
    above = (surface.normals[:, 2:] + 1) / 2
    ambient = scene.ambient_below + above * (scene.ambient_above - scene.ambient_below)
    diffuse = ambient * _openness(surface, seen, depth)[:, None]
    mirrored = np.zeros_like(diffuse)
    views = camera.place - surface.points
    views /= np.maximum(np.linalg.norm(views, axis=1, keepdims=True), 1e-6)
    for light in scene.lights:
        towards, strength = _towards(light, surface.points)
        facing = np.maximum((surface.normals * towards).sum(axis=1), 0)
        reaching = (strength * _reached(scene, light, surface, seen))[:, None] * light.colour
        diffuse += facing[:, None] * reaching
        halfway = towards + views
        halfway /= np.maximum(np.linalg.norm(halfway, axis=1, keepdims=True), 1e-6)
        mirrored += np.maximum((surface.normals * halfway).sum(axis=1), 0)[:, None] ** 40 * reaching
    out = surface.albedo * (diffuse + surface.glow[:, None] * 2) + surface.shine[:, None] * mirrored
    return np.asarray(out, np.float32)


def _towards(light: Light, points: Floats) -> tuple[Floats, Floats]:
    """Unit vectors to a light, and how strong it is there."""
    if light.distant:
        return np.broadcast_to(light.place / np.linalg.norm(light.place), points.shape), np.ones(
            len(points), np.float32
        )
    offsets = light.place - points
    distance = np.linalg.norm(offsets, axis=1)
    strength = 1 / (1 + np.square(distance / light.reach_metres))
    return offsets / np.maximum(distance, 1e-3)[:, None], strength.astype(np.float32)


def _reached(scene: Scene, light: Light, surface: _Surface, seen: NDArray[np.bool_]) -> Floats:
    """How much of a light comes through to each point: found at every third pixel, and softened."""
    grid = np.zeros((*seen.shape, 3), np.float32)
    grid[seen] = surface.points + surface.normals * 0.02
    points = grid[::3, ::3].reshape(-1, 3)
    jitter = np.random.default_rng(len(scene.solids)).normal(0, 0.06, points.shape).astype(np.float32)
    rays = (np.broadcast_to(light.place * 200, points.shape) if light.distant else light.place - points) + jitter
    solids = [solid for solid in scene.solids if not solid.hollow and not _holds(solid, light)]
    free = np.ones(len(points), bool)
    for solid, near in zip(solids, _near_ways(solids, points, rays), strict=True):
        asked = np.flatnonzero(free & near)
        if len(asked):
            free[asked] = distances(solid, points[asked], rays[asked]) >= 1
    soft = cv2.blur(free.reshape(grid[::3, ::3].shape[:2]).astype(np.float32), (3, 3))
    height, width = seen.shape
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)[seen], np.float32)


def _holds(solid: Solid, light: Light) -> bool:
    """Whether the light is inside the solid, as a bulb is in its shade."""
    return not light.distant and bool(np.abs(solid.inwards @ (light.place - solid.centre)).max() < 1.05)


def _near_ways(solids: list[Solid], points: Floats, rays: Floats) -> NDArray[np.bool_]:
    """Whether the way from each point along its ray touches the ball round each solid, solids x points."""
    centres = np.stack([solid.centre for solid in solids])
    radii = np.array([np.square(solid.axes).sum() for solid in solids], np.float32) * 1.01 + 1e-3
    starts, lengths, squares = (np.einsum("ij,ij->i", *two) for two in ((points, rays), (rays, rays), (points, points)))
    along = centres @ rays.T - starts
    share = np.clip(along / np.maximum(lengths, 1e-9), 0, 1)
    away = np.square(centres).sum(axis=1)[:, None] - 2 * (centres @ points.T) + squares
    return np.asarray(away + share * (share * lengths - 2 * along) < radii[:, None])


def _openness(surface: _Surface, seen: NDArray[np.bool_], depth: Floats) -> Floats:
    """How much of its surroundings each point sees: 1 in the open, less in corners and under things."""
    points, normals = (np.zeros((*seen.shape, 3), np.float32) for _ in range(2))
    points[seen], normals[seen] = surface.points, surface.normals
    points, normals, near = points[::2, ::2], normals[::2, ::2], np.where(seen, depth, 1e3)[::2, ::2]
    shade = np.zeros(points.shape[:2], np.float32)
    for step in _NEAR_SHADE:
        offsets = np.roll(points, step, axis=(0, 1)) - points
        distance = np.sqrt((offsets * offsets).sum(axis=2)) + 1e-3
        rises = (offsets * normals).sum(axis=2) / distance
        reach = 1 / (1 + np.square(distance / np.minimum(0.5, 0.2 * near)))
        shade += np.maximum(rises - 0.05, 0) * reach
    open_ = np.clip(1 - shade * (2.2 / len(_NEAR_SHADE)), 0.15, 1)
    height, width = seen.shape
    return np.asarray(cv2.resize(cv2.blur(open_, (3, 3)), (width, height))[seen], np.float32)


def _sky(scene: Scene, rays: Floats) -> Floats:
    if scene.sky is None:
        return np.zeros_like(rays)
    horizon, zenith = scene.sky
    height = np.clip(rays[..., 2:] / np.linalg.norm(rays, axis=2, keepdims=True), 0, 1) ** 0.6
    sky = horizon + height * (zenith - horizon)
    turn = np.arctan2(rays[..., 1], rays[..., 0]) / np.pi
    cloud = scene.textures.colours(
        np.full(turn.size, scene.textures.names.index("clouded")),
        np.asarray(turn.ravel(), np.float32),
        np.asarray(height.ravel() * 0.7, np.float32),
        np.ones(turn.size, np.float32),
    ).reshape(rays.shape)
    return np.asarray(sky * (0.6 + 0.8 * cloud), np.float32)


def _in_haze(scene: Scene, light: Floats, depth: Floats) -> Floats:
    if scene.sky is None or not np.isfinite(scene.fog_metres):
        return light
    clear = np.exp(-depth / scene.fog_metres)[:, None]
    return np.asarray(light * clear + scene.sky[0] * (1 - clear), np.float32)
