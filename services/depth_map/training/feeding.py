"""Batches of examples, each seen a little differently every time."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.depth_map.training.examples import Shard
from services.depth_map.training.textures import Random
from services.depth_map.training.variations import varied

Shards = Sequence[Shard]
Batch = tuple[Tensor, Tensor, Tensor]

SIZES: Final = (
    *((80, 64), (96, 80), (96, 80), (112, 80), (96, 64), (112, 96), (128, 96)),
    *((64, 80), (80, 96)),
)
"""Widths and heights that are shown: many, so that fine does not mean far, and small, since those cost little."""

STRETCHED: Final = 0.07
LEAST_CROP: Final = 0.9
_LEAST_CLOSE_CROP, _CLOSE = 0.6, 0.2


def batch(shards: Shards, random: Random, count: int, sizes: Sequence[tuple[int, int]] = SIZES) -> Batch:
    """Pictures (n x 3 x height x width), cues (n x 1 x height x width) and inverse depth (n x 1 x half of each)."""
    size = sizes[int(random.integers(len(sizes)))]
    upright = size[0] < size[1]
    fitting = [shard for shard in shards if (shard.inverses.shape[2] < shard.inverses.shape[1]) == upright] or shards
    triples = [_cropped(fitting[int(random.integers(len(fitting)))], random, size) for _ in range(count)]
    pictures, cues, inverses = (torch.from_numpy(np.stack(parts)) for parts in zip(*triples, strict=True))
    pictures = varied(pictures.permute(0, 3, 1, 2).float() / 255, random)
    return pictures, cues[:, None].float() / 255, inverses[:, None]


def _cropped(
    shard: Shard, random: Random, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    index = int(random.integers(len(shard.inverses)))
    inverse = shard.inverses[index].astype(np.float32)
    height, width = inverse.shape
    aspect = np.clip(size[0] / size[1] * float(np.exp(random.normal(0, STRETCHED))), 0.8 * width / height, None)
    # Little is cut off mostly, since the cues are those of the whole picture.
    least = _LEAST_CLOSE_CROP if random.random() < _CLOSE else LEAST_CROP
    share = float(random.uniform(least, 1.0)) * min(width / aspect, height)
    wide, high = int(aspect * share), int(share)
    left, top = int(random.integers(width - wide + 1)), int(random.integers(height - high + 1))
    window = slice(top, top + high), slice(left, left + wide)
    half = (size[0] // 2, size[1] // 2)
    small = cv2.resize(shard.pictures[index][window], size, interpolation=cv2.INTER_AREA)
    cues = cv2.resize(shard.cues[index][window], size, interpolation=cv2.INTER_AREA)
    depth = cv2.resize(inverse[window], half, interpolation=cv2.INTER_AREA)
    turned = slice(None, None, -1 if random.random() < 0.5 else 1)
    return tuple(np.ascontiguousarray(part[:, turned]) for part in (small, cues, depth))  # type: ignore[return-value]
