"""From the bytes of an untrusted picture to its maps; made to be run in a child process with limits."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from services.depth_map import maps, quality
from services.depth_map.edges import edges_of
from services.depth_map.estimators import (
    Cues,
    Estimator,
    EstimatorChoice,
    OnnxEstimator,
    OnnxModel,
    Plane,
    input_size,
    inverse_of,
    load,
    provenance,
    tensor_of,
)
from services.depth_map.estimators.resampling import guided_enlarged
from services.depth_map.normals import normals_of
from services.depth_map.pictures import Pixels, opened
from services.depth_map.rules import EdgeSettings, NormalSettings, recipe

CREATED_BY = "diorama depth_map"
# What `draw` returns beside the facts, in this order; behind them normals, where they are wanted.
BLOBS = ("depth", "preview", "coloured", "edges", "sidecar")

# Models look at far less; beyond this a map is enlarged along the edges of the picture instead.
_WORKING_LONG_SIDE_PX = 1536

# Of no importance but that something is to be seen: with it a process shows that it can draw.
SPECIMEN = maps.png(np.linspace(0, 255, 64 * 48, dtype=np.float32).astype(np.uint8).reshape(48, 64), {})


class DrawOptions(BaseModel):
    """How maps are drawn.

    Attributes:
        estimator: who sees the depth.
        edges: how lines are found.
        flip_check: also compare with the mirrored picture, which doubles the time.
        normals: also draw the normals of surfaces.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    estimator: EstimatorChoice = Cues()
    edges: EdgeSettings = EdgeSettings()
    flip_check: bool = False
    normals: NormalSettings | None = None

    def recipe(self) -> str:
        """Name the way in which these maps are made."""
        return recipe(provenance(self.estimator), self.edges, self.normals)

    def blobs(self) -> tuple[str, ...]:
        """Name the files that `draw` returns, in their order."""
        return BLOBS if self.normals is None else (*BLOBS, "normals")


def draw(payload: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Draw depth and edges of one picture.

    Args:
        payload: the picture file, not trusted.
        options: `DrawOptions` as JSON-like data. The estimator is loaded once per process and kept.

    Returns:
        Facts (the sidecar's content), and files in the order of `BLOBS`: 16-bit depth PNG, grey and coloured
        preview as WebP, edge PNG, sidecar JSON; and the PNG of normals, where these are wanted. Equal arguments give
        equal bytes on one machine.

    Raises:
        Refused: `picture_unreadable`, `picture_too_large`, `picture_too_small`, `depth_not_finite`,
            `model_missing`, `model_altered`, `model_unfit`.

    """
    chosen = DrawOptions.model_validate(options)
    rgb, source_sha256 = _picture(payload), hashlib.sha256(payload).hexdigest()
    estimator = _estimator(chosen.estimator)
    if isinstance(estimator, OnnxEstimator):
        maps_seen = [estimator.infer(tensor)[0] for tensor in _tensors(chosen, rgb)]
        return _read(chosen, rgb, source_sha256, maps_seen)
    seen = _seen(rgb)
    inverse = estimator.estimate(seen)
    mirrored = estimator.estimate(np.ascontiguousarray(seen[:, ::-1])) if chosen.flip_check else None
    del seen
    return _drawn(chosen, rgb, source_sha256, inverse, mirrored)


def look(payload: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Make what a learned model sees of a picture, for another process that holds the model.

    Args:
        payload: the picture file, not trusted.
        options: `DrawOptions` as JSON-like data.

    Returns:
        `shape` of each tensor, and the tensors, float32: of the picture, and of its mirror where that is asked for.

    Raises:
        Refused: as `draw` does for the picture.

    """
    chosen = DrawOptions.model_validate(options)
    tensors = list(_tensors(chosen, _picture(payload)))
    return {"shape": list(tensors[0].shape[1:])}, [tensor.tobytes() for tensor in tensors]


def finish(payload: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Draw as `draw` does, with what the model has said of the tensors that `look` made.

    Args:
        payload: the model's maps one after the other, float32, and behind them the picture file, not trusted.
        options: `drawn`: `DrawOptions`; `shape`: height and width of each map.

    """
    chosen = DrawOptions.model_validate(options["drawn"])
    rows, columns = options["shape"]
    count = 2 if chosen.flip_check else 1
    picture = memoryview(payload)[4 * count * rows * columns :]
    maps_seen = np.frombuffer(payload, np.float32, count * rows * columns).reshape(count, rows, columns)
    return _read(chosen, _picture(bytes(picture)), hashlib.sha256(picture).hexdigest(), maps_seen)


def _tensors(chosen: DrawOptions, rgb: Pixels) -> Iterator[Plane]:
    """Make what a learned model sees: of the picture, and of its mirror where that is asked for."""
    model = _learned(chosen)
    # Resampling that widens needs no smaller picture beforehand, and is then what the model's publisher does.
    seen: NDArray[Any] = rgb if model.resampling == "bicubic" else _seen(rgb)
    yield tensor_of(model, seen)
    if chosen.flip_check:
        yield tensor_of(model, np.ascontiguousarray(seen[:, ::-1]))


def _read(
    chosen: DrawOptions, rgb: Pixels, source_sha256: str, maps_seen: Iterable[Plane]
) -> tuple[dict[str, Any], list[bytes]]:
    """Draw from what a learned model has said of what `_tensors` made."""
    width, height = _working_size(rgb)
    inverse, *mirrored = (inverse_of(_learned(chosen), values, height, width) for values in maps_seen)
    return _drawn(chosen, rgb, source_sha256, inverse, mirrored[0] if mirrored else None)


def _learned(chosen: DrawOptions) -> OnnxModel:
    if not isinstance(chosen.estimator, OnnxModel):
        raise TypeError("cues hold no model that another process could")
    return chosen.estimator


@lru_cache(maxsize=1)
def _estimator(choice: EstimatorChoice) -> Estimator:
    return load(choice)


def _picture(file: bytes) -> Pixels:
    # A child is given one core; more of them draw more pictures at once, not one picture faster.
    cv2.setNumThreads(1)
    return opened(file)


def _working_size(rgb: Pixels) -> tuple[int, int]:
    """Tell the width and height at which a picture is looked at."""
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORKING_LONG_SIDE_PX / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _seen(rgb: Pixels) -> Plane:
    """Give a picture as estimators see it: float32, 0 to 1, no longer than they can use."""
    size = _working_size(rgb)
    if size != (rgb.shape[1], rgb.shape[0]):
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return rgb.astype(np.float32) / np.float32(255)


def _drawn(
    chosen: DrawOptions, rgb: Pixels, source_sha256: str, inverse: Plane, mirrored: Plane | None
) -> tuple[dict[str, Any], list[bytes]]:
    """Draw everything from inverse depth, of the picture and of its mirror, at working size."""
    flip_difference = None if mirrored is None else quality.mirror_difference(mirrored, inverse)
    if inverse.shape != rgb.shape[:2]:
        inverse = guided_enlarged(inverse, np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8))
    relief = maps.relief(inverse)
    with ThreadPoolExecutor(max_workers=1) as beside:
        # Previews take as long as all the rest and are small, so nothing is held twice while both are made at once.
        previews = beside.submit(_previews, relief)
        normals = None if chosen.normals is None else normals_of(inverse, chosen.normals)
        del inverse
        edges = edges_of(rgb, chosen.edges)
        facts = {
            **_facts(chosen, rgb, source_sha256),
            "min": relief.lowest,
            "max": relief.highest,
            "quality": quality.judged(relief, edges, flip_difference).facts(),
        }
        files = _files(relief, edges, facts, previews)
    return facts, files if normals is None else [*files, maps.png(normals, _told(facts, without=("quality",)))]


def _facts(chosen: DrawOptions, rgb: Pixels, source_sha256: str) -> dict[str, Any]:
    told = provenance(chosen.estimator)
    return {
        "created_by": CREATED_BY,
        "code_version": told.code_version,
        "recipe": chosen.recipe(),
        "estimator": told.model,
        "model": told.model,
        "weights_sha256": told.weights_sha256,
        "settings_sha256": told.settings_sha256,
        "input_size": list(input_size(chosen.estimator, *_working_size(rgb))),
        "input_rule": told.input_size,
        "kind": told.kind,
        "meaning": maps.meaning(told.kind),
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "source_sha256": source_sha256,
        "edge_settings": chosen.edges.model_dump(),
        **({} if chosen.normals is None else {"normal_settings": chosen.normals.model_dump()}),
    }


def _previews(relief: maps.Relief) -> tuple[bytes, bytes]:
    """Encode the grey and the coloured preview."""
    preview = maps.preview_of(relief.levels)
    return maps.webp(preview), maps.webp(maps.coloured(preview))


def _files(
    relief: maps.Relief, edges: Pixels, facts: Mapping[str, Any], previews: Future[tuple[bytes, bytes]]
) -> list[bytes]:
    depth = maps.png(relief.levels, _told(facts, without=("edge_settings", "normal_settings", "quality")))
    lines = maps.png(edges, _told(facts, only=("created_by", "code_version", "edge_settings", "source_sha256")))
    return [depth, *previews.result(), lines, json.dumps(facts, indent=2, sort_keys=True).encode()]


def _told(
    facts: Mapping[str, Any], *, only: tuple[str, ...] | None = None, without: tuple[str, ...] = ()
) -> dict[str, str]:
    """Facts as text for a PNG: plain where they are text, JSON otherwise."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in facts.items()
        if key not in without and (only is None or key in only)
    }
