"""What a site asks of robots: robots.txt (RFC 9309) and the X-Robots-Tag header."""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from protego import Protego

from shared.errors import Refused, TryAgain
from shared.fetch import Outbound

FRESH_SECONDS: Final = 60 * 60.0
"""RFC 9309 §2.4 allows up to a day; people who change their mind should not wait for so long."""

FAILED_SECONDS: Final = 30.0
ROBOTS_LIMIT_BYTES: Final = 500 * 1024
"""What RFC 9309 §2.5 asks a crawler to read at least."""

_DEADLINE_SECONDS: Final = 20.0
_ORIGINS_LIMIT: Final = 500
_NOT_FOUND: Final = re.compile(r"http_4\d\d")
_AGENT_LINE: Final = re.compile(r"^[ \t]*user[- ]?agent[ \t]*:?[ \t]*([^\r\n#]*)", re.IGNORECASE | re.MULTILINE)
_VALUED_RULES: Final = frozenset({"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"})


@dataclass(slots=True)
class _Site:
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    outcome: Protego | TryAgain | None = None
    expires_at: float = 0.0


class Robots:
    """Knows the robots.txt of every origin, and keeps each for an hour.

    Args:
        outbound: fetches them.
        token: our product token, as sites name us.
        clock: seconds that never go back.

    """

    def __init__(self, outbound: Outbound, *, token: str, clock: Callable[[], float]) -> None:
        self._outbound = outbound
        self._token = token
        self._clock = clock
        self._sites: dict[str, _Site] = {}

    async def check(self, url: str, origin: str) -> float:
        """Refuse a URL that its site closes to us; tell how many seconds it wants between two requests.

        Raises:
            Refused: `robots_disallowed`, or what made robots.txt itself impossible to fetch.
            TryAgain: the site cannot tell its rules now, which closes it meanwhile (RFC 9309 §2.3.1.4).

        """
        rules = await self._rules(origin)
        if not rules.can_fetch(url, self._token):
            raise Refused("robots_disallowed", f"The robots.txt of {origin} does not allow us to read this page.")
        return rules.crawl_delay(self._token) or 0.0

    async def _rules(self, origin: str) -> Protego:
        site = self._sites.get(origin) or self._remember(origin)
        async with site.fetching:
            if site.outcome is None or self._clock() >= site.expires_at:
                site.outcome = await self._fetched(origin)
                fresh_seconds = FAILED_SECONDS if isinstance(site.outcome, TryAgain) else FRESH_SECONDS
                site.expires_at = self._clock() + fresh_seconds
        if isinstance(site.outcome, TryAgain):
            raise site.outcome
        return site.outcome

    def _remember(self, origin: str) -> _Site:
        if len(self._sites) >= _ORIGINS_LIMIT:
            del self._sites[next(iter(self._sites))]
        return self._sites.setdefault(origin, _Site())

    async def _fetched(self, origin: str) -> Protego | TryAgain:
        try:
            answer = await self._outbound.read(
                f"{origin}/robots.txt",
                max_bytes=ROBOTS_LIMIT_BYTES,
                deadline_seconds=_DEADLINE_SECONDS,
                accept="text/plain,*/*;q=0.5",
            )
        except TryAgain as failure:
            return TryAgain(
                "robots_unavailable",
                f"{origin} cannot tell now whether robots may read it ({failure.code}).",
                retry_after_seconds=failure.retry_after_seconds,
                rate_limited=failure.rate_limited,
            )
        except Refused as refusal:
            if _NOT_FOUND.fullmatch(refusal.code):
                return Protego.parse("")
            raise
        return Protego.parse(_only_groups_of(self._token, (answer.body or b"").decode("utf-8-sig", "replace")))


def _only_groups_of(token: str, text: str) -> str:
    """Give all groups that are not for us one name.

    Every rule counts once for each agent of its group, so that a file of thousands of names and rules would
    keep the parser busy for minutes.
    """
    ours = re.compile(rf"{re.escape(token)}(?![a-z_-])", re.IGNORECASE)

    def renamed(match: re.Match[str]) -> str:
        name = match[1].strip()
        return f"User-agent: {token if ours.match(name) else '*' if name == '*' else '-'}"

    return _AGENT_LINE.sub(renamed, text)


def product_token(user_agent: str) -> str:
    """Take out of a User-Agent header the name that sites may use for us (RFC 9309 §2.2.1)."""
    match = re.match(r"[a-zA-Z_-]+", user_agent)
    if not match:
        raise ValueError("A user agent begins with the name of its product.")
    return match[0]


def header_directives(values: Iterable[str], token: str) -> frozenset[str]:
    """Read X-Robots-Tag headers: the rules for all robots and those for us, in lower case."""
    found = set()
    for value in values:
        agent = ""
        for part in value.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            if colon and name.strip() not in _VALUED_RULES:
                agent, part = name.strip(), rest  # noqa: PLW2901 - what is left of it
            if agent in {"", "*", token.lower()}:
                found.add(part.strip())
    return frozenset(found)
