"""Who wrote a page, when, and under which licence: as JSON-LD, microdata and the page itself tell it."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.scraper.extraction.linked_data import Record, first_moment, name_of, text_of, types_of
from services.scraper.extraction.surroundings import enclosing, licence_of, words_of
from services.scraper.extraction.words import moment, moment_in_words, tidy
from shared.addresses import Url

# Of all that pages tell in JSON-LD these are what a page is about; a person or a comment has no author of the page.
_WORKS: Final = frozenset(
    ("book", "course", "creativework", "dataset", "event", "howto", "movie", "painting", "photograph", "product")
) | {"recipe", "report", "videoobject", "mediaobject"}
_WORKS_END_IN: Final = ("article", "artwork", "episode", "gallery", "page", "posting")
_PUBLISHED: Final = ("datePublished", "uploadDate", "dateCreated")
_MODIFIED: Final = ("dateModified",)
_SITE_NAMES_LIMIT: Final = 20
_BYLINES: Final = '[rel~="author" i], [class~="p-author" i], [class~="byline" i], [class~="author" i]'
_DATES: Final = ", ".join(
    f'[class*="{kind}" i][class$="date" i]:not([class*="update" i])' for kind in ("article", "entry", "post", "publish")
)
_LICENCES: Final = 'link[rel~="license" i][href], a[rel~="license" i][href], [itemprop~="license" i]'
_BY: Final = re.compile(r"by[\s:]+", re.IGNORECASE)
_IS_URL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//\S+|@\S+", re.IGNORECASE)
_NAME_LIMIT_CHARACTERS: Final = 100
"""What is longer is a sentence about somebody, or a list of links."""

_ARTICLE_PARAGRAPHS: Final = ", ".join(f"{part} {tag}" for part in ("article", "main") for tag in ("p", "div"))
_PARAGRAPH_CHARACTERS: Final = 25
"""What is shorter is a button or a date."""

_LOOKED_AT: Final = 20


class Works:
    """What the JSON-LD of a page says of the page's own works, the first of which is the page's."""

    def __init__(self) -> None:
        self._works: list[Record] = []
        self._site_names: list[str] = []
        self._named: dict[str, str] = {}

    def see(self, records: Iterable[Record]) -> None:
        """Take note of the records of one script."""
        for record in records:
            if _is_work(record):
                self._works.append(record)
            if "website" in types_of(record):
                self._site_names += _names_of_site(record)
            name, place = text_of(record.get("name")), record.get("@id")
            if name and isinstance(place, str):
                self._named.setdefault(place, name)

    def author(self) -> str | None:
        """Name whoever made the first work that tells it."""
        return self._first(self._maker(work) for work in self._works)

    def published_at(self) -> str | None:
        """Tell when the first work was published that tells it, as ISO 8601."""
        return self._first(first_moment(work, _PUBLISHED) for work in self._works)

    def modified_at(self) -> str | None:
        """Tell when the first work was changed last that tells it, as ISO 8601."""
        return self._first(first_moment(work, _MODIFIED) for work in self._works)

    def licence(self) -> str | None:
        """Give the licence of the first work that tells it."""
        return self._first(text_of(work.get("license")) or name_of(work.get("license")) for work in self._works)

    def site_name(self, title: str | None) -> str | None:
        """Name the site, of several names by the one that ends the page's title, or else the first publisher."""
        used = (name for name in self._site_names if (title or "").endswith(name))
        publishers = (self._name(work.get("publisher")) for work in self._works)
        return self._first((*used, *self._site_names)) or self._first(publishers)

    def title(self) -> str | None:
        """Give the headline of the first work that has one."""
        return self._first(text_of(work.get("headline") or work.get("name")) for work in self._works)

    def description(self) -> str | None:
        """Give the description of the first work that has one."""
        return self._first(text_of(work.get("description")) for work in self._works)

    def _maker(self, work: Record) -> str | None:
        return self._first(self._name(work.get(key)) for key in ("author", "creator"))

    def _name(self, value: Any) -> str | None:
        makers = value if isinstance(value, list) else [value]
        ids = (maker.get("@id") for maker in makers if isinstance(maker, dict))
        referred = (self._named.get(place) for place in ids if isinstance(place, str))
        named = [maker for maker in makers if not isinstance(maker, dict) or maker.get("name")]
        return _person(name_of(named)) or self._first(referred)

    @staticmethod
    def _first(found: Iterable[str | None]) -> str | None:
        return next((one for one in found if one), None)


def _names_of_site(record: Record) -> Iterator[str]:
    for value in (record.get("name"), record.get("alternateName")):
        names = (text_of(name) for name in (value if isinstance(value, list) else [value]))
        yield from (name for name in islice(names, _SITE_NAMES_LIMIT) if name)


def _is_work(record: Record) -> bool:
    return any(name in _WORKS or name.endswith(_WORKS_END_IN) for name in types_of(record))


def author_in_markup(parser: LexborHTMLParser) -> str | None:
    """Name the author by microdata or by what the page marks as its byline."""
    return next((name for name in map(_person, _bylines(parser)) if name), None)


def published_in_markup(parser: LexborHTMLParser) -> str | None:
    """Tell by microdata, an article's first time or the one date of a post when it was published, as ISO 8601."""
    marked = [*parser.css('[itemprop~="datePublished" i]')[:_LOOKED_AT], *parser.css("time[pubdate]")[:_LOOKED_AT]]
    times = (moment(_said_by(node)) for node in (*marked, *parser.css("article time[datetime]")[:1]))
    return next((found for found in times if found), None) or _only_date(parser)


def modified_in_markup(parser: LexborHTMLParser) -> str | None:
    """Tell by microdata when the page was changed last, as ISO 8601."""
    times = (moment(_said_by(node)) for node in parser.css('[itemprop~="dateModified" i]')[:_LOOKED_AT])
    return next((found for found in times if found), None)


def _only_date(parser: LexborHTMLParser) -> str | None:
    """Read what a post shows as its date; where several are shown it is a list of posts, and none is the page's."""
    times = {found for node in parser.css(_DATES)[:_LOOKED_AT] if (found := _shown_moment(node))}
    return times.pop() if len(times) == 1 else None


def _shown_moment(node: LexborNode) -> str | None:
    attributes = node.attributes
    said = (attributes.get("datetime"), attributes.get("title"), words_of(node))
    moments = (moment(text) or moment_in_words(text) for text in said)
    return next((found for found in moments if found), None)


def first_words(parser: LexborHTMLParser) -> str | None:
    """Give the first paragraph that says something, of the page's article where it has one."""
    in_article = {node.mem_id: node for node in parser.css(_ARTICLE_PARAGRAPHS)}.values()  # some match twice
    paragraphs = (*islice(in_article, _LOOKED_AT), *parser.css("body p")[:_LOOKED_AT])
    return next((tidy(node.text()) for node in paragraphs if _is_paragraph(node)), None)


def _is_paragraph(node: LexborNode) -> bool:
    # Many write their paragraphs as plain `div`s; one that only holds others says nothing itself.
    words = tidy(node.text(deep=node.tag == "p"))
    return words is not None and len(words) >= _PARAGRAPH_CHARACTERS


def licence_in_markup(parser: LexborHTMLParser, base: Url) -> str | None:
    """Give the licence that the page links to as its own; one within a figure is the figure's."""
    for node in parser.css(_LICENCES)[:_LOOKED_AT]:
        licence = licence_of(node, base)
        if licence and enclosing(node, "figure") is None:
            return licence
    return None


def _bylines(parser: LexborHTMLParser) -> Iterator[str | None]:
    for node in parser.css('[itemprop~="author" i]')[:_LOOKED_AT]:
        name = node.css_first('[itemprop~="name" i]') if "itemscope" in node.attributes else None
        yield _said_by(name or node)
    for node in parser.css(_BYLINES)[:_LOOKED_AT]:
        yield words_of(node)


def _said_by(node: LexborNode) -> str | None:
    attributes = node.attributes
    return attributes.get("content") or attributes.get("datetime") or node.text(separator=" ")


def _person(text: str | None) -> str | None:
    words = tidy(text) or ""
    by = _BY.match(words)
    name = words[by.end() :] if by else words
    return name if name and len(name) <= _NAME_LIMIT_CHARACTERS and not _IS_URL.fullmatch(name) else None
