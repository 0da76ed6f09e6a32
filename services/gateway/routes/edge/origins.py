"""Pages of other origins that may call the API."""

from collections.abc import Sequence
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from services.gateway.routes.methods import METHODS
from services.gateway.routes.problems import Problem, answer

_SENT: Final = (
    "Authorization",
    "Cache-Control",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "X-Request-Id",
    "traceparent",
    "tracestate",
)
_SHOWN: Final = (
    "Allow",
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
    "traceparent",
)
_REMEMBERED_SECONDS: Final = 7200
"""The longest that a browser remembers the answer to a preflight."""


class Origins(CORSMiddleware):
    """Answers preflights, and lets pages of the allowed origins read what they are answered."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=allowed,
            allow_methods=METHODS,
            allow_headers=_SENT,
            # Whoever allows every origin knows none of them.
            allow_credentials="*" not in allowed,
            expose_headers=_SHOWN,
            max_age=_REMEMBERED_SECONDS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight, with a problem where the page may not do what it asks about."""
        told = super().preflight_response(request_headers)
        if told.status_code == 200:  # noqa: PLR2004 - OK
            told = Response(status_code=204, headers=_without_body(told))
        else:
            problem = Problem(403, "origin_not_allowed", f"{bytes(told.body).decode()}: see ALLOWED_ORIGINS.")
            problem.headers.update(_without_body(told))
            told = answer(problem, structlog.contextvars.get_contextvars().get("traceparent"))
        return told


def _without_body(response: Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if not name.startswith("content-")}
