"""Writes an ONNX model of the shape and size of Depth Anything V2 Small, with random weights: to measure, not to see.

ViT-S/14 of 12 blocks and a DPT head, as `depth_anything_v2/dpt.py` builds them, 24.8 million numbers; height, width and
batch are free, and positions are interpolated for them, as in the usual export.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tests.onnx_files import attribute, initializer, node, number, part, tensor

OPSET: Final = 17
_TO_THE_END: Final = 2**31 - 1


@dataclass(frozen=True)
class Shape:
    """How large everything is; as it stands, Depth Anything V2 Small.

    Attributes:
        taps: the blocks after which the head looks.
        depths: channels of each look, before they are made alike.

    """

    patch_px: int = 14
    learned_at: int = 37
    width: int = 384
    heads: int = 6
    blocks: int = 12
    taps: tuple[int, int, int, int] = (2, 5, 8, 11)
    depths: tuple[int, int, int, int] = (48, 96, 192, 384)
    features: int = 64


@dataclass
class Graph:
    """A graph in the making; `numbers` counts what would have been learned."""

    random: np.random.Generator
    nodes: list[bytes] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)
    numbers: int = 0

    def add(self, operator: str, *sources: str, **attributes: Any) -> str:
        target = f"t{len(self.nodes)}"
        self.nodes.append(node(operator, sources, target, *(attribute(*one) for one in attributes.items())))
        return target

    def constant(self, values: Sequence[float] | NDArray[np.float32], kind: type[Any] = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(initializer(name, np.asarray(values, kind)))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def weight(self, *sides: int, spread: float) -> str:
        values = self.random.standard_normal(sides, np.float32) * np.float32(spread)
        self.numbers += values.size
        return self.constant(values)

    def level(self, count: int, value: float = 0.0) -> str:
        """Weights that all begin equal, such as a bias."""
        self.numbers += count
        return self.constant(np.full(count, value, np.float32))

    def linear(self, source: str, inner: int, outer: int) -> str:
        return self.add(
            "Add", self.add("MatMul", source, self.weight(inner, outer, spread=inner**-0.5)), self.level(outer)
        )

    def convolved(self, source: str, inner: int, outer: int, side: int = 3, stride: int = 1, **more: Any) -> str:
        weights = self.weight(outer, inner, side, side, spread=(inner * side * side) ** -0.5)
        biased = (self.level(outer),) if more.pop("bias", True) else ()
        around = more.pop("around", side // 2)
        return self.add(
            "Conv", source, weights, *biased, kernel_shape=[side] * 2, strides=[stride] * 2, pads=[around] * 4
        )

    def normed(self, source: str, width: int) -> str:
        return self.add("LayerNormalization", source, self.level(width, 1), self.level(width), axis=-1, epsilon=1e-6)

    def sides(self, source: str, first: int, last: int) -> str:
        """Take sides of a tensor, as a vector."""
        return self.add("Slice", self.add("Shape", source), self.ints(first), self.ints(last))

    def joined(self, *vectors: str) -> str:
        return self.add("Concat", *vectors, axis=0)

    def resized(self, source: str, sides: str, mode: str = "linear", fitting: str = "align_corners") -> str:
        return self.add("Resize", source, "", "", sides, mode=mode, coordinate_transformation_mode=fitting)


def depth_anything(shape: Shape = Shape(), seed: int = 1) -> tuple[bytes, int]:
    """Write the model, `pixel_values` to `predicted_depth`; also tell of how many numbers it consists."""
    graph = Graph(np.random.default_rng(seed))
    grid = graph.add("Div", graph.sides("pixel_values", 2, 4), graph.ints(shape.patch_px, shape.patch_px))
    batch = graph.sides("pixel_values", 0, 1)
    tokens, looks = _embedded(graph, shape, batch, grid), []
    for block in range(shape.blocks):
        tokens = _block(graph, tokens, shape)
        if block in shape.taps:
            looks.append(tokens)
    norm = graph.level(shape.width, 1), graph.level(shape.width)
    normed = [graph.add("LayerNormalization", look, *norm, axis=-1, epsilon=1e-6) for look in looks]
    _head(graph, shape, normed, batch, grid)
    free: tuple[int | str, ...] = ("batch", 3, "height", "width")
    written = (
        b"".join(part(1, one) for one in graph.nodes)
        + part(2, "depth")
        + b"".join(part(5, one) for one in graph.constants)
        + part(11, tensor("pixel_values", free))
        + part(12, tensor("predicted_depth", ("batch", "height", "width")))
    )
    return number(1, 8) + part(7, written) + part(8, part(1, "") + number(2, OPSET)), graph.numbers


def _embedded(graph: Graph, shape: Shape, batch: str, grid: str) -> str:
    width = shape.width
    patches = graph.convolved("pixel_values", 3, width, shape.patch_px, shape.patch_px, around=0)
    flat = graph.add("Transpose", graph.add("Reshape", patches, graph.ints(0, 0, -1)), perm=[0, 2, 1])
    first = graph.add("Expand", graph.weight(1, 1, width, spread=0.02), graph.joined(batch, graph.ints(1, width)))
    tokens = graph.add("Concat", first, flat, axis=1)
    learned = graph.weight(1, width, shape.learned_at, shape.learned_at, spread=0.02)
    places = graph.resized(learned, graph.joined(graph.ints(1, width), grid), "cubic", "half_pixel")
    places = graph.add("Transpose", graph.add("Reshape", places, graph.ints(0, 0, -1)), perm=[0, 2, 1])
    return graph.add("Add", tokens, graph.add("Concat", graph.weight(1, 1, width, spread=0.02), places, axis=1))


def _block(graph: Graph, tokens: str, shape: Shape) -> str:
    width = shape.width
    seen = _attended(graph, graph.normed(tokens, width), shape)
    tokens = graph.add("Add", tokens, graph.add("Mul", seen, graph.level(width, 0.5)))
    wide = graph.linear(graph.normed(tokens, width), width, 4 * width)
    curve = graph.add("Erf", graph.add("Div", wide, graph.constant([math.sqrt(2)])))
    bent = graph.add("Mul", graph.add("Mul", wide, graph.add("Add", curve, graph.constant([1]))), graph.constant([0.5]))
    thought = graph.linear(bent, 4 * width, width)
    return graph.add("Add", tokens, graph.add("Mul", thought, graph.level(width, 0.5)))


def _attended(graph: Graph, tokens: str, shape: Shape) -> str:
    width, each = shape.width, shape.width // shape.heads

    def heads(axes: list[int]) -> str:
        parted = graph.add("Reshape", graph.linear(tokens, width, width), graph.ints(0, -1, shape.heads, each))
        return graph.add("Transpose", parted, perm=axes)

    asked = graph.add("Mul", heads([0, 2, 1, 3]), graph.constant([each**-0.5]))
    known, told = heads([0, 2, 3, 1]), heads([0, 2, 1, 3])
    weighed = graph.add("MatMul", graph.add("Softmax", graph.add("MatMul", asked, known), axis=-1), told)
    together = graph.add("Reshape", graph.add("Transpose", weighed, perm=[0, 2, 1, 3]), graph.ints(0, -1, width))
    return graph.linear(together, width, width)


def _head(graph: Graph, shape: Shape, looks: Sequence[str], batch: str, grid: str) -> None:
    sides = graph.joined(batch, graph.ints(shape.width), grid)
    maps = [_look(graph, shape, look, step, sides) for step, look in enumerate(looks)]
    alike = [
        graph.convolved(one, depth, shape.features, bias=False) for one, depth in zip(maps, shape.depths, strict=True)
    ]
    path = ""
    for step in reversed(range(len(alike))):
        fused = _reworked(graph, alike[step], shape.features)
        # The deepest map has nothing below it to be joined with; its first unit is made, and never used.
        fused = graph.add("Add", path, fused) if path else alike[step]
        fused = _reworked(graph, fused, shape.features)
        if step:
            larger = graph.resized(fused, graph.add("Shape", alike[step - 1]))
        else:
            doubled = graph.add("Mul", graph.sides(fused, 2, 4), graph.ints(2, 2))
            larger = graph.resized(fused, graph.joined(graph.sides(fused, 0, 2), doubled))
        path = graph.convolved(larger, shape.features, shape.features, 1)
    half = shape.features // 2
    small = graph.convolved(path, shape.features, half)
    whole = graph.resized(small, graph.joined(graph.sides(small, 0, 2), graph.sides("pixel_values", 2, 4)))
    drawn = graph.add("Relu", graph.convolved(whole, half, 32))
    depth = graph.add("Relu", graph.convolved(drawn, 32, 1, 1))
    graph.nodes.append(node("Squeeze", [depth, graph.ints(1)], "predicted_depth"))


def _look(graph: Graph, shape: Shape, tokens: str, step: int, sides: str) -> str:
    depth = shape.depths[step]
    patches = graph.add("Slice", tokens, graph.ints(1), graph.ints(_TO_THE_END), graph.ints(1))
    upright = graph.add("Transpose", patches, perm=[0, 2, 1])
    plane = graph.convolved(graph.add("Reshape", upright, sides), shape.width, depth, 1)
    if step == len(shape.depths) - 1:
        return graph.convolved(plane, depth, depth, stride=2)
    times = 2 ** (2 - step)
    if times == 1:
        return plane
    weights = graph.weight(depth, depth, times, times, spread=depth**-0.5)
    return graph.add("ConvTranspose", plane, weights, graph.level(depth), kernel_shape=[times] * 2, strides=[times] * 2)


def _reworked(graph: Graph, source: str, features: int) -> str:
    once = graph.convolved(graph.add("Relu", source), features, features)
    return graph.add("Add", source, graph.convolved(graph.add("Relu", once), features, features))
