"""Signed addresses of pictures in any allowed size: the gateway itself answers there, for whoever holds one."""

import base64
import hmac
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from services.gateway.links.presigned import Link

_PURPOSE: Final = b"diorama: addresses of sized pictures, 1"


class Sized(NamedTuple):
    """A picture in a size; `longest_px` is what was asked for."""

    project_id: UUID
    image_id: UUID
    longest_px: int


class SizedLinks:
    """Signs addresses, and knows its own again, in whichever process.

    Args:
        prefix: of the addresses; they are paths of this API.
        secret: that of the object store, which is good for reading all files anyway; a key is derived from it.
        seconds: how long an address works at most; it works for at least half of that when it is given.
        clock: seconds since 1970.

    """

    def __init__(self, prefix: str, secret: str, *, seconds: int, clock: Callable[[], float] = time.time) -> None:
        self._prefix = prefix
        self._key = hmac.digest(secret.encode(), _PURPOSE, "sha256")
        self._seconds = seconds
        self._clock = clock

    def to(self, sized: Sized) -> Link:
        """Give the address of a picture in a size: the same for a while, so that browsers keep what they have."""
        half = max(1, self._seconds // 2)
        expires = (int(self._clock()) // half + 2) * half
        said = f"{sized.project_id}.{sized.image_id}.{sized.longest_px}.{expires}"
        return Link(f"{self._prefix}/{said}.{self._signature(said)}", datetime.fromtimestamp(expires, UTC))

    def read(self, address: str) -> Sized | None:
        """Tell what is at an address, without the prefix; None where it was not made here or works no more."""
        said, _, signature = address.rpartition(".")
        if not hmac.compare_digest(self._signature(said).encode(), signature.encode()):
            return None
        project, image, longest_px, expires = said.split(".")
        return Sized(UUID(project), UUID(image), int(longest_px)) if self._clock() < int(expires) else None

    def _signature(self, said: str) -> str:
        digest = hmac.digest(self._key, said.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
