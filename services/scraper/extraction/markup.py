"""What elements other than `img` show: video posters, microdata, backgrounds."""

import re
from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborNode

from services.scraper.extraction.pictures import Attributes, lazy_urls
from services.scraper.extraction.sighting import Sighting
from services.scraper.extraction.styles import background_urls
from services.scraper.extraction.words import tidy
from services.scraper.rules import Candidate

LAZY_BACKGROUNDS: Final = ("data-bg", "data-background", "data-background-image", "data-bg-url")

_LOOKS_LIKE_URL: Final = re.compile(r"/|\.[a-z]{3,4}(?:$|\?)", re.IGNORECASE)


def see_poster(node: LexborNode) -> Sighting:
    attributes = node.attributes
    urls = [url for url in (attributes.get("poster"), attributes.get("data-poster")) if url]
    return Sighting([Candidate(url, "poster") for url in urls], title=tidy(attributes.get("title")))


def see_backgrounds(attributes: Attributes) -> Iterator[Sighting]:
    """Read inline styles, what lazy loaders will put into them, and the `background` attribute of old pages."""
    title = tidy(attributes.get("aria-label") or attributes.get("title"))
    later = lazy_urls(attributes)
    if later:
        yield Sighting([Candidate(url, "lazy") for url in later], title=title)
    urls = background_urls(attributes.get("style") or "") if not later else []
    for name in (*LAZY_BACKGROUNDS, "background"):
        value = (attributes.get(name) or "").strip()
        if _LOOKS_LIKE_URL.search(value):
            urls += background_urls(f"background:{value}") or [value]
    for url in urls:
        yield Sighting([Candidate(url, "background")], title=title)


def see_microdata(node: LexborNode) -> Sighting:
    """Read an element with `itemprop=image`: a URL, or an ImageObject whose properties stand within."""
    attributes = node.attributes
    if "itemscope" not in attributes:
        return Sighting([Candidate(url, "microdata") for url in _property_urls(attributes)])
    candidates = []
    for name in ("contentUrl", "url"):
        for found in node.css(f'[itemprop~="{name}" i]')[:1]:
            candidates += [Candidate(url, "microdata") for url in _property_urls(found.attributes)]
    return Sighting(candidates, caption=_property_text(node, "caption"), credit=_property_text(node, "creditText"))


def _property_urls(attributes: Attributes) -> list[str]:
    value = attributes.get("content") or attributes.get("href") or attributes.get("src")
    return [value] if value else []


def _property_text(node: LexborNode, name: str) -> str | None:
    found = next(iter(node.css(f'[itemprop~="{name}" i]')), None)
    return tidy(found.attributes.get("content") or found.text()) if found else None
