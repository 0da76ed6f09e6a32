"""Training that goes on where it was stopped."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from services.depth_map.training.examples import read_shards
from services.depth_map.training.feeding import Shards, batch
from services.depth_map.training.losses import correlation, loss, ranks
from services.depth_map.training.muon import Muon
from services.depth_map.training.network import WIDTHS, DepthNetwork
from services.depth_map.training.resident import Resident

_PARTS = ("network", "steady", "optimiser", "other")
_SHOWN = (80, 96)
_KEPT = 0.999
"""Of the running mean of the weights in each step."""


@dataclass(frozen=True)
class Lesson:
    """How to train.

    Attributes:
        steps: batches in all.
        pictures: in one batch.
        rate: highest learning rate; it falls to nothing over the last part of the steps.
        falling: that part, 0 to 1.
        widths: of the network.
        seed: of everything that is random.
        device: where torch computes; on another than `cpu` all examples are kept there.

    """

    steps: int = 7600
    pictures: int = 32
    rate: float = 2.5e-3
    falling: float = 0.345
    widths: tuple[int, int, int, int] = WIDTHS
    seed: int = 7
    device: str = "cpu"

    def rate_at(self, step: int) -> float:
        """Learning rate of a step: rises over the first few, stays, and falls."""
        left = (self.steps - step) / max(self.steps * self.falling, 1)
        return self.rate * min(1.0, (step + 1) / 300, left)


class Learner:
    """A network in training, with the running mean of its weights, which is what is used."""

    def __init__(self, lesson: Lesson) -> None:
        torch.manual_seed(lesson.seed)
        self.lesson, self.step = lesson, 0
        self.network = DepthNetwork(lesson.widths).to(lesson.device, memory_format=torch.channels_last)
        self.steady = copy.deepcopy(self.network).eval()
        inner = [weights for name, weights in self.network.named_parameters() if _is_inner(name, weights)]
        known = set(map(id, inner))
        rest = [weights for weights in self.network.parameters() if id(weights) not in known]
        self.optimiser = Muon(inner, lesson.rate)
        self.other = torch.optim.AdamW(rest, lr=lesson.rate, weight_decay=0.0, fused=True)

    def learn(self, pictures: Tensor, cues: Tensor, inverses: Tensor) -> float:
        """Learn from one batch; give its loss."""
        for group in (*self.optimiser.param_groups, *self.other.param_groups):
            group["lr"] = self.lesson.rate_at(self.step)
        self.network.train()
        seen = self.network.half(pictures.contiguous(memory_format=torch.channels_last), cues)
        error = loss(seen, inverses)
        self.network.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.other.step()
        self._steady()
        self.step += 1
        return float(error.detach())

    @torch.no_grad()
    def _steady(self) -> None:
        keep = min(_KEPT, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.steady.parameters()), list(self.network.parameters()), 1 - keep)

    def save(self, path: Path) -> None:
        """Keep everything that is needed to go on."""
        parts = {name: getattr(self, name).state_dict() for name in _PARTS}
        partly = path.with_suffix(".part")
        torch.save({**parts, "step": self.step, "lesson": asdict(self.lesson)}, partly)
        partly.replace(path)

    def load(self, path: Path) -> None:
        """Go on from what was kept."""
        kept = torch.load(path, weights_only=True, map_location=self.lesson.device)
        for name in _PARTS:
            getattr(self, name).load_state_dict(kept[name])
        self.step = kept["step"]


def _is_inner(name: str, weights: Tensor) -> bool:
    """Tell whether Muon suits these weights: matrices between hidden layers."""
    return weights.ndim > 1 and not name.startswith(("to_half", "place", "out"))


def train(
    lesson: Lesson,
    shards: Path,
    held_out: dict[str, Path],
    checkpoint: Path,
    *,
    tell: Callable[[str], None],
    every: int = 500,
) -> Learner:
    """Train to the end of the lesson, or from where the checkpoint stands; shards may still be on their way."""
    learner = Learner(lesson)
    if checkpoint.exists():
        learner.load(checkpoint)
    random, begun = np.random.default_rng([lesson.seed, learner.step]), time.monotonic()
    total, told_at = 0.0, learner.step
    resident = None if lesson.device == "cpu" else Resident(lesson.device)
    while learner.step < lesson.steps:
        if learner.step % 100 == 0 or total == 0:
            found = read_shards(shards)
            if resident is not None:
                resident.take(shards)
        shown = resident.batch(random, lesson.pictures) if resident else batch(found, random, lesson.pictures)
        total += learner.learn(*shown)
        if learner.step % every == 0 or learner.step == lesson.steps:
            learner.save(checkpoint)
            orders = {name: round(order(learner.steady, read_shards(folder)), 4) for name, folder in held_out.items()}
            seconds, mean = round(time.monotonic() - begun), round(total / (learner.step - told_at), 4)
            told = {"step": learner.step, "seconds": seconds, "loss": mean, "shards": len(found)}
            tell(json.dumps(told | orders))
            total, told_at = 0.0, learner.step
    return learner


@torch.no_grad()
def order(network: DepthNetwork, shards: Shards, count: int = 120) -> float:
    """Mean rank correlation of nearness over examples that were not trained on."""
    network.eval()
    there, total, seen = next(network.parameters()).device, 0.0, 0
    for pictures, cues, inverses in shards:
        upright = inverses.shape[1] > inverses.shape[2]
        for start in range(0, min(len(inverses), max(25, count // len(shards))), 25):
            some = slice(start, start + 25)
            images = torch.from_numpy(pictures[some].copy()).to(there).permute(0, 3, 1, 2).float() / 255
            planes = (torch.from_numpy(plane[some].astype(np.float32)).to(there)[:, None] for plane in (cues, inverses))
            size = _SHOWN[::-1] if upright else _SHOWN
            small, hints, truth = (interpolate(plane, size=size, mode="area") for plane in (images, *planes))
            seen_there = network(small, hints / 255)
            total += float(correlation(ranks(seen_there.flatten(1)), ranks(truth.flatten(1))).sum())
            seen += len(images)
    return total / max(seen, 1)
