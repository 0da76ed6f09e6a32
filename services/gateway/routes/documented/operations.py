"""What an operation tells of itself beside its signature."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import Response

MARK: Final = "x-told"
"""Under this name an operation carries what the document is completed with; it does not leave the house."""

SUBMITTING: Final = ("not_a_member", "viewer_only", "project_not_found", "request_too_large")
"""What may go wrong with whatever hands work in."""

URL_PROBLEMS: Final = (
    *("url_invalid", "url_scheme_refused", "url_port_refused", "url_credentials_refused", "address_refused"),
    "https_required",
)
"""What may be wrong with a URL that the gateway itself shall send to."""

JOB_LINKS: Final = {
    "job": {"operationId": "get_job", "parameters": {"job_id": "$response.body#/id"}},
    "cancel": {"operationId": "cancel_job", "parameters": {"job_id": "$response.body#/id"}},
}
TASK_LINKS: Final = {
    "job": {"operationId": "get_job", "parameters": {"job_id": "$response.body#/task_id"}},
    "cancel": {"operationId": "cancel_job", "parameters": {"job_id": "$response.body#/task_id"}},
}


def told(
    operation_id: str,
    reply: Any = None,
    *,
    status: int = 200,
    ended: Any = None,
    also: Mapping[int, Any] | None = None,
    content: str | None = None,
    example: str | None = None,
    problems: Iterable[str] = (),
    once: bool = False,
    waits: bool = False,
    tagged: bool = False,
    edits: bool = False,
    form: Mapping[str, Any] | None = None,
    bodies: Mapping[str, Any] | None = None,
    links: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Give the arguments of a route that say what it replies.

    Args:
        operation_id: the name of its method in a client.
        reply: the model of the reply.
        status: of the reply.
        ended: the model of a 200 to a client who waited for the end of its job; default: as the reply.
        also: models of replies with other statuses.
        content: the media type, where it is not JSON.
        example: of what is written in that type.
        problems: the codes that it may answer with, beside those of all operations like it.
        once: an Idempotency-Key is honoured.
        waits: `Prefer: wait` is honoured.
        tagged: the reply has an ETag.
        edits: `If-Match` is honoured.
        form: the schema of the form that is sent.
        bodies: schemas of what is sent otherwise, by media type, where the route reads it by itself.
        links: where to go on from the reply (OpenAPI link objects).

    """
    responses: dict[int | str, dict[str, Any]] = {status: _reply(reply, content, links)}
    if content is not None and example is not None:
        responses[status]["content"][content]["example"] = example
    if waits:
        responses.setdefault(200, _reply(ended or reply, None, None))
        responses[202] = {**responses.get(202, _reply(reply, None, None))}
    responses |= {other: _reply(model, None, None) for other, model in (also or {}).items()}
    honoured = {"once": once, "waits": waits, "tagged": tagged, "edits": edits}
    arguments: dict[str, Any] = {
        "operation_id": operation_id,
        "responses": responses,
        "openapi_extra": {MARK: {"problems": list(problems), **honoured}},
    }
    sent = {"multipart/form-data": form} if form is not None else bodies
    if sent is not None:
        described = {media_type: {"schema": dict(schema)} for media_type, schema in sent.items()}
        arguments["openapi_extra"]["requestBody"] = {"required": True, "content": described}
    if content is not None or reply is None:
        arguments["response_class"] = Response
    return arguments


def _reply(model: Any, content: str | None, links: Mapping[str, Any] | None) -> dict[str, Any]:
    reply: dict[str, Any] = {}
    if model is not None:
        reply["model"] = model
    if content is not None:
        reply["content"] = {content: {"schema": {"type": "string" if content.startswith("text/") else "object"}}}
    if links is not None:
        reply["links"] = links
    return reply
