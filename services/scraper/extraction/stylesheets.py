"""The backgrounds that a page's own style elements paint, and on which elements.

The cascade is followed as far as it decides which file is loaded: importance, specificity, order, and media
conditions seen on usual screens.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from services.scraper.extraction.lengths import Screen
from services.scraper.extraction.srcset import Source
from services.scraper.extraction.style_rules import Conditions, Matcher, StyleRule, specificity, style_rules
from services.scraper.extraction.styles import Background, background_of
from services.scraper.extraction.viewport import widest_screen_of

_LISTED_LIMIT: Final = 20_000
_SCREENS_LIMIT: Final = 10
_MENTIONS_BACKGROUND: Final = re.compile(r"background(?:-image)?\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Rule:
    rule: StyleRule
    background: Background

    @property
    def weight(self) -> tuple[bool, tuple[int, int, int], int]:
        return self.background.important, specificity(self.rule.selector), self.rule.order


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


class Stylesheets:
    """What the style elements of a page say of backgrounds."""

    def __init__(self, parser: LexborHTMLParser, matcher: Matcher) -> None:
        rules = list(islice(_rules_of(parser), _LISTED_LIMIT))
        matcher.cut = matcher.cut or len(rules) == _LISTED_LIMIT
        self._matched: dict[int, list[_Rule]] = {}
        for one in rules:
            if one.background.layers:
                for place in matcher.places(one.rule.selector):
                    self._matched.setdefault(place, []).append(one)
        # A colour or `none` that weighs more hides a file, so that no browser loads it.
        for one in rules if self._matched else ():
            if not one.background.layers:
                for place in matcher.places(one.rule.selector) & self._matched.keys():
                    self._matched[place].append(one)

    @property
    def painted(self) -> frozenset[int]:
        """The `mem_id`s of the elements that have a background."""
        return frozenset(self._matched)

    def backgrounds(self, place: int) -> Iterator[Painted]:
        """Yield the backgrounds of an element and of its parts on all usual screens, the heaviest rule first."""
        rules = sorted(self._matched.get(place, ()), key=lambda one: one.weight, reverse=True)
        for part in ("", "before", "after"):
            yield from _shown([one for one in rules if one.rule.part == part])


def _shown(rules: Sequence[_Rule]) -> Iterator[Painted]:
    shown: list[Conditions] = []
    for one in rules:
        conditions = one.rule.conditions
        screen = widest_screen_of(conditions, but_not=tuple(shown))
        if screen is not None:
            shown.append(conditions)
            yield Painted(one.rule.part, one.background.layers, screen, one.background.important)
        if not conditions or len(shown) == _SCREENS_LIMIT:
            return


def _rules_of(parser: LexborHTMLParser) -> Iterator[_Rule]:
    for rule in style_rules(parser, _MENTIONS_BACKGROUND):
        background = background_of(rule.body)
        if background:
            yield _Rule(rule, background)
