"""Hosts are asked in their turns, also those that others send us on to."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from services.scraper.crawler.politeness import Politeness
from services.scraper.rules import refuse_longer_than_is_carried
from shared.addresses import Url
from shared.fetch import REDIRECT_LIMIT, Fetched, Outbound, too_many_redirects

Allow = Callable[[Url], Awaitable[float]]
"""Refuses a place that may not be asked for; otherwise tells how many seconds its host wants between two requests."""

_NOTHING: Final[Mapping[str, str]] = {}


class Asking:
    """Asks for what lies at URLs, and follows redirects, each host in its turn.

    Args:
        outbound: the guarded way out.
        politeness: within whose budgets all hosts are asked.

    """

    def __init__(self, outbound: Outbound, politeness: Politeness) -> None:
        self._outbound = outbound
        self._politeness = politeness

    async def read(
        self,
        place: Url,
        *,
        allow: Allow,
        excused: re.Pattern[str],
        max_bytes: int,
        deadline_seconds: float,
        accept: str,
        headers: Mapping[str, str] = _NOTHING,
    ) -> Fetched:
        """Fetch what lies at a place, or at the one that it redirects to.

        Args:
            place: what to fetch.
            allow: is asked of each place before its host is.
            excused: as of `Politeness.noting`.
            max_bytes: of the decompressed body.
            deadline_seconds: for each host, from its turn on.
            accept: the media types asked for.
            headers: what is said of this very place, and not where it redirects to.

        Raises Refused (`url_too_long`), and Refused and TryAgain as `allow`, `Politeness.turn` and `Outbound.read`.

        """
        first = place
        for _ in range(1 + REDIRECT_LIMIT):
            refuse_longer_than_is_carried(str(place))
            probe = await self._politeness.turn(place.host, await allow(place))
            async with self._politeness.noting(place.host, excused, probe=probe):
                answer = await self._outbound.read_once(
                    str(place), max_bytes=max_bytes, deadline_seconds=deadline_seconds, accept=accept, headers=headers
                )
            if isinstance(answer, Fetched):
                return replace(answer, url=str(first))
            place, headers = answer, _NOTHING
        raise too_many_redirects(first.host)

    async def count(self, asked: Mapping[str, int]) -> None:
        """Note how often hosts were asked by somebody else on our behalf."""
        for host, requests in asked.items():
            await self._politeness.count(host, requests)
