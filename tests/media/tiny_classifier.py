"""Writes an ONNX classifier of two nodes, so that a bare clone tests the whole path of a model.

The field numbers are those of `onnx/onnx.proto`, which has kept them since 2017.
"""

import hashlib
from pathlib import Path
from typing import Any

from services.media.tagging.model_files import Classifier, ModelFile

LABELS = b"red, crimson\ngreen\nblue\n"
SIDE_PX = 16

_FLOAT, _INT, _INTS = 1, 2, 7


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


def _node(operator: str, source: str, target: str, *attributes: bytes) -> bytes:
    return _part(1, source) + _part(2, target) + _part(4, operator) + b"".join(_part(5, one) for one in attributes)


def weights(then: str = "Identity") -> bytes:
    """A model of opset 13: its `tags` are the mean of each channel, then changed by `then`; its `vector` all pixels."""
    over_picture = _part(1, "axes") + _number(8, 2) + _number(8, 3) + _number(20, _INTS)
    flat = _part(1, "keepdims") + _number(3, 0) + _number(20, _INT)
    graph = (
        _part(1, _node("ReduceMean", "image", "means", over_picture, flat))
        + _part(1, _node(then, "means", "tags"))
        + _part(1, _node("Flatten", "image", "vector"))
        + _part(2, "colours")
        + _part(11, _tensor("image", (1, 3, SIDE_PX, SIDE_PX)))
        + _part(12, _tensor("tags", (1, "labels")))
        + _part(12, _tensor("vector", (1, "numbers")))
    )
    return _number(1, 7) + _part(7, graph) + _part(8, _part(1, "") + _number(2, 13))


def described(folder: Path, content: bytes | None = None, names: bytes = LABELS, **changes: Any) -> Classifier:
    """Store a model with its labels, and describe it: tags and a vector, unless changed."""
    content = content or weights()
    (folder / "model.onnx").write_bytes(content)
    (folder / "labels.txt").write_bytes(names)
    description: dict[str, Any] = {
        "name": "colours",
        "weights": ModelFile(path=folder / "model.onnx", sha256=sha256_of(content)),
        "labels": ModelFile(path=folder / "labels.txt", sha256=sha256_of(names)),
        "input_name": "image",
        "tags_output": "tags",
        "embedding_output": "vector",
        "width_px": SIDE_PX,
        "height_px": SIDE_PX,
    }
    return Classifier.model_validate(description | changes)


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
