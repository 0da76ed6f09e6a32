"""Identifiers: time-ordered for what is new, derived for what must come out the same when work is repeated."""

import os
import time
from uuid import UUID, uuid5

_last_millisecond_and_counter = (0, 0)


def uuid7() -> UUID:
    """Make a UUIDv7 (RFC 9562 §5.7): ordered by time, and within one process strictly increasing.

    The 12 bits after the version count within a millisecond (RFC 9562 §6.2, method 1).
    """
    global _last_millisecond_and_counter  # noqa: PLW0603 - the order is a promise of the whole process
    now = time.time_ns() // 1_000_000
    last, counter = _last_millisecond_and_counter
    millisecond, counter = (now, 0) if now > last else (last, counter + 1)
    if counter > 0xFFF:  # noqa: PLR2004 - twelve bits
        millisecond, counter = millisecond + 1, 0
    _last_millisecond_and_counter = (millisecond, counter)
    randomness = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    return UUID(int=millisecond << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | randomness)


def child_id(parent: UUID, kind: str, subject: str, recipe: str = "") -> UUID:
    """Derive the id of a child job, so that a repeated parent makes the same children."""
    return uuid5(parent, f"{kind}\x1f{subject}\x1f{recipe}")
