"""Depth mapping: from a stored original to stored maps."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.depth_map import StoredMap
from services.depth_map.drawing import DrawOptions, draw, finish, in_order, look
from services.depth_map.inference import Inference, waiting_for_the_machine
from services.depth_map.maps import size_of
from shared.database import Pool
from shared.object_keys import depth_key, edge_key, normals_key, preview_key, sidecar_key
from shared.objects import ObjectStore
from shared.sandbox import Sandbox

Report = Callable[[float | None, str | None], None]


@dataclass(frozen=True, slots=True)
class Maps:
    """What was drawn of one asset, stored."""

    depth: StoredMap
    edges: StoredMap
    preview: StoredMap
    coloured: StoredMap
    sidecar_key: str
    facts: dict[str, Any]
    normals: StoredMap | None = None


class DepthMapping:
    """Draws maps in limited processes, and stores them under keys that follow from what is drawn.

    Args:
        pool: of the service's database.
        objects: where originals lie and maps go.
        sandbox: processes that read pictures and write maps.
        options: how maps are drawn.
        inference: the process that holds the learned model; none where each process of the sandbox can do all.

    """

    def __init__(
        self,
        pool: Pool,
        objects: ObjectStore,
        sandbox: Sandbox,
        options: DrawOptions,
        inference: Inference | None = None,
    ) -> None:
        self.pool = pool
        self.recipe = options.recipe()
        self._objects = objects
        self._sandbox = sandbox
        self._inference = inference
        self._blobs = options.blobs()
        self._options = options.model_dump(mode="json")

    async def draw(self, asset_id: UUID, original_key: str, *, report: Report) -> Maps:
        """Draw and store the maps of one original; raises Refused or TryAgain."""
        report(0.05, "reading")
        original = await self._objects.get(original_key)
        report(0.2, "drawing")
        facts, contents = await self._drawn(original)
        report(0.8, "storing")
        files = dict(zip(self._blobs, contents, strict=True))
        # The map of a large photo has a hundred megabytes, which nobody else shall wait for.
        pictures = await asyncio.to_thread(_described, asset_id, files)
        depth, edges = pictures["depth"], pictures["edges"]
        # Nobody is asked what is there already: of a picture it could only be the same, and a sidecar, which also tells
        # what the signals of quality were, has to tell of the drawing that is recorded.
        beside = [sidecar_key(stored.key, self.recipe) for stored in (depth, edges)]
        await asyncio.gather(
            *(
                self._objects.put(stored.key, files[name], content_type=_TYPES[name])
                for name, stored in pictures.items()
            ),
            *(self._objects.put(key, files["sidecar"], content_type="application/json") for key in beside),
        )
        return Maps(**pictures, sidecar_key=beside[0], facts=facts)

    async def _drawn(self, original: bytes) -> tuple[dict[str, Any], list[bytes]]:
        """Have the maps of a picture drawn: by one process, or by two between which another asks the model."""
        if self._inference is None:
            with waiting_for_the_machine():
                return await self._sandbox.run(draw, original, **self._options)
        told, [*pictures, lines, near] = await self._sandbox.run(look, original, **self._options)
        shown = tuple(told["shape"])
        answers = await asyncio.gather(*(self._inference.map_of(picture, shown) for picture in pictures))
        shape = answers[0][0]
        said = b"".join([*(plane for _, plane in answers), near, original if told["picture"] else b""])
        facts, files = await self._sandbox.run(
            finish, said, drawn=self._options, shape=list(shape), source=told["source"]
        )
        return facts, in_order(files, lines)


_TYPES = {
    "depth": "image/png",
    "edges": "image/png",
    "preview": "image/webp",
    "coloured": "image/webp",
    "normals": "image/png",
}


def _described(asset_id: UUID, files: dict[str, bytes]) -> dict[str, StoredMap]:
    """Name and measure the pictures among the files of one asset."""
    depth = _stored(lambda sha256: depth_key(asset_id, sha256), files["depth"])
    # Everything but the edges lies beside the depth map, whose hash is also that of the recipe which it names.
    keys: dict[str, Callable[[str], str]] = {
        "edges": lambda sha256: edge_key(asset_id, sha256),
        "preview": lambda _: preview_key(depth.key, "preview"),
        "coloured": lambda _: preview_key(depth.key, "coloured"),
        "normals": lambda _: normals_key(depth.key),
    }
    return {"depth": depth, **{name: _stored(key, files[name]) for name, key in keys.items() if name in files}}


def _stored(key_for: Callable[[str], str], content: bytes) -> StoredMap:
    sha256 = hashlib.sha256(content).hexdigest()
    width_px, height_px = size_of(content)
    return StoredMap(
        key=key_for(sha256), sha256=sha256, size_bytes=len(content), width_px=width_px, height_px=height_px
    )
