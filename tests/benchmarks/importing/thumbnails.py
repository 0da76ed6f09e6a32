"""The product that all are compared by: one small JPEG of a photograph."""

from io import BytesIO
from typing import Any, Final

from PIL import Image

from services.media.decoding import Bounds, decode

LONGEST_PX: Final = 256
JPEG_QUALITY: Final = 75


def thumbnail(payload: bytes, _: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Make one small JPEG of an untrusted file, in the confined process."""
    picture = decode(payload, Bounds(), longest_px=LONGEST_PX)
    # The mean of the pixels, as img2dataset takes it too.
    picture.image.thumbnail((LONGEST_PX,) * 2, Image.Resampling.BOX, reducing_gap=1.0)
    content = BytesIO()
    picture.image.convert("RGB").save(content, "JPEG", quality=JPEG_QUALITY)
    return {}, [content.getvalue()]
