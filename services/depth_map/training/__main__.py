"""`make depth-network`: draw scenes, train the small depth network on them, and write it as the service runs it.

Each part goes on where it was stopped. What is drawn and learnt follows from the seeds alone. With `--examples 0
--steps 0` nothing is drawn or learnt, and the network is written as the checkpoint has it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import torch

from services.depth_map.estimators.model_files import DRAWN_SCENES
from services.depth_map.training.examples import HELD_OUT, SHARD, TRAINED, write_shard, write_shards
from services.depth_map.training.exporting import export
from services.depth_map.training.learning import Lesson, train

_HELD_OUT_EXAMPLES = 300
_SHIPPED = DRAWN_SCENES.relative_to(Path(__file__).parents[3])


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all that is missing."""
    asked = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    torch.set_num_threads(asked.threads)
    os.nice(asked.nice)
    write_shards(asked.folder / "held-out", HELD_OUT, min(_HELD_OUT_EXAMPLES, asked.examples), seed=77)
    _draw_all(asked.folder / "drawn", asked.examples, asked.workers)
    learner = train(
        Lesson(steps=asked.steps, pictures=asked.pictures, device=asked.device),
        asked.folder / "drawn",
        {"held out": asked.folder / "held-out"},
        asked.folder / "checkpoint.pt",
        tell=lambda line: print(line, flush=True),
    )
    sha256 = export(learner.steady, asked.to)
    print(f"{asked.to}\nsha256 {sha256}")
    return 0


def _draw_all(folder: Path, examples: int, workers: int) -> None:
    with ProcessPoolExecutor(workers, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        list(pool.map(partial(_draw, folder, examples), range(-(-examples // SHARD))))


def _draw(folder: Path, examples: int, index: int) -> None:
    write_shard(folder, TRAINED, index, min(SHARD, examples - index * SHARD), seed=2, as_photographed=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make depth-network", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".local/depth-network"), help="examples and checkpoint")
    parser.add_argument(
        "--to",
        type=Path,
        default=Path(".local/depth-network/drawn_scenes.onnx"),
        help=f"where the network goes, and its hash beside it; {_SHIPPED} is what the service runs",
    )
    parser.add_argument("--examples", type=int, default=24600, help="scenes to draw; about 8 a second and core")
    parser.add_argument("--steps", type=int, default=Lesson.steps)
    parser.add_argument("--pictures", type=int, default=Lesson.pictures, help="in one step")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="where torch computes, as cuda")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--nice", type=int, default=0, help="how far to stand back for other programs, 0 to 19")
    return parser


if __name__ == "__main__":
    sys.exit(main())
