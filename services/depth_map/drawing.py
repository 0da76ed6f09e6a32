"""From the bytes of an untrusted picture to its maps; made to be run in a child process with limits."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from services.depth_map import maps, quality
from services.depth_map.edges import edges_of
from services.depth_map.estimators import Cues, Estimator, EstimatorChoice, Plane, load, provenance
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
    rgb = opened(payload)
    estimator = _estimator(chosen.estimator)
    inverse, flip_difference = _estimated(estimator, rgb, flip_check=chosen.flip_check)
    relief = maps.relief(inverse)
    normals = None if chosen.normals is None else normals_of(inverse, chosen.normals)
    del inverse
    edges = edges_of(rgb, chosen.edges)
    signals = quality.judged(relief, edges, flip_difference)
    facts = {
        **_facts(estimator, chosen, rgb.shape[1], rgb.shape[0], hashlib.sha256(payload).hexdigest()),
        "min": relief.lowest,
        "max": relief.highest,
        "quality": signals.facts(),
    }
    files = _files(relief, edges, facts)
    return facts, files if normals is None else [*files, maps.png(normals, _told(facts, without=("quality",)))]


@lru_cache(maxsize=1)
def _estimator(choice: EstimatorChoice) -> Estimator:
    # A child is given one core; more of them draw more pictures at once, not one picture faster.
    cv2.setNumThreads(1)
    return load(choice)


def _estimated(estimator: Estimator, rgb: Pixels, *, flip_check: bool) -> tuple[Plane, float | None]:
    """Inverse depth at the size of the picture, and how it differs when mirrored."""
    height, width = rgb.shape[:2]
    scale = _WORKING_LONG_SIDE_PX / max(height, width)
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        working = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    else:
        working = rgb
    seen = working.astype(np.float32) / np.float32(255)
    inverse = estimator.estimate(seen)
    difference = quality.flip_difference(estimator, seen, inverse) if flip_check else None
    if scale < 1:
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        inverse = guided_enlarged(inverse, grey)
    return inverse, difference


def _facts(estimator: Estimator, chosen: DrawOptions, width: int, height: int, source_sha256: str) -> dict[str, Any]:
    told = estimator.provenance()
    scale = min(1.0, _WORKING_LONG_SIDE_PX / max(width, height))
    return {
        "created_by": CREATED_BY,
        "code_version": told.code_version,
        "recipe": chosen.recipe(),
        "estimator": estimator.name,
        "model": told.model,
        "weights_sha256": told.weights_sha256,
        "settings_sha256": told.settings_sha256,
        "input_size": list(estimator.input_size(round(width * scale), round(height * scale))),
        "input_rule": told.input_size,
        "kind": told.kind,
        "meaning": maps.meaning(told.kind),
        "width": width,
        "height": height,
        "source_sha256": source_sha256,
        "edge_settings": chosen.edges.model_dump(),
        **({} if chosen.normals is None else {"normal_settings": chosen.normals.model_dump()}),
    }


def _files(relief: maps.Relief, edges: Pixels, facts: Mapping[str, Any]) -> list[bytes]:
    preview = maps.preview_of(relief.levels)
    return [
        maps.png(relief.levels, _told(facts, without=("edge_settings", "normal_settings", "quality"))),
        maps.webp(preview),
        maps.webp(maps.coloured(preview)),
        maps.png(edges, _told(facts, only=("created_by", "code_version", "edge_settings", "source_sha256"))),
        json.dumps(facts, indent=2, sort_keys=True).encode(),
    ]


def _told(
    facts: Mapping[str, Any], *, only: tuple[str, ...] | None = None, without: tuple[str, ...] = ()
) -> dict[str, str]:
    """Facts as text for a PNG: plain where they are text, JSON otherwise."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in facts.items()
        if key not in without and (only is None or key in only)
    }
