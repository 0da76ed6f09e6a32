"""What a source gave, kept for the next crawl: a source that has not changed gives the same once more."""

import zlib
from dataclasses import dataclass
from typing import Final

from services.scraper.crawler import Validators

RECIPE: Final = "harvest.1"
"""Raised when sources are read in another way than before, so that nothing that was kept stands for them."""

_PACKED_LIMIT_BYTES: Final = 256 * 1024
_UNPACKED_LIMIT_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """What a source gave in one version.

    Attributes:
        validators: how its server calls the version.
        gave: packed.

    """

    validators: Validators
    gave: bytes

    def unpacked(self) -> bytes:
        """Give what was kept; raises ValueError where that is damaged."""
        unpacking = zlib.decompressobj()
        try:
            gave = unpacking.decompress(self.gave, _UNPACKED_LIMIT_BYTES)
        except zlib.error as error:
            raise ValueError("what was kept of this source is damaged") from error
        if not unpacking.eof:
            raise ValueError("what was kept of this source is cut off")
        return gave


def memory_of(validators: Validators, gave: bytes) -> Memory | None:
    """Keep what a source gave; None where it is too much, or its server does not name the version."""
    if not validators or len(gave) > _UNPACKED_LIMIT_BYTES:
        return None
    packed = zlib.compress(gave)
    return Memory(validators, packed) if len(packed) <= _PACKED_LIMIT_BYTES else None
