"""What a page that is shown by a browser costs its hosts, and what they allow it."""

from collections import Counter
from collections.abc import Awaitable, Callable

from services.scraper.rendering.loading import Load
from services.scraper.rules import parsed
from shared.addresses import Url
from shared.errors import Failure
from shared.fetch import Fetched


class Showing:
    """Lets one page ask for what its scripts need.

    What lies where its documents lie is asked for as robots.txt there allows; it is counted, for the browser asks for
    all of it at once and the host has its rest afterwards. What lies elsewhere is asked for as by any visitor.

    Args:
        load: fetches documents.
        check: refuses a place that its site closes to us.

    Attributes:
        asked: how often each host of its documents was asked beside them.

    """

    def __init__(self, load: Load, check: Callable[[Url], Awaitable[float]]) -> None:
        self.asked: Counter[str] = Counter()
        self._load = load
        self._check = check
        self._origins: set[str] = set()
        self._hosts: set[str] = set()

    async def load(self, url: str) -> Fetched:
        """Fetch a document, and know from then on where it lies."""
        fetched = await self._load(url)
        for place in map(parsed, (url, fetched.final_url)):
            self._origins.add(place.origin)
            self._hosts.add(place.host)
        return fetched

    async def may_ask(self, url: str) -> bool:
        """Tell whether a script, a style or data may be asked for, and count it where it is one of our own hosts."""
        try:
            place = parsed(url)
            if place.origin in self._origins:
                await self._check(place)
        except Failure:
            return False
        if place.host in self._hosts:
            self.asked[place.host] += 1
        return True
