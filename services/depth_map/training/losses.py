"""How wrong a map is: free of scale and shift, sharp at steps, and in the right order."""

import torch
from torch import Tensor
from torch.nn import functional

_TRIMMED = 0.8
_SCALES = 4


def loss(seen: Tensor, truth: Tensor) -> Tensor:
    """Compare maps of inverse depth, n x 1 x height x width each; only the order and shape of `seen` count."""
    ours, exact = _normalised(seen), _normalised(truth).clamp(-3, 6)
    return 0.5 * _trimmed(ours, exact) + 0.25 * _steps(ours, exact) + 2 * _disorder(seen, truth)


def _normalised(values: Tensor) -> Tensor:
    """Take the median as 0 and the mean distance from it as 1, as MiDaS does (Ranftl et al. 2020)."""
    flat = values.flatten(1)
    middle = flat.median(1, keepdim=True).values
    spread = (flat - middle).abs().mean(1, keepdim=True).clamp_min(1e-4)
    return ((flat - middle) / spread).reshape(values.shape)


def _trimmed(ours: Tensor, exact: Tensor) -> Tensor:
    """Mean error without the worst fifth of the pixels of each picture."""
    errors = (ours - exact).abs().flatten(1).sort(1).values
    return errors[:, : int(errors.shape[1] * _TRIMMED)].mean()


def _steps(ours: Tensor, exact: Tensor) -> Tensor:
    """Mean error of the differences between neighbours, on several scales."""
    error, total = ours - exact, ours.new_zeros(())
    for _ in range(_SCALES):
        total = total + (error[..., 1:] - error[..., :-1]).abs().mean()
        total = total + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        error = functional.avg_pool2d(error, 2)
    return total / _SCALES


def _disorder(seen: Tensor, truth: Tensor) -> Tensor:
    """1 less the correlation with the ranks of the truth."""
    return 1 - correlation(seen.flatten(1), ranks(truth.flatten(1))).mean()


def ranks(values: Tensor) -> Tensor:
    """Ranks within each row, 0 to 1; equal values share theirs."""
    ordered = values.sort(1).values
    below = torch.searchsorted(ordered, values)
    through = torch.searchsorted(ordered, values, right=True)
    return (below + through).to(values.dtype) / (2 * values.shape[1])


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's correlation of each row with the other's."""
    one, other = one - one.mean(1, keepdim=True), other - other.mean(1, keepdim=True)
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1)).clamp_min(1e-6)
