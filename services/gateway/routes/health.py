"""Health for people: is it well, and if not, what is wrong."""

import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from services.gateway.routes.callers import Calling, parts_of
from services.gateway.routes.parts import Parts
from services.gateway.routes.replies import Json
from services.gateway.settings import VERSION, Settings
from services.gateway.store.health import TABLES, select_missing_tables
from services.gateway.store.tenancy import DatabaseAwayError

_STARTED: Final = time.monotonic()
routes = APIRouter(tags=["health"])


@routes.get("/health", summary="Whether the gateway answers, and its database too")
async def get_health(request: Request) -> Response:
    problems = await parts_of(request).health.problems()
    status = "degraded" if problems else "healthy"
    broker = not problems.keys() & {"consumer", "broker"}
    return Json({"status": status, "version": VERSION, "database": "database" not in problems, "broker": broker})


@routes.get("/health/database", summary="Whether the database answers, how fast, and with all its tables")
async def get_database_health(request: Request) -> Response:
    began = time.perf_counter()
    try:
        missing = await select_missing_tables(parts_of(request).pool)
    except DatabaseAwayError:
        away = {"status": "unhealthy", "reason": "it does not answer", "tables_checked": []}
        return Json(away, 503, {"Retry-After": "2"})
    seconds = time.perf_counter() - began
    body = {
        "status": "unhealthy" if missing else "healthy",
        "response_time_ms": round(seconds * 1000, 2),
        "tables_checked": list(TABLES),
        "tables_missing": missing,
    }
    return Json(body, 503 if missing else 200)


@routes.get("/health/detailed", summary="Everything an operator asks first; for signed-in users")
async def get_detailed_health(request: Request, _caller: Calling) -> Response:
    parts = parts_of(request)
    problems = await parts.health.problems()
    return Json(
        {
            "status": "degraded" if problems else "healthy",
            "version": VERSION,
            "environment": parts.settings.environment,
            "uptime_seconds": round(time.monotonic() - _STARTED),
            "problems": problems,
            "database": "database" not in problems,
            "stream_followers": parts.stream.followers,
            **_features(parts),
        }
    )


def _features(parts: Parts) -> dict[str, Any]:
    off = _switched_off(parts.settings)
    return {
        "missing_variables": sorted({variable for variables, _ in off.values() for variable in variables}),
        "features_off": {feature: reason for feature, (_, reason) in off.items()},
    }


def _switched_off(settings: Settings) -> dict[str, tuple[list[str], str]]:
    """Give what this gateway does not do for want of a variable: which ones, and what that means."""
    off: dict[str, tuple[list[str], str]] = {}
    if settings.supabase_url is None:
        variables = ["SUPABASE_URL", "SUPABASE_JWT_SECRET"]
        off["supabase_users"] = (variables, "SUPABASE_URL is not set, so only local tokens are accepted.")
    if settings.secret_key is None:
        off["local_users"] = (["SECRET_KEY"], "SECRET_KEY is not set, so no local tokens are accepted.")
    if settings.otel_exporter_otlp_endpoint is None:
        off["tracing"] = (["OTEL_EXPORTER_OTLP_ENDPOINT"], "No endpoint is set, so traces are not exported.")
    return off
