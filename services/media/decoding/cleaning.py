"""What is handed out in place of an original: the same picture, of which nothing tells where it was taken."""

from dataclasses import dataclass, field
from typing import Final

from services.media.decoding.opening import Picture, opens_alike
from services.media.decoding.stills import STILLS, strip_still
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

    JPEG, PNG, WebP, GIF, and stills in AVIF or HEIC keep their very pixels and frames; where their files tell nothing,
    the copy equals the payload. Others are drawn as WebP of at most `DRAWN_SIDE_PX`, of their first frame.

    Args:
        payload: the file.
        picture: read from it, at `needed_side_px` or larger.

    """
    known, size = picture.format, (picture.width_px, picture.height_px)
    if (content := _stripped(payload, picture)) is not None:
        is_all = known.name in STRIPPED or picture.frames.count == 1  # of several in a HEIC the main one is kept
        return CleanCopy(known.content_type, known.extension, *size, lossless=is_all, content=content)
    drawn = render(picture.image, "clean", rendition_size(*size, DRAWN_SIDE_PX), quality=_QUALITY)
    return CleanCopy("image/webp", ".webp", drawn.width_px, drawn.height_px, lossless=False, content=drawn.content)


def _stripped(payload: bytes, picture: Picture) -> bytes | None:
    name = picture.format.name
    if name in STRIPPED:
        return strip(payload, name, picture.metadata.orientation)
    copy = strip_still(payload) if name in STILLS else None
    # Of some, nothing but their XMP tells how they were held.
    return copy if copy is not None and opens_alike(copy, picture) else None
