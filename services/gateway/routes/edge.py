"""The outermost layer: whatever comes in is bounded, traced, measured, and answered even when everything else fails."""

import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import structlog
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.routes.problems import Problem, answer, problem_of
from shared.telemetry import current_traceparent, new_traceparent, trace_id_of

_REQUESTS: Final = Counter("diorama_http_requests_total", "Requests answered", ["method", "status"])
_SECONDS: Final = Histogram(
    "diorama_http_request_duration_seconds",
    "From the first byte of a request to the start of its answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_HEADERS: Final = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]

_log = structlog.get_logger(__name__)


class Edge:
    """Wraps the application. With and without a trailing slash an address is the same, without a redirect.

    `larger` are the limits of addresses that take more than others, by path.
    """

    def __init__(self, app: ASGIApp, *, maximum_body_bytes: int, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._maximum_body_bytes = maximum_body_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(_without_slash(scope) if scope["type"] == "websocket" else scope, receive, send)
            return
        traceparent = current_traceparent() or _sent_traceparent(scope) or new_traceparent()
        scope = _without_slash(scope)
        limit_bytes = self._larger.get(scope["path"], self._maximum_body_bytes)
        exchange = _Exchange(scope, receive, send, limit_bytes)
        with structlog.contextvars.bound_contextvars(traceparent=traceparent, trace_id=trace_id_of(traceparent)):
            try:
                exchange.check()
                await self._app(scope, exchange.receive, exchange.send)
            except Exception as error:
                problem = problem_of(error)
                if problem.status >= 500:  # noqa: PLR2004 - ours
                    _log.exception("request_failed", path=scope["path"], code=problem.code)
                if not exchange.started:
                    await answer(problem, traceparent)(scope, receive, exchange.send)
                elif not exchange.finished:
                    raise


class _Exchange:
    """One request and its answer: counts the bytes of the body, and remembers when the answer began."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, maximum_body_bytes: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._left_bytes = maximum_body_bytes
        self._maximum_bytes = maximum_body_bytes
        self._begun = time.perf_counter()
        self.started = False
        self.finished = False

    def check(self) -> None:
        """Refuse at once what says itself that it is too large, and text that no database can hold."""
        length = next((value for name, value in self._scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > self._maximum_bytes:
            raise self._too_large()
        if b"%00" in self._scope["query_string"] or "\x00" in self._scope["path"]:
            raise Problem(400, "bad_request", "The address holds a NUL character.")

    async def receive(self) -> Message:
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        if self._left_bytes < 0:
            # A kind of error that frameworks pass on while they read a body.
            raise HTTPException(413, self._too_large().sentence)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            _count(self._scope["method"] if self._scope["method"] in _METHODS else "other", message["status"]).inc()
            _SECONDS.observe(time.perf_counter() - self._begun)
        self.finished = message["type"] == "http.response.body" and not message.get("more_body")
        await self._send(message)

    def _too_large(self) -> Problem:
        sentence = (
            f"The body is larger than the {self._maximum_bytes} bytes that are taken here;"
            " files are sent to /images/upload, and large ones past us, see POST /uploads."
        )
        return Problem(413, "body_too_large", sentence)


@cache
def _count(method: str, status: int) -> Counter:
    return _REQUESTS.labels(method, status)


def _without_slash(scope: Scope) -> Scope:
    path: str = scope["path"]
    if len(path) > 1 and path.endswith("/"):
        return {**scope, "path": path.rstrip("/") or "/"}
    return scope


def _sent_traceparent(scope: Scope) -> str | None:
    sent: Any = next((value for name, value in scope["headers"] if name == b"traceparent"), None)
    text = sent.decode("latin-1") if sent else ""
    parts = text.split("-")
    valid = [len(part) for part in parts] == [2, 32, 16, 2] and all(_is_hex(part) for part in parts)
    return text if valid and parts[0] != "ff" and parts[1].strip("0") and parts[2].strip("0") else None


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)
