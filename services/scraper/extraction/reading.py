"""A page is read once, from its first element to its last."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from posixpath import basename
from typing import Final

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from services.scraper.extraction.authorship import (
    Works,
    author_in_markup,
    first_words,
    licence_in_markup,
    modified_in_markup,
    published_in_markup,
)
from services.scraper.extraction.burden import refuse_if_too_heavy
from services.scraper.extraction.encoding import decode
from services.scraper.extraction.gathering import IMAGES_LIMIT, Gathering
from services.scraper.extraction.head import Head, title_element
from services.scraper.extraction.hiding import hidden_elements
from services.scraper.extraction.linked_data import linked_records, see_linked_data
from services.scraper.extraction.links import links_of
from services.scraper.extraction.markup import (
    LAZY_BACKGROUNDS,
    see_backgrounds,
    see_drawn,
    see_input,
    see_link,
    see_microdata,
    see_object,
    see_poster,
)
from services.scraper.extraction.page import Page
from services.scraper.extraction.pictures import see_image
from services.scraper.extraction.sighting import Sighting, is_stand_in
from services.scraper.extraction.style_rules import Matcher
from services.scraper.extraction.stylesheets import Stylesheets
from services.scraper.extraction.surroundings import (
    HEADINGS,
    SECTIONS,
    Told,
    around,
    enclosing,
    frame_of,
    images_before,
    is_within,
    joined,
    read_frames,
    words_of,
)
from services.scraper.rules import Candidate, parsed
from shared.addresses import Url

_BACKGROUNDS: Final = ", ".join(
    ('[style*="url(" i]', '[style*="image-set(" i]', *(f"[{name}]" for name in (*LAZY_BACKGROUNDS, "background")))
)
_PROPERTIES: Final = ", ".join(f'[itemprop~="{name}" i]' for name in ("image", "thumbnailUrl"))
# What parsers do for scripts to come costs the square of the options in a select.
_PARSING: Final = LexborDocumentOptions.WO_EVENTS
# More than are taken, so that it is told when there are too many.
_SIGHTINGS_LIMIT: Final = 2 * IMAGES_LIMIT
_IMAGES: Final = frozenset({"amp-anim", "amp-img", "img"})
# What these name stands nowhere on the page, so under no heading.
_OF_THE_PAGE: Final = frozenset({"link", "meta", "script"})


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
    text, encoding = decode(html, charset)
    refuse_if_too_heavy(text)
    parser = LexborHTMLParser(text, options=_PARSING)
    return _Reading(parser, parsed(url), encoding, robots_token, len(text)).page()


class _Reading:
    def __init__(
        self, parser: LexborHTMLParser, location: Url, encoding: str, robots_token: str, size_characters: int
    ) -> None:
        self._parser = parser
        self._location = location
        self._encoding = encoding
        self._base = _base(parser, location)
        self._head = Head(robots_token)
        self._sightings: list[Sighting] = []
        self._images: dict[int, Sighting] = {}
        self._works = Works()
        self._headings: dict[int | None, str] = {}
        self._frames = read_frames(parser, self._base)
        self._backgrounds = {node.mem_id for node in parser.css(_BACKGROUNDS)}
        self._matcher = Matcher(parser, size_characters)
        self._styles = Stylesheets(parser, self._matcher)
        self._painted = self._styles.painted
        painted = self._backgrounds or self._painted
        self._hidden = hidden_elements(parser, self._matcher) if painted else frozenset()
        self._properties = {node.mem_id for node in parser.css(_PROPERTIES)}

    def page(self) -> Page:
        if self._parser.root is not None:
            for node in self._parser.root.traverse(include_text=False):
                self._see(node)
        gathering = Gathering(self._location, self._base, self._encoding)
        for sighting in self._sightings:
            gathering.add(sighting)
        if self._matcher.cut:
            gathering.tell_of_styles()
        return Page(
            url=str(self._location),
            title=self._head.title(self._parser) or self._works.title(),
            # A recipe or an article says what it is about; the page's own words may be of the whole site.
            description=self._works.description() or self._head.description() or first_words(self._parser),
            canonical_url=self._canonical_url(),
            language=self._head.language(self._parser),
            images=gathering.images(),
            skipped=gathering.skipped(),
            directives=frozenset(self._head.directives),
            links=links_of(self._parser, self._base, self._encoding),
            author=self._author(),
            licence=self._licence(),
            published_at=self._published_at(),
            modified_at=self._modified_at(),
            site_name=self._works.site_name(title_element(self._parser)) or self._head.site_name(),
        )

    def _author(self) -> str | None:
        return self._works.author() or self._head.author() or author_in_markup(self._parser)

    def _licence(self) -> str | None:
        return self._works.licence() or licence_in_markup(self._parser, self._base) or self._head.licence()

    def _published_at(self) -> str | None:
        return self._works.published_at() or self._head.published_at() or published_in_markup(self._parser)

    def _modified_at(self) -> str | None:
        return self._works.modified_at() or self._head.modified_at() or modified_in_markup(self._parser)

    def _see(self, node: LexborNode) -> None:
        if len(self._sightings) >= _SIGHTINGS_LIMIT and node.tag != "meta":
            return
        seen = list(islice(self._seen_in(node), _SIGHTINGS_LIMIT))
        heading = self._heading_of(node) if seen and node.tag not in _OF_THE_PAGE else None
        for sighting in seen:
            sighting.heading = heading
        self._sightings += seen

    def _seen_in(self, node: LexborNode) -> Iterator[Sighting]:
        see = _SEEN.get(node.tag or "")
        if see:
            yield from see(self, node)
        if node.mem_id in self._properties and node.tag not in _IMAGES:
            yield see_microdata(node, self._frames.get(node.mem_id) or Told())
        place = node.mem_id
        if (place in self._backgrounds or place in self._painted) and node.tag not in _IMAGES:
            shown = not is_within(node, self._hidden)
            yield from see_backgrounds(node, list(self._styles.backgrounds(place)), shown=shown)

    def see_image(self, node: LexborNode) -> Iterator[Sighting]:
        sighting = see_image(node)
        told = frame_of(node, self._frames) or Told()
        sighting.caption, sighting.licence, sighting.description = told.caption, told.licence, told.description
        sighting.credit = sighting.credit or told.credit
        self._images[node.mem_id] = sighting
        noscript = enclosing(node, "noscript")
        if noscript is None:
            yield sighting
        elif not self._is_fallback(sighting, noscript):
            sighting.candidates = [_in_noscript(candidate) for candidate in sighting.candidates]
            yield sighting

    def see_heading(self, node: LexborNode) -> Iterator[Sighting]:
        words = words_of(node)
        if words:
            section = next((parent.mem_id for parent in around(node) if parent.tag in SECTIONS), None)
            self._headings[section] = words
        return iter(())

    def _heading_of(self, node: LexborNode) -> str | None:
        sections = (parent.mem_id for parent in around(node) if parent.tag in SECTIONS)
        return next((self._headings[place] for place in (*sections, None) if place in self._headings), None)

    def _is_fallback(self, fallback: Sighting, noscript: LexborNode) -> bool:
        """Give the candidates of a noscript image to the image before it, where that is the same picture."""
        if fallback.tracks:
            return False
        found = False
        for node in images_before(noscript):
            image = self._images.get(node.mem_id)
            if image and _waits_for(image, fallback):
                own = [
                    replace(candidate, placeholder=True) if candidate.found_in == "img" else candidate
                    for candidate in image.candidates
                ]
                image.candidates = [*map(_in_noscript, fallback.candidates), *own]
                image.alt = image.alt or fallback.alt
                found = True
        return found

    def see_meta(self, node: LexborNode) -> Iterator[Sighting]:
        sighting = self._head.see_meta(node.attributes)
        if sighting:
            yield sighting

    def see_link(self, node: LexborNode) -> Iterator[Sighting]:
        yield from see_link(node.attributes)

    def see_input(self, node: LexborNode) -> Iterator[Sighting]:
        yield from see_input(node.attributes)

    def see_drawn(self, node: LexborNode) -> Iterator[Sighting]:
        yield from see_drawn(node.attributes)

    def see_object(self, node: LexborNode) -> Iterator[Sighting]:
        yield from see_object(node.attributes)

    def see_script(self, node: LexborNode) -> Iterator[Sighting]:
        content_type = (node.attributes.get("type") or "").split(";")[0].strip().lower()
        if content_type == "application/ld+json":
            records = linked_records(node.text())
            self._works.see(records)
            yield from see_linked_data(records)

    def see_video(self, node: LexborNode) -> Iterator[Sighting]:
        yield see_poster(node)

    def _canonical_url(self) -> str | None:
        links = self._parser.css('link[rel~="canonical" i][href]')[:1]
        for reference in [*(link.attributes["href"] for link in links), self._head.url()]:
            if reference and (url := joined(self._base, reference)):
                return str(url)
        return None


_SEEN: Final[dict[str, Callable[[_Reading, LexborNode], Iterator[Sighting]]]] = {
    **dict.fromkeys(_IMAGES, _Reading.see_image),
    "meta": _Reading.see_meta,
    "link": _Reading.see_link,
    "script": _Reading.see_script,
    "video": _Reading.see_video,
    "amp-video": _Reading.see_video,
    "input": _Reading.see_input,
    "image": _Reading.see_drawn,
    "object": _Reading.see_object,
    "embed": _Reading.see_object,
    **dict.fromkeys(HEADINGS, _Reading.see_heading),
}


def _base(parser: LexborHTMLParser, location: Url) -> Url:
    """Resolve the first `<base href>`; a base that is no web address counts as none."""
    for element in parser.css("base[href]")[:1]:
        return joined(location, element.attributes["href"] or "") or location
    return location


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
