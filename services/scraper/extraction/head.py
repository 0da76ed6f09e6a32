"""What a page says of itself: its meta tags, its title, its language."""

import html
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from services.scraper.extraction.sighting import Sighting
from services.scraper.extraction.surroundings import enclosing
from services.scraper.extraction.words import moment, pixels, tidy
from services.scraper.rules import Candidate

# In the order of trust. A title element often ends in the name of the site; a description for sharing may be a teaser.
_TITLES: Final = ("dc:title", "dcterms:title", "og:title", "twitter:title", "dc.title", "dcterms.title")
_DESCRIPTIONS: Final = (
    "dc:description",
    "dcterms:description",
    "description",
    "og:description",
    "twitter:description",
    "dc.description",
)
_AUTHORS: Final = (
    "dc:creator",
    "dcterms:creator",
    "author",
    "article:author_name",
    "article:author",
    "parsely-author",
    "sailthru.author",
    "byl",
    "dc.creator",
    "dcterms.creator",
)
_PUBLISHED: Final = (
    "article:published_time",
    "og:published_time",
    "dcterms.issued",
    "dcterms.created",
    "dc.date.issued",
    "dc.date",
    "parsely-pub-date",
    "sailthru.date",
    "pubdate",
    "date",
)
_MODIFIED: Final = ("article:modified_time", "og:updated_time", "og:modified_time", "dcterms.modified", "last-modified")
_LICENCES: Final = ("dcterms.license", "dcterms:license", "dc.rights", "dcterms.rights", "dc:rights")
_IMAGES: Final = {
    "og:image": "og:image",
    "og:image:url": "og:image",
    "og:image:secure_url": "og:image",
    "twitter:image": "twitter:image",
    "twitter:image:src": "twitter:image",
    **{f"twitter:image{number}": "twitter:image" for number in range(4)},
}
_SPELLINGS_LIMIT: Final = 4


class Head:
    """The meta tags of a page, read in their order."""

    def __init__(self, robots_token: str) -> None:
        self._robots = {"robots", robots_token.lower()} - {""}
        self._said: dict[str, str] = {}
        self._open_graph: Sighting | None = None
        self._twitter: Sighting | None = None
        self.directives: set[str] = set()

    def see_meta(self, attributes: dict[str, str | None]) -> Sighting | None:
        """Take note of a meta tag; give back the sighting that it begins, which later tags may still complete."""
        content = (attributes.get("content") or "").strip()
        names = f"{attributes.get('property') or ''} {attributes.get('name') or ''}".lower().split()
        begun = None
        for name in names if content else []:
            self._said.setdefault(name, content)
            if name in self._robots:
                self.directives |= directives(content)
            begun = self._see_image(name, content) or begun
        if (attributes.get("http-equiv") or "").lower() == "content-language":
            self._said.setdefault("content-language", content)
        return begun

    def title(self, parser: LexborHTMLParser) -> str | None:
        return self._first(_TITLES) or title_element(parser) or self._first(("title",))

    def description(self) -> str | None:
        return self._first(_DESCRIPTIONS)

    def author(self) -> str | None:
        # Some name a profile instead of a person.
        names = (self._first((name,)) for name in _AUTHORS)
        return next((name for name in names if name and "//" not in name), None)

    def published_at(self) -> str | None:
        return self._moment(_PUBLISHED)

    def modified_at(self) -> str | None:
        return self._moment(_MODIFIED)

    def licence(self) -> str | None:
        return self._first(_LICENCES)

    def site_name(self) -> str | None:
        return self._first(("og:site_name", "application-name"))

    def url(self) -> str | None:
        return self._said.get("og:url")

    def language(self, parser: LexborHTMLParser) -> str | None:
        attributes = parser.root.attributes if parser.root else {}
        declared = attributes.get("lang") or attributes.get("xml:lang")
        others = (declared, self._said.get("content-language"), self._said.get("og:locale"), self._said.get("language"))
        tags = (_language_tag(tag) for tag in others if tag)
        return next((tag for tag in tags if tag), None)

    def _moment(self, names: Iterable[str]) -> str | None:
        moments = (moment(self._said.get(name)) for name in names)
        return next((found for found in moments if found), None)

    def _first(self, names: Iterable[str]) -> str | None:
        # Many publishing systems escape twice.
        texts = (tidy(html.unescape(self._said.get(name, ""))) for name in names)
        return next((text for text in texts if text), None)

    def _see_image(self, name: str, content: str) -> Sighting | None:
        if name.startswith("og:image"):
            return self._see_open_graph(name, content)
        if name in _IMAGES:
            self._twitter = Sighting([Candidate(content, _IMAGES[name])])
            return self._twitter
        if name == "twitter:image:alt" and self._twitter:
            self._twitter.alt = tidy(content)
        return None

    def _see_open_graph(self, name: str, content: str) -> Sighting | None:
        current = self._open_graph
        if name in _IMAGES:
            candidate = Candidate(content, _IMAGES[name])
            if current is None or name == "og:image":
                self._open_graph = Sighting([candidate])
                return self._open_graph
            # Both spellings name the picture that the array has come to; the secure one is taken first.
            current.candidates = [candidate, *current.candidates[: _SPELLINGS_LIMIT - 1]]
        elif current and name in {"og:image:width", "og:image:height"}:
            _note_size(current, name.rpartition(":")[2], pixels(content))
        elif current and name == "og:image:alt":
            current.alt = tidy(content)
        return None


def title_element(parser: LexborHTMLParser) -> str | None:
    # Within SVG a title names a shape. A page whose head ends too early has its title in the body.
    elements = parser.css("head > title") or [node for node in parser.css("title") if not enclosing(node, "svg")]
    return tidy(elements[0].text()) if elements else None


def directives(content: str) -> frozenset[str]:
    """Split the rules of a robots meta tag or header."""
    return frozenset(rule.strip().lower() for rule in content.split(",") if rule.strip())


def _note_size(sighting: Sighting, side: str, size_px: int | None) -> None:
    sighting.candidates = [
        replace(candidate, width_px=size_px) if side == "width" else replace(candidate, height_px=size_px)
        for candidate in sighting.candidates
    ]


def _language_tag(text: str) -> str | None:
    tag = text.partition(",")[0].strip().replace("_", "-")
    parts = tag.split("-")
    good = all(part.isascii() and part.isalnum() and len(part) <= 8 for part in parts)  # noqa: PLR2004 - BCP 47
    return tag if good and parts[0].isalpha() else None
