"""Standard Webhooks 1.0: what is sent, how it is signed, and when it is tried again."""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson

from shared.addresses import Policy, parse_url
from shared.errors import Refused

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how secrets begin, and none itself
SECRET_BYTES: Final = 32
PING: Final = "ping"
GONE: Final = 410
BODY_LIMIT_BYTES: Final = 20_000
EXCERPT_BYTES: Final = 1024
DEADLINE_SECONDS: Final = 15.0
LEASE_SECONDS: Final = 45.0
"""Longer than an attempt and what is written of it can take; then whoever made it is lost, and another makes it."""

FAILING_LIMIT: Final = timedelta(days=5)
"""A webhook that has only failed for so long is switched off."""
SECRET_OVERLAP_HOURS: Final = 24

_RETRY_SECONDS: Final = (5, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24)))
_JITTER: Final = 0.2
_LONGEST_WAIT_SECONDS: Final = 24 * 3600.0


def message_id(delivery_id: UUID) -> str:
    """Give the `webhook-id` of a delivery: the same for each attempt and each time it is sent again."""
    return f"msg_{delivery_id.hex}"


def new_secret(random: bytes) -> str:
    """Write random bytes as a secret."""
    return SECRET_PREFIX + b64encode(random).decode()


def body_of(type_: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """Write what is sent; what is too large is cut down to what says where to look."""
    body = orjson.dumps({"type": type_, "timestamp": at, "data": data}, default=str)
    if len(body) < BODY_LIMIT_BYTES:
        return body
    ids = {name: value for name, value in data.items() if name in {"sequence", "project_id"} or name.endswith("_id")}
    job_id = data["job"].get("id") if isinstance(data.get("job"), Mapping) else None
    told = {**ids, **({"job_id": job_id} if job_id else {}), "truncated": True}
    return orjson.dumps({"type": type_, "timestamp": at, "data": told}, default=str)


def headers_of(id_: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Give the headers that prove to a receiver who sends this, and when: one signature for each secret that holds."""
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, id_, timestamp, body) for secret in secrets),
    }


def sign(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """Sign with HMAC-SHA256 (Standard Webhooks, §Signature scheme)."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, sha256).digest()
    return f"v1,{b64encode(digest).decode()}"


def retry_in_seconds(type_: str, attempts: int, chance: float, retry_after_seconds: float | None) -> float | None:
    """Tell how long to wait after so many failed attempts; None where it is given up. `chance` is between 0 and 1."""
    if type_ == PING or attempts > len(_RETRY_SECONDS):
        return None
    pause = _RETRY_SECONDS[attempts - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    return max(pause, min(retry_after_seconds or 0.0, _LONGEST_WAIT_SECONDS))


def check_url(url: str, policy: Policy, *, https_only: bool) -> None:
    """Refuse a receiver that may never be told; a name's addresses are judged when they are dialled.

    Raises Refused with a code of `shared.addresses.parse_url`, or `https_required`.
    """
    if parse_url(url, policy).scheme != "https" and https_only:
        raise Refused(
            "https_required", "Webhooks are sent to https URLs only: what they hold is nobody else's business."
        )
