"""Every error as a problem (RFC 9457): a stable type, a sentence, and the trace that finds it in the logs."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
import structlog
from fastapi import FastAPI, Request, Response, params
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.gateway.identity import KeysUnavailableError, NotAUserError
from services.gateway.routes.methods import methods_of
from services.gateway.store.tenancy import DatabaseAwayError
from shared.errors import Refused, TryAgain
from shared.telemetry import trace_id_of

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_SECONDS: Final = 2
_JSON: Final = re.compile(r"application/([\w.-]+\+)?json\s*(;.*)?", re.IGNORECASE)
_FORM: Final = re.compile(r"(multipart/form-data|application/x-www-form-urlencoded)\s*(;.*)?", re.IGNORECASE)
_CODES: Final = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "media_type_unsupported",
    422: "validation_failed",
    429: "quota_exceeded",
    503: "unavailable",
}


class Problem(Exception):
    """What a client is told instead of an answer.

    Attributes:
        code: stable; the last part of the problem's `type`.
        sentence: what happened and what to do about it.
        errors: the places of the request that are wrong, as `{"pointer", "message"}`.
        members: what this kind of problem says beside that.

    """

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {sentence}")
        self.status = status
        self.code = code
        self.sentence = sentence
        self.errors = errors
        self.headers = dict(headers or {})
        self.members = members or {}


def not_found(thing: str) -> Problem:
    """Say that a thing is not there, or not for this user: the two look alike from outside."""
    return Problem(404, f"{thing}_not_found", f"There is no such {thing.replace('_', ' ')}.")


def answer(problem: Problem, traceparent: str | None) -> Response:
    """Write a problem as a response."""
    body: dict[str, Any] = {
        "type": f"urn:diorama:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.sentence,
        "trace_id": trace_id_of(traceparent),
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
        **problem.members,
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    return Response(orjson.dumps(body), problem.status, problem.headers, MEDIA_TYPE)


def passing(code: str, sentence: str) -> Problem:
    """Say that something cannot be done now, and when to try again."""
    return Problem(503, code, sentence, headers={"Retry-After": str(_RETRY_SECONDS)})


def database_away() -> Problem:
    sentence = "The database does not answer at the moment; nothing is lost, please try again shortly."
    return passing("database_unavailable", sentence)


def unauthenticated(code: str, sentence: str) -> Problem:
    challenge = 'Bearer error="invalid_token"' if code != "token_missing" else "Bearer"
    return Problem(401, code, sentence, headers={"WWW-Authenticate": challenge})


def problem_of(error: Exception) -> Problem:
    """Find the problem that an error is to a client; what is nobody's fault but ours is a 500."""
    match error:
        case Problem():
            problem = error
        case NotAUserError():
            problem = unauthenticated(error.code, error.sentence)
        case KeysUnavailableError():
            problem = Problem(503, error.code, error.sentence, headers={"Retry-After": str(_RETRY_SECONDS)})
        case DatabaseAwayError():
            problem = database_away()
        case Refused():
            problem = Problem(400, error.code, error.sentence)
        case TryAgain():
            problem = passing(error.code, f"{error.sentence} Nothing was changed, please try again shortly.")
        case RequestValidationError():
            problem = _invalid(error)
        case HTTPException():
            code = _CODES.get(error.status_code, "http_error")
            problem = Problem(error.status_code, code, _sentence(error), headers=error.headers)
        case _:
            problem = Problem(500, "internal_error", "Something went wrong here; the trace id finds it in the logs.")
    return problem


def _sentence(error: HTTPException) -> str:
    sentences = {404: "There is nothing at this address.", 405: "This address does not understand that method."}
    return sentences.get(error.status_code, str(error.detail))


def _invalid(error: RequestValidationError) -> Problem:
    errors = [
        {"pointer": "/" + "/".join(str(part) for part in one["loc"]), "message": str(one["msg"])}
        for one in error.errors()[:20]
    ]
    first = errors[0] if errors else {"pointer": "/", "message": "it cannot be read"}
    return Problem(422, "validation_failed", f"{first['pointer']}: {first['message']}."[:500], errors=errors)


async def _handle(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        problem.headers["Allow"] = ", ".join(methods_of(request.app.router.routes, request.scope))
    if isinstance(error, RequestValidationError) and _is_strange(request, error):
        problem = _media_type_unsupported(request)
    return answer(problem, structlog.contextvars.get_contextvars().get("traceparent"))


def _is_strange(request: Request, error: RequestValidationError) -> bool:
    """Tell whether a body could not be read because it is of another type than the route reads."""
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    of_body = any(one["loc"][:1] == ("body",) for one in error.errors())
    is_read_here = getattr(request.scope.get("route"), "body_field", None) is not None
    return (
        has_body and of_body and is_read_here and not _reads(request).fullmatch(request.headers.get("content-type", ""))
    )


def _reads(request: Request) -> re.Pattern[str]:
    field: Any = getattr(request.scope.get("route"), "body_field", None)
    return _FORM if isinstance(getattr(field, "field_info", None), params.Form) else _JSON


def _media_type_unsupported(request: Request) -> Problem:
    wanted = "multipart/form-data" if _reads(request) is _FORM else "application/json"
    sent = request.headers.get("content-type") or "nothing"
    return Problem(
        415,
        "media_type_unsupported",
        f"The body has to be {wanted}; Content-Type says {sent[:100]}.",
        headers={"Accept": wanted},
    )


def install(app: FastAPI) -> None:
    """Have an application answer every error of its routes with a problem."""
    ours = (Problem, NotAUserError, KeysUnavailableError, DatabaseAwayError, Refused, TryAgain)
    for kind in (*ours, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, _handle)
