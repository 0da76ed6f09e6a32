"""Which scenes are drawn, and how they are kept on disk for training."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.depth_map.training import held_out, near, outdoors, rooms
from services.depth_map.training.pictures import developed
from services.depth_map.training.rendering import render
from services.depth_map.training.scenes import Scene
from services.depth_map.training.solids import Floats
from services.depth_map.training.textures import Random, Textures

Builder = Callable[[Scene, tuple[int, int]], None]

SIZE: Final = (144, 108)
"""Width and height of an example, in pixels."""

TRAINED: Final[Mapping[Builder, float]] = {
    rooms.room: 0.40,
    rooms.tabletop: 0.16,
    rooms.kitchen: 0.10,
    near.subject: 0.10,
    near.floating: 0.06,
    outdoors.street: 0.08,
    outdoors.country: 0.05,
    outdoors.garden: 0.05,
}
HELD_OUT: Final[Mapping[Builder, float]] = {held_out.corridor: 1 / 3, held_out.stairs: 1 / 3, held_out.market: 1 / 3}

_FARTHEST_METRES: Final = 1e4
_NEAREST_METRES: Final = 0.15
_LEAST_SPREAD: Final = 0.3


def example(
    textures: Textures, random: Random, builders: Mapping[Builder, float], size: tuple[int, int] = SIZE
) -> tuple[NDArray[np.uint8], Floats]:
    """Draw a scene of one of the kinds: a picture, and inverse depth in 1/metre, 0 where there is sky."""
    makers, weights = list(builders), np.array(list(builders.values()))
    while True:
        build = makers[int(random.choice(len(makers), p=weights / weights.sum()))]
        scene = Scene(textures, random)
        build(scene, size)
        rendering = render(scene)
        depth = np.minimum(rendering.depth, _FARTHEST_METRES)
        if _worth_it(depth):
            return developed(random, rendering), np.asarray(1 / depth, np.float32)


def _worth_it(depth: Floats) -> bool:
    """Whether nothing covers the lens, and there is near and far."""
    low, high = np.percentile(np.log(depth), (5, 95))
    return bool(np.percentile(depth, 2) > _NEAREST_METRES and high - low > _LEAST_SPREAD)


SHARD: Final = 200
"""Examples in one pair of files."""

_SHARDS_OF_A_BANK: Final = 6


def write_shards(folder: Path, builders: Mapping[Builder, float], count: int, *, seed: int, shard: int = SHARD) -> None:
    """Draw `count` examples into a folder, those that are there already apart; each shard follows from its own seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(-(-count // shard)):
        pictures, inverses = folder / f"{index:05}.pictures.npy", folder / f"{index:05}.inverse.npy"
        if inverses.exists():
            continue
        random = np.random.default_rng([seed, index])
        textures = _bank(seed, index // _SHARDS_OF_A_BANK)
        drawn = [example(textures, random, builders) for _ in range(min(shard, count - index * shard))]
        _save(pictures, np.stack([picture for picture, _ in drawn]))
        _save(inverses, np.stack([inverse for _, inverse in drawn]).astype(np.float16))


@lru_cache(maxsize=1)
def _bank(seed: int, index: int) -> Textures:
    return Textures(np.random.default_rng([seed, 1_000_000 + index]))


def _save(path: Path, values: NDArray[np.generic]) -> None:
    """Write whole or not at all, so that whoever is ended in between goes on with the next shard."""
    partly = path.with_suffix(".part")
    with partly.open("wb") as file:
        np.save(file, values)
    partly.replace(path)


def read_shards(folder: Path) -> list[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
    """Open all shards that are whole, without reading them into memory."""
    return [
        (np.load(str(path).replace("inverse", "pictures"), mmap_mode="r"), np.load(path, mmap_mode="r"))
        for path in sorted(folder.glob("*.inverse.npy"))
    ]
