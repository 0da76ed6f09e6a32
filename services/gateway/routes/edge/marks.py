"""What ties a request to its log lines and to whoever sent it: an id of its own, and the trace that it belongs to."""

import re
from typing import Final

from starlette.types import Scope

from shared.identifiers import uuid7
from shared.telemetry import current_traceparent, new_traceparent

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")
_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """Give the first header of that name, which is in lower case."""
    return next((value for known, value in scope["headers"] if known == name), None)


def request_id_of(scope: Scope) -> str:
    """Give the id that was sent, where it is well-formed, or a new one."""
    sent = header_of(scope, b"x-request-id") or b""
    return sent.decode() if _REQUEST_ID.fullmatch(sent) else str(uuid7())


def traceparent_of(scope: Scope) -> str:
    """Give the trace that is running or was sent (W3C Trace Context), or a new one."""
    sent = header_of(scope, b"traceparent") or b""
    return current_traceparent() or (sent.decode() if _TRACEPARENT.fullmatch(sent) else new_traceparent())
