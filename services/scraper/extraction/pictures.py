"""What an `img` shows: its own sources, those of the `picture` around it, those that a lazy loader knows."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from selectolax.lexbor import LexborNode

from services.scraper.extraction.lengths import Screen
from services.scraper.extraction.sighting import Sighting
from services.scraper.extraction.srcset import Source, parse_srcset
from services.scraper.extraction.viewport import source_size_px, widest_screen
from services.scraper.extraction.words import pixels, tidy
from services.scraper.rules import Candidate

Attributes = dict[str, str | None]

# The attributes in which the widespread lazy loaders keep the true source.
LAZY_SOURCES: Final = (
    "data-src",
    "data-original",
    "data-lazy-src",
    "data-lazy",
    "data-lazyload",
    "data-defer-src",
    "data-original-src",
    "data-echo",
    "data-img-src",
)
LAZY_SRCSETS: Final = ("data-srcset", "data-lazy-srcset", "data-original-set")
LAZY_SIZES: Final = ("data-sizes", "data-lazy-sizes", "sizes")

_SIBLINGS_LIMIT: Final = 50
# A `<source>` of any other type is passed over by browsers.
_SHOWN_TYPES: Final = re.compile(
    r"image/(?:a?png|avif|bmp|gif|jpe?g|pjpeg|svg\+xml|webp|x-icon|vnd\.microsoft\.icon)", re.IGNORECASE
)
_LOOKS_LIKE_URL: Final = re.compile(r"/|\.[a-z]{3,4}(?:$|\?)", re.IGNORECASE)
_TINY_STYLE: Final = re.compile(r"(?:^|[;\s])(?:width|height)\s*:\s*[01](?:px)?\s*(?:;|!|$)", re.IGNORECASE)
_LARGEST_INVISIBLE_PX: Final = 1


def see_image(node: LexborNode) -> Sighting:
    """Read an `img` as a browser would on every usual screen."""
    attributes = node.attributes
    width_px, height_px = pixels(attributes.get("width")), pixels(attributes.get("height"))
    sources = _picture_sources(node)
    candidates = [candidate for source in sources for candidate in _source_candidates(source, width_px)]
    candidates += _own_candidates(
        attributes, widest_screen(None, but_not=tuple(source.get("media") for source in sources))
    )
    return Sighting(
        candidates=[_with_height(candidate, width_px, height_px) for candidate in candidates],
        title=tidy(attributes.get("title")),
        alt=tidy(attributes.get("alt")),
        credit=tidy(attributes.get("data-credit") or attributes.get("data-copyright")),
        lazy=any(candidate.found_in == "lazy" for candidate in candidates),
        tracks=_is_tiny(width_px, height_px, attributes.get("style")),
        width_px=width_px,
        height_px=height_px,
    )


def lazy_urls(attributes: Attributes) -> list[str]:
    """List the URLs that a lazy loader will show an element with."""
    values = ((attributes.get(name) or "").strip() for name in LAZY_SOURCES)
    return [value for value in values if looks_like_url(value)]


def looks_like_url(value: str) -> bool:
    """Tell a file from what else pages keep in attributes of their own, such as `true`."""
    return bool(_LOOKS_LIKE_URL.search(value))


def _is_tiny(width_px: int | None, height_px: int | None, style: str | None) -> bool:
    sides = [side for side in (width_px, height_px) if side is not None]
    return any(side <= _LARGEST_INVISIBLE_PX for side in sides) or len(_TINY_STYLE.findall(style or "")) > 1


def _picture_sources(image: LexborNode) -> list[Attributes]:
    """List the `source` elements that a browser considers: children of the same `picture`, before the `img`."""
    if image.parent is None or image.parent.tag != "picture":
        return []
    sources: list[Attributes] = []
    node = image.prev
    for _ in range(_SIBLINGS_LIMIT):
        if node is None:
            break
        if node.tag == "source" and is_shown(attributes := node.attributes):
            sources.insert(0, attributes)
        node = node.prev
    return sources


def is_shown(source: Attributes) -> bool:
    """Tell whether browsers show files of the type that an element claims."""
    content_type = content_type_of(source)
    return not content_type or bool(_SHOWN_TYPES.fullmatch(content_type))


def content_type_of(source: Attributes) -> str | None:
    """Read the type that an element claims for its file, without parameters."""
    return (source.get("type") or "").partition(";")[0].strip().lower() or None


def _source_candidates(attributes: Attributes, image_width_px: int | None) -> Iterator[Candidate]:
    screen = widest_screen(attributes.get("media"))
    if screen is None:
        return
    shown_px = pixels(attributes.get("width")) or image_width_px or _size_px(attributes, screen)
    later = any(attributes.get(name) for name in LAZY_SRCSETS)
    for name in (*LAZY_SRCSETS, "srcset"):
        for source in parse_srcset(attributes.get(name) or ""):
            found_in = "picture" if name == "srcset" else "lazy"
            candidate = candidate_of(source, found_in, shown_px, placeholder=later and name == "srcset")
            yield replace(candidate, content_type=content_type_of(attributes))


def _own_candidates(attributes: Attributes, screen: Screen | None) -> Iterator[Candidate]:
    # An img behind sources for every screen is for old browsers, and nothing tells how large it is.
    shown_px = pixels(attributes.get("width")) or (_size_px(attributes, screen) if screen else 0)
    later = [source for name in LAZY_SRCSETS for source in parse_srcset(attributes.get(name) or "")]
    later += map(Source, lazy_urls(attributes))
    for source in later:
        yield candidate_of(source, "lazy", shown_px)
    for source in parse_srcset(attributes.get("srcset") or ""):
        yield candidate_of(source, "srcset", shown_px, placeholder=bool(later))
    src = (attributes.get("src") or "").strip()
    if src:
        yield candidate_of(Source(src), "img", shown_px, placeholder=bool(later))


def _size_px(attributes: Attributes, screen: Screen) -> float:
    sizes = next((value for name in LAZY_SIZES if (value := attributes.get(name)) and value != "auto"), None)
    return source_size_px(sizes, screen)


def candidate_of(source: Source, found_in: str, shown_px: float, *, placeholder: bool = False) -> Candidate:
    """Make a candidate of a source, shown so many CSS pixels wide."""
    return Candidate(
        source.url,
        found_in,
        width_px=source.width_px,
        density=1.0 if source.density is None else source.density,
        shown_px=shown_px,
        placeholder=placeholder,
    )


def _with_height(candidate: Candidate, width_px: int | None, height_px: int | None) -> Candidate:
    """Add the height that a promised width has in the shape of the place it fills."""
    if not (candidate.width_px and width_px and height_px):
        return candidate
    return replace(candidate, height_px=round(candidate.width_px * height_px / width_px))
