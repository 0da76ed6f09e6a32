"""How far a crawl goes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from contracts.scraper import CrawlScope
from services.scraper.rules import canonical_url, parsed
from shared.addresses import WEB_PORTS, Url
from shared.errors import Refused

OUT_OF_SCOPE: Final = "out_of_scope"
_ELSEWHERE: Final = "It is on another site, and this crawl stays on its own."


@dataclass(frozen=True, slots=True)
class Scope:
    """What a crawl asks, beside what it begins with.

    Attributes:
        limits: as whoever ordered the crawl has set them.
        seeds: what it begins with, which says which hosts are the same site.

    """

    limits: CrawlScope
    seeds: Sequence[str]

    def refusal(self, url: str, depth: int) -> Refused | None:
        """Say why a page is not asked; None where it is.

        Raises Refused where the URL is none.
        """
        place = parsed(url)
        if depth > self.limits.max_depth:
            return Refused(OUT_OF_SCOPE, f"It is more than {self.limits.max_depth} links away from the start.")
        if self.limits.same_site and not self.is_same_site(place):
            return Refused(OUT_OF_SCOPE, _ELSEWHERE)
        if any(matches(pattern, place) for pattern in self.limits.exclude):
            return Refused(OUT_OF_SCOPE, "It matches a pattern that this crawl leaves out.")
        if self.limits.include and not any(matches(pattern, place) for pattern in self.limits.include):
            return Refused(OUT_OF_SCOPE, "It matches none of the patterns that this crawl asks for.")
        return None

    def refusal_of_list(self, url: str) -> Refused | None:
        """Say why a list of pages is not asked; the patterns are for what it lists. Raises as `refusal`."""
        if self.limits.same_site and not self.is_same_site(parsed(url)):
            return Refused(OUT_OF_SCOPE, _ELSEWHERE)
        return None

    def is_same_site(self, place: Url) -> bool:
        """Tell whether a URL is on the host of a seed, or on a host below it."""
        return any(_is_at_or_below(place, site) for site in map(parsed, self.seeds))


def _is_at_or_below(place: Url, site: Url) -> bool:
    own = site.host.removeprefix("www.")
    below = site.address is None and place.host.endswith(f".{own}")
    same_port = place.port == site.port or {place.port, site.port} <= WEB_PORTS
    return same_port and (below or place.host in {own, site.host})


def matches(pattern: str, place: Url) -> bool:
    """Compare a URL with a pattern in which `*` is any text; in time that grows with their lengths and no faster."""
    text = str(place) if "://" in pattern else str(place).removeprefix(place.origin)
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)


def key_of(url: str) -> bytes:
    """Give what two spellings of a URL have in common; raises Refused where it is none."""
    return sha256(canonical_url(url).encode()).digest()
