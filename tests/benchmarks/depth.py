"""`make bench of=depth`: how good each depth estimator that is here is on every measured pair, and how long it takes.

The table goes to the terminal and to DEPTH.md beside this file; the means of the photographs go to the card of our own
network, too.
"""

import asyncio
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from rich.console import Console

from deploy.local.settings import Settings, passed_on
from services.depth_map.estimators import CuesEstimator, DrawnScenes, Estimator, OnnxModel, Plane, fast_depth, load
from services.depth_map.estimators.model_files import DRAWN_SCENES
from services.depth_map.processors import usable_processors
from services.depth_map.rules import Kind, Provenance
from services.depth_map.weights import chosen
from shared.settings import load as load_settings
from tests.benchmarks import depth_timing
from tests.depth_map.metrics import Goodness, goodness
from tests.depth_map.scenes import CORPUS, Pixels, measured_pairs, seen

RESULTS: Final = Path(__file__).with_name("DEPTH.md")
CARD: Final = DRAWN_SCENES.with_name("MODEL_CARD.md")
FIGURES: Final = ("<!-- figures: written by `make bench of=depth` -->", "<!-- end of figures -->")
FAST_DEPTH: Final = CORPUS / "models" / "fastdepth_nyu_int8w.onnx"
FAST_DEPTH_SHA256: Final = "92df583bd25d9d53946f66d1e1749e5e0258aad268ece93cf480b929eb8199e4"
ROUNDS: Final = 5
DRAWN: Final = frozenset({"o3d_synth_00000"})
"""Pairs that are no photographs, and no part of the mean."""

_HEAD: Final = (
    "| estimator | pair | AbsRel | δ1 | Spearman | AbsRel in metres | ms |",
    "|---|---|---:|---:|---:|---:|---:|",
)

TRAINED_ON: Final = {
    "lower is nearer (a ramp)": "nothing",
    "cues (no model)": "nothing; its constants were chosen while these pairs were looked at",
    "drawn scenes (small network)": "scenes that this project draws, and no photograph; see its MODEL_CARD.md",
    "FastDepth NYU": "NYU Depth v2, of which three of these pairs are (their split is not known)",
    "Depth Anything V2 Small": "drawn scenes, and photographs labelled by a larger model; not NYU Depth v2",
}


@dataclass(frozen=True)
class Row:
    """One estimator on one pair."""

    estimator: str
    pair: str
    figures: Goodness
    milliseconds: float


class Ramp:
    """What every estimator must beat: the lower in the picture, the nearer."""

    name = "lower is nearer (a ramp)"
    kind: Kind = "inverse_relative"

    def provenance(self) -> Provenance:
        return CuesEstimator().provenance()

    def input_size(self, width_px: int, height_px: int) -> tuple[int, int]:
        return width_px, height_px

    def estimate(self, rgb: Plane) -> Plane:
        return np.repeat(np.linspace(0, 1, len(rgb), dtype=np.float32)[:, None], rgb.shape[1], axis=1)


def main() -> None:
    """Measure, tell and write."""
    if not CORPUS.exists():
        sys.exit("The measured pairs are not here: the corpus lies beside the repository, as ../shared/corpus.")
    cv2.setNumThreads(1)
    pairs = measured_pairs()
    rows = [_measured(it, name, *pair) for it in _present() for name, pair in pairs.items()]
    text = "\n".join([_told(rows), *depth_timing.told(asyncio.run(depth_timing.measure()))])
    RESULTS.write_text(text)
    CARD.write_text(carded(CARD.read_text(), _means(rows)))
    Console(highlight=False, soft_wrap=True).print(text, markup=False)


def _present() -> Iterator[Estimator]:
    yield Ramp()
    yield CuesEstimator()
    yield load(DrawnScenes())
    threads = {"threads": usable_processors()}
    if FAST_DEPTH.exists():
        yield load(fast_depth(FAST_DEPTH, FAST_DEPTH_SHA256).model_copy(update=threads))
    model = chosen(passed_on(dotenv=True).get("DEPTH_ESTIMATOR") or None, load_settings(Settings).models_directory)
    if isinstance(model, OnnxModel) and model.path is not None:
        yield load(model.model_copy(update=threads))


def _measured(
    estimator: Estimator, pair: str, rgb: Pixels, metres: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> Row:
    picture = seen(rgb)
    inverse = estimator.estimate(picture)
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        estimator.estimate(picture)
        seconds.append(time.perf_counter() - begun)
    figures = goodness(inverse, metres, estimator.kind)
    return Row(estimator.name, pair, figures, statistics.median(seconds) * 1000)


def _told(rows: list[Row]) -> str:
    estimators = list(dict.fromkeys(row.estimator for row in rows))
    return "\n".join(
        [
            "# How good the depth is",
            "",
            "`make bench of=depth` writes this anew. AbsRel and δ1 are taken after scale and shift are fitted in",
            "inverse depth, which a relative estimator is free to choose; Spearman is the rank correlation of",
            "nearness; the error in metres is told where the estimator gives metres. Only pixels of 0.1 to 10 m are",
            "compared. The mean is that of the photographs, without the drawn room.",
            "",
            *_HEAD,
            *(line for name in estimators for line in _lines(name, [row for row in rows if row.estimator == name])),
            "",
            "What they were trained on:",
            "",
            *(f"- {name}: {TRAINED_ON.get(name, 'not known here')}" for name in estimators),
            "",
            f"Python {platform.python_version()}, {platform.machine()}, {usable_processors()} CPUs;",
            f"the median of {ROUNDS} estimates at the picture's own size, the estimate alone.",
            "",
        ]
    )


def carded(card: str, means: list[str]) -> str:
    """Put the means of the photographs into a model card, in the place of those that were there."""
    begin, end = FIGURES
    before, _, rest = card.partition(begin)
    _, _, behind = rest.partition(end)
    return "\n".join([before + begin, "", *_HEAD, *means, "", end + behind])


def _means(rows: list[Row]) -> list[str]:
    names = dict.fromkeys(row.estimator for row in rows)
    return [_mean(name, [row for row in rows if row.estimator == name]) for name in names]


def _lines(name: str, rows: list[Row]) -> Iterator[str]:
    for row in rows:
        yield _line(name, row.pair + (" (drawn)" if row.pair in DRAWN else ""), row.figures, row.milliseconds)
    yield _mean(name, rows)


def _mean(name: str, rows: list[Row]) -> str:
    real = [row for row in rows if row.pair not in DRAWN]
    metric = [row.figures.metric_error for row in real if row.figures.metric_error is not None]
    mean = Goodness(
        statistics.mean(row.figures.relative_error for row in real),
        statistics.mean(row.figures.within_a_quarter for row in real),
        statistics.mean(row.figures.order for row in real),
        statistics.mean(metric) if metric else None,
    )
    return _line(f"**{name}**", "**mean of the photographs**", mean, statistics.mean(row.milliseconds for row in real))


def _line(name: str, pair: str, figures: Goodness, milliseconds: float) -> str:
    metric = "" if figures.metric_error is None else f"{figures.metric_error:.3f}"
    shown = f"{figures.relative_error:.3f} | {figures.within_a_quarter:.3f} | {figures.order:.3f} | {metric}"
    return f"| {name} | {pair} | {shown} | {milliseconds:.0f} |"


if __name__ == "__main__":
    main()
