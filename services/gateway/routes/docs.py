"""The description of the API: OpenAPI, and a page for people that loads nothing from elsewhere."""

import asyncio
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from html import escape
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from services.gateway.routes.documented.completion import completed
from services.gateway.routes.documented.headers import PARAMETERS
from services.gateway.rules.entity_tags import weak_tag

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-family:ui-monospace,monospace}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}"
    "details p,.said{white-space:pre-line}summary{cursor:pointer}h2{margin-top:2rem}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def describe(app: FastAPI) -> None:
    """Have an application describe itself completely."""
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
            document.update(completed(known))
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # fastapi documents this as the way to extend it


def docs(app: FastAPI) -> APIRouter:
    """Serve the description, as a document and as a page; each is written once."""
    routes = APIRouter()

    @cache
    def document() -> tuple[bytes, str]:
        written = orjson.dumps(app.openapi())
        return written, weak_tag(app.version, sha256(written).hexdigest())

    @cache
    def page() -> str:
        return "".join(_page(app.openapi()))

    @routes.get("/openapi.json", include_in_schema=False)
    async def get_openapi_document() -> Response:
        written, tag = await asyncio.to_thread(document)
        return Response(written, 200, {"ETag": tag, "Cache-Control": "no-cache"}, "application/json")

    @routes.get("/docs", include_in_schema=False)
    async def get_docs() -> HTMLResponse:
        return HTMLResponse(
            await asyncio.to_thread(page), headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
        )

    return routes


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    title = escape(document["info"]["title"])
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>{title} API</title><style>{_STYLE}</style>"
    yield f"<h1>{title} API</h1><p class=said>{escape(document['info'].get('description', ''))}</p>"
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
    for told in operation.get("parameters", ()):
        parameter = PARAMETERS[told["$ref"].rpartition("/")[2]] if "$ref" in told else told
        about = escape(parameter.get("description", ""))
        yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{parameter['in']}<td>{about}"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if reference := body.get("$ref"):
        yield f"<tr><td>body<td colspan=2><code>{escape(reference.rpartition('/')[2])}</code>"
    yield "</table></details>"
