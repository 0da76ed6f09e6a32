"""Muon: momentum whose matrices are made orthogonal, so that no direction of a layer learns faster than another."""

from collections.abc import Iterable

import torch
from torch import Tensor

_ROUNDS = 4
_QUINTIC = (3.4445, -4.7750, 2.0315)
# With it a step is about as long as one of AdamW at the same rate.
_LENGTH = 0.2


class Muon(torch.optim.Optimizer):
    """Steps for weights of two axes and more, the first of which counts outputs (Jordan et al. 2024)."""

    def __init__(self, weights: Iterable[Tensor], rate: float, *, momentum: float = 0.95, decay: float = 0.02) -> None:
        super().__init__(weights, {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        """Change the weights by what their gradients say."""
        for group in self.param_groups:
            for weights in group["params"]:
                mean = self.state[weights].setdefault("mean", torch.zeros_like(weights))
                mean.lerp_(weights.grad, 1 - group["momentum"])
                ahead = weights.grad.lerp(mean, group["momentum"]).flatten(1)
                weights.mul_(1 - group["lr"] * group["decay"])
                change = orthogonal(ahead).reshape(weights.shape)
                weights.add_(change, alpha=-group["lr"] * _LENGTH * max(ahead.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """Make all singular values about 1, by a few rounds of a Newton-Schulz iteration."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(_ROUNDS):
        square = x @ x.T
        x = _QUINTIC[0] * x + (_QUINTIC[1] * square + _QUINTIC[2] * square @ square) @ x
    return x.T if tall else x
