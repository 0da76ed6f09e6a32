"""What a site asks of robots by its robots.txt (RFC 9309)."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, Protocol

from protego import Protego

from services.scraper.crawler.asking import Asking
from shared.addresses import Url
from shared.errors import Failure, Refused, TryAgain
from shared.manners import PATIENCE

FRESH_SECONDS: Final = 60 * 60.0
"""RFC 9309 §2.4 allows up to a day; people who change their mind should not wait for so long."""

FAILED_SECONDS: Final = 30.0
STALE_SECONDS: Final = 30 * 24 * 60 * 60.0
"""For so long the rules of a site count that cannot tell them any more (RFC 9309 §2.4 and §2.3.1.4)."""

ROBOTS_LIMIT_BYTES: Final = 500 * 1024
"""What RFC 9309 §2.5 asks a crawler to read at least."""

_DEADLINE_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 60.0  # what the book says is looked up no more often
_PARSED_LIMIT: Final = 500
_PARSED_LIMIT_CHARACTERS: Final = 4 * 1024 * 1024  # of all texts; parsed, each takes some fifty bytes
_ACCEPT: Final = "text/plain,*/*;q=0.5"
_TOO_LARGE: Final = "robots_too_large"
# A site that knows no such file, or sends us around in circles, has no rules (RFC 9309 §2.3.1.2 and §2.3.1.3).
_NO_RULES: Final = re.compile(r"http_4\d\d|too_many_redirects")
_AGENT_LINE: Final = re.compile(r"^[ \t]*user[- ]?agent[ \t]*:?[ \t]*([^\r\n#]*)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Told:
    """What a site told robots.

    Attributes:
        digest: of the rules; None where it never told any.
        rules: the text; None for somebody who knows a text of this digest already.
        age_seconds: since the site told them.
        failure: the code of why it could not tell them when it was asked last.
        fresh_seconds: for so long nobody need ask again.

    """

    digest: bytes | None
    rules: str | None
    age_seconds: float
    failure: str | None
    fresh_seconds: float


class RobotsBook(Protocol):
    """Where is written down what sites told robots."""

    async def told(self, origin: str, known: bytes | None) -> Told | None:
        """Look what an origin told; `known` is the digest of the rules that the caller has already."""
        ...

    async def tell(self, origin: str, digest: bytes, rules: str, fresh_seconds: float) -> None:
        """Write down what an origin has just told."""
        ...

    async def fail(self, origin: str, code: str, fresh_seconds: float) -> None:
        """Write down that an origin cannot tell now, beside what it told before."""
        ...


@dataclass(slots=True)
class _Site:
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    digest: bytes | None = None
    rules: Protego | None = None
    rules_characters: int = 0
    look_at: float = 0.0


class Robots:
    """Knows the robots.txt of every origin, and asks for each once an hour.

    Args:
        asking: fetches them, within the budget of their hosts.
        book: shared by all who ask the same sites.
        token: our product token, as sites name us.

    """

    def __init__(self, asking: Asking, book: RobotsBook, *, token: str) -> None:
        self._asking = asking
        self._book = book
        self._token = token
        self._sites: dict[str, _Site] = {}

    async def check(self, place: Url) -> float:
        """Refuse a place that its site closes to us; tell how many seconds it wants between two requests.

        Raises:
            Refused: `robots_disallowed`, `robots_too_large`, or what made robots.txt itself impossible to fetch.
            TryAgain: `robots_unavailable`, for a site that cannot tell its rules is closed meanwhile (RFC 9309
                §2.3.1.4), or as `Politeness.turn`.

        """
        rules = await self._rules(place)
        if not rules.can_fetch(str(place), self._token):
            sentence = f"The robots.txt of {place.origin} does not allow us to read this page."
            raise Refused("robots_disallowed", sentence)
        return rules.crawl_delay(self._token) or 0.0

    async def judge(self, place: Url) -> Callable[[Url], bool]:
        """Give what tells of many places of one origin, of which `place` is any, whether each is open to us.

        Raises as `check`, without `robots_disallowed`.
        """
        rules = await self._rules(place)
        return lambda one: rules.can_fetch(str(one), self._token)

    async def _rules(self, place: Url) -> Protego:
        site = self._sites.get(place.origin) or self._remember(place.origin)
        async with site.reading:
            if site.rules and asyncio.get_running_loop().time() < site.look_at:
                return site.rules
            told = await self._book.told(place.origin, site.digest)
            if told is None or told.fresh_seconds <= 0:
                told = await self._ask(place, told)
            if told.failure and not _still_counts(told):
                raise _closed(place.origin, told.failure, told.fresh_seconds)
            if site.rules is None or site.digest != told.digest:
                site.rules = await asyncio.to_thread(self._parsed, told.rules or "")
                site.digest, site.rules_characters = told.digest, len(told.rules or "")
                self._forget_surplus()
            site.look_at = asyncio.get_running_loop().time() + min(told.fresh_seconds, _LOOK_SECONDS)
            return site.rules

    def _remember(self, origin: str) -> _Site:
        if len(self._sites) >= _PARSED_LIMIT:
            del self._sites[next(iter(self._sites))]
        return self._sites.setdefault(origin, _Site())

    def _forget_surplus(self) -> None:
        """Forget the oldest where many sites have endless rules; whoever judges by them has them still."""
        surplus = sum(site.rules_characters for site in self._sites.values()) - _PARSED_LIMIT_CHARACTERS
        while surplus > 0 and self._sites:
            surplus -= self._sites.pop(next(iter(self._sites))).rules_characters

    def _parsed(self, rules: str) -> Protego:
        return Protego.parse(_only_groups_of(self._token, rules))

    async def _ask(self, place: Url, before: Told | None) -> Told:
        try:
            rules = await self._fetched(place)
        except TryAgain as failure:
            if failure.code in PATIENCE:
                raise
            return await self._failed(place.origin, failure.code, failure.retry_after_seconds or 0.0, before)
        except Refused as refusal:
            if refusal.code != "body_too_large":
                raise
            return await self._failed(place.origin, _TOO_LARGE, FRESH_SECONDS, before)
        digest = sha256(rules.encode()).digest()
        await self._book.tell(place.origin, digest, rules, FRESH_SECONDS)
        return Told(digest, rules, 0.0, None, FRESH_SECONDS)

    async def _failed(self, origin: str, code: str, seconds: float, before: Told | None) -> Told:
        fresh_seconds = min(max(seconds, FAILED_SECONDS), FRESH_SECONDS)
        await self._book.fail(origin, code, fresh_seconds)
        failed = before or Told(None, None, 0.0, None, 0.0)
        return replace(failed, failure=code, fresh_seconds=fresh_seconds)

    async def _fetched(self, place: Url) -> str:
        try:
            # Many servers say "forbidden" of what they do not have: here that blocks nobody.
            answer = await self._asking.read(
                replace(place, path="/robots.txt", query=None),
                allow=_open,
                excused=_NO_RULES,
                max_bytes=ROBOTS_LIMIT_BYTES,
                deadline_seconds=_DEADLINE_SECONDS,
                accept=_ACCEPT,
            )
        except Refused as refusal:
            if _NO_RULES.fullmatch(refusal.code):
                return ""
            raise
        return (answer.body or b"").decode("utf-8-sig", "replace").replace("\0", "")


async def _open(_place: Url) -> float:
    """Let robots.txt be asked for wherever it lies, as RFC 9309 §2.3.1.2 has it."""
    return 0.0


def _still_counts(told: Told) -> bool:
    return told.failure != _TOO_LARGE and told.digest is not None and told.age_seconds <= STALE_SECONDS


def _closed(origin: str, code: str, seconds: float) -> Failure:
    if code == _TOO_LARGE:
        return Refused(_TOO_LARGE, f"The robots.txt of {origin} has more than {ROBOTS_LIMIT_BYTES // 1024} KiB.")
    return TryAgain(
        "robots_unavailable",
        f"{origin} cannot tell now whether robots may read it ({code}).",
        retry_after_seconds=seconds,
        rate_limited=code == "http_429",
    )


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
