"""Elements that no usual screen shows, of which a browser loads no background."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from services.scraper.extraction.style_rules import Conditions, Matcher, specificity, style_rules
from services.scraper.extraction.viewport import SCREENS, screens_of

_LISTED_LIMIT: Final = 5000
_MENTIONS_DISPLAY: Final = re.compile(r"display\s*:", re.IGNORECASE)
_DISPLAY: Final = re.compile(r"(?:^|;)\s*display\s*:\s*([a-z-]+)\s*(!\s*important)?", re.IGNORECASE)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Display:
    """What one rule, or an element's own style attribute, says of whether it is shown."""

    weight: tuple[bool, bool, tuple[int, int, int], int]
    conditions: Conditions
    none: bool


def hidden_elements(parser: LexborHTMLParser, matcher: Matcher) -> frozenset[int]:
    """List the `mem_id`s of the elements that style keeps from being shown on every usual screen."""
    found: dict[int, list[_Display]] = {}
    for node in parser.css('[style*="display" i]'):
        for none, important in _declared(node.attributes.get("style") or ""):
            found.setdefault(node.mem_id, []).append(_Display((important, True, (0, 0, 0), 0), (), none))
    rules = list(islice(style_rules(parser, _MENTIONS_DISPLAY), _LISTED_LIMIT))
    told = [
        (rule, _Display((important, False, specificity(rule.selector), rule.order), rule.conditions, none))
        for rule in rules
        if not rule.part
        for none, important in _declared(rule.body)
    ]
    for rule, display in told:
        if display.none:
            for place in matcher.places(rule.selector):
                found.setdefault(place, []).append(display)
    hiding = {place for place, displays in found.items() if any(display.none for display in displays)}
    for rule, display in told if hiding else ():
        if not display.none:
            for place in matcher.places(rule.selector) & hiding:
                found[place].append(display)
    return frozenset(place for place in hiding if _never_shown(tuple(found[place])))


def _declared(style: str) -> Iterator[tuple[bool, bool]]:
    """Yield the one declaration that holds: whether it is `none`, and whether it insists."""
    declared = [
        (value.lower() == "none", bool(important)) for value, important in _DISPLAY.findall(_COMMENT.sub("", style))
    ]
    if declared:
        yield next((one for one in reversed(declared) if one[1]), declared[-1])


@lru_cache(maxsize=1024)
def _never_shown(displays: tuple[_Display, ...]) -> bool:
    heaviest_first = sorted(displays, key=lambda display: display.weight, reverse=True)
    left = set(SCREENS)
    for display in heaviest_first:
        here = left & screens_of(display.conditions)
        if here and not display.none:
            return False
        left -= here
        if not left:
            return True
    return False
