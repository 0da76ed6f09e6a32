"""From light to a picture, as a camera makes it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.training.rendering import Rendering
from services.depth_map.training.solids import Floats
from services.depth_map.training.textures import Random


def developed(random: Random, rendering: Rendering) -> NDArray[np.uint8]:
    """Expose, blur, tint and quantise, height x width x 3 in sRGB or something like it."""
    light = np.nan_to_num(rendering.radiance, nan=0.0, posinf=10.0)
    key = float(np.percentile(light, random.uniform(85, 98))) + 1e-3
    light = light / key * float(np.exp(random.normal(-0.1, 0.3)))
    light *= 1 + random.normal(0, 0.07, 3).astype(np.float32)
    light = _out_of_focus(random, light.astype(np.float32), rendering.depth)
    light *= _vignette(random, light.shape)
    light += cv2.GaussianBlur(np.maximum(light - 1, 0), (0, 0), 6) * 0.3
    shown = np.clip(_toned(random, light), 0, 1)
    shown += random.normal(0, abs(random.normal(0, 0.012)) + 1e-4, shown.shape)
    return _kept(random, np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8))


def _kept(random: Random, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Compress two thirds of all pictures, as cameras do."""
    if random.random() > 0.65:
        return picture
    quality = int(random.integers(30, 95))
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def _toned(random: Random, light: Floats) -> Floats:
    gamma = 1 / float(random.uniform(1.8, 2.5))
    soft = light / (1 + np.maximum(light - 0.7, 0) * float(random.uniform(0, 1)))
    return np.asarray(np.maximum(soft, 0) ** gamma, np.float32)


def _vignette(random: Random, shape: tuple[int, ...]) -> Floats:
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    strength = max(0.0, float(random.normal(0.0, 0.15)))
    return np.asarray(1 / (1 + strength * (x * x + y * y))[..., None], np.float32)


def _out_of_focus(random: Random, light: Floats, depth: Floats) -> Floats:
    """Blur what is off the plane of focus, in a third of all pictures."""
    if random.random() > 0.35:
        return light
    inverse = 1 / np.minimum(depth, 1e4)
    focus = float(random.choice(inverse.ravel()))
    circle = np.abs(inverse - focus) * float(np.exp(random.normal(0.6, 0.7)))
    out = light
    for sigma in (0.7, 1.4, 2.8):
        share = np.clip(circle / sigma - 0.5, 0, 1)[..., None].astype(np.float32)
        out = out + share * (cv2.GaussianBlur(light, (0, 0), sigma) - out)
    return np.asarray(out, np.float32)
