"""A page is read once, from its first element to its last."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from posixpath import basename
from typing import Final

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from services.scraper.extraction.burden import refuse_if_too_heavy
from services.scraper.extraction.encoding import decode
from services.scraper.extraction.gathering import IMAGES_LIMIT, Gathering
from services.scraper.extraction.head import Head
from services.scraper.extraction.linked_data import see_linked_data
from services.scraper.extraction.links import links_of
from services.scraper.extraction.markup import (
    LAZY_BACKGROUNDS,
    see_backgrounds,
    see_microdata,
    see_poster,
)
from services.scraper.extraction.page import Page
from services.scraper.extraction.pictures import see_image
from services.scraper.extraction.sighting import Sighting, is_stand_in
from services.scraper.extraction.surroundings import caption_credit_licence, enclosing, images_before
from services.scraper.rules import ANY_PLACE, Candidate, parsed
from shared.addresses import Url, join
from shared.errors import Refused

_BACKGROUNDS: Final = ", ".join(
    ('[style*="url(" i]', '[style*="image-set(" i]', *(f"[{name}]" for name in (*LAZY_BACKGROUNDS, "background")))
)
_PROPERTIES: Final = ", ".join(f'[itemprop~="{name}" i]' for name in ("image", "thumbnailUrl"))
# What parsers do for scripts to come costs the square of the options in a select.
_PARSING: Final = LexborDocumentOptions.WO_EVENTS
# More than are taken, so that it is told when there are too many.
_SIGHTINGS_LIMIT: Final = 2 * IMAGES_LIMIT
_IMAGES: Final = frozenset({"amp-img", "img"})


def extract(html: bytes, *, url: str, charset: str | None = None, robots_token: str = "") -> Page:
    """Find the images of a page.

    Args:
        html: the page as it was sent.
        url: where it came from, after redirects.
        charset: as the Content-Type header named it.
        robots_token: our name in robots meta tags, beside the general `robots`.

    Returns:
        The page with its images in document order. Pictures with a candidate in common are one image.

    Raises:
        Refused: `page_too_complex`, or `url_invalid` where the page's own URL is none.

    """
    text = decode(html, charset)
    refuse_if_too_heavy(text)
    return _Reading(LexborHTMLParser(text, options=_PARSING), parsed(url), robots_token).page()


class _Reading:
    def __init__(self, parser: LexborHTMLParser, location: Url, robots_token: str) -> None:
        self._parser = parser
        self._location = location
        self._base = _base(parser, location)
        self._head = Head(robots_token)
        self._sightings: list[Sighting] = []
        self._images: dict[int, Sighting] = {}
        self._figures: dict[int, tuple[str | None, str | None, str | None]] = {}
        self._backgrounds = {node.mem_id for node in parser.css(_BACKGROUNDS)}
        self._properties = {node.mem_id for node in parser.css(_PROPERTIES)}

    def page(self) -> Page:
        if self._parser.root is not None:
            for node in self._parser.root.traverse(include_text=False):
                self._see(node)
        gathering = Gathering(self._location, self._base)
        for sighting in self._sightings:
            gathering.add(sighting)
        return Page(
            url=str(self._location),
            title=self._head.title(self._parser),
            description=self._head.description(),
            canonical_url=self._canonical_url(),
            language=self._head.language(self._parser),
            images=gathering.images(),
            skipped=gathering.skipped(),
            directives=frozenset(self._head.directives),
            links=links_of(self._parser, self._base),
        )

    def _see(self, node: LexborNode) -> None:
        if len(self._sightings) >= _SIGHTINGS_LIMIT and node.tag != "meta":
            return
        self._sightings += islice(self._seen_in(node), _SIGHTINGS_LIMIT)

    def _seen_in(self, node: LexborNode) -> Iterator[Sighting]:
        see = _SEEN.get(node.tag or "")
        if see:
            yield from see(self, node)
        if node.mem_id in self._properties and node.tag not in _IMAGES:
            yield see_microdata(node)
        if node.mem_id in self._backgrounds and node.tag not in _IMAGES:
            yield from see_backgrounds(node.attributes)

    def see_image(self, node: LexborNode) -> Iterator[Sighting]:
        sighting = see_image(node)
        figure = enclosing(node, "figure")
        if figure is not None:
            sighting.caption, credit, sighting.licence = self._told_by(figure)
            sighting.credit = sighting.credit or credit
        self._images[node.mem_id] = sighting
        noscript = enclosing(node, "noscript")
        if noscript is None:
            yield sighting
        elif not self._is_fallback(sighting, noscript):
            sighting.candidates = [_in_noscript(candidate) for candidate in sighting.candidates]
            yield sighting

    def _told_by(self, figure: LexborNode) -> tuple[str | None, str | None, str | None]:
        if figure.mem_id not in self._figures:
            self._figures[figure.mem_id] = caption_credit_licence(figure)
        return self._figures[figure.mem_id]

    def _is_fallback(self, fallback: Sighting, noscript: LexborNode) -> bool:
        """Give the candidates of a noscript image to the image before it, where that is the same picture."""
        if fallback.tracks:
            return False
        joined = False
        for node in images_before(noscript):
            image = self._images.get(node.mem_id)
            if image and _waits_for(image, fallback):
                own = [
                    replace(candidate, placeholder=True) if candidate.found_in == "img" else candidate
                    for candidate in image.candidates
                ]
                image.candidates = [*map(_in_noscript, fallback.candidates), *own]
                image.alt = image.alt or fallback.alt
                joined = True
        return joined

    def see_meta(self, node: LexborNode) -> Iterator[Sighting]:
        sighting = self._head.see_meta(node.attributes)
        if sighting:
            yield sighting

    def see_link(self, node: LexborNode) -> Iterator[Sighting]:
        attributes = node.attributes
        if "image_src" in (attributes.get("rel") or "").lower().split() and attributes.get("href"):
            yield Sighting([Candidate(attributes["href"] or "", "image_src")])

    def see_script(self, node: LexborNode) -> Iterator[Sighting]:
        content_type = (node.attributes.get("type") or "").split(";")[0].strip().lower()
        if content_type == "application/ld+json":
            yield from see_linked_data(node.text())

    def see_video(self, node: LexborNode) -> Iterator[Sighting]:
        yield see_poster(node)

    def _canonical_url(self) -> str | None:
        links = self._parser.css('link[rel~="canonical" i][href]')[:1]
        for reference in [*(link.attributes["href"] for link in links), self._head.url()]:
            if reference and (url := _joined(self._base, reference)):
                return str(url)
        return None


_SEEN: Final[dict[str, Callable[[_Reading, LexborNode], Iterator[Sighting]]]] = {
    **dict.fromkeys(_IMAGES, _Reading.see_image),
    "meta": _Reading.see_meta,
    "link": _Reading.see_link,
    "script": _Reading.see_script,
    "video": _Reading.see_video,
}


def _base(parser: LexborHTMLParser, location: Url) -> Url:
    """Resolve the first `<base href>`; a base that is no web address counts as none."""
    for element in parser.css("base[href]")[:1]:
        return _joined(location, element.attributes["href"] or "") or location
    return location


def _joined(base: Url, reference: str) -> Url | None:
    try:
        return join(base, reference, ANY_PLACE)
    except Refused:
        return None


def _in_noscript(candidate: Candidate) -> Candidate:
    return replace(candidate, found_in="noscript")


def _waits_for(image: Sighting, fallback: Sighting) -> bool:
    """Tell whether an image shows nothing of its own yet, or the same file in another size."""
    if image.lazy:
        return True
    own = {_file_name(candidate.url) for candidate in image.candidates if not candidate.url.startswith("data:")}
    theirs = {_file_name(candidate.url) for candidate in fallback.candidates}
    return not own or bool(own & theirs) or all(is_stand_in(name) for name in own)


def _file_name(url: str) -> str:
    return basename(url.partition("?")[0].partition("#")[0])
