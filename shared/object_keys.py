"""Where things lie in the bucket. A key is written once and never overwritten; rows point at the current one."""

import re
from typing import Final
from uuid import UUID

from shared.errors import Refused

KEY_LIMIT_BYTES: Final = 1024
SEGMENT_LIMIT_BYTES: Final = 255

_SEGMENT: Final = re.compile(r"[A-Za-z0-9._=@+\-]+")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_EXTENSION: Final = re.compile(r"\.[a-z0-9]{1,10}")
_ORIGINAL: Final = re.compile(r"media/originals/[0-9a-f]{2}/([0-9a-f]{64})(\.[a-z0-9]{1,10})")
_RECIPE: Final = re.compile(r"[a-z0-9_\-]{1,64}")
_NAME: Final = re.compile(r"[a-z0-9_\-]{1,64}")


def check_key(key: str) -> str:
    """Return a key that every object store and file system can hold; raise Refused (`object_key_invalid`)."""
    segments = key.split("/")
    if len(key) > KEY_LIMIT_BYTES or not all(map(_is_segment, segments)):
        raise Refused("object_key_invalid", "This is not a name that an object can be stored under.")
    return key


def original_key(sha256: str, extension: str) -> str:
    """Name the untouched bytes of an asset; the extension has its dot (`.jpg`)."""
    return f"media/originals/{sha256[:2]}/{_checked(_SHA256, sha256)}{_checked(_EXTENSION, extension)}"


def rendition_key(sha256: str, name: str) -> str:
    """Name a WebP rendition of the original with this hash, `thumbnail` for example."""
    return f"media/renditions/{_checked(_SHA256, sha256)}/{_checked(_NAME, name)}.webp"


def clean_copy_key(sha256: str, extension: str) -> str:
    """Name what is handed out in place of the original with this hash; the extension has its dot (`.jpg`)."""
    return f"media/renditions/{_checked(_SHA256, sha256)}/clean{_checked(_EXTENSION, extension)}"


def clean_copy_key_of(key: str) -> str | None:
    """Name what is handed out in place of the original that lies at this key; None: at it lies none."""
    found = _ORIGINAL.fullmatch(key)
    return clean_copy_key(found[1], found[2]) if found else None


def track_key(sha256: str, track_sha256: str, extension: str) -> str:
    """Name what belongs to the video with the first hash, such as subtitles; the extension has its dot."""
    return (
        f"media/tracks/{_checked(_SHA256, sha256)}/{_checked(_SHA256, track_sha256)}{_checked(_EXTENSION, extension)}"
    )


def upload_key(upload_id: UUID) -> str:
    """Name the place where a client puts an upload that nobody has looked at yet."""
    return f"uploads/{upload_id}"


def generated_key(job_id: UUID, lease_epoch: int, number: int) -> str:
    """Name one output of a generation, made under one lease."""
    return f"generated/{job_id}/{lease_epoch}/{number}.png"


def depth_key(asset_id: UUID, sha256: str) -> str:
    """Name a depth map by the hash of its own bytes."""
    return f"training-data/maps/depth/{asset_id}/{_checked(_SHA256, sha256)}.png"


def edge_key(asset_id: UUID, sha256: str) -> str:
    """Name an edge map by the hash of its own bytes."""
    return f"training-data/maps/edge/{asset_id}/{_checked(_SHA256, sha256)}.png"


def map_folders(asset_id: UUID) -> tuple[str, ...]:
    """Name what all keys begin with that were ever given to maps of an asset, and to what lies beside them."""
    return f"training-data/maps/depth/{asset_id}/", f"training-data/maps/edge/{asset_id}/"


def normals_key(key: str) -> str:
    """Name the PNG of surface normals that lies beside a depth map."""
    return f"{key.rpartition('.')[0]}.normals.png"


def preview_key(key: str, name: str) -> str:
    """Name a WebP that shows an object in small; it lies beside the object."""
    return f"{key.rpartition('.')[0]}.{_checked(_NAME, name)}.webp"


def sidecar_key(key: str, recipe: str) -> str:
    """Name the JSON that lies beside an object and says by which recipe it came to be."""
    return f"{key.rpartition('.')[0]}.{_checked(_RECIPE, recipe)}.json"


def _is_segment(segment: str) -> bool:
    return (
        len(segment) <= SEGMENT_LIMIT_BYTES and segment not in {".", ".."} and _SEGMENT.fullmatch(segment) is not None
    )


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise Refused("object_key_invalid", "This is not a name that an object can be stored under.")
    return text
