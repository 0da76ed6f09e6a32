"""Where requests come in: each is answered, even when everything else fails."""

from collections.abc import Iterator
from typing import Final

import structlog
from fastapi import FastAPI, Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.routes.edge.clients import is_https
from services.gateway.routes.edge.exchange import BodyLimits, Exchange, exchange_of, keep_exchange
from services.gateway.routes.edge.limiting import admit_stranger
from services.gateway.routes.edge.marks import header_of, request_id_of, traceparent_of
from services.gateway.routes.edge.origins import Origins
from services.gateway.routes.methods import fixed_methods, methods_of
from services.gateway.routes.problems import Problem, answer, problem_of
from services.gateway.settings import Settings
from shared.hints import without_proof
from shared.telemetry import trace_id_of

_COMPRESSED_FROM_BYTES: Final = 1024
_COMPRESSION_LEVEL: Final = 5
_STRICT_TRANSPORT: Final = "max-age=63072000"

_log = structlog.get_logger(__name__)


class Edge:
    """Wraps the application. With and without a trailing slash an address is the same, without a redirect."""

    def __init__(self, app: FastAPI, settings: Settings, bodies: BodyLimits) -> None:
        self.app = app
        self._settings = settings
        self._bodies = bodies
        self._fixed = fixed_methods(app.router.routes)
        self._compressing = GZipMiddleware(app, _COMPRESSED_FROM_BYTES, _COMPRESSION_LEVEL)
        allowed = settings.allowed_origins
        self._crossing: ASGIApp = Origins(self._answer, allowed) if allowed else self._answer
        self._resource_policy = "cross-origin" if allowed else "same-origin"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app({**scope, "path": _path(scope)} if scope["type"] == "websocket" else scope, receive, send)
            return
        request_id, traceparent = request_id_of(scope), traceparent_of(scope)
        exchange = Exchange(scope, receive, send, self._bodies.of(_path(scope)))
        for name, value in self._manners(scope, request_id, traceparent):
            exchange.note(name, value)
        with structlog.contextvars.bound_contextvars(
            request_id=request_id, traceparent=traceparent, trace_id=trace_id_of(traceparent)
        ):
            await self._crossing(keep_exchange(scope, exchange), exchange.receive, exchange.send)

    def _manners(self, scope: Scope, request_id: str, traceparent: str) -> Iterator[tuple[str, str]]:
        yield "X-Request-Id", request_id
        yield "traceparent", traceparent
        yield "Cross-Origin-Resource-Policy", self._resource_policy
        if self._settings.environment == "production" and is_https(scope, self._settings.trusted_proxies):
            yield "Strict-Transport-Security", _STRICT_TRANSPORT

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        exchange = exchange_of(request)
        try:
            exchange.check()
            if header_of(scope, b"authorization") is None:
                await admit_stranger(request, self.app.state.parts)
            if scope["method"] == "OPTIONS":
                await self._tell_methods(scope)(scope, receive, send)
            else:
                understood = _understood(scope)
                self._check_method(understood)
                await self._compressing(understood, receive, send)
        except Exception as error:
            problem = problem_of(error)
            if problem.status == 405:  # noqa: PLR2004 - whose reply names the methods
                problem.headers["Allow"] = ", ".join(methods_of(self.app.router.routes, _understood(scope)))
            if problem.status >= 500:  # noqa: PLR2004 - ours
                _log.exception("request_failed", path=without_proof(_path(scope)), code=problem.code)
            if not exchange.started:
                await answer(problem, structlog.contextvars.get_contextvars()["traceparent"])(scope, receive, send)
            elif not exchange.finished:
                raise

    def _check_method(self, scope: Scope) -> None:
        """Refuse at a written-out address what only one that looks like it understands."""
        methods = self._fixed.get(scope["path"])
        if methods is not None and scope["method"] not in methods:
            raise HTTPException(405)

    def _tell_methods(self, scope: Scope) -> Response:
        methods = methods_of(self.app.router.routes, {**scope, "path": _path(scope)})
        if not methods:
            raise Problem(404, "not_found", "There is nothing at this address.")
        return Response(status_code=204, headers={"Allow": ", ".join(methods)})


def _understood(scope: Scope) -> Scope:
    """Give a request as the routes know it: without a slash at the end, and one for the head alone as a whole one."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "path": _path(scope), "method": method}


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.rstrip("/") or "/" if path.endswith("/") else path
