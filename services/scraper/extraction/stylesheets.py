"""The backgrounds that a page's own style elements paint, and on which elements.

Selectors are matched by the parser; the cascade is followed as far as it decides which file is loaded: importance,
specificity, order, and media conditions seen on usual screens. What only happens later (`:hover`) loads nothing.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from services.scraper.extraction.lengths import Screen
from services.scraper.extraction.srcset import Source
from services.scraper.extraction.styles import Background, background_of
from services.scraper.extraction.viewport import widest_screen_of

STYLES_LIMIT_CHARACTERS: Final = 2_000_000
_MATCHING_LIMIT: Final = 500_000_000
"""Selectors times characters of the page: matching takes time that grows with both. About two seconds."""

_PLACES_LIMIT: Final = 100_000
_RULES_LIMIT: Final = 2000
_LISTED_LIMIT: Final = 20_000
_DEEPEST: Final = 8
_SCREENS_LIMIT: Final = 10
_SELECTOR_LIMIT_CHARACTERS: Final = 300
_TOKEN: Final = re.compile(
    r"/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|url\(\s*+[^\s\"')][^)]*+\)?|\\.|[{};]",
    re.DOTALL | re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_MENTIONS_BACKGROUND: Final = re.compile(r"background(?:-image)?\s*:", re.IGNORECASE)
_CONDITION: Final = re.compile(r"@(media|layer|supports)\b(.*)", re.IGNORECASE | re.DOTALL)
# Of these states a page is in some when it is opened; of all others it is in none.
_AT_ONCE: Final = frozenset(
    ("any-link", "checked", "disabled", "empty", "enabled", "first-child", "first-of-type", "is", "last-child")
) | {"last-of-type", "link", "not", "nth-child", "nth-last-child", "nth-of-type", "only-child", "root", "where"}
_PSEUDO: Final = re.compile(r"(?<!\\)::?([a-zA-Z-]+)")
_GENERATED: Final = re.compile(r"::?(before|after)\s*\Z", re.IGNORECASE)
# The parser finds only children of what begins so, unless something stands before it.
_BARE: Final = re.compile(r"(?:^|(?<=[\s>+~(,]))(?=:(?:is|where)\()", re.IGNORECASE)
_CONTENT: Final = re.compile(r"(?:^|[;\s{])content\s*+:\s*+(?!none|normal)", re.IGNORECASE)
_SELECTOR_PARTS: Final = re.compile(
    r"(?P<id>#[\w-]+)|(?P<kind>\.[\w-]+|\[[^]]*+\]?|:[\w-]+)|(?P<tag>(?<![\w-])[a-z][\w-]*+)", re.IGNORECASE
)

Conditions = tuple[str, ...]


@dataclass(slots=True)
class _Block:
    """What stands between braces; its own declarations end where rules nested in it begin."""

    prelude: str
    begin: int
    end: int = sys.maxsize


@dataclass(frozen=True, slots=True)
class _Rule:
    selector: str
    part: str
    conditions: Conditions
    background: Background
    order: int

    @property
    def weight(self) -> tuple[bool, tuple[int, int, int], int]:
        return self.background.important, specificity(self.selector), self.order


@dataclass(frozen=True, slots=True)
class Painted:
    """A background: the layers of it that are files, the widest screen that shows it, and whether it insists.

    Attributes:
        part: `before` or `after` of the element; empty for itself.

    """

    part: str
    layers: tuple[tuple[Source, ...], ...]
    screen: Screen
    important: bool


@lru_cache(maxsize=4096)
def specificity(selector: str) -> tuple[int, int, int]:
    """Count ids, then classes with attributes and states, then element names."""
    kinds = [match.lastgroup for match in _SELECTOR_PARTS.finditer(selector)]
    return kinds.count("id"), kinds.count("kind"), kinds.count("tag")


class Stylesheets:
    """What the style elements of a page say of backgrounds.

    Attributes:
        cut: there were more selectors than are matched.

    """

    def __init__(self, parser: LexborHTMLParser, size_characters: int) -> None:
        self._left = min(_RULES_LIMIT, max(20, _MATCHING_LIMIT // max(1, size_characters)))
        self._places_left = _PLACES_LIMIT
        rules = list(islice(_rules_of(parser), _LISTED_LIMIT))
        self.cut = len(rules) == _LISTED_LIMIT
        self._matched: dict[int, list[_Rule]] = {}
        for rule in rules:
            if rule.background.layers:
                for place in self._places(parser, rule.selector):
                    self._matched.setdefault(place, []).append(rule)
        # A colour or `none` that weighs more hides a file, so that no browser loads it.
        for rule in rules if self._matched else ():
            if not rule.background.layers:
                for place in self._places(parser, rule.selector) & self._matched.keys():
                    self._matched[place].append(rule)

    @property
    def painted(self) -> frozenset[int]:
        """The `mem_id`s of the elements that have a background."""
        return frozenset(self._matched)

    def backgrounds(self, place: int) -> Iterator[Painted]:
        """Yield the backgrounds of an element and of its parts on all usual screens, the heaviest rule first."""
        rules = sorted(self._matched.get(place, ()), key=lambda one: one.weight, reverse=True)
        for part in ("", "before", "after"):
            yield from _shown([rule for rule in rules if rule.part == part])

    def _places(self, parser: LexborHTMLParser, selector: str) -> set[int]:
        if self._left <= 0:
            self.cut = True
            return set()
        self._left -= 1
        try:
            places = {node.mem_id for node in parser.css(selector)}
        except SelectolaxError:  # no selector, so nothing is selected
            return set()
        self._places_left -= len(places)
        if self._places_left < 0:
            self._left, self.cut = 0, True
            return set()
        return places


def _shown(rules: Sequence[_Rule]) -> Iterator[Painted]:
    shown: list[Conditions] = []
    for rule in rules:
        screen = widest_screen_of(rule.conditions, but_not=tuple(shown))
        if screen is not None:
            shown.append(rule.conditions)
            yield Painted(rule.part, rule.background.layers, screen, rule.background.important)
        if not rule.conditions or len(shown) == _SCREENS_LIMIT:
            return


def _rules_of(parser: LexborHTMLParser) -> Iterator[_Rule]:
    order, left = 0, STYLES_LIMIT_CHARACTERS
    for node in parser.css("style"):
        attributes = node.attributes
        if (attributes.get("type") or "text/css").strip().lower() != "text/css" or left <= 0:
            continue
        text = (node.text() or "")[:left]
        left -= len(text)
        media = attributes.get("media")
        for selectors, conditions, body in _blocks(text, (media,) if media else ()):
            background = background_of(body)
            for selector, part in _matchable(selectors, body) if background else ():
                order += 1
                yield _Rule(selector, part, conditions, background or Background(()), order)


def _blocks(text: str, media: Conditions) -> Iterator[tuple[str, Conditions, str]]:
    """Yield selectors, media conditions and declarations of each rule that may paint a background."""
    if not _MENTIONS_BACKGROUND.search(text):
        return
    open_blocks: list[_Block] = []
    begin = 0
    for token in _TOKEN.finditer(text):
        if token[0] == "{":
            if open_blocks:
                open_blocks[-1].end = min(open_blocks[-1].end, begin)
            prelude = _COMMENT.sub(" ", text[begin : token.start()]).replace("<!--", "").replace("-->", "").strip()
            open_blocks.append(_Block(prelude, token.end()))
            begin = token.end()
        elif token[0] == "}" and open_blocks:
            yield from _closed(text, open_blocks, token.start(), media)
            begin = token.end()
        elif token[0] == ";" and (open_blocks or text[begin : token.start()].lstrip().startswith("@")):
            begin = token.end()
    while open_blocks:  # what is not closed ends with the sheet
        yield from _closed(text, open_blocks, len(text), media)


def _closed(text: str, open_blocks: list[_Block], end: int, media: Conditions) -> Iterator[tuple[str, Conditions, str]]:
    block = open_blocks.pop()
    conditions = _conditions(open_blocks, media)
    if conditions is not None and not block.prelude.startswith("@"):
        yield block.prelude, conditions, text[block.begin : min(block.end, end)]


def _conditions(around: Sequence[_Block], media: Conditions) -> Conditions | None:
    """Collect the media conditions of the blocks around a rule; None where one of them is nothing that we know."""
    found = list(media)
    for block in around[: _DEEPEST + 1]:
        match = _CONDITION.match(block.prelude)
        if not match or (match[1].lower() == "supports" and match[2].strip().lower().startswith("not")):
            return None
        if match[1].lower() == "media":
            found.append(match[2].strip())
    return tuple(found) if len(around) <= _DEEPEST else None


def _matchable(selectors: str, body: str) -> Iterator[tuple[str, str]]:
    """Yield the selectors of which elements are found at once, each with the part of the element that is meant."""
    for selector in _split_selectors(selectors):
        generated = _GENERATED.search(selector)
        if generated and not _CONTENT.search(body):
            continue
        place = _GENERATED.sub("", selector).strip() or ("*" if selector else "")
        states = {name.lower() for name in _PSEUDO.findall(place)}
        if place and len(place) <= _SELECTOR_LIMIT_CHARACTERS and "&" not in place and states <= _AT_ONCE:
            yield _BARE.sub("*", place), generated[1].lower() if generated else ""


def _split_selectors(selectors: str) -> Iterator[str]:
    depth = begin = 0
    for match in re.finditer(r"[(),\[\]]", selectors):
        depth += (match[0] in "([") - (match[0] in ")]")
        if match[0] == "," and depth <= 0:
            yield selectors[begin : match.start()].strip()
            begin = match.end()
    yield selectors[begin:].strip()
