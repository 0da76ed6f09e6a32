"""What is handed out in place of an original: the same picture, of which nothing tells where it was taken."""

from dataclasses import dataclass, field
from typing import Final

from services.media.decoding.opening import Picture
from services.media.decoding.stripping import STRIPPED, strip
from services.media.renditions import render
from shared.rendition_sizes import rendition_size

DRAWN_SIDE_PX: Final = 2560
"""Longest side of what is drawn anew where a format cannot be copied without its metadata."""

_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class CleanCopy:
    """A copy without metadata; width and height are upright.

    Attributes:
        lossless: its pixels and frames are those of the original.

    """

    content_type: str
    extension: str
    width_px: int
    height_px: int
    lossless: bool
    content: bytes = field(repr=False)


def needed_side_px(format_name: str) -> int:
    """Give the longest side at which a picture of this format must be decoded for its copy; 0 where any will do."""
    return 0 if format_name in STRIPPED else DRAWN_SIDE_PX


def clean_copy(payload: bytes, picture: Picture) -> CleanCopy:
    """Copy a picture without its metadata.

    JPEG, PNG, WebP and GIF keep their very pixels and frames; where their files tell nothing, the copy equals the
    payload. Other formats are drawn as WebP of at most `DRAWN_SIDE_PX`, of their first frame.

    Args:
        payload: the file.
        picture: read from it, at `needed_side_px` or larger.

    """
    known, size = picture.format, (picture.width_px, picture.height_px)
    if known.name in STRIPPED:
        content = strip(payload, known.name, picture.metadata.orientation)
        return CleanCopy(known.content_type, known.extension, *size, lossless=True, content=content)
    drawn = render(picture.image, "clean", rendition_size(*size, DRAWN_SIDE_PX), quality=_QUALITY)
    return CleanCopy("image/webp", ".webp", drawn.width_px, drawn.height_px, lossless=False, content=drawn.content)
