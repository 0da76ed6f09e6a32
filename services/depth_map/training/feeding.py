"""Batches of examples, each seen a little differently every time."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.depth_map.training.textures import Random

Shards = Sequence[tuple[NDArray[np.uint8], NDArray[np.float16]]]

STAGES: Final = (
    (0.40, ((64, 48),) * 4 + ((64, 64), (48, 64))),
    (1.00, ((80, 64),) * 4 + ((96, 64), (64, 80), (64, 64))),
)
"""Up to which share of the lesson which widths and heights are shown. A network that learns for so short a time sees
best at the size at which it learnt, and small pictures cost little."""

_STRETCHED = 0.1


def batch(shards: Shards, random: Random, count: int, sizes: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Pictures (n x 3 x height x width, 0 to 1) and inverse depth (n x 1 x half height x half width)."""
    size = sizes[int(random.integers(len(sizes)))]
    pairs = [_cropped(shards[int(random.integers(len(shards)))], random, size) for _ in range(count)]
    pictures = torch.from_numpy(np.stack([picture for picture, _ in pairs]))
    inverses = torch.from_numpy(np.stack([inverse for _, inverse in pairs]))
    return varied(pictures.permute(0, 3, 1, 2).float() / 255, random), inverses[:, None]


def sizes_at(share: float) -> Sequence[tuple[int, int]]:
    """Tell which sizes are shown when a share of the lesson is over."""
    return next(sizes for until, sizes in STAGES if share < until)


def _cropped(
    shard: tuple[NDArray[np.uint8], NDArray[np.float16]], random: Random, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    index = int(random.integers(len(shard[1])))
    picture, inverse = shard[0][index], shard[1][index].astype(np.float32)
    height, width = inverse.shape
    aspect = size[0] / size[1] * float(np.exp(random.normal(0, _STRETCHED)))
    share = float(random.uniform(0.7, 1.0)) * min(width / aspect, height)
    wide, high = int(aspect * share), int(share)
    left, top = int(random.integers(width - wide + 1)), int(random.integers(height - high + 1))
    window = slice(top, top + high), slice(left, left + wide)
    half = (size[0] // 2, size[1] // 2)
    method = cv2.INTER_AREA if high > size[1] else cv2.INTER_CUBIC
    small = cv2.resize(picture[window], size, interpolation=method)
    depth = cv2.resize(inverse[window], half, interpolation=cv2.INTER_AREA)
    if random.random() < 0.5:
        small, depth = small[:, ::-1], depth[:, ::-1]
    return np.ascontiguousarray(small), np.ascontiguousarray(depth, np.float32)


def varied(pictures: Tensor, random: Random) -> Tensor:
    """Change brightness, contrast, tint, colourfulness, sharpness and noise, as cameras differ in them."""
    count = len(pictures)

    def drawn(spread: float, width: int = 1) -> Tensor:
        return torch.from_numpy(random.normal(0, spread, (count, width, 1, 1))).float()

    # White is far and dark is near in too many drawn scenes; what is left when colours change places is shape.
    pictures = pictures[:, torch.from_numpy(random.permutation(3))]
    negative = torch.from_numpy(random.random((count, 1, 1, 1)) < 0.2)
    pictures = torch.where(negative, 1 - pictures, pictures)
    grey = pictures.mean(1, keepdim=True)
    colourful = (1 + drawn(0.35)).clamp(0, 2)
    colourful[torch.from_numpy(random.random(count) < 0.08)] = 0
    out = grey + colourful * (pictures - grey)
    out = (out * (1 + drawn(0.08, 3))).clamp(0, 1) ** drawn(0.3).exp()
    middle = out.mean((1, 2, 3), keepdim=True)
    out = middle + (out - middle) * drawn(0.2).exp() + drawn(0.06)
    blurred = functional.avg_pool2d(functional.pad(out, (1, 1, 1, 1), mode="replicate"), 3, 1)
    # Negative shares sharpen, as many cameras do.
    share = torch.from_numpy(random.uniform(-0.7, 1.0, (count, 1, 1, 1))).float()
    out = out + share * (blurred - out)
    out = out + torch.randn_like(out) * drawn(0.02).abs()
    return out.clamp(0, 1)
