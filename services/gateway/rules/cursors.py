"""Cursors of pages: the place after which the next page begins, opaque to clients."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from shared.errors import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Cursor(NamedTuple):
    """The time and id of the last item of a page; pages go from the newest to the oldest."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        microseconds = (self.at - _EPOCH) // _MICROSECOND
        return urlsafe_b64encode(microseconds.to_bytes(8, "big", signed=True) + self.id.bytes).decode()


def parse_cursor(text: str | None) -> Cursor | None:
    """Read a cursor; None begins at the newest. Raises Refused `cursor_invalid`."""
    if text is None:
        return None
    try:
        raw = urlsafe_b64decode(text.encode("ascii"))
        at = _EPOCH + int.from_bytes(raw[:8], "big", signed=True) * _MICROSECOND
        return Cursor(at, UUID(bytes=raw[8:]))
    except (ValueError, OverflowError) as error:
        raise Refused("cursor_invalid", "The cursor was not made here; begin again without one.") from error
