"""The renditions that every image gets, drawn as media draws them and by Pillow alone, both in a confined process."""

import time
from io import BytesIO
from typing import Any

from PIL import Image

from services.media.processing import redraw
from services.media.renditions import RENDITION_SIDES_PX, WEBP_QUALITY

Told = tuple[dict[str, Any], list[bytes]]


def ours(payload: bytes, _: dict[str, Any]) -> Told:
    """Draw them as media does; give the milliseconds of processor time."""
    begun = time.process_time()
    redraw(payload, {})
    return _since(begun)


def pillow(payload: bytes, _: dict[str, Any]) -> Told:
    """Draw them with Pillow's own `draft` and `thumbnail`; as `ours`."""
    begun = time.process_time()
    for side in RENDITION_SIDES_PX.values():
        image: Image.Image = Image.open(BytesIO(payload))
        image.draft("RGB", (side, side))
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image.save(BytesIO(), "WEBP", quality=WEBP_QUALITY, method=4)
    return _since(begun)


def _since(begun: float) -> Told:
    return {"milliseconds": (time.process_time() - begun) * 1000}, []
