"""A picture whose pixels are known, stored with its maps: red on the left, blue on the right, nearer to the right."""

import io
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contracts.depth_map import DepthMapped, StoredMap
from contracts.jobs import JobCompleted
from contracts.media import MediaDescribed, MediaStored, NamedColour, Rendition
from contracts.scraper import ImageContext
from services.media.analysis.thumbhash import encode
from shared.objects import ObjectStore
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.sayings import depth_mapped, media_stored

WIDTH_PX: Final = 400
HEIGHT_PX: Final = 200
RED: Final = (255, 0, 0)
BLUE: Final = (0, 0, 255)
TOWARDS_US: Final = (128, 128, 255)
LEVELS: Final = np.tile(np.linspace(0, 65_535, WIDTH_PX).round().astype(np.uint16), (HEIGHT_PX, 1))
_PALETTE: Final = (
    NamedColour(hex="#ff0000", name="red", share=0.5),
    NamedColour(hex="#0000ff", name="blue", share=0.5),
)
_DONE: Final[Mapping[str, Any]] = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z"}


@dataclass(frozen=True)
class Shown:
    """What a test knows of a picture that the gateway shows."""

    image_id: str
    fetch: Voice
    stored: MediaStored


async def show_picture(
    gateway: Gateway,
    client: Client,
    *,
    title: str = "Half and half",
    mapped: bool = True,
    normals: bool = False,
    quality: Mapping[str, Any] | None = None,
    **looks: Any,
) -> Shown:
    """Store a picture as the workers do, and say so; unless told otherwise also its maps; `looks` as described."""
    fetch = Voice((await client.post("/media/store", {"url": "https://example.org/half.png", "title": title})).body)
    pixels = _pixels()
    name = sha256(title.encode()).hexdigest()
    renditions = tuple(
        Rendition(
            name=str(side),
            key=f"media/renditions/{name}/{side}.webp",
            content_type="image/webp",
            width_px=min(side, WIDTH_PX),
            height_px=min(side, WIDTH_PX) // 2,
        )
        for side in (250, 1440)
    )
    small = np.dstack([pixels[::4, ::4], np.full((HEIGHT_PX // 4, WIDTH_PX // 4), 255, np.uint8)])
    stored = media_stored(
        fetch,
        sha256=name,
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        renditions=renditions,
        thumbhash=b64encode(encode(small)).decode(),
        context=ImageContext(title=title),
    )
    async with ObjectStore.of(gateway.settings) as objects:
        await objects.put(stored.original_key, _file(pixels, "PNG"), content_type="image/png")
        for rendition in renditions:
            content = _file(pixels, "WEBP", size=(rendition.width_px, rendition.height_px))
            await objects.put(rendition.key, content, content_type="image/webp")
    looks = {"palette": _PALETTE, **looks}
    described = fetch.states(MediaDescribed, asset_id=stored.asset_id, subject_version=2, origin="pixels", **looks)
    await gateway.hear(stored, described, fetch.says(JobCompleted, **_DONE))
    shown = Shown(str(stored.asset_id), fetch, stored)
    if mapped:
        await show_maps(gateway, client, shown, quality=quality, normals=normals)
    return shown


async def show_maps(
    gateway: Gateway,
    client: Client,
    shown: Shown,
    *,
    quality: Mapping[str, Any] | None = None,
    normals: bool = False,
) -> None:
    """Store the maps of a picture, and say so."""
    image = (await client.get(f"/images/{shown.image_id}")).body
    maps = Voice(await client.job(image["steps"]["depth"]["job_id"]))
    edges = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    edges[:, WIDTH_PX // 2] = 255
    grey = (LEVELS[::2, ::2] // 257).astype(np.uint8)
    files = {
        "depth": _file(LEVELS, "PNG"),
        "edges": _file(edges, "PNG"),
        "preview": _file(grey, "WEBP"),
        "coloured": _file(np.dstack([grey] * 3), "WEBP"),
    }
    if normals:
        files["normals"] = _file(np.full((HEIGHT_PX, WIDTH_PX, 3), TOWARDS_US, np.uint8), "PNG")
    async with ObjectStore.of(gateway.settings) as objects:
        kept = {name: await _keep(objects, shown.image_id, name, content) for name, content in files.items()}
        await objects.put(f"training-data/maps/depth/{shown.image_id}/1.json", b"{}", content_type="application/json")
    facts: dict[str, Any] = {**kept, "estimator": "ramp of the tests"}
    if quality is not None:
        facts["quality"] = dict(quality)
    fact: DepthMapped = depth_mapped(maps, shown.stored, **facts)
    await gateway.hear(fact, maps.says(JobCompleted, **_DONE))


async def _keep(objects: ObjectStore, image_id: str, name: str, content: bytes) -> StoredMap:
    key = f"training-data/maps/{name}/{image_id}/1.bin"
    await objects.put(key, content, content_type="application/octet-stream")
    digest = sha256(content).hexdigest()
    return StoredMap(key=key, sha256=digest, size_bytes=len(content), width_px=WIDTH_PX, height_px=HEIGHT_PX)


def png_of(colour: tuple[int, int, int]) -> bytes:
    """Give a small picture of one colour."""
    return _file(np.full((8, 12, 3), colour, np.uint8), "PNG")


def _pixels() -> NDArray[np.uint8]:
    pixels = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    pixels[:, : WIDTH_PX // 2] = RED
    pixels[:, WIDTH_PX // 2 :] = BLUE
    return pixels


def _file(pixels: NDArray[Any], kind: str, size: tuple[int, int] | None = None) -> bytes:
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.resize(size) if size else image).save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return file.getvalue()
