"""How many requests somebody may send, and how he is told."""

from typing import Any, Final

from starlette.requests import HTTPConnection

from services.gateway.identity import Principal
from services.gateway.limiting import Standing
from services.gateway.routes.edge.clients import client_of
from services.gateway.routes.edge.exchange import exchange_of
from services.gateway.routes.parts import Parts
from services.gateway.routes.problems import Problem
from services.gateway.routes.replies import API
from services.gateway.rules.limits import charge_of
from services.gateway.rules.people import OPERATOR

QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"
"""The registered type of draft-ietf-httpapi-ratelimit-headers-10, §7."""

_COUNTED: Final = "diorama.counted"
_HEALTH: Final = ("/health", "/livez", "/readyz", "/startupz", "/metrics")


async def admit(connection: HTTPConnection, principal: Principal, parts: Parts) -> None:
    """Count a request of a user, once; raises a 429 problem.

    Operators at their work and questions about health are free.
    """
    if connection.scope.get(_COUNTED):
        return
    connection.scope[_COUNTED] = True
    route: Any = connection.scope.get("route")
    tags = getattr(route, "tags", ())
    if "health" in tags or ("operators" in tags and OPERATOR in principal.roles):
        return
    path = str(getattr(route, "path", None) or connection.scope["path"])
    charge = charge_of(connection.scope.get("method", "GET"), path.removeprefix(API))
    _tell(connection, await parts.limiter.count(charge.route_class, principal.user_id, charge.cost))


async def admit_stranger(connection: HTTPConnection, parts: Parts) -> None:
    """Count a request that is not signed, or not well, by the address that it comes from; raises a 429 problem."""
    if not connection.scope["path"].removeprefix(API).startswith(_HEALTH):
        address = client_of(connection.scope, parts.settings.trusted_proxies)
        _tell(connection, await parts.limiter.count_stranger(address))


def _tell(connection: HTTPConnection, standing: Standing | None) -> None:
    if standing is None:
        return
    if connection.scope["type"] == "http":
        exchange = exchange_of(connection)
        exchange.note("RateLimit-Policy", f'"{standing.limit}";q={standing.quota};w={standing.window_seconds}')
        exchange.note("RateLimit", f'"{standing.limit}";r={standing.left};t={standing.reset_seconds}')
    if not standing.allowed:
        raise _quota_exceeded(standing)


def _quota_exceeded(standing: Standing) -> Problem:
    seconds = max(1, standing.reset_seconds)
    allowed = f"{standing.quota} in {standing.window_seconds} s"
    return Problem(
        429,
        "quota_exceeded",
        f"That is more than the limit `{standing.limit}` allows ({allowed}); try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
        members={"type": QUOTA_EXCEEDED, "violated-policies": [standing.limit]},
    )
