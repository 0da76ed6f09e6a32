"""What a scene is made of."""

from dataclasses import dataclass, field
from typing import Final, Self

import cv2
import numpy as np

from services.depth_map.training.cameras import Camera
from services.depth_map.training.solids import Floats, Shape, Solid, turned
from services.depth_map.training.textures import Random, Textures

FACES: Final = 6
"""Of a box, in the order -x, +x, -y, +y, -z, +z of its own axes; a ball and a tube are all of the first."""

_ANYHOW = 0.3
_AS_SEEN = 0.5
_LOG_SHARES = (-3.0, 0.3)


@dataclass(frozen=True)
class Material:
    """What a surface looks like.

    Attributes:
        pattern: index in the bank of textures.
        metres: side of the pattern.
        dark, bright: linear colours at 0 and 1 of the pattern.
        shine: share of light that is mirrored.
        glow: light of its own, against 1 of a white wall in full light.
        share_of_distance: side of the pattern against the distance from the camera, where that decides, else 0.

    """

    pattern: int
    metres: float
    dark: Floats
    bright: Floats
    shine: float = 0.0
    glow: float = 0.0
    share_of_distance: float = 0.0


@dataclass(frozen=True)
class Light:
    """A lamp at a place (metres), or the sun in a direction where `distant`."""

    place: Floats
    colour: Floats
    distant: bool = False
    reach_metres: float = 4.0


@dataclass
class Scene:
    """Solids with their materials, lights and a sky, as a builder puts them together."""

    textures: Textures
    random: Random
    solids: list[Solid] = field(default_factory=list)
    materials: list[tuple[Material, ...]] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)
    ambient_above: Floats = field(default_factory=lambda: np.full(3, 0.4, np.float32))
    ambient_below: Floats = field(default_factory=lambda: np.full(3, 0.3, np.float32))
    sky: tuple[Floats, Floats] | None = None
    fog_metres: float = np.inf
    camera: Camera | None = None

    def add(
        self,
        shape: Shape,
        centre: tuple[float, float, float],
        half: tuple[float, float, float],
        material: Material | tuple[Material, ...],
        *,
        yaw: float = 0.0,
        tilt: float = 0.0,
        spin: float = 0.0,
        top: float = 1.0,
        hollow: bool = False,
    ) -> Self:
        """Put a solid somewhere; metres and radians."""
        axes = turned(half, yaw, tilt, spin)
        self.solids.append(Solid(shape, np.array(centre, np.float32), axes, top, hollow))
        self.materials.append(material if isinstance(material, tuple) else (material,) * FACES)
        return self

    def material(
        self, colour: Floats, *kinds: str, metres: float = 1.0, contrast: float = 0.5, **also: float
    ) -> Material:
        """Make a material of about a colour from patterns of some kinds, and now and then of any and in any contrast.

        Some patterns are as large as they look from where the camera is: were all of them as large as they are in
        rooms, what is far would be finer than what is near, by which a network tells them apart, and is wrong in
        photographs, where there is as much detail near as far.
        """
        if self.random.random() < _ANYHOW:
            kinds, contrast = (), float(self.random.uniform(0.3, 1.0))
        if self.random.random() < _AS_SEEN:
            also["share_of_distance"] = float(np.exp(self.random.uniform(*_LOG_SHARES)))
        pattern = self.textures.pick(self.random, *kinds)
        dark = np.clip(colour * (1 - contrast), 0, 1)
        bright = np.clip(colour * (1 + contrast * 0.7), 0, 1)
        if self.textures.names[pattern] in {"leaves", "books", "colourful", "facade"}:
            dark, bright = np.zeros(3), np.clip(colour * 0.4 + 0.6, 0, 1)
        scale = metres * float(np.exp(self.random.normal(0, 0.4)))
        return Material(pattern, scale, dark.astype(np.float32), bright.astype(np.float32), **also)


def colour(random: Random, kind: str = "any") -> Floats:
    """Choose a colour, linear: of a `wall`, of `wood`, of something `green`, `vivid`, `dark`, `grey`, or any."""
    if kind == "any":
        kind = str(random.choice(["wall", "wall", "wood", "vivid", "dark", "grey", "grey", "muted", "muted"]))
    hue, saturation, value = {
        "wall": (random.normal(40, 40), abs(random.normal(0, 0.18)), random.uniform(0.45, 0.98)),
        "wood": (random.normal(25, 8), random.uniform(0.25, 0.75), random.uniform(0.15, 0.8)),
        "green": (random.normal(95, 20), random.uniform(0.3, 0.8), random.uniform(0.15, 0.6)),
        "vivid": (random.uniform(0, 360), random.uniform(0.5, 1.0), random.uniform(0.3, 1.0)),
        "muted": (random.uniform(0, 360), random.uniform(0.1, 0.5), random.uniform(0.2, 0.9)),
        "dark": (random.uniform(0, 360), random.uniform(0.0, 0.5), random.uniform(0.03, 0.25)),
        "grey": (random.uniform(0, 360), random.uniform(0.0, 0.12), random.uniform(0.1, 0.95)),
        "skin": (random.normal(22, 4), random.uniform(0.3, 0.6), random.uniform(0.3, 0.9)),
        "sky": (random.normal(212, 12), random.uniform(0.0, 0.6), random.uniform(0.7, 1.0)),
    }[kind]
    encoded = np.array([[[hue % 360, min(saturation, 1), value]]], np.float32)
    return np.asarray(cv2.cvtColor(encoded, cv2.COLOR_HSV2RGB)[0, 0] ** 2.2, np.float32)
