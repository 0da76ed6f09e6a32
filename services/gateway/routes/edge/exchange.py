"""One request and its reply, seen from outside."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from services.gateway.routes.edge.marks import header_of
from services.gateway.routes.methods import METHODS
from services.gateway.routes.problems import Problem

_KEY: Final = "diorama.exchange"
_LONGEST_NUMBER: Final = 18
_REQUESTS: Final = Counter("diorama_http_requests_total", "Requests answered", ["method", "status"])
_SECONDS: Final = Histogram(
    "diorama_http_request_duration_seconds",
    "From the first byte of a request to the start of its answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_DATA_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
"""Data loads nothing and is shown in no frame, should a browser ever take it for a page."""


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How many bytes a request body may have: at most `most`, or as many as `larger` says of its path."""

    most: int
    larger: Mapping[str, int] = field(default_factory=dict)

    def of(self, path: str) -> int:
        return self.larger.get(path, self.most)


class Exchange:
    """Counts the bytes of a request's body, and dresses its reply.

    Attributes:
        started: the reply has begun.
        finished: nothing more will be sent.

    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, maximum_body_bytes: int) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._left_bytes = self._maximum_bytes = maximum_body_bytes
        self._begun = time.perf_counter()
        self._noted: list[tuple[bytes, bytes]] = []
        self._bodiless = False
        self.started = False
        self.finished = False

    def note(self, name: str, value: str) -> None:
        """Have the reply carry a header, whatever becomes of the request."""
        self._noted.append((name.lower().encode("latin-1"), value.encode("latin-1")))

    def check(self) -> None:
        """Refuse at once what says itself that it is too large, and text that no database can hold."""
        length = header_of(self._scope, b"content-length") or b"0"
        if not length.isdigit():
            raise Problem(400, "bad_request", "The Content-Length is not a number.")
        if len(length) > _LONGEST_NUMBER or int(length) > self._maximum_bytes:
            raise self._too_large()
        if b"%00" in self._scope["query_string"] or "\x00" in self._scope["path"]:
            raise Problem(400, "bad_request", "The address holds a NUL character.")

    def _too_large(self) -> Problem:
        sentence = (
            f"The body is larger than the {self._maximum_bytes} bytes that are taken here;"
            " files are sent to /images/upload, and large ones past us, see POST /uploads."
        )
        return Problem(413, "body_too_large", sentence)

    async def receive(self) -> Message:
        if self._bodiless:  # whoever streams to nobody may stop
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._left_bytes -= len(message.get("body", b""))
        if self._left_bytes < 0:
            # A kind of error that frameworks pass on while they read a body.
            raise HTTPException(413, self._too_large().sentence)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif not self._bodiless:
            self.finished = message["type"] == "http.response.body" and not message.get("more_body")
            await self._send(message)

    async def _start(self, message: Message) -> None:
        headers = list(message.get("headers", ()))
        named = dict(headers)
        status = _NOT_MODIFIED if self._is_known(message["status"], named) else message["status"]
        if status == _NOT_MODIFIED:
            headers = [(name, value) for name, value in headers if not name.startswith(b"content-")]
        headers += [*_ALWAYS, *self._defaults(status, named), *self._noted]
        self.started = True
        self._bodiless = status == _NOT_MODIFIED or self._scope["method"] == "HEAD"
        _count(self._scope["method"] if self._scope["method"] in METHODS else "other", status).inc()
        _SECONDS.observe(time.perf_counter() - self._begun)
        await self._send({**message, "status": status, "headers": headers})
        if self._bodiless:
            self.finished = True
            await self._send({"type": "http.response.body", "body": b""})

    def _is_known(self, status: int, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether the client has this very reply (RFC 9110 §13.1.2, by weak comparison)."""
        tag = headers.get(b"etag")
        if status != _OK or tag is None or self._scope["method"] not in {"GET", "HEAD"}:
            return False
        known = header_of(self._scope, b"if-none-match") or b""
        tags = {one.strip().removeprefix(b"W/") for one in known.split(b",")}
        return b"*" in tags or tag.removeprefix(b"W/") in tags

    def _defaults(self, status: int, headers: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """Give what a reply carries unless it says otherwise: what is private stays with whoever asked."""
        may_be_kept = status in {_OK, _NOT_MODIFIED} and self._scope["method"] in {"GET", "HEAD"}
        caching = b"private, no-cache" if may_be_kept else b"no-store"
        defaults = ((b"cache-control", caching), (b"content-security-policy", _DATA_POLICY))
        return [(name, value) for name, value in defaults if name not in headers]


def keep_exchange(scope: Scope, exchange: Exchange) -> Scope:
    """Give the scope with which whoever answers finds the exchange again."""
    return {**scope, _KEY: exchange}


def exchange_of(connection: HTTPConnection) -> Exchange:
    exchange: Exchange = connection.scope[_KEY]
    return exchange


@cache
def _count(method: str, status: int) -> Counter:
    return _REQUESTS.labels(method, status)
