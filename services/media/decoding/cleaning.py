"""What may be handed out in place of an original: the same picture, of which nothing tells where it was taken."""

from io import BytesIO
from typing import Any, Final

from services.media.decoding.opening import Bounds, decode
from services.media.decoding.stripping import strip

DRAWN_SIDE_PX: Final = 2560
"""Longest side of what is drawn anew where a format cannot be copied without its metadata."""

_PEEK_PX: Final = 64
_QUALITY: Final = 90


def clean(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Copy a picture without its metadata, in the limited child.

    JPEG, PNG, WebP and GIF keep their very pixels and frames; other formats are drawn as WebP of at most
    `DRAWN_SIDE_PX`.

    Args:
        payload: the file.
        options: `bounds`, keyword arguments of `Bounds`.

    Returns:
        `content_type`, `extension`, `lossless`, and `changed` (whether the original told anything); the copy.

    Raises:
        Refused: as `decode`.

    """
    bounds = Bounds(**options.get("bounds", {}))
    picture = decode(payload, bounds, longest_px=_PEEK_PX)
    copied = strip(payload, picture.format.name, picture.metadata.orientation)
    if copied is None:
        return _told("image/webp", ".webp", lossless=False, changed=True), [_drawn(payload, bounds)]
    known = picture.format
    return _told(known.content_type, known.extension, lossless=True, changed=copied != payload), [copied]


def _told(content_type: str, extension: str, *, lossless: bool, changed: bool) -> dict[str, Any]:
    return {"content_type": content_type, "extension": extension, "lossless": lossless, "changed": changed}


def _drawn(payload: bytes, bounds: Bounds) -> bytes:
    image = decode(payload, bounds, longest_px=DRAWN_SIDE_PX).image
    image.thumbnail((DRAWN_SIDE_PX, DRAWN_SIDE_PX))
    image.info.clear()
    content = BytesIO()
    image.save(content, "WEBP", quality=_QUALITY, method=4)
    return content.getvalue()
