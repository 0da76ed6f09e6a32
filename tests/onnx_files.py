"""Writes the parts of small ONNX models, so that a bare clone tests the whole path of a model.

The field numbers are those of `onnx/onnx.proto`, which has kept them since 2017.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, INT, INTS = 1, 2, 7
"""Kinds of attributes; `FLOAT` is one of elements, too."""

_STRING = 3
_INT64 = 7


def _varint(value: int) -> bytes:
    out = bytearray()
    value %= 1 << 64  # negative numbers are written as their complement
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def part(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def tensor(name: str, sides: tuple[int | str, ...] | None, numbers: int = FLOAT) -> bytes:
    """Write what an input or output is; nothing of its sides where there are none."""
    dims = [part(1, part(2, s) if isinstance(s, str) else number(1, s)) for s in sides or ()]
    shape = b"" if sides is None else part(2, b"".join(dims))
    return part(1, name) + part(2, part(1, number(1, numbers) + shape))


def node(operator: str, source: str | Sequence[str], target: str, *attributes: bytes) -> bytes:
    sources = [source] if isinstance(source, str) else source
    told = b"".join(part(1, one) for one in sources)
    return told + part(2, target) + part(4, operator) + b"".join(part(5, one) for one in attributes)


def attribute(name: str, value: float | str | Sequence[int]) -> bytes:
    """Write an attribute of a node: an int, a float, a string or ints."""
    match value:
        case int():
            return part(1, name) + number(3, value) + number(20, INT)
        case float():
            return part(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, FLOAT)
        case str():
            return part(1, name) + part(4, value) + number(20, _STRING)
        case _:
            return part(1, name) + b"".join(number(8, one) for one in value) + number(20, INTS)


def initializer(name: str, values: NDArray[Any]) -> bytes:
    """Write the value of a constant: float32 or int64."""
    kind = {np.dtype(np.float32): FLOAT, np.dtype(np.int64): _INT64}[values.dtype]
    dims = b"".join(number(1, side) for side in values.shape)
    return dims + number(2, kind) + part(8, name) + part(9, values.tobytes())
