"""A look at the files themselves: what the gateway links to can be downloaded and is what it is said to be."""

import asyncio
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from deploy.demo.standing import Standing, file_of
from services.gateway.cli.client import Gateway

_LOOKED_AT: Final = 4
_DEPTH_BITS: Final = 16
_BIT_DEPTH_AT, _COLOUR_TYPE_AT = 24, 25  # PNG, third edition, §11.2.1: IHDR
_GREY: Final = 0
_LEVELS_OF_8_BITS: Final = 256


async def faults(gateway: Gateway, standing: Standing) -> list[str]:
    """Download some depth and edge maps and the scene's image; tell in sentences what is wrong with them."""
    looks = [_look_at(gateway, image) for image in _spread(standing.mapped)]
    if standing.scene["image_url"]:
        looks.append(_look_at_scene(gateway, standing.scene["image_url"]))
    return [fault for found in await asyncio.gather(*looks) for fault in found]


def _spread(images: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Pick images from all over the list, the first and the last among them."""
    picked = {round(number * (len(images) - 1) / (_LOOKED_AT - 1)) for number in range(_LOOKED_AT)} if images else ()
    return (images[place] for place in picked)


async def _look_at(gateway: Gateway, image: Mapping[str, Any]) -> list[str]:
    size = image["width_px"], image["height_px"]
    depth, edges = await asyncio.gather(
        gateway.download(image["urls"]["depth"]), gateway.download(image["urls"]["edges"])
    )
    found = await asyncio.to_thread(lambda: [*depth_faults(depth, size), *edge_faults(edges, size)])
    name = file_of(image["source_url"] or str(image["id"]))
    return [f"{name}: {fault}" for fault in found]


async def _look_at_scene(gateway: Gateway, url: str) -> list[str]:
    body = await gateway.download(url)
    picture = await asyncio.to_thread(_opened, body)
    return [] if picture else [f"The scene's image_url leads to {len(body)} bytes that are no picture."]


def depth_faults(png: bytes, size: tuple[int, int]) -> list[str]:
    """Tell what keeps these bytes from being a depth map: a 16-bit grey PNG of the image's size, with relief in it."""
    picture = _opened(png)
    if picture is None or picture.format != "PNG":
        return ["its depth map is not a PNG."]
    if (png[_BIT_DEPTH_AT], png[_COLOUR_TYPE_AT]) != (_DEPTH_BITS, _GREY):
        return [f"its depth map has {png[_BIT_DEPTH_AT]} bits, not {_DEPTH_BITS} of grey."]
    if picture.size != size:
        return [f"its depth map is {picture.size}, the image {size}."]
    if int(np.ptp(np.asarray(picture))) < _LEVELS_OF_8_BITS:
        return ["its depth map is flat."]
    return []


def edge_faults(png: bytes, size: tuple[int, int]) -> list[str]:
    """Tell what keeps these bytes from being an edge map: a PNG of the image's size that holds 0 and 255 alone."""
    picture = _opened(png)
    if picture is None or picture.format != "PNG":
        return ["its edge map is not a PNG."]
    if picture.size != size:
        return [f"its edge map is {picture.size}, the image {size}."]
    shades = {level for level, pixels in enumerate(picture.convert("L").histogram()) if pixels}
    return [] if shades <= {0, 255} else ["its edge map holds more than 0 and 255."]


def _opened(body: bytes) -> Image.Image | None:
    try:
        picture = Image.open(io.BytesIO(body))
        picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError):
        return None
    return picture
