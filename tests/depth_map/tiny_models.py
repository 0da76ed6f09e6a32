"""Writes ONNX models of a node or two, so that a bare clone tests the whole path of a learned model.

The field numbers are those of `onnx/onnx.proto`, which has kept them since 2017.
"""

import hashlib
from pathlib import Path

from services.depth_map.estimators import InputSize, OnnxModel

_FLOAT, _INTS = 1, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _tensor(name: str, sides: tuple[int | str, ...]) -> bytes:
    dims = b"".join(_part(1, _part(2, s) if isinstance(s, str) else _number(1, s)) for s in sides)
    return _part(1, name) + _part(2, _part(1, _number(1, _FLOAT) + _part(2, dims)))


def _node(operator: str, source: str, target: str, attribute: bytes = b"") -> bytes:
    return _part(1, source) + _part(2, target) + _part(4, operator) + attribute


def brightness_model(
    height: int | str = "height", width: int | str = "width", *, channel_axis: int = 1, then: str = "Identity"
) -> bytes:
    """A model of opset 13 whose depth is the mean of the channels, after which `then` is applied."""
    axes = _part(5, _part(1, "axes") + _number(8, channel_axis) + _number(20, _INTS))
    sides = [height, width]
    sides.insert(channel_axis - 1, 3)
    graph = (
        _part(1, _node("ReduceMean", "image", "mean", axes))
        + _part(1, _node(then, "mean", "depth"))
        + _part(2, "brightness")
        + _part(11, _tensor("image", (1, *sides)))
        + _part(12, _tensor("depth", tuple(f"out{k}" for k in range(4))))
    )
    return _number(1, 7) + _part(7, graph) + _part(8, _part(1, "") + _number(2, 13))


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
