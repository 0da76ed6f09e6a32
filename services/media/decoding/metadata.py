"""The harmless part of what a camera wrote: how it was held, what it was, when; never where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from PIL import Image
from PIL.ExifTags import IFD, Base

MAX_TEXT_CHARACTERS: Final = 100
UPRIGHT: Final = 1
FIRST_TURNED: Final = 5
LAST_ORIENTATION: Final = 8


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was understood of EXIF and XMP.

    Attributes:
        orientation: EXIF orientation, 1 to 8; a value that is none of these counts as 1 (upright).
        camera: maker and model.
        taken_at: ISO 8601 local time, with the offset where the camera knew it.

    """

    orientation: int = UPRIGHT
    camera: str | None = None
    taken_at: str | None = None

    @property
    def turned(self) -> bool:
        """Whether width and height change places."""
        return self.orientation >= FIRST_TURNED


def read_metadata(image: Image.Image) -> Metadata:
    """Read the metadata of a loaded image; what is broken there counts as absent."""
    try:
        tags = image.getexif()
        taken: Mapping[int, Any] = tags.get_ifd(IFD.Exif)
    except Exception:  # noqa: BLE001 - parsers raise anything on broken EXIF, and a picture needs none
        return Metadata(orientation=_orientation(getattr(image, "_exif", None)))
    return Metadata(orientation=_orientation(tags), camera=_camera(tags), taken_at=_taken_at(tags, taken))


def _orientation(tags: Mapping[int, Any] | None) -> int:
    value = tags.get(Base.Orientation) if tags is not None else None
    return value if isinstance(value, int) and UPRIGHT <= value <= LAST_ORIENTATION else UPRIGHT


def _camera(tags: Mapping[int, Any]) -> str | None:
    maker, model = _text(tags.get(Base.Make)), _text(tags.get(Base.Model))
    if maker and model and not model.lower().startswith(maker.lower()):
        return f"{maker} {model}"
    return model or maker


def _taken_at(tags: Mapping[int, Any], taken: Mapping[int, Any]) -> str | None:
    stamp = _text(taken.get(Base.DateTimeOriginal)) or _text(tags.get(Base.DateTime))
    if stamp is None:
        return None
    offset = _text(taken.get(Base.OffsetTimeOriginal)) or ""
    for text, pattern in ((f"{stamp}{offset}", "%Y:%m:%d %H:%M:%S%z"), (stamp, "%Y:%m:%d %H:%M:%S")):
        try:
            return datetime.strptime(text, pattern).isoformat()  # noqa: DTZ007 - cameras know no zone
        except ValueError:
            continue
    return None


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    printable = "".join(character for character in value if character.isprintable())
    return " ".join(printable.split())[:MAX_TEXT_CHARACTERS] or None
