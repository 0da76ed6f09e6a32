"""A tab that is closed leaves nothing behind of what it heard last."""

import inspect
from collections.abc import Coroutine
from typing import Any, cast

from services.scraper.rendering.devtools import Devtools
from services.scraper.rendering.loading import Load, MayAsk
from services.scraper.rendering.tab import Tab
from shared.fetch import Proxy


class Deaf:
    """Stands in for a browser to which nothing is said any more."""

    hear: Any = None

    async def send(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        raise AssertionError((method, session, parameters))


async def test_what_is_heard_in_the_moment_of_closing_is_ended_before_it_has_begun() -> None:
    tab = Tab(cast(Devtools, Deaf()), cast(Proxy, None), cast(Load, None), cast(MayAsk, None))
    begun: list[str] = []

    async def answer() -> None:
        begun.append("answer")

    late: Coroutine[Any, Any, None] = answer()
    tab._begin(late)
    await tab.close()
    assert (begun, inspect.getcoroutinestate(late)) == ([], inspect.CORO_CLOSED)
