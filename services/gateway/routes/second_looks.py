"""A second look before a "no": the memberships that it rests on may be remembered from before they were changed.

Memberships are remembered for a moment, and another gateway may have changed them since. Whoever was just let into a
project, there, is let into it here at once: a request that would be refused is handled once more where a fresh look
at the memberships shows others.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from services.gateway.identity import NotAUserError
from services.gateway.routes.callers import caller_of, fresh_caller_of
from services.gateway.routes.problems import Problem

_NO: Final = frozenset({403, 404})


class SecondLook(APIRoute):
    """A route that says no only by memberships that were read just now."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_again(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as problem:
                if problem.status not in _NO or not await _were_others(request):
                    raise
            return await handle(request)

        return handle_again


async def _were_others(request: Request) -> bool:
    try:
        before = await caller_of(request)
        now = await fresh_caller_of(request, before)
    except (Problem, NotAUserError):
        return False
    return now.memberships != before.memberships
