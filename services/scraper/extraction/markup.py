"""What elements other than `img` show: video posters, microdata, backgrounds, preloads, drawings, objects."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from selectolax.lexbor import LexborNode

from services.scraper.extraction.lengths import WIDEST_PX
from services.scraper.extraction.pictures import (
    Attributes,
    candidate_of,
    content_type_of,
    is_shown,
    lazy_urls,
    looks_like_url,
)
from services.scraper.extraction.sighting import Sighting
from services.scraper.extraction.srcset import Source, parse_srcset
from services.scraper.extraction.styles import background_of
from services.scraper.extraction.stylesheets import Painted
from services.scraper.extraction.surroundings import Told
from services.scraper.extraction.viewport import source_size_px, widest_screen
from services.scraper.extraction.words import tidy
from services.scraper.rules import Candidate

Layer = tuple[Source, ...]

_LAZY_URLS: Final = ("data-bg", "data-background", "data-background-image", "data-bg-url")
LAZY_BACKGROUNDS: Final = (*_LAZY_URLS, "data-bgset")
_PAINTED_BY_ATTRIBUTE: Final = frozenset(("body", "table", "tbody", "td", "tfoot", "th", "thead", "tr"))
"""Whose `background` attribute browsers paint."""

_ICONS: Final = frozenset(
    ("apple-touch-icon", "apple-touch-icon-precomposed", "apple-touch-startup-image", "fluid-icon", "icon", "mask-icon")
)
_IMAGE_FILE: Final = re.compile(r"\.(?:avif|bmp|gif|jpe?g|png|svgz?|webp)(?:[?#]|\Z)", re.IGNORECASE)


def see_poster(node: LexborNode) -> Sighting:
    attributes = node.attributes
    urls = [url for url in (attributes.get("poster"), attributes.get("data-poster")) if url]
    return Sighting([Candidate(url, "poster") for url in urls], title=tidy(attributes.get("title")))


def see_link(attributes: Attributes) -> Iterator[Sighting]:
    """Read what links name as an image: for sharing, to be loaded early, or as the sign of the site."""
    kinds = set((attributes.get("rel") or "").lower().split())
    href = attributes.get("href") or ""
    if "image_src" in kinds and href:
        yield Sighting([Candidate(href, "image_src")])
    elif kinds & _ICONS and href:
        yield Sighting([Candidate(href, "icon")], sign=True)
    elif "preload" in kinds and (attributes.get("as") or "").strip().lower() == "image":
        yield Sighting(list(_preloaded(attributes, href)))


def _preloaded(attributes: Attributes, href: str) -> Iterator[Candidate]:
    screen = widest_screen(attributes.get("media"))
    if screen is None or not is_shown(attributes):
        return
    sources = parse_srcset(attributes.get("imagesrcset") or "")
    shown_px = source_size_px(attributes.get("imagesizes"), screen)
    for source in [*sources, *([Source(href)] if href else [])]:
        yield replace(candidate_of(source, "preload", shown_px), content_type=content_type_of(attributes))


def see_input(attributes: Attributes) -> Iterator[Sighting]:
    """Read the picture of a button."""
    if (attributes.get("type") or "").strip().lower() == "image" and attributes.get("src"):
        yield Sighting([Candidate(attributes["src"] or "", "input")], alt=tidy(attributes.get("alt")))


def see_drawn(attributes: Attributes) -> Iterator[Sighting]:
    """Read an image within a drawing (SVG)."""
    url = attributes.get("href") or attributes.get("xlink:href")
    if url:
        yield Sighting([Candidate(url, "svg")], title=tidy(attributes.get("aria-label")))


def see_object(attributes: Attributes) -> Iterator[Sighting]:
    """Read an object or an embedded file that is an image by its type, or by its name where it has none."""
    url = attributes.get("data") or attributes.get("src")
    content_type = content_type_of(attributes)
    if url and (is_shown(attributes) if content_type else _IMAGE_FILE.search(url)):
        yield Sighting([Candidate(url, "object", content_type=content_type)], title=tidy(attributes.get("title")))


def see_backgrounds(node: LexborNode, styled: Sequence[Painted], *, shown: bool) -> Iterator[Sighting]:
    """Read what style attributes and elements paint, what lazy loaders will, and the `background` of old pages.

    Of an element that is not shown only what loaders will paint later is read, for browsers load nothing else of it.
    """
    attributes = node.attributes
    title = tidy(attributes.get("aria-label") or attributes.get("title"))
    later = [Candidate(url, "lazy") for url in lazy_urls(attributes)]
    later += [candidate_of(one, "lazy", WIDEST_PX) for one in parse_srcset(attributes.get("data-bgset") or "")]
    if later:
        yield Sighting(later, title=title)
    inline = _painted_inline(attributes, styled) if shown and not later else None
    layers = [*(inline or ()), *_painted_later(attributes)]
    # Every style weighs more than an attribute.
    if shown and inline is None and not later and all(painted.part for painted in styled):
        layers += _painted_by_attribute(node)
    for layer in layers:
        yield Sighting(_candidates(layer), title=title)
    for part in ("", "before", "after") if shown else ():
        if part or not (later or layers or inline is not None):
            yield from _styled([painted for painted in styled if painted.part == part], title)


def _painted_later(attributes: Attributes) -> Iterator[Layer]:
    for name in _LAZY_URLS:
        value = (attributes.get(name) or "").strip()
        if looks_like_url(value):
            background = background_of(f"background:{value}")
            yield from (background.layers if background else ()) or [(Source(value),)]


def _painted_by_attribute(node: LexborNode) -> Iterator[Layer]:
    url = (node.attributes.get("background") or "").strip()
    if url and node.tag in _PAINTED_BY_ATTRIBUTE:
        yield (Source(url),)


def _painted_inline(attributes: Attributes, styled: Sequence[Painted]) -> tuple[Layer, ...] | None:
    """Take what the style attribute paints; None where it says nothing, or a style element insists on another."""
    background = background_of(attributes.get("style") or "")
    insists = any(painted.important for painted in styled if not painted.part)
    if background is None or (insists and not background.important):
        return None
    return background.layers


def _styled(styled: Sequence[Painted], title: str | None) -> Iterator[Sighting]:
    """Make one picture of the files of different screens, and of each layer one where there are several."""
    single = [painted for painted in styled if len(painted.layers) == 1]
    candidates = [one for painted in single for one in _candidates(painted.layers[0], painted.screen.width_px)]
    if candidates:
        yield Sighting(candidates, title=title)
    for painted in styled:
        for layer in painted.layers if len(painted.layers) > 1 else ():
            yield Sighting(_candidates(layer), title=title)


def _candidates(layer: Layer, shown_px: float = WIDEST_PX) -> list[Candidate]:
    return [candidate_of(source, "background", shown_px) for source in layer]


def see_microdata(node: LexborNode, told: Told) -> Sighting:
    """Read an element with `itemprop=image`: a URL, or an ImageObject whose properties stand within."""
    attributes = node.attributes
    if "itemscope" not in attributes:
        return Sighting([Candidate(url, "microdata") for url in _property_urls(attributes)])
    candidates = []
    for name in ("contentUrl", "url"):
        for found in node.css(f'[itemprop~="{name}" i]')[:1]:
            candidates += [Candidate(url, "microdata") for url in _property_urls(found.attributes)]
    return Sighting(
        candidates, caption=told.caption, credit=told.credit, licence=told.licence, description=told.description
    )


def _property_urls(attributes: Attributes) -> list[str]:
    value = attributes.get("content") or attributes.get("href") or attributes.get("src")
    return [value] if value else []
