"""How a learned model is fed with a picture and how its answer is read; the model itself plays no part here."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.depth_map.estimators.estimator import Plane
from services.depth_map.estimators.model_files import OnnxModel
from services.depth_map.estimators.resampling import enlarged
from shared.errors import Refused

Pixels = NDArray[np.uint8]

_WHITE = np.float32(255)
# Depth without unit has no natural floor; one percent of the farthest keeps its inverse within a factor of 100.
_NEAREST_SHARE = 0.01


def tensor_of(model: OnnxModel, rgb: Plane | Pixels) -> Plane:
    """Make the tensor that a model sees of a picture, a batch of one.

    Args:
        model: which.
        rgb: height x width x 3; float32 of 0 to 1, or uint8.

    """
    return normalised(model, shown(model, rgb))


def inverse_of(model: OnnxModel, values: Plane, height: int, width: int) -> Plane:
    """Read a model's map as inverse depth at the size of the picture that it was shown; larger is nearer."""
    if model.input_size.rule == "padded":
        across, down = model.input_size.sides(width, height)
        inner_width, inner_height = _inside(model, height, width)
        values = _cropped(values, (down, across), (inner_height, inner_width))
    # A metric map is enlarged in metres and inverted last, as the published figures are measured.
    aligned = model.enlarging == "corners_aligned"
    return _inverse(enlarged(values, height, width, corners_aligned=aligned), model)


def shown(model: OnnxModel, rgb: Plane | Pixels) -> Plane | Pixels:
    """Make a picture as large as the model wants it, of the `numbers` that the model tells."""
    height, width = rgb.shape[:2]
    across, down = model.input_size.sides(width, height)
    if model.input_size.rule != "padded":
        return _resized(rgb, across, down, model.resampling)
    inner = _inside(model, height, width)
    small = _resized(rgb, *inner, model.resampling)
    padded = np.pad(small, ((0, down - inner[1]), (0, across - inner[0]), (0, 0)), mode="edge")
    return np.asarray(padded, np.uint8) if small.dtype == np.uint8 else np.asarray(padded, np.float32)


def _inside(model: OnnxModel, height: int, width: int) -> tuple[int, int]:
    """Tell the width and height that a picture has within its padding."""
    across, down = model.input_size.sides(width, height)
    scale = min(across / width, down / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resized(rgb: Plane | Pixels, width: int, height: int, resampling: str) -> Plane | Pixels:
    if resampling == "bicubic":
        levels = rgb if rgb.dtype == np.uint8 else np.rint(rgb * _WHITE).astype(np.uint8)
        return np.asarray(Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC), np.uint8)
    values = rgb.astype(np.float32) / _WHITE if rgb.dtype == np.uint8 else rgb
    if resampling == "triangle":
        planes = [
            Image.fromarray(np.ascontiguousarray(values[..., k])).resize((width, height), Image.Resampling.BILINEAR)
            for k in range(3)
        ]
        return np.stack([np.asarray(plane, np.float32) for plane in planes], axis=-1)
    method = cv2.INTER_CUBIC if resampling == "cubic" else cv2.INTER_AREA
    return np.asarray(cv2.resize(values, (width, height), interpolation=method), np.float32)


def normalised(model: OnnxModel, picture: Plane | Pixels) -> Plane:
    """Make a batch of one of a picture as `shown` gives it."""
    mean, std = np.array(model.mean, np.float32), np.array(model.std, np.float32)
    if picture.dtype == np.uint8:
        # There are 256 levels and a million pixels, so what becomes of a level is reckoned once.
        levels = np.arange(256, dtype=np.float32)[:, None] / _WHITE
        table = (levels * np.float32(model.value_range) - mean) / std
        planes = np.empty((3, *picture.shape[:2]), np.float32)
        for plane, of_levels, becomes in zip(cv2.split(picture), np.ascontiguousarray(table.T), planes, strict=True):
            cv2.LUT(plane, of_levels, becomes)
    else:
        planes = ((picture * np.float32(model.value_range) - mean) / std).transpose(2, 0, 1)
    ordered = planes if model.layout == "nchw" else planes.transpose(1, 2, 0)
    return np.ascontiguousarray(ordered[None], np.float32)


def plane_of(output: Plane) -> Plane:
    """Read one map, height x width, whatever axes of length one it has besides; Refused (`model_unfit`) for others."""
    sides = [side for side in output.shape if side != 1]
    if len(sides) != 2:  # noqa: PLR2004 - a plane has two sides
        raise Refused("model_unfit", f"The model gave a tensor of shape {output.shape}, which is no map.")
    return output.reshape(sides)


def _cropped(values: Plane, whole: tuple[int, ...], kept: tuple[int, int]) -> Plane:
    """Keep the part of a map that is no padding; both sizes are height, width."""
    rows = max(1, round(values.shape[0] * kept[0] / whole[0]))
    columns = max(1, round(values.shape[1] * kept[1] / whole[1]))
    return values[:rows, :columns]


def _inverse(values: Plane, model: OnnxModel) -> Plane:
    if model.kind == "inverse_relative":
        return np.maximum(values, 0)
    floor = model.nearest_metres if model.kind == "metric_metres" else float(values.max()) * _NEAREST_SHARE
    return (1 / np.maximum(values, np.float32(max(floor, 1e-6)))).astype(np.float32)
