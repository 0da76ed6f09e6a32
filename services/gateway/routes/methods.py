"""Which methods an address understands."""

from collections.abc import Iterable
from typing import Final

from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def methods_of(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """Give the methods of an address, by all routes together; none where there is nothing at it.

    An address that is written out is meant, and not one that happens to look like it: `/jobs/retry` is no job.
    """
    known = list(routes)
    found = fixed_methods(known).get(scope["path"]) or {
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in known)
    }
    return _in_order(found)


def fixed_methods(routes: Iterable[BaseRoute]) -> dict[str, set[str]]:
    """Give the methods of each address that is written out."""
    fixed: dict[str, set[str]] = {}
    for route in routes:
        if isinstance(route, Route) and route.methods and "{" not in route.path:
            fixed.setdefault(route.path, set()).update(route.methods)
    return fixed


def _in_order(methods: set[str]) -> list[str]:
    known = {*methods, *({"HEAD"} if "GET" in methods else ()), *({"OPTIONS"} if methods else ())}
    return [method for method in METHODS if method in known]
