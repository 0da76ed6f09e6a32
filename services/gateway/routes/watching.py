"""Health for machines, below the gateway's other addresses."""

from typing import Any

from fastapi import APIRouter, Response

from shared.health import Answers, Health


def router(health: Health) -> APIRouter:
    """Serve `/livez`, `/readyz`, `/startupz` and `/metrics`."""
    routes = APIRouter(tags=["health"])
    answers = Answers(health)
    told = _said("status", status={"type": "string"})
    readiness = _said("status", "problems", status={"type": "string"}, problems={"type": "object"})
    written = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    routes.add_api_route("/livez", answers.livez, summary="The process answers", responses={200: told})
    routes.add_api_route(
        "/startupz", answers.startupz, summary="The process has finished starting", responses={200: told, 503: told}
    )
    routes.add_api_route(
        "/readyz",
        answers.readyz,
        summary="Everything the process depends on answers",
        responses={200: readiness, 503: readiness},
    )
    routes.add_api_route(
        "/metrics", answers.metrics, summary="Prometheus metrics", response_class=Response, responses={200: written}
    )
    return routes


def _said(*required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """Describe a reply in JSON."""
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"content": {"application/json": {"schema": schema}}}
