"""What the limited child does with untrusted bytes: read them, describe what is seen, draw renditions."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from services.media.analysis import ORIGIN, describe
from services.media.decoding import Bounds, Picture, decode
from services.media.decoding.cleaning import CleanCopy, clean_copy, needed_side_px
from services.media.renditions import RENDITION_SIDES_PX, WEBP_QUALITY, Rendition, render
from shared.image_formats import image_format
from shared.rendition_sizes import rendition_size

CHILD_MEMORY_BYTES: Final = 464 * 1024 * 1024
"""What one call may map: the decoding of `Bounds`, the file itself, and what is drawn; 512 MiB with the modules."""

CHILD_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to make of an image, and how large it may be: the options of `process` and `redraw`.

    Attributes:
        renditions: longest side in pixels of each rendition, by its name.
        quality: of the WebP files, 1 to 100.
        bounds: keyword arguments of `Bounds`, where they differ from its own.

    """

    renditions: Mapping[str, int] = field(default_factory=lambda: dict(RENDITION_SIDES_PX))
    quality: int = WEBP_QUALITY
    bounds: Mapping[str, int] = field(default_factory=dict)


def process(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Read an untrusted image; tell all that is known of it, and draw its renditions.

    Args:
        payload: the file.
        options: keyword arguments of `Order`.

    Returns:
        Facts, ready for JSON, and the WebP files in the order of `facts["renditions"]`, behind them the copy that may
        be handed out, unless the file itself may. Facts are `format`, `extension` (with its dot), `content_type`,
        `width_px` and `height_px` (upright), `orientation` (EXIF, 1 to 8, as it was before), `animated`, `frames`
        (pages of a TIFF), `duration_ms` (of one run, None for what does not move), `has_alpha` (whether some pixel is
        not opaque), `thumbhash` (base64), `palette` (of `hex`, `name`, `share`), `dominant_colour` (`#rrggbb`, or
        None where nothing is visible), `perceptual_hash` (16 hex digits, or None for a picture without structure),
        `embedding` (of `origin`, `values`; or None for a grey area), `exif` (of `camera`, `taken_at`), `renditions`
        (of `name`, `width_px`, `height_px`, `size_bytes`), and `clean_copy` (of `content_type`, `extension`,
        `width_px`, `height_px`, `lossless`, `size_bytes`, `sha256`, and `is_original`, whether the file tells nothing
        but its pixels).

    Raises:
        Refused: `body_empty`, `not_an_image`, `web_page_not_image`, `format_refused`, `format_not_supported`,
            `image_too_large`, `image_too_complex`, `image_truncated`, `image_corrupt`, `metadata_too_large`.

    """
    order = Order(**options)
    picture = _decoded(payload, order, least_px=needed_side_px(image_format(payload).name))
    drawn = list(_drawn(picture, order))
    copy = clean_copy(payload, picture)
    facts = {**_facts(picture, drawn), "clean_copy": _told(copy, payload)}
    handed_out = [] if facts["clean_copy"]["is_original"] else [copy.content]
    return facts, [*(rendition.content for rendition in drawn), *handed_out]


def redraw(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Draw further renditions of an image; as `process`, but the facts are `renditions` alone."""
    order = Order(**options)
    drawn = list(_drawn(_decoded(payload, order), order))
    return {"renditions": _listed(drawn)}, [rendition.content for rendition in drawn]


def look(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """See anew what an image looks like; as `process`, but the facts are what is seen alone, and nothing is drawn."""
    seen = _seen(_decoded(payload, Order(**options)))
    return seen, []


def copy_clean(payload: bytes, options: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Make the copy of an image that may be handed out; as `process`, but the facts are `clean_copy` alone."""
    order = Order(**options)
    picture = _decoded(payload, order, least_px=needed_side_px(image_format(payload).name))
    copy = clean_copy(payload, picture)
    told = _told(copy, payload)
    return {"clean_copy": told}, [] if told["is_original"] else [copy.content]


def _decoded(payload: bytes, order: Order, *, least_px: int = 0) -> Picture:
    return decode(payload, Bounds(**order.bounds), longest_px=max(least_px, *order.renditions.values()))


def _drawn(picture: Picture, order: Order) -> Iterable[Rendition]:
    for name, longest_px in order.renditions.items():
        size = rendition_size(picture.width_px, picture.height_px, longest_px)
        yield render(picture.image, name, size, quality=order.quality)


def _facts(picture: Picture, drawn: Iterable[Rendition]) -> dict[str, Any]:
    return {
        "format": picture.format.name,
        "extension": picture.format.extension,
        "content_type": picture.format.content_type,
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "orientation": picture.metadata.orientation,
        "animated": picture.animated,
        "frames": picture.frames.count,
        "duration_ms": picture.frames.duration_ms,
        "has_alpha": picture.image.mode == "RGBA",
        **_seen(picture),
        "exif": {"camera": picture.metadata.camera, "taken_at": picture.metadata.taken_at},
        "renditions": _listed(drawn),
    }


def _told(copy: CleanCopy, payload: bytes) -> dict[str, Any]:
    return {
        "content_type": copy.content_type,
        "extension": copy.extension,
        "width_px": copy.width_px,
        "height_px": copy.height_px,
        "lossless": copy.lossless,
        "size_bytes": len(copy.content),
        "sha256": hashlib.sha256(copy.content).hexdigest(),
        "is_original": copy.content == payload,
    }


def _seen(picture: Picture) -> dict[str, Any]:
    seen = describe(picture.image)
    return {
        "thumbhash": base64.b64encode(seen.thumbhash).decode("ascii"),
        "palette": [asdict(swatch) for swatch in seen.palette],
        "dominant_colour": seen.palette[0].hex if seen.palette else None,
        "perceptual_hash": seen.perceptual_hash,
        "embedding": None if seen.embedding is None else {"origin": ORIGIN, "values": list(seen.embedding)},
    }


def _listed(drawn: Iterable[Rendition]) -> list[dict[str, Any]]:
    return [
        {
            "name": rendition.name,
            "width_px": rendition.width_px,
            "height_px": rendition.height_px,
            "size_bytes": len(rendition.content),
        }
        for rendition in drawn
    ]
