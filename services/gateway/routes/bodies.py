"""Bodies that a route reads by itself, because they come in several types."""

from typing import Any, TypeVar

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from services.gateway.routes.problems import Problem

M = TypeVar("M", bound=BaseModel)


def media_type_of(request: Request) -> str:
    """Give the type of the body in small letters, without what follows it."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def type_refused(request: Request, *wanted: str) -> Problem:
    sent = request.headers.get("content-type") or "nothing"
    return Problem(
        415,
        "media_type_unsupported",
        f"The body has to be {' or '.join(wanted)}; Content-Type says {sent[:100]}.",
        headers={"Accept": ", ".join(wanted)},
    )


def json_of(body: bytes) -> Any:
    """Read JSON; raises RequestValidationError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"it is not JSON: {error}") from error


def text_of(body: bytes) -> str:
    """Read UTF-8; raises RequestValidationError."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid(f"it is not UTF-8 at byte {error.start}") from error


def model_of(model: type[M], held: Any, *place: str | int) -> M:
    """Read what a body holds at a place; raises RequestValidationError."""
    try:
        return model.model_validate(held)
    except ValidationError as error:
        told = [{**one, "loc": ("body", *place, *one["loc"])} for one in error.errors(include_url=False)]
        raise RequestValidationError(told) from error


def invalid(message: str, *place: str | int) -> RequestValidationError:
    """Say what is wrong with a body, or with a place in it."""
    return RequestValidationError([{"loc": ("body", *place), "msg": message, "type": "value_error"}])
