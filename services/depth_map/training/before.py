"""Things held before the camera or standing close: shapes with outlines, nearer than all that they hide.

They are laid over pictures of drawn scenes, with the surface of another picture, so that something that covers others
is learnt to be near whatever the scene is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.training.textures import Random

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_FINE = 4
_FULL = 255


def laid_before(random: Random, picture: Pixels, inverse: Floats, surface: Pixels) -> tuple[Pixels, Floats]:
    """Lay one or two shapes over a picture (height x width x 3) and its inverse depth, which may be smaller.

    Args:
        random: of everything.
        picture: what is behind.
        inverse: its inverse depth.
        surface: another picture of the same size, of which parts are what the shapes look like.

    """
    shown, near = picture.astype(np.float32), inverse.copy()
    for _ in range(1 if random.random() < 0.6 else 2):
        cover = _outline(random, picture.shape[1], picture.shape[0])
        if 0.01 < float(cover.mean()) < 0.6:
            lit = surface_of(random, surface) * rounded(random, cover)[..., None]
            shown += cover[..., None] * (lit - shown)
            near = _nearer(random, near, cv2.resize(cover, near.shape[::-1], interpolation=cv2.INTER_AREA) > 0.5)
    return np.clip(shown, 0, 255).astype(np.uint8), near


def _nearer(random: Random, inverse: Floats, covered: NDArray[np.bool_]) -> Floats:
    """Bring what is covered before nearly all that it hides."""
    if not covered.any():
        return inverse
    hidden = max(float(np.quantile(inverse[covered], 0.9)), 0.05)
    near = hidden * float(np.exp(random.uniform(0.05, 1.0))) * _tilted(random, inverse.shape)
    return np.asarray(np.where(covered, np.maximum(inverse, near), inverse), np.float32)


def _outline(random: Random, width: int, height: int) -> Floats:
    """Draw one shape, 0 to 1: a limb that reaches in, somebody's bust, a rounded or cornered thing, or leaves."""
    mask = np.zeros((height * _FINE, width * _FINE), np.uint8)
    kinds = (_limb, _bust, _thing, _leaves)
    kinds[int(random.choice(4, p=(0.3, 0.15, 0.4, 0.15)))](random, mask)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255), np.float32)


def _limb(random: Random, mask: Pixels) -> None:
    """An arm from below or from a side, with a hand and some fingers."""
    height, width = mask.shape
    x, y = random.uniform(0.05, 0.95) * width, float(height)
    if random.random() < 0.25:
        x, y = float(random.choice([0, width])), random.uniform(0.5, 1) * height
    hand = (int(x + random.normal(0, 0.25) * width), int(height * random.uniform(0.35, 0.85)))
    thick = random.uniform(0.04, 0.14) * width
    cv2.line(mask, (int(x), int(y)), hand, _FULL, int(thick))
    palm = (int(thick * random.uniform(0.6, 1.4)), int(thick * random.uniform(0.6, 1.2)))
    cv2.ellipse(mask, hand, palm, float(random.uniform(0, 180)), 0, 360, _FULL, -1)
    for _ in range(int(random.integers(0, 6))):
        cv2.line(
            mask,
            hand,
            _away(hand, random.uniform(-2.6, -0.5), thick * random.uniform(0.8, 1.8)),
            _FULL,
            max(1, int(thick * 0.22)),
        )


def _away(place: tuple[int, int], angle: float, length: float) -> tuple[int, int]:
    return int(place[0] + np.cos(angle) * length), int(place[1] + np.sin(angle) * length)


def _bust(random: Random, mask: Pixels) -> None:
    """A head on shoulders that go down to the lower border."""
    height, width = mask.shape
    x, head = random.uniform(0.2, 0.8) * width, random.uniform(0.08, 0.2) * height
    y = random.uniform(0.2, 0.6) * height
    cv2.ellipse(mask, (int(x), int(y)), (int(head * 0.8), int(head)), float(random.normal(0, 8)), 0, 360, _FULL, -1)
    low, half = y + head * 2.2, head * random.uniform(1.5, 2.4)
    right = [(head * 0.35, y), (half * 0.8, low), (half, height)]
    left = [(-across, down) for across, down in reversed(right)]
    _filled(mask, np.add([*right, *left], (x, 0)))


def _thing(random: Random, mask: Pixels) -> None:
    """Something round, square or of a few corners, that mostly stands low."""
    height, width = mask.shape
    half_x, half_y = random.uniform(0.06, 0.3, 2) * [width, height]
    x = random.uniform(0.05, 0.95) * width
    y = random.uniform(0.2, 0.9) * height
    if random.random() < 0.6:
        y = height * random.uniform(0.75, 1.1) - half_y
    kind = random.random()
    if kind < 0.4:
        sides = (int(half_x), int(half_y))
        cv2.ellipse(mask, (int(x), int(y)), sides, float(random.uniform(0, 180)), 0, 360, _FULL, -1)
    elif kind < 0.7:
        turned = ((float(x), float(y)), (float(half_x * 2), float(half_y * 2)), float(random.normal(0, 12)))
        _filled(mask, cv2.boxPoints(turned))
    else:
        angles = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(4, 9))))
        _filled(mask, np.stack([x + half_x * np.cos(angles), y + half_y * np.sin(angles)], 1))


def _filled(mask: Pixels, corners: NDArray[np.generic]) -> None:
    cv2.fillPoly(mask, [corners.astype(np.int32)], _FULL)


def _leaves(random: Random, mask: Pixels) -> None:
    """Long leaves from one root."""
    height, width = mask.shape
    root = (int(random.uniform(0.1, 0.9) * width), int(height * random.uniform(0.6, 1.05)))
    for _ in range(int(random.integers(4, 14))):
        tip = _away(root, random.normal(-np.pi / 2, 0.7), random.uniform(0.2, 0.6) * height)
        cv2.line(mask, root, tip, _FULL, int(random.uniform(0.01, 0.04) * width))


def surface_of(random: Random, other: Pixels) -> Floats:
    """Take a part of another picture, enlarged, or one colour with a little of it."""
    height, width = other.shape[:2]
    part = float(random.uniform(0.15, 0.8))
    high, wide = max(4, int(height * part)), max(4, int(width * part))
    top, left = int(random.integers(height - high + 1)), int(random.integers(width - wide + 1))
    grown = cv2.resize(other[top : top + high, left : left + wide], (width, height), interpolation=cv2.INTER_LINEAR)
    even = random.uniform(0, 255, 3).astype(np.float32)
    share = np.float32(random.choice([0.1, 0.3, 0.6, 1.0]))
    return np.asarray(even + share * (grown - even), np.float32)


def rounded(random: Random, cover: Floats) -> Floats:
    """Darken one side and the rim, as on what bulges."""
    inside = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    bulge = np.sqrt(np.minimum(inside / max(float(inside.max()), 1.0), 1))
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(bulge, (0, 0), 1.5))
    angle, strength = random.uniform(0, 2 * np.pi), random.uniform(0, 4)
    return np.asarray(np.clip(1 + strength * (slope_x * np.cos(angle) + slope_y * np.sin(angle)), 0.3, 1.6), np.float32)


def _tilted(random: Random, shape: tuple[int, ...]) -> Floats:
    down, across = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return np.asarray(1 + down * random.normal(0.05, 0.12) + across * random.normal(0, 0.08), np.float32)
