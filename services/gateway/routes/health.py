"""Health for people: is it well, and if not, what is wrong."""

import time
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from services.gateway.identity import PublishedKeys
from services.gateway.routes.callers import Calling, parts_of
from services.gateway.routes.documented import told
from services.gateway.routes.documented.shapes.health import DatabaseHealth, DetailedHealth, Health
from services.gateway.routes.parts import Parts
from services.gateway.routes.replies import Json
from services.gateway.settings import VERSION, Settings
from services.gateway.store.health import TABLES, select_missing_tables
from services.gateway.store.tenancy import DatabaseAwayError

_STARTED: Final = time.monotonic()
routes = APIRouter(tags=["health"])


@routes.get("/health", summary="Whether the gateway answers, and its database too", **told("get_health", Health))
async def get_health(request: Request) -> Response:
    problems = await _problems(parts_of(request))
    status = "degraded" if problems else "healthy"
    broker = not problems.keys() & {"consumer", "broker"}
    return Json({"status": status, "version": VERSION, "database": "database" not in problems, "broker": broker})


@routes.get(
    "/health/database",
    summary="Whether the database answers, how fast, and with all its tables",
    **told("get_database_health", DatabaseHealth, also={503: DatabaseHealth}),
)
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


@routes.get(
    "/health/detailed",
    summary="Everything an operator asks first; for signed-in users",
    **told("get_detailed_health", DetailedHealth),
)
async def get_detailed_health(request: Request, _caller: Calling) -> Response:
    parts = parts_of(request)
    problems = await _problems(parts)
    return Json(
        {
            "status": "degraded" if problems else "healthy",
            "version": VERSION,
            "environment": parts.settings.environment,
            "uptime_seconds": round(time.monotonic() - _STARTED),
            "problems": problems,
            "database": "database" not in problems,
            "stream_followers": parts.stream.followers,
            "published_keys": [_published(keys) for keys in parts.tokens.published],
            **_features(parts),
        }
    )


async def _problems(parts: Parts) -> dict[str, str]:
    """Give what is wrong here; users of other issuers are let in while keys are missing, so that is no unreadiness."""
    problems = await parts.health.problems()
    if troubles := [keys.trouble for keys in parts.tokens.published if keys.trouble]:
        problems["published_keys"] = "; ".join(troubles)
    return problems


def _published(keys: PublishedKeys) -> dict[str, Any]:
    fetched_at = None if keys.fetched_at is None else datetime.fromtimestamp(keys.fetched_at, UTC)
    return {"url": keys.url, "keys": len(keys), "fetched_at": fetched_at, "trouble": keys.trouble}


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
        off["supabase_users"] = (["SUPABASE_URL"], "SUPABASE_URL is not set, so only local tokens are accepted.")
    if settings.secret_key is None:
        off["local_users"] = (["SECRET_KEY"], "SECRET_KEY is not set, so no local tokens are accepted.")
    if settings.otel_exporter_otlp_endpoint is None:
        off["tracing"] = (["OTEL_EXPORTER_OTLP_ENDPOINT"], "No endpoint is set, so traces are not exported.")
    return off
