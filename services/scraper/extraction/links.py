"""Where a page leads to."""

from typing import Final

from selectolax.lexbor import LexborHTMLParser

from services.scraper.rules import ANY_PLACE, URL_LIMIT_CHARACTERS
from shared.addresses import Url, join
from shared.errors import Refused

LINKS_LIMIT: Final = 5000

_LINKS: Final = "a[href], area[href], link[rel~='next' i][href]"
_UNFOLLOWED: Final = frozenset({"nofollow", "ugc", "sponsored"})


def links_of(parser: LexborHTMLParser, base: Url, encoding: str) -> tuple[str, ...]:
    """Give the web addresses that a page links to, absolute, each once, in document order; at most `LINKS_LIMIT`.

    What the page says not to follow (`rel=nofollow` and its kin) is left out, and so is what is no web address.
    """
    found: dict[str, None] = {}
    for node in parser.css(_LINKS):
        attributes = node.attributes
        if _UNFOLLOWED.isdisjoint((attributes.get("rel") or "").lower().split()):
            url = _joined(base, attributes.get("href") or "", encoding)
            if url is not None and len(url) <= URL_LIMIT_CHARACTERS:
                found[url] = None
        if len(found) >= LINKS_LIMIT:
            break
    return tuple(found)


def _joined(base: Url, reference: str, encoding: str) -> str | None:
    try:
        return str(join(base, reference.strip(), ANY_PLACE, query_encoding=encoding))
    except Refused:
        return None
