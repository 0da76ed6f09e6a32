"""Headers that requests and replies have in common."""

from typing import Any, Final

REPLY_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "X-Request-Id": {
        "description": "of this request: the one that was sent, or a new one; in problems and in the logs too",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "traceparent": {
        "description": "the trace that the request belongs to (W3C Trace Context)",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    },
    "RateLimit": {
        "description": "what is left (`r`) of the limit, and for how many seconds (`t`) its window still lasts",
        "schema": {"type": "string"},
        "example": '"submit";r=599;t=30',
    },
    "RateLimit-Policy": {
        "description": "the limit of this class of requests: `q` in `w` seconds",
        "schema": {"type": "string"},
        "example": '"submit";q=600;w=60',
    },
    "Retry-After": {
        "description": "when to ask again, in seconds",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
    },
    "Location": {
        "description": "where to look",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "description": "give it as `If-None-Match`, for a 304 while nothing has changed, or as `If-Match` to an edit",
        "required": True,
        "schema": {"type": "string", "pattern": '^(W/)?".+"$'},
    },
    "Preference-Applied": {
        "description": "the reply has waited, for at most so many seconds",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
    },
    "Idempotency-Replayed": {
        "description": "this was answered before; nothing was done again",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Allow": {"description": "the methods of the address", "required": True, "schema": {"type": "string"}},
    "Accept": {"description": "the type that is read here", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "`Bearer`", "required": True, "schema": {"type": "string"}},
}

EVERYWHERE: Final = ("X-Request-Id", "traceparent")
OF_LIMITED: Final = ("RateLimit", "RateLimit-Policy")
OF_STATUS: Final = {
    "202": ("Location", "Retry-After"),
    "304": ("ETag",),
    "307": ("Location",),
    "401": ("WWW-Authenticate",),
    "405": ("Allow",),
    "415": ("Accept",),
    "429": ("Retry-After", *OF_LIMITED),
    "503": ("Retry-After",),
}

PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "the same key with the same request does it once: the answer is given again, for a day",
        "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
        "example": "7f3c1f8e-5a0b-4a58-9a0e-2f9f1f0c2f10",
    },
    "Prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=n`: answer when the job has ended, after at most n seconds and a minute (RFC 7240)",
        "schema": {"type": "string"},
        "example": "wait=20",
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "description": "the ETag that you have seen; 412 `version_stale` where it has changed since",
        "schema": {"type": "string"},
        "example": '"3"',
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "the ETag of the reply that you have: while it is still true, the answer is 304",
        "schema": {"type": "string"},
        "example": 'W/"5f1d7a84db00d2fce00b31a7"',
    },
}
