"""Depth mapping: from a stored original to stored maps."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.depth_map import StoredMap
from services.depth_map.drawing import BLOBS, DrawOptions, draw
from services.depth_map.estimators import provenance
from services.depth_map.maps import size_of
from services.depth_map.rules import recipe
from shared.database import Pool
from shared.object_keys import depth_key, edge_key, preview_key, sidecar_key
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


class DepthMapping:
    """Draws maps in limited processes, and stores them under keys that are written once."""

    def __init__(self, pool: Pool, objects: ObjectStore, sandbox: Sandbox, options: DrawOptions) -> None:
        self.pool = pool
        self.recipe = recipe(provenance(options.estimator), options.edges)
        self._objects = objects
        self._sandbox = sandbox
        self._options = options.model_dump(mode="json")

    async def draw(self, asset_id: UUID, original_key: str, *, report: Report) -> Maps:
        """Draw and store the maps of one original; raises Refused or TryAgain."""
        report(0.05, "reading")
        original = await self._objects.get(original_key)
        report(0.2, "drawing")
        facts, contents = await self._sandbox.run(draw, original, **self._options)
        report(0.8, "storing")
        files = dict(zip(BLOBS, contents, strict=True))
        # The map of a large photo has a hundred megabytes, which nobody else shall wait for.
        depth, edges, preview, coloured = await asyncio.to_thread(_described, asset_id, files)
        keys = {"depth": depth.key, "edges": edges.key, "preview": preview.key, "coloured": coloured.key}
        await asyncio.gather(
            *(self._objects.put_once(key, files[name], content_type=_TYPES[name]) for name, key in keys.items()),
            self._objects.put_once(
                sidecar_key(depth.key, self.recipe), files["sidecar"], content_type="application/json"
            ),
            self._objects.put_once(
                sidecar_key(edges.key, self.recipe), files["sidecar"], content_type="application/json"
            ),
        )
        return Maps(depth, edges, preview, coloured, sidecar_key(depth.key, self.recipe), facts)


_TYPES = {"depth": "image/png", "edges": "image/png", "preview": "image/webp", "coloured": "image/webp"}


def _described(asset_id: UUID, files: dict[str, bytes]) -> tuple[StoredMap, StoredMap, StoredMap, StoredMap]:
    """Name and measure depth, edges, preview and coloured preview, in this order."""
    depth = _stored(lambda sha256: depth_key(asset_id, sha256), files["depth"])
    return (
        depth,
        _stored(lambda sha256: edge_key(asset_id, sha256), files["edges"]),
        _stored(lambda _: preview_key(depth.key, "preview"), files["preview"]),
        _stored(lambda _: preview_key(depth.key, "coloured"), files["coloured"]),
    )


def _stored(key_for: Callable[[str], str], content: bytes) -> StoredMap:
    sha256 = hashlib.sha256(content).hexdigest()
    width_px, height_px = size_of(content)
    return StoredMap(
        key=key_for(sha256), sha256=sha256, size_bytes=len(content), width_px=width_px, height_px=height_px
    )
