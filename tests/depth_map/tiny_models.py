"""Writes ONNX models of a node or two, so that a bare clone tests the whole path of a learned model."""

import hashlib
from pathlib import Path

from services.depth_map.estimators import InputSize, OnnxModel
from tests.onnx_files import INTS, node, number, part, tensor


def brightness_model(
    height: int | str = "height",
    width: int | str = "width",
    *,
    channel_axis: int = 1,
    then: str = "Identity",
    batch: int | str = 1,
) -> bytes:
    """A model of opset 13 whose depth is the mean of the channels, after which `then` is applied."""
    axes = part(1, "axes") + number(8, channel_axis) + number(20, INTS)
    sides = [height, width]
    sides.insert(channel_axis - 1, 3)
    graph = (
        part(1, node("ReduceMean", "image", "mean", axes))
        + part(1, node(then, "mean", "depth"))
        + part(2, "brightness")
        + part(11, tensor("image", (batch, *sides)))
        + part(12, tensor("depth", tuple(f"out{k}" for k in range(4))))
    )
    return number(1, 7) + part(7, graph) + part(8, part(1, "") + number(2, 13))


def model_taking(numbers: int, *sides: int | str) -> bytes:
    """A model of opset 13 whose depth is the mean of the second axis of what it takes; told no sides, it tells none.

    Args:
        numbers: of which kind, as `TensorProto.DataType` counts them.
        sides: of its input.

    """
    axes = part(1, "axes") + number(8, 1) + number(20, INTS)
    graph = (
        part(1, node("ReduceMean", "image", "depth", axes))
        + part(2, "taking")
        + part(11, tensor("image", sides or None, numbers))
        + part(12, tensor("depth", None, numbers))
    )
    return number(1, 7) + part(7, graph) + part(8, part(1, "") + number(2, 13))


def four_channel_model(*then: str, channels: int = 4) -> bytes:
    """A model of opset 13 fed as the network of drawn scenes is, whose nearness is the mean of all channels, then..."""
    names = ["mean", *(f"after{k}" for k in range(len(then)))]
    axes = part(1, "axes") + number(8, 1) + number(20, INTS)
    graph = (
        part(1, node("ReduceMean", "image", names[0], axes))
        + b"".join(part(1, node(*step)) for step in zip(then, names, names[1:], strict=False))
        + part(1, node("Identity", names[-1], "nearness"))
        + part(2, "four channels")
        + part(11, tensor("image", ("n", channels, "height", "width")))
        + part(12, tensor("nearness", tuple(f"out{k}" for k in range(4))))
    )
    return number(1, 7) + part(7, graph) + part(8, part(1, "") + number(2, 13))


def described(folder: Path, weights: bytes, **changes: object) -> OnnxModel:
    """Store a model and describe it: relative inverse depth, stretched to 32 x 32, unless changed."""
    path = folder / "model.onnx"
    path.write_bytes(weights)
    description: dict[str, object] = {
        "name": "brightness",
        "path": path,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "input_name": "image",
        "output_name": "depth",
        "input_size": InputSize(rule="stretched", width_px=32, height_px=32),
        "resampling": "area",
        "kind": "inverse_relative",
    }
    return OnnxModel.model_validate(description | changes)
