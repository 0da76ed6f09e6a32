"""The document as FastAPI derives it, completed with what FastAPI cannot know."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from services.gateway.routes.documented.headers import (
    EVERYWHERE,
    OF_LIMITED,
    OF_STATUS,
    PARAMETERS,
    REPLY_HEADERS,
)
from services.gateway.routes.documented.operations import MARK, told
from services.gateway.routes.documented.problems import MEANINGS, MEDIA_TYPE, SCHEMA, responses_of
from services.gateway.routes.documented.shapes.shape import Shape

_OPEN: Final = (
    "/health",
    "/livez",
    "/readyz",
    "/startupz",
    "/metrics",
    "/asyncapi.yaml",
    "/schemas",
    "/docs",
    "/hints",
    "/pictures",
)
_DESCRIPTIONS: Final = {
    "200": "Here it is",
    "201": "It was made",
    "202": "Taken in: look at `Location`, first after `Retry-After`",
    "204": "Done",
    "304": "You have it already",
    "307": "It lies at `Location`",
    "503": "It is not well",
}


class _Honoured(NamedTuple):
    """A header that requests may have, the one that tells that it was heeded, and what may be wrong with it."""

    parameter: str
    header: str | None
    problems: tuple[str, ...]


_HONOURED: Final = {
    "once": _Honoured("Idempotency-Key", "Idempotency-Replayed", ("idempotency_key_invalid", "idempotency_key_reused")),
    "waits": _Honoured("Prefer", "Preference-Applied", ()),
    "edits": _Honoured("If-Match", None, ("version_stale", "if_match_invalid")),
}
_FASTAPIS_DESCRIPTION: Final = "Successful Response"
_CREDENTIALS: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "a user's token, or an API key (`POST /api/v1/api-keys`), which begins with `dio_`",
    },
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "from `POST /api/v1/tickets`: opens one stream, once, where no header can be sent",
    },
}
_TAGS: Final = {
    "work": "Hand work in. Each reply names the job that does it.",
    "scenes": "Images of scenes: one record for each scene of a chapter, drawn anew on request.",
    "jobs": "Look at jobs and their trees, cancel them, do failed ones again.",
    "streams": "What happens, as it happens: server-sent events that resume behind `Last-Event-ID`.",
    "images": "Stored images with the state of each step, and URLs of their files.",
    "uploads": "Files, through the gateway or straight into the object store.",
    "search": "Find images by what is said of them and by how they look.",
    "review": "Maps to decide of, the suspicious first, and what was approved.",
    "people": "Projects and who belongs to them, API keys, and who did what.",
    "chapters": "Chapters and their scenes.",
    "customers": "For whom images are made.",
    "webhooks": "Other systems that are told what happens (Standard Webhooks), and how telling them went.",
    "operators": "Queues, processes, failures, dead letters, pauses and usage: what operators look after.",
    "health": "How the gateway is.",
    "contracts": "What is said on the bus, for other systems that take part.",
}
_DESCRIPTION: Final = """\
Submit work, follow it live, browse the results. Sign in with a bearer token, of a user or an API key: \
`Authorization: Bearer ...`.

**Work** is taken in with `202`, a `Location` and the job. Look there again, follow `/events`, or send \
`Prefer: wait=20` to be answered when it has ended. A POST with an `Idempotency-Key` is done once, however often it is \
sent within a day.

**Errors** are problems (RFC 9457): branch on `code`, show `detail`. `trace_id` and `X-Request-Id` find them in the \
logs.

**Lists** are `{items, next_cursor}`: ask again with `cursor` until it is null.

**Projects.** Everything belongs to one. Without `project_id` you write into your personal project and read all of \
yours.

**Limits** are by user and class of requests; `RateLimit` tells what is left, and `429` when to come back.

**Edits** take `If-Match` with the `ETag` that you have seen: `412` where somebody was faster.

**Unchanged** things are answered `304` to whoever sends `If-None-Match` with their `ETag`.

With and without a slash at the end an address is the same. Fields may be added to replies at any time.
"""


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """Complete a document in place with headers, problems, security, tags and examples."""
    document["info"]["description"] = _DESCRIPTION
    document["servers"] = [{"url": "/", "description": "this gateway"}]
    for method, path, operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            _forbid_null(parameter["schema"])
        _complete(method, path, operation)
    for operations in document.get("webhooks", {}).values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    used = {tag for *_, operation in _operations(document) for tag in operation.get("tags", ())}
    document["tags"] = [{"name": tag, "description": _TAGS[tag]} for tag in _TAGS if tag in used]
    components = document.setdefault("components", {})
    components["securitySchemes"] = _CREDENTIALS
    components["headers"] = REPLY_HEADERS
    components["parameters"] = PARAMETERS
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = dict(SCHEMA)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    _restore_examples(schemas)
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method, path, operation


def _complete(method: str, path: str, operation: dict[str, Any]) -> None:
    is_secured = not path.removeprefix("/api/v1").startswith(_OPEN) or path.endswith("/detailed")
    is_limited = "health" not in operation.get("tags", ())
    if is_secured:
        operation["security"] = _security(operation)
    mark = operation.pop(MARK, None if is_secured else told("")["openapi_extra"][MARK])
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    if mark is None:
        responses["default"] = _any_problem()
    else:
        codes = [*_usual(operation, is_secured=is_secured, is_limited=is_limited), *mark["problems"]]
        _complete_told(method, operation, mark, codes)
    for status, response in responses.items():
        if response.get("description") in {None, "", _FASTAPIS_DESCRIPTION}:
            response["description"] = _DESCRIPTIONS.get(status, "A reply")
        names = [*EVERYWHERE, *(OF_LIMITED if is_limited and is_secured else ())]
        if status in {"202", "304", "307"} or MEDIA_TYPE in response.get("content", ()):
            names += OF_STATUS.get(status, ())
        _promise(response, *names)


def _security(operation: dict[str, Any]) -> list[dict[str, list[str]]]:
    """Give the credentials of which an operation takes one; a ticket is told of once, as what it is."""
    own = operation.get("parameters", [])
    others = [one for one in own if one["name"] != "ticket"]
    if len(others) == len(own):
        return [{"bearer": []}]
    operation["parameters"] = others
    return [{"bearer": []}, {"ticket": []}]


def _complete_told(method: str, operation: dict[str, Any], mark: Mapping[str, Any], codes: list[str]) -> None:
    successes = {status: one for status, one in operation["responses"].items() if status < "203"}
    honoured = [_HONOURED[name] for name in _HONOURED if mark[name]]
    taken = [one.parameter for one in honoured]
    for response in successes.values():
        _promise(response, *(one.header for one in honoured if one.header))
    if mark["once"] and "201" in successes:
        _promise(successes["201"], "Location")
    if mark["tagged"]:
        _tell_of_tags(method, operation, taken)
    if taken:
        operation.setdefault("parameters", []).extend({"$ref": f"#/components/parameters/{name}"} for name in taken)
    for status, response in responses_of([*codes, *chain(*(one.problems for one in honoured))]).items():
        held = operation["responses"].setdefault(status, response)
        if held is not response:
            held["content"] = {**held.get("content", {}), **response["content"]}


def _tell_of_tags(method: str, operation: dict[str, Any], taken: list[str]) -> None:
    responses = operation["responses"]
    for status in {"200", "201"} & responses.keys():
        _promise(responses[status], "ETag")
    if method == "get":
        taken.append("If-None-Match")
        responses["304"] = {"description": _DESCRIPTIONS["304"]}


def _promise(response: dict[str, Any], *names: str) -> None:
    headers = response.setdefault("headers", {})
    headers.update({name: {"$ref": f"#/components/headers/{name}"} for name in names})


def _usual(operation: Mapping[str, Any], *, is_secured: bool, is_limited: bool) -> list[str]:
    """Give the codes that every operation of its kind may answer with."""
    codes = ["bad_request", "internal_error"]
    if is_secured:
        codes += [*MEANINGS[401], "scope_missing", "database_unavailable", "keys_unavailable"]
    if is_limited:
        codes.append("quota_exceeded")
    if operation.get("parameters") or "requestBody" in operation:
        codes.append("validation_failed")
    if "requestBody" in operation:
        codes += ["body_too_large", "media_type_unsupported"]
    return codes


def _any_problem() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "A problem (RFC 9457)", "content": {MEDIA_TYPE: {"schema": schema}}}


def _forbid_null(schema: dict[str, Any]) -> None:
    """Take null out of a schema: what is not said in an address is left out."""
    possible = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    if len(possible) == 1:
        schema.update(possible[0])
    elif possible:
        schema["anyOf"] = possible


def _restore_examples(schemas: dict[str, Any]) -> None:
    """Give the shapes their examples again, of which FastAPI has dropped every null."""
    for shape in _shapes(Shape):
        extra = shape.model_config.get("json_schema_extra")
        if isinstance(extra, dict) and shape.__name__ in schemas:
            schemas[shape.__name__].update(extra)


def _shapes(root: type[Shape]) -> Iterator[type[Shape]]:
    for shape in root.__subclasses__():
        yield shape
        yield from _shapes(shape)
