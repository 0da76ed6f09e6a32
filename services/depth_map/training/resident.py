"""Examples that lie whole where the network is, so that an accelerator need not wait for files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from services.depth_map.training.examples import Shard, read_shard, whole_shards
from services.depth_map.training.feeding import LEAST_CROP, SIZES, STRETCHED, Batch
from services.depth_map.training.textures import Random
from services.depth_map.training.variations import varied


class Resident:
    """All examples, broad and upright ones apart, in bytes as they are on disk.

    One batch is cropped to one shape, at another place of each picture; a file-fed batch crops each its own way.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._taken: set[Path] = set()
        self._groups: dict[bool, list[Tensor]] = {}

    def take(self, folder: Path) -> int:
        """Take what has been drawn since the last time; give how many shards there are in all."""
        for path in whole_shards(folder):
            if path not in self._taken:
                self._taken.add(path)
                self._add(read_shard(path))
        return len(self._taken)

    def _add(self, shard: Shard) -> None:
        parts = (shard.pictures, shard.cues[..., None], shard.inverses[..., None])
        new = [torch.from_numpy(np.array(part)).to(self.device).permute(0, 3, 1, 2) for part in parts]
        upright = new[0].shape[2] > new[0].shape[3]
        old = self._groups.get(upright)
        self._groups[upright] = [torch.cat(both) for both in zip(old, new, strict=True)] if old else new

    def batch(self, random: Random, count: int, sizes: Sequence[tuple[int, int]] = SIZES) -> Batch:
        """Pictures (n x 3 x height x width), cues (n x 1 x height x width) and inverse depth (n x 1 x half of each)."""
        width, height = sizes[int(random.integers(len(sizes)))]
        group = self._groups.get(width < height) or next(iter(self._groups.values()))
        chosen = torch.from_numpy(random.integers(0, len(group[0]), count)).to(self.device)
        rows, columns = self._windows(random, count, group[0].shape[2:], width / height)
        pictures, cues, inverses = (
            part[chosen[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).float()
            for part in group
        )
        shown = varied(interpolate(pictures / 255, size=(height, width), mode="area"), random)
        hints = interpolate(cues / 255, size=(height, width), mode="area")
        return shown, hints, interpolate(inverses, size=(height // 2, width // 2), mode="area")

    def _windows(self, random: Random, count: int, shape: Sequence[int], aspect: float) -> tuple[Tensor, Tensor]:
        """Rows and columns of each crop, half of them mirrored."""
        height, width = shape
        aspect = max(aspect * float(np.exp(random.normal(0, STRETCHED))), 0.8 * width / height)
        share = float(random.uniform(LEAST_CROP, 1.0)) * min(width / aspect, height)
        wide, high = int(aspect * share), int(share)
        left, top = random.integers(0, width - wide + 1, count), random.integers(0, height - high + 1, count)
        columns = left[:, None] + np.arange(wide)
        turned = random.random(count) < 0.5
        columns[turned] = columns[turned, ::-1]
        rows = top[:, None] + np.arange(high)
        return torch.from_numpy(rows).to(self.device), torch.from_numpy(columns).to(self.device)
