"""The description of the API: OpenAPI, and a page for people that loads nothing from elsewhere."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

_OPEN: Final = ("/health", "/livez", "/readyz", "/startupz", "/metrics", "/asyncapi.yaml", "/schemas", "/docs")
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "description": "`urn:diorama:problem:` and the code"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable; branch on it"},
        "detail": {"type": "string", "description": "what happened, for people"},
        "trace_id": {"type": ["string", "null"], "description": "finds it in the logs"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
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
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-family:ui-monospace,monospace}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}"
    "summary{cursor:pointer}h2{margin-top:2rem}details p{white-space:pre-line}"
)


def describe(app: FastAPI) -> None:
    """Have an application describe itself with problems and bearer tokens."""
    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            known = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                webhooks=app.webhooks.routes,
            )
            document.update(_completed(known))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # fastapi documents this as the way to extend it


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = _CREDENTIALS
    components.setdefault("schemas", {})["Problem"] = _PROBLEM
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        for operation in operations.values():
            operation["responses"].pop("422", None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"]["default"] = {"description": "A problem (RFC 9457)", "content": problem}
            if not path.removeprefix("/api/v1").startswith(_OPEN) or path.endswith("/detailed"):
                operation["security"] = _security(operation)
    return document


def _security(operation: dict[str, Any]) -> list[dict[str, list[str]]]:
    """Give the credentials of which an operation takes one; a ticket is told of once, as what it is."""
    own = operation.get("parameters", [])
    others = [one for one in own if one["name"] != "ticket"]
    if len(others) == len(own):
        return [{"bearer": []}]
    operation["parameters"] = others
    return [{"bearer": []}, {"ticket": []}]


def docs(app: FastAPI) -> APIRouter:
    """Serve the description as a page."""
    routes = APIRouter()

    @routes.get("/docs", include_in_schema=False)
    async def get_docs() -> HTMLResponse:
        return HTMLResponse("".join(_page(app.openapi())))

    return routes


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    title = escape(document["info"]["title"])
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title} API</title><style>{_STYLE}</style>"
    yield f"<h1>{title} API</h1><p>{escape(document['info'].get('description', ''))}</p>"
    yield '<p><a href="/openapi.json">openapi.json</a> <a href="/asyncapi.yaml">asyncapi.yaml</a></p>'
    tag = None
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if (own := (operation.get("tags") or ["other"])[0]) != tag:
                tag = own
                yield f"<h2>{escape(own)}</h2>"
            yield from _operation(path, method, operation)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    summary = escape(operation.get("summary", ""))
    yield f"<details><summary><code>{method.upper()} {escape(path)}</code> {summary}</summary>"
    yield f"<p>{escape(operation.get('description', ''))}</p><table>"
    for parameter in operation.get("parameters", ()):
        about = escape(parameter.get("description", ""))
        yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{parameter['in']}<td>{about}"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if reference := body.get("$ref"):
        yield f"<tr><td>body<td colspan=2><code>{escape(reference.rpartition('/')[2])}</code>"
    yield "</table></details>"
