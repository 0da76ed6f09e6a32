"""The rules of a page's own style elements: which elements they are for, on which screens, and what they declare.

Selectors are matched by the parser. Rules for what only happens later (`:hover`) are left out.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

STYLES_LIMIT_CHARACTERS: Final = 2_000_000

_MATCHING_LIMIT: Final = 500_000_000
"""Selectors times characters of the page: matching takes time that grows with both. About two seconds."""

_PLACES_LIMIT: Final = 100_000
_RULES_LIMIT: Final = 2000
_DEEPEST: Final = 8
_SELECTOR_LIMIT_CHARACTERS: Final = 300
_TOKEN: Final = re.compile(
    r"/\*.*?(?:\*/|\Z)|\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|url\(\s*+[^\s\"')][^)]*+\)?|\\.|[{};]",
    re.DOTALL | re.IGNORECASE,
)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
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
class StyleRule:
    """What is declared for one selector.

    Attributes:
        selector: as the parser understands it.
        part: `before` or `after` of the element; empty for itself.
        conditions: media queries that all have to hold.
        body: the declarations.
        order: later rules have higher ones.

    """

    selector: str
    part: str
    conditions: Conditions
    body: str
    order: int


@lru_cache(maxsize=4096)
def specificity(selector: str) -> tuple[int, int, int]:
    """Count ids, then classes with attributes and states, then element names."""
    kinds = [match.lastgroup for match in _SELECTOR_PARTS.finditer(selector)]
    return kinds.count("id"), kinds.count("kind"), kinds.count("tag")


class Matcher:
    """Finds the elements that selectors mean, for as long as that takes no more time than a page may cost.

    Attributes:
        cut: there were more selectors than are matched.

    """

    def __init__(self, parser: LexborHTMLParser, size_characters: int) -> None:
        self.cut = False
        self._parser = parser
        self._left = min(_RULES_LIMIT, max(20, _MATCHING_LIMIT // max(1, size_characters)))
        self._places_left = _PLACES_LIMIT

    def places(self, selector: str) -> set[int]:
        """Give the `mem_id`s of the elements."""
        if self._left <= 0:
            self.cut = True
            return set()
        self._left -= 1
        try:
            places = {node.mem_id for node in self._parser.css(selector)}
        except SelectolaxError:  # no selector, so nothing is selected
            return set()
        self._places_left -= len(places)
        if self._places_left < 0:
            self._left, self.cut = 0, True
            return set()
        return places


def style_rules(parser: LexborHTMLParser, mentioning: re.Pattern[str]) -> Iterator[StyleRule]:
    """Yield the rules of all style elements in which something is mentioned."""
    order, left = 0, STYLES_LIMIT_CHARACTERS
    for node in parser.css("style"):
        attributes = node.attributes
        if (attributes.get("type") or "text/css").strip().lower() != "text/css" or left <= 0:
            continue
        text = (node.text() or "")[:left]
        left -= len(text)
        media = attributes.get("media")
        for selectors, conditions, body in _blocks(text, (media,) if media else (), mentioning):
            for selector, part in _matchable(selectors, body):
                order += 1
                yield StyleRule(selector, part, conditions, body, order)


def _blocks(text: str, media: Conditions, mentioning: re.Pattern[str]) -> Iterator[tuple[str, Conditions, str]]:
    """Yield selectors, media conditions and declarations of each rule that mentions something."""
    if not mentioning.search(text):
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
            yield from _closed(text, open_blocks, token.start(), media, mentioning)
            begin = token.end()
        elif token[0] == ";" and (open_blocks or text[begin : token.start()].lstrip().startswith("@")):
            begin = token.end()
    while open_blocks:  # what is not closed ends with the sheet
        yield from _closed(text, open_blocks, len(text), media, mentioning)


def _closed(
    text: str, open_blocks: list[_Block], end: int, media: Conditions, mentioning: re.Pattern[str]
) -> Iterator[tuple[str, Conditions, str]]:
    block = open_blocks.pop()
    conditions = _conditions(open_blocks, media)
    body = text[block.begin : min(block.end, end)]
    if conditions is not None and not block.prelude.startswith("@") and mentioning.search(body):
        yield block.prelude, conditions, body


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
