"""Writes the parts of small ONNX models, so that a bare clone tests the whole path of a model.

The field numbers are those of `onnx/onnx.proto`, which has kept them since 2017.
"""

FLOAT, INT, INTS = 1, 2, 7
"""Kinds of elements and of attributes."""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def part(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def tensor(name: str, sides: tuple[int | str, ...]) -> bytes:
    dims = b"".join(part(1, part(2, s) if isinstance(s, str) else number(1, s)) for s in sides)
    return part(1, name) + part(2, part(1, number(1, FLOAT) + part(2, dims)))


def node(operator: str, source: str, target: str, *attributes: bytes) -> bytes:
    return part(1, source) + part(2, target) + part(4, operator) + b"".join(part(5, one) for one in attributes)
