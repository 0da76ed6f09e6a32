"""From the bytes of an untrusted picture to its maps; made to be run in a child process with limits."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.depth_map import maps, quality
from services.depth_map.edges import edges_of
from services.depth_map.estimators import (
    UNLESS_NAMED,
    Estimator,
    EstimatorChoice,
    OnnxEstimator,
    OnnxModel,
    Plane,
    input_size,
    inverse_of,
    load,
    normalised,
    provenance,
    shown,
)
from services.depth_map.estimators.resampling import guided_enlarged
from services.depth_map.normals import normals_of
from services.depth_map.pictures import LEAST_SIDE_PX, MOST_PIXELS, Pixels, opened
from services.depth_map.rules import EdgeSettings, NormalSettings, recipe

CREATED_BY = "diorama depth_map"
# What `draw` returns beside the facts, in this order; behind them normals, where they are wanted.
BLOBS = ("depth", "preview", "coloured", "edges", "sidecar")
LINES = "edges"
"""The one of them that `look` draws, for it needs nothing that a model says."""

# Models look at far less; beyond this a map is enlarged along the edges of the picture instead.
_WORKING_LONG_SIDE_PX = 1536

# Of libraries that let others compute meanwhile; one process for each image that is drawn at once may be given two.
_HANDS = 2

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

    estimator: EstimatorChoice = Field(default_factory=UNLESS_NAMED)
    edges: EdgeSettings = EdgeSettings()
    flip_check: bool = False
    normals: NormalSettings | None = None

    def recipe(self) -> str:
        """Name the way in which these maps are made."""
        return recipe(provenance(self.estimator), self.edges, self.normals)

    def blobs(self) -> tuple[str, ...]:
        """Name the files that `draw` returns, in their order."""
        return BLOBS if self.normals is None else (*BLOBS, "normals")


class Source(BaseModel):
    """What is known of a picture that was read; told by the process that read it, which a stranger may have taken over.

    Attributes:
        width_px: upright.
        height_px: likewise.
        sha256: of its file.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    width_px: int = Field(ge=LEAST_SIDE_PX, le=MOST_PIXELS)
    height_px: int = Field(ge=LEAST_SIDE_PX, le=MOST_PIXELS)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

    @property
    def working_size(self) -> tuple[int, int]:
        """Width and height, in px, at which it is looked at."""
        scale = min(1.0, _WORKING_LONG_SIDE_PX / max(self.width_px, self.height_px))
        return max(1, round(self.width_px * scale)), max(1, round(self.height_px * scale))

    @property
    def large(self) -> bool:
        """Whether it is looked at smaller than it is, so that its maps are enlarged along its edges."""
        return self.working_size != (self.width_px, self.height_px)


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
    source, rgb = _picture(payload)
    estimator = _estimator(chosen.estimator)
    if isinstance(estimator, OnnxEstimator):
        width, height = source.working_size
        pictures = _shown(chosen, source, rgb)
        maps_seen = [estimator.infer(normalised(_learned(chosen), picture))[0] for picture in pictures]
        inverse, *mirrored = (inverse_of(_learned(chosen), values, height, width) for values in maps_seen)
    else:
        inverse, *mirrored = (estimator.estimate(seen) for seen in _sides(chosen, _seen(source, rgb)))
    lines, near = _lined(chosen, source, rgb)
    facts, files = _drawn(chosen, source, near, [inverse, *mirrored], _grey(rgb) if source.large else None)
    return facts, in_order(files, lines)


def look(payload: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Make what a learned model sees of a picture, for another process that holds the model, and draw its edges.

    Args:
        payload: the picture file, not trusted.
        options: `DrawOptions` as JSON-like data.

    Returns:
        `shape` of what is shown, `source` as `finish` takes it, and whether that takes the `picture`, too. What is
        shown, as `infer` takes it: the picture, and its mirror where that is asked for; the edge PNG; what lies near
        an edge.

    Raises:
        Refused: as `draw` does for the picture.

    """
    chosen = DrawOptions.model_validate(options)
    source, rgb = _picture(payload)
    with ThreadPoolExecutor(max_workers=1) as beside:
        # The model waits for what it is shown, and meanwhile nobody else needs the second processor.
        lined = beside.submit(_lined, chosen, source, rgb)
        if source.large:
            wait((lined,))  # of fifty megapixels both at once would hold more memory than there is
        pictures = list(_shown(chosen, source, rgb))
        lines, near = lined.result()
    told = {"shape": list(pictures[0].shape), "source": source.model_dump(), "picture": source.large}
    return told, [*(picture.tobytes() for picture in pictures), lines, np.packbits(near).tobytes()]


def finish(payload: bytes, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Draw as `draw` does, with what the model has said of what `look` showed it.

    Args:
        payload: the model's maps one after the other, float32; behind them what lies near an edge, as `look` gave it;
            and the picture file, not trusted, where `look` said so.
        options: `drawn`: `DrawOptions`; `shape`: height and width of each map; `source`: as `look` told it.

    Returns:
        As `draw`, without the edge PNG.

    """
    chosen, source = DrawOptions.model_validate(options["drawn"]), Source.model_validate(options["source"])
    rows, columns = options["shape"]
    count = 2 if chosen.flip_check else 1
    maps_seen = np.frombuffer(payload, np.float32, count * rows * columns).reshape(count, rows, columns)
    near, picture = _unpacked(memoryview(payload)[maps_seen.nbytes :], source)
    guide = _grey(_picture(bytes(picture))[1]) if source.large else None
    width, height = source.working_size
    inverses = [inverse_of(_learned(chosen), values, height, width) for values in maps_seen]
    return _drawn(chosen, source, near, inverses, guide)


def _unpacked(packed: memoryview, source: Source) -> tuple[Pixels, memoryview]:
    """Read what lies near an edge, and what is behind it."""
    width, height = quality.looked_at(source.width_px, source.height_px)
    size_bytes = -(-width * height // 8)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8, size_bytes), count=width * height)
    return bits.reshape(height, width), packed[size_bytes:]


def _shown(chosen: DrawOptions, source: Source, rgb: Pixels) -> Iterator[NDArray[Any]]:
    """Make what a learned model is shown: the picture, and its mirror where that is asked for."""
    model = _learned(chosen)
    # Resampling that widens needs no smaller picture beforehand, and is then what the model's publisher does.
    seen: NDArray[Any] = rgb if model.resampling == "bicubic" else _seen(source, rgb)
    return (shown(model, side) for side in _sides(chosen, seen))


def _sides(chosen: DrawOptions, seen: NDArray[Any]) -> Iterator[NDArray[Any]]:
    yield seen
    if chosen.flip_check:
        yield np.ascontiguousarray(seen[:, ::-1])


def _learned(chosen: DrawOptions) -> OnnxModel:
    if not isinstance(chosen.estimator, OnnxModel):
        raise TypeError(f"{chosen.estimator.estimator} is not run by another process")
    return chosen.estimator


@lru_cache(maxsize=1)
def _estimator(choice: EstimatorChoice) -> Estimator:
    return load(choice)


def _picture(file: bytes) -> tuple[Source, Pixels]:
    # A child is given one core; more of them draw more pictures at once, not one picture faster.
    cv2.setNumThreads(1)
    rgb = opened(file)
    return Source(width_px=rgb.shape[1], height_px=rgb.shape[0], sha256=hashlib.sha256(file).hexdigest()), rgb


def _seen(source: Source, rgb: Pixels) -> Plane:
    """Give a picture as estimators see it: float32, 0 to 1, no longer than they can use."""
    if source.large:
        rgb = np.asarray(cv2.resize(rgb, source.working_size, interpolation=cv2.INTER_AREA), np.uint8)
    return rgb.astype(np.float32) / np.float32(255)


def _grey(rgb: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _lined(chosen: DrawOptions, source: Source, rgb: Pixels) -> tuple[bytes, Pixels]:
    """Draw the edges of a picture as a file, and mark what lies near them."""
    edges = edges_of(rgb, chosen.edges)
    told = ("created_by", "code_version", "edge_settings", "source_sha256")
    return maps.png(edges, _told(_facts(chosen, source), only=told)), quality.near(edges)


def _drawn(
    chosen: DrawOptions, source: Source, near: Pixels, inverses: Sequence[Plane], guide: Pixels | None
) -> tuple[dict[str, Any], list[bytes]]:
    """Draw all but the edges from inverse depth, of the picture and of its mirror, at working size.

    `guide` is the grey picture where it is large.
    """
    inverse, *mirrored = inverses
    flip_difference = quality.mirror_difference(mirrored[0], inverse) if mirrored else None
    if guide is not None:
        inverse = guided_enlarged(inverse, guide)
    relief = maps.relief(inverse)
    facts = {**_facts(chosen, source), "min": relief.lowest, "max": relief.highest}
    preview = maps.preview_of(relief.levels)
    with ThreadPoolExecutor(max_workers=_HANDS) as hands:
        # What takes longest comes first, so that both hands are done at about the same time.
        depth = hands.submit(maps.png, relief.levels, _told(facts, without=("edge_settings", "normal_settings")))
        coloured = hands.submit(lambda: maps.webp(maps.coloured(preview)))
        grey = hands.submit(maps.webp, preview)
        judged = hands.submit(quality.judged, relief, near, flip_difference)
        normals = None if chosen.normals is None else normals_of(inverse, chosen.normals)
        del inverse
        drawn = None if normals is None else maps.png(normals, _told(facts))
    facts["quality"] = judged.result().facts()
    sidecar = json.dumps(facts, indent=2, sort_keys=True).encode()
    files = [depth.result(), grey.result(), coloured.result(), sidecar]
    return facts, files if drawn is None else [*files, drawn]


def in_order(files: list[bytes], lines: bytes) -> list[bytes]:
    """Put the edge PNG in its place among the files of `_drawn`."""
    place = BLOBS.index(LINES)
    return [*files[:place], lines, *files[place:]]


def _facts(chosen: DrawOptions, source: Source) -> dict[str, Any]:
    told = provenance(chosen.estimator)
    return {
        "created_by": CREATED_BY,
        "code_version": told.code_version,
        "recipe": chosen.recipe(),
        "estimator": told.model,
        "model": told.model,
        "weights_sha256": told.weights_sha256,
        "settings_sha256": told.settings_sha256,
        "input_size": list(input_size(chosen.estimator, *source.working_size)),
        "input_rule": told.input_size,
        "kind": told.kind,
        "meaning": maps.meaning(told.kind),
        "width": source.width_px,
        "height": source.height_px,
        "source_sha256": source.sha256,
        "edge_settings": chosen.edges.model_dump(),
        **({} if chosen.normals is None else {"normal_settings": chosen.normals.model_dump()}),
    }


def _told(
    facts: Mapping[str, Any], *, only: tuple[str, ...] | None = None, without: tuple[str, ...] = ()
) -> dict[str, str]:
    """Facts as text for a PNG: plain where they are text, JSON otherwise."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in facts.items()
        if key not in without and (only is None or key in only)
    }
