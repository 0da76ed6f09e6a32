"""Pure decisions about media: what an asset is, when two pictures are the same."""

from typing import Final
from uuid import UUID, uuid5

from shared.addresses import Url

PERCEPTUAL_HASH_BITS: Final = 64

NEAR_DUPLICATE_BITS: Final = 6
"""Farthest two perceptual hashes may be for resized or re-encoded copies of one picture.

Photos scaled and compressed again lie 0 to 3 bits apart, different ones 25 and more (measured on twelve).
"""


def asset_id(project_id: UUID, sha256: str) -> UUID:
    """Name the asset of these bytes in this project: the same bytes in the same project are one asset."""
    return uuid5(project_id, sha256)


def subject_of_url(url: Url) -> str:
    """Name a link, the same for every spelling that browsers read alike."""
    return f"url:{url}"


def subject_of_upload(upload_id: UUID) -> str:
    """Name an upload, whose id is used once."""
    return f"upload:{upload_id}"


def subject_of_asset(asset: UUID) -> str:
    """Name a stored asset, for work that is done on it."""
    return f"asset:{asset}"


def hamming(first: str, second: str) -> int:
    """Count the bits in which two perceptual hashes (16 hex digits each) differ, 0 to 64."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def similarity(first: str, second: str) -> float:
    """Score how alike two perceptual hashes are: 1.0 the same, 0.5 unrelated."""
    return 1 - hamming(first, second) / PERCEPTUAL_HASH_BITS


def are_near_duplicates(first: str | None, second: str | None) -> bool:
    """Tell whether two pictures are copies of one at other sizes or qualities.

    A picture without structure has no hash and is nobody's near duplicate.
    """
    return first is not None and second is not None and hamming(first, second) <= NEAR_DUPLICATE_BITS
