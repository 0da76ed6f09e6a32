"""Places in lists that are ordered by something else than time: cursors that hold what their items are ordered by."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.errors import Refused

_LARGEST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Read = Callable[[Any], Any]


def write_place(order: str, *values: object) -> str:
    """Give the cursor of a place in a list; `order` names the list's order, for a place in one is none in another."""
    said = json.dumps([order, *map(_plain, values)], ensure_ascii=False)  # escapes would make it several times as long
    return urlsafe_b64encode(said.encode()).decode()


def _plain(value: object) -> object:
    return value if isinstance(value, int) else value.isoformat() if isinstance(value, datetime) else str(value)


def read_place(text: str | None, order: str, *reads: Read) -> tuple[Any, ...] | None:
    """Read a cursor of this order, each value by its reader; None begins at the start. Raises Refused."""
    if text is None:
        return None
    try:
        named, *values = json.loads(urlsafe_b64decode(text.encode("ascii")))
        if named == order and len(values) == len(reads):
            return tuple(read(value) for read, value in zip(reads, values, strict=True))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _refused() from error
    raise _refused()


def _refused() -> Refused:
    return Refused("cursor_invalid", "The cursor was not made here, or for another order; begin again without one.")


def number(value: Any) -> int:
    """Read a whole number that the database can hold."""
    if type(value) is not int or abs(value) > _LARGEST:
        raise ValueError("no number")
    return value


def words(value: Any) -> str:
    """Read a text that the database can hold."""
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("no text")
    value.encode()
    return value


def identifier(value: Any) -> UUID:
    return UUID(words(value))


def moment(value: Any) -> datetime:
    return datetime.fromisoformat(words(value)).astimezone(UTC)


def microseconds(at: datetime) -> int:
    """Give a moment as a number, where a cursor would grow too long otherwise."""
    return (at - _EPOCH) // _MICROSECOND


def instant(value: Any) -> datetime:
    """Read a moment that is written as a number."""
    return _EPOCH + number(value) * _MICROSECOND
