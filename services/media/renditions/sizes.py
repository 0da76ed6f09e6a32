"""Which sizes every image gets, and where all sizes lie."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.object_keys import rendition_key
from shared.rendition_sizes import ALLOWED_SIDES_PX

RENDITION_SIDES_PX: Final[Mapping[str, int]] = MappingProxyType({"250": 250, "1440": 1440})
"""Longest side of each rendition that every image gets, by its name."""


def rendition_keys(sha256: str) -> tuple[str, ...]:
    """Name every place where a rendition of an original may lie, for whoever removes them."""
    return tuple(rendition_key(sha256, str(side)) for side in ALLOWED_SIDES_PX)
