"""Opening a socket: from where, by whom, and how it ends."""

import asyncio
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from fastapi.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.gateway.routes.callers import Caller, streaming_caller_of
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import problem_of
from services.gateway.routes.replies import API
from services.gateway.routes.sockets.closing import Close, Farewell, farewell_of
from services.gateway.routes.sockets.conversation import Conversation, as_text
from services.gateway.routes.sockets.words import Authenticate, read_word, said
from shared.errors import Refused

_AUTHENTICATION_SECONDS: Final = 5.0
_FAREWELL_SECONDS: Final = 5.0
_REASON_BYTES: Final = 120
"""RFC 6455 §5.5: a control frame carries at most 125 bytes, two of them the code."""

_log = structlog.get_logger(__name__)
routes = APIRouter(prefix=API)


@routes.websocket("/ws")
async def open_socket(websocket: WebSocket) -> None:
    """Let somebody in, talk with him, and tell him why it ends."""
    parts: Parts = websocket.app.state.parts
    with parts.stream.guest():
        try:
            await websocket.accept()
            _check_origin(websocket, parts.settings.allowed_origins)
            caller = await _caller(websocket)
            await Conversation(websocket, parts, caller, sign_in=_signed_in).hold()
        except WebSocketDisconnect:
            return
        except Farewell as farewell:
            await _close(websocket, farewell)
        except Exception as error:  # noqa: BLE001 - the client is told what over HTTP would be a problem
            _log.exception("socket_failed")
            await _close(websocket, farewell_of(problem_of(error)))


def _check_origin(websocket: WebSocket, allowed: tuple[str, ...]) -> None:
    """Refuse pages of other sites; who is no browser sends no origin."""
    origin = websocket.headers.get("origin")
    if origin is None or origin in allowed or "*" in allowed:
        return
    if urlsplit(origin).netloc.lower() != websocket.headers.get("host", "").lower():
        sentence = "Pages of this origin may not connect: an operator has to add it to ALLOWED_ORIGINS."
        raise Farewell(Close.FORBIDDEN, "origin_not_allowed", sentence)


async def _caller(websocket: WebSocket) -> Caller:
    """Find out who connects, by what the request holds or by the first message."""
    if "authorization" in websocket.headers or "ticket" in websocket.query_params:
        return await _let_in(websocket, websocket.query_params.get("ticket"))
    try:
        async with asyncio.timeout(_AUTHENTICATION_SECONDS):
            message = await websocket.receive()
    except TimeoutError:
        sentence = f"Sign in within {_AUTHENTICATION_SECONDS:g} s: send an `authenticate` message first."
        raise Farewell(Close.UNAUTHENTICATED, "authentication_timeout", sentence) from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or Close.GOING_AWAY)
    try:
        word = read_word(said(message))
    except Refused as refused:
        raise Farewell(Close.UNAUTHENTICATED, refused.code, refused.sentence) from refused
    if not isinstance(word, Authenticate):
        sentence = "The first message has to be `authenticate` with a token."
        raise Farewell(Close.UNAUTHENTICATED, "token_missing", sentence)
    return await _signed_in(websocket, word.token)


async def _signed_in(websocket: WebSocket, token: str) -> Caller:
    """Find out whose token it is, as if it had come in the header."""
    headers = [*websocket.scope["headers"], (b"authorization", f"Bearer {token}".encode())]
    return await _let_in(HTTPConnection({**websocket.scope, "headers": headers}))


async def _let_in(connection: HTTPConnection, ticket: str | None = None) -> Caller:
    try:
        return await streaming_caller_of(connection, ticket)
    except Exception as error:
        raise farewell_of(problem_of(error)) from error


async def _close(websocket: WebSocket, farewell: Farewell) -> None:
    """Say why, as long as somebody listens; whoever does not read is not waited for."""
    told: dict[str, Any] = {"type": "error", "code": farewell.code, "detail": farewell.sentence}
    reason = farewell.sentence.encode()[:_REASON_BYTES].decode(errors="ignore")
    with suppress(WebSocketDisconnect, TimeoutError, RuntimeError):
        async with asyncio.timeout(_FAREWELL_SECONDS):
            await websocket.send_text(as_text(told))
            await websocket.close(farewell.close, reason)
