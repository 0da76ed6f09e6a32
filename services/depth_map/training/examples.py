"""Which scenes are drawn, and how they are kept on disk for training."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from services.depth_map.estimators.drawn_scenes import CUED_PX, cued
from services.depth_map.training import divided, gathered, held_out, near, outdoors, rooms, views
from services.depth_map.training.before import laid_before
from services.depth_map.training.pictures import developed
from services.depth_map.training.rendering import render
from services.depth_map.training.scenes import Scene
from services.depth_map.training.solids import Floats
from services.depth_map.training.standing import stood_before
from services.depth_map.training.textures import Random, Textures

Builder = Callable[[Scene, tuple[int, int]], None]

SIZE: Final = (144, CUED_PX)
"""Width and height of an example, in pixels; every fourth shard has them the other way round."""

TRAINED: Final[Mapping[Builder, float]] = {
    views.lived_in: 0.16,
    views.seated: 0.08,
    views.counter: 0.06,
    views.rows: 0.05,
    views.close: 0.04,
    gathered.dining: 0.1,
    gathered.office: 0.1,
    divided.divided: 0.15,
    rooms.room: 0.04,
    rooms.tabletop: 0.02,
    rooms.kitchen: 0.02,
    near.subject: 0.05,
    near.floating: 0.02,
    outdoors.street: 0.05,
    outdoors.country: 0.03,
    outdoors.garden: 0.03,
}
HELD_OUT: Final[Mapping[Builder, float]] = {
    held_out.storeroom: 0.3,
    held_out.workbench: 0.2,
    held_out.corridor: 0.2,
    held_out.stairs: 0.15,
    held_out.market: 0.15,
}

LAID: Final = 0.3
"""Share of the scenes that are trained on before which something is held."""

STOOD: Final = 0.35
"""Share of the scenes that are trained on into which things are stood; more of them is worse (FINDINGS.md)."""

_GRID: Final = (16, 12)
_ALIKE: Final = (0.0, 0.3, 0.5)
_KEPT: Final = (0.1, 0.25, 0.5, 1.0)
"""Share that is kept of scenes whose rank correlation with a ramp is below the first of these bounds, the second, …"""

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


class Shard(NamedTuple):
    """Examples of one size: pictures, what the cues see in them, and inverse depth."""

    pictures: NDArray[np.uint8]
    cues: NDArray[np.uint8]
    inverses: NDArray[np.float16]


_PARTS: Final = ("pictures", "cues", "inverse")

SHARD: Final = 200
"""Examples in one set of files."""

_SHARDS_OF_A_BANK: Final = 6


def write_shards(folder: Path, builders: Mapping[Builder, float], count: int, *, seed: int, shard: int = SHARD) -> None:
    """Draw `count` examples into a folder, those that are there already apart; each shard follows from its own seed."""
    for index in range(-(-count // shard)):
        write_shard(folder, builders, index, min(shard, count - index * shard), seed)


def write_shard(
    folder: Path, builders: Mapping[Builder, float], index: int, count: int, seed: int, *, as_photographed: bool = False
) -> None:
    """Draw one shard, unless it is there.

    `as_photographed` keeps mostly what is near at its bottom and far at its top, and holds something before a share of
    the scenes and stands things into another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures, cues, inverses = (folder / f"{index:05}.{part}.npy" for part in _PARTS)
    if inverses.exists():
        return
    random = np.random.default_rng([seed, index])
    textures = _bank(seed, index // _SHARDS_OF_A_BANK)
    size = SIZE[::-1] if index % 4 == 3 else SIZE
    if as_photographed:
        drawn = _photographed(textures, random, builders, size, count)
    else:
        drawn = [example(textures, random, builders, size) for _ in range(count)]
    _save(pictures, np.stack([picture for picture, _ in drawn]))
    _save(cues, np.stack([cued(picture) for picture, _ in drawn]))
    _save(inverses, np.stack([inverse for _, inverse in drawn]).astype(np.float16))


def _photographed(
    textures: Textures, random: Random, builders: Mapping[Builder, float], size: tuple[int, int], count: int
) -> list[tuple[NDArray[np.uint8], Floats]]:
    kept: list[tuple[NDArray[np.uint8], Floats]] = []
    while len(kept) < count:
        picture, inverse = example(textures, random, builders, size)
        if random.random() > how_likely(inverse):
            continue
        for share, covered in ((LAID, laid_before), (STOOD, stood_before)):
            if kept and random.random() < share:
                picture, inverse = covered(random, picture, inverse, kept[int(random.integers(len(kept)))][0])
        kept.append((picture, inverse))
    return kept


def how_likely(inverse: Floats) -> float:
    """Tell how often a scene is kept, by how far it is from near at the bottom and far at the top (FINDINGS.md)."""
    order = cv2.resize(inverse, _GRID, interpolation=cv2.INTER_AREA).argsort(axis=None).argsort()
    alike = np.corrcoef(order, np.repeat(np.arange(_GRID[1]), _GRID[0]))[0, 1]
    return float(_KEPT[int(np.searchsorted(_ALIKE, alike))])


@lru_cache(maxsize=1)
def _bank(seed: int, index: int) -> Textures:
    return Textures(np.random.default_rng([seed, 1_000_000 + index]))


def _save(path: Path, values: NDArray[np.generic]) -> None:
    """Write whole or not at all, so that whoever is ended in between goes on with the next shard."""
    partly = path.with_suffix(".part")
    with partly.open("wb") as file:
        np.save(file, values)
    partly.replace(path)


def read_shards(folder: Path) -> list[Shard]:
    """Open all shards that are whole, without reading them into memory."""
    return [read_shard(path) for path in whole_shards(folder)]


def whole_shards(folder: Path) -> list[Path]:
    """Name the file that is written last of each shard, in the order of their numbers."""
    return sorted(folder.glob("*.inverse.npy"))


def read_shard(inverses: Path) -> Shard:
    """Open one shard by the file that is written last."""
    return Shard(*(np.load(str(inverses).replace("inverse", part), mmap_mode="r") for part in _PARTS))
