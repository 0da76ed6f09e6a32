"""Health for machines: alive, ready, started, and metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[None]]

_CHECK_SECONDS = 2


class Health:
    """Named checks. A check returns when its part is well, and raises when it is not."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self.started = False
        self.stopping = False

    def add(self, name: str, check: Check) -> None:
        """Have readiness depend on a check."""
        self._checks[name] = check

    async def problems(self) -> dict[str, str]:
        """Run all checks; give the sentence of each that failed."""
        names = list(self._checks)
        sentences = await asyncio.gather(*(_problem(self._checks[name]) for name in names))
        found = {name: sentence for name, sentence in zip(names, sentences, strict=True) if sentence}
        if self.stopping:
            found["process"] = "it is stopping"
        elif not self.started:
            found["process"] = "it is starting"
        return found


async def _problem(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS} s"
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what readiness reports
        return str(error) or type(error).__name__
    return None


def router(health: Health) -> APIRouter:
    """Serve `/livez`, `/readyz`, `/startupz` and `/metrics`."""
    routes = APIRouter(tags=["health"])
    told = _said("status", status={"type": "string"})
    readiness = _said("status", "problems", status={"type": "string"}, problems={"type": "object"})

    @routes.get("/livez", summary="The process answers", responses={200: told})
    async def livez() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @routes.get("/startupz", summary="The process has finished starting", responses={200: told, 503: told})
    async def startupz() -> JSONResponse:
        return JSONResponse({"status": "started" if health.started else "starting"}, 200 if health.started else 503)

    @routes.get(
        "/readyz", summary="Everything the process depends on answers", responses={200: readiness, 503: readiness}
    )
    async def readyz() -> JSONResponse:
        problems = await health.problems()
        body = {"status": "not ready" if problems else "ready", "problems": problems}
        return JSONResponse(body, 503 if problems else 200)

    written = {"content": {"text/plain": {"schema": {"type": "string"}}}}

    @routes.get("/metrics", summary="Prometheus metrics", response_class=Response, responses={200: written})
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes


def _said(*required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """Describe a reply in JSON."""
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"content": {"application/json": {"schema": schema}}}


def health_app(health: Health) -> FastAPI:
    """Serve health alone, as every worker does."""
    app = FastAPI(title="Diorama worker", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(router(health))
    return app
