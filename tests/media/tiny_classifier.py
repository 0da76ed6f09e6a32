"""Writes an ONNX classifier of two nodes, so that a bare clone tests the whole path of a model."""

import hashlib
from pathlib import Path
from typing import Any

from services.media.tagging.model_files import Classifier, ModelFile
from tests.onnx_files import INT, INTS, node, number, part, tensor

LABELS = b"red, crimson\ngreen\nblue\n"
SIDE_PX = 16


def weights(then: str = "Identity") -> bytes:
    """A model of opset 13: its `tags` are the mean of each channel, then changed by `then`; its `vector` all pixels."""
    over_picture = part(1, "axes") + number(8, 2) + number(8, 3) + number(20, INTS)
    flat = part(1, "keepdims") + number(3, 0) + number(20, INT)
    graph = (
        part(1, node("ReduceMean", "image", "means", over_picture, flat))
        + part(1, node(then, "means", "tags"))
        + part(1, node("Flatten", "image", "vector"))
        + part(2, "colours")
        + part(11, tensor("image", (1, 3, SIDE_PX, SIDE_PX)))
        + part(12, tensor("tags", (1, "labels")))
        + part(12, tensor("vector", (1, "numbers")))
    )
    return number(1, 7) + part(7, graph) + part(8, part(1, "") + number(2, 13))


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
