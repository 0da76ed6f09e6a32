"""How pictures are changed before they are shown, so that nothing but shape and place is left to learn from.

Colour, light and texture of drawn scenes are not those of photographs, and a network that trusts them is wrong there.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.depth_map.training.textures import Random


def varied(pictures: Tensor, random: Random) -> Tensor:
    """Give pictures (n x 3 x height x width, 0 to 1) other colours, light, stains, sharpness and noise."""
    out = _sometimes(pictures, random, 0.25, _recoloured)
    out = _toned(out, random)
    out = _sometimes(out, random, 0.4, _shaded)
    out = _sometimes(out, random, 0.3, _stained)
    out = _sometimes(out, random, 0.05, _covered)
    out = _sometimes(out, random, 0.15, _coarse)
    return _noisy(out, random).clamp(0, 1)


def _sometimes(pictures: Tensor, random: Random, chance: float, change: Callable[[Tensor, Random], Tensor]) -> Tensor:
    chosen = torch.from_numpy(random.random(len(pictures)) < chance).to(pictures.device)
    if not bool(chosen.any()):
        return pictures
    out = pictures.clone()
    out[chosen] = change(pictures[chosen], random)
    return out


def _drawn(pictures: Tensor, random: Random, spread: float, width: int = 1) -> Tensor:
    return _beside(pictures, random.normal(0, spread, (len(pictures), width, 1, 1)))


def _beside(pictures: Tensor, values: NDArray[np.generic]) -> Tensor:
    """Bring numbers to where the pictures are."""
    return torch.from_numpy(values.astype(np.float32)).to(pictures.device)


def _recoloured(pictures: Tensor, random: Random) -> Tensor:
    """Send each colour to another by waves through the cube of colours: like stays like, dark may become light."""
    mixing = _beside(pictures, random.normal(0, 2.2, (len(pictures), 3, 3)))
    waves = torch.einsum("nij,njhw->nihw", mixing, pictures) + _drawn(pictures, random, 3, 3)
    share = _beside(pictures, random.uniform(0.3, 1.0, (len(pictures), 1, 1, 1)))
    return pictures + share * (0.5 + 0.5 * waves.sin() - pictures)


def _toned(pictures: Tensor, random: Random) -> Tensor:
    """Change brightness, contrast, tint and colourfulness; now and then all is a negative or grey."""
    count = len(pictures)
    pictures = pictures[:, random.permutation(3).tolist()]
    negative = _beside(pictures, random.random((count, 1, 1, 1))) < 0.2
    pictures = torch.where(negative, 1 - pictures, pictures)
    grey = pictures.mean(1, keepdim=True)
    colourful = (1 + _drawn(pictures, random, 0.4)).clamp(0, 2)
    colourful[_beside(pictures, random.random(count)) < 0.15] = 0
    out = grey + colourful * (pictures - grey)
    out = (out * (1 + _drawn(pictures, random, 0.08, 3))).clamp(0, 1) ** _drawn(pictures, random, 0.4).exp()
    middle = out.mean((1, 2, 3), keepdim=True)
    return middle + (out - middle) * _drawn(pictures, random, 0.25).exp() + _drawn(pictures, random, 0.06)


def _field(pictures: Tensor, random: Random, rows: int, channels: int = 1) -> Tensor:
    """Noise that changes smoothly over so many rows and columns."""
    grid = _beside(pictures, random.normal(0, 1, (len(pictures), channels, rows, rows)))
    return functional.interpolate(grid, size=pictures.shape[2:], mode="bicubic")


def _shaded(pictures: Tensor, random: Random) -> Tensor:
    """Let light and shadow fall that no lamp of the scene throws."""
    strength = _drawn(pictures, random, 0.3).abs()
    return pictures * (strength * _field(pictures, random, int(random.integers(2, 6)))).exp()


def _stained(pictures: Tensor, random: Random) -> Tensor:
    """Cover all with a pattern of one grain, as it is at no distance."""
    strength = _drawn(pictures, random, 0.08).abs()
    return pictures + strength * _field(pictures, random, int(random.integers(8, 40)), 3)


def _covered(pictures: Tensor, random: Random) -> Tensor:
    """Hide up to three rectangles, so that what is there must be guessed from what is around."""
    out, (height, width) = pictures.clone(), pictures.shape[2:]
    for picture in out:
        for _ in range(int(random.integers(1, 4))):
            high, wide = (int(length * random.uniform(0.05, 0.35)) for length in (height, width))
            top, left = int(random.integers(height - high)), int(random.integers(width - wide))
            shade = _beside(pictures, random.random((3, 1, 1)))
            picture[:, top : top + high, left : left + wide] = shade
    return out


def _coarse(pictures: Tensor, random: Random) -> Tensor:
    """Lose all that is fine."""
    scale = float(random.uniform(0.4, 0.8))
    size = [int(length * scale) for length in pictures.shape[2:]]
    return functional.interpolate(
        functional.interpolate(pictures, size=size, mode="area"), size=pictures.shape[2:], mode="bilinear"
    )


def _noisy(pictures: Tensor, random: Random) -> Tensor:
    blurred = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    # Negative shares sharpen, as many cameras do.
    share = _beside(pictures, random.uniform(-0.7, 1.0, (len(pictures), 1, 1, 1)))
    seeded = torch.Generator(pictures.device).manual_seed(int(random.integers(2**62)))
    noise = torch.randn(pictures.shape, generator=seeded, device=pictures.device)
    return pictures + share * (blurred - pictures) + noise * _drawn(pictures, random, 0.03).abs()
