"""Weak entity tags: two replies with the same tag tell the same (RFC 9110 §8.8.1)."""

from hashlib import blake2b
from typing import Any

import orjson


def weak_tag(*marks: Any) -> str:
    """Give the tag of a reply by what tells that it has changed: versions, times, counts."""
    digest = blake2b(orjson.dumps(marks, default=str), digest_size=12).hexdigest()
    return f'W/"{digest}"'
