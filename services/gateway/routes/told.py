"""Telling in the description of the API what an operation answers, and which problems are its own."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from services.gateway.routes.problems import MEDIA_TYPE

_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ETAG = {"ETag": {"description": "names this version; send it as `If-Match`", "schema": {"type": "string"}}}


def told(
    shown: type[BaseModel] | None, *problems: str, status: int = 200, versioned: bool = False
) -> dict[int | str, dict[str, Any]]:
    """Describe an operation by its reply and by problems such as `409 last_owner`."""
    responses: dict[int | str, dict[str, Any]] = {status: {"model": shown} if shown else {}}
    responses[status]["description"] = HTTPStatus(status).phrase
    if versioned:
        responses[status]["headers"] = _ETAG
    for code in sorted({problem.split()[0] for problem in problems}):
        names = [f"`{problem.split()[1]}`" for problem in problems if problem.startswith(code)]
        responses[int(code)] = {"description": ", ".join(names), "content": _PROBLEM}
    return responses
