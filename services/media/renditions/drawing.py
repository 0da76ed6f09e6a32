"""Smaller copies of a picture for screens: WebP, made of pixels alone, so that nothing hidden comes along."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from PIL import Image

WEBP_QUALITY: Final = 80

_GAP: Final = 2.0
"""What is more than twice this large is first reduced by averaging, which is quick and seen by nobody."""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One WebP copy; `content` holds its bytes."""

    name: str
    width_px: int
    height_px: int
    content: bytes = field(repr=False)


def render(image: Image.Image, name: str, size: tuple[int, int], *, quality: int = WEBP_QUALITY) -> Rendition:
    """Draw one rendition of `size` (width, height) in pixels."""
    drawn = image
    # Saving takes metadata from the image; there must be none to take.
    if image.size != size or image.info:
        drawn = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=_GAP)
        drawn.info.clear()
    content = BytesIO()
    drawn.save(content, "WEBP", quality=quality, method=4)
    return Rendition(name, *size, content.getvalue())
