"""How wide a picture is shown: the `sizes` and `media` attributes, seen on a large screen.

Parsing follows the HTML standard (§4.8.4.3.9, "parse a sizes attribute") and Media Queries 4, for the features
by which pages choose pictures. What cannot be known here is false, as the standards say of the unknown.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from services.scraper.extraction.lengths import DEEPEST, NUMBER, WIDEST_PX, Screen, length_px

# Where pages usually break. A source is judged on the widest screen that its media condition lets it be shown on.
_SCREENS_PX: Final = (WIDEST_PX, 1440.0, 1280.0, 1024.0, 900.0, 768.0, 640.0, 600.0, 480.0, 414.0, 375.0, 320.0)
_LIMIT_CHARACTERS: Final = 1000
"""A longer attribute is not read: nobody writes one, and time is spent for each character of it."""

# As CSS pairs brackets: what closes no open one is a token like any other; strings hide theirs.
_STRUCTURE: Final = re.compile("\"[^\"]*\"?|'[^']*'?|[][(){}, ]")
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_FEATURE: Final = re.compile(
    r"(?:(min|max)-)?(width|height|device-width|device-height|resolution)\s*:\s*(.+)", re.IGNORECASE
)
_RATIO_FEATURE: Final = re.compile(r"-webkit-(?:(min|max)-)?device-pixel-ratio\s*:\s*([0-9.]+)")
_RESOLUTION: Final = re.compile(rf"({NUMBER})(dppx|x|dpi|dpcm)")
_DOTS_PER_DPPX: Final = {"dppx": 1.0, "x": 1.0, "dpi": 96.0, "dpcm": 96 / 2.54}
# What is so of a usual screen, and what of it may be asked without a value.
_CONSTANT: Final = {
    "orientation": "landscape",
    "prefers-color-scheme": "light",
    "prefers-reduced-motion": "no-preference",
    "prefers-reduced-data": "no-preference",
    "hover": "hover",
    "any-hover": "hover",
    "pointer": "fine",
    "any-pointer": "fine",
    "scripting": "enabled",
}
_CONSTANT_FEATURE: Final = re.compile(rf"({'|'.join(_CONSTANT)})(?:\s*:\s*([a-z-]+))?")
_PLAIN_FEATURES: Final = frozenset(("width", "height", "color", "resolution"))
_RANGE: Final = re.compile(
    r"(?:(?P<low>[^<>=]+?) ?(?P<lower><=?) ?)?width(?: ?(?P<upper>[<>]=?|=) ?(?P<high>[^<>=]+))?"
)

SCREENS: Final = tuple(Screen(width_px, dppx) for width_px in _SCREENS_PX for dppx in (2.0, 1.0))
"""The usual ones, the widest first."""


@lru_cache(maxsize=1024)
def widest_screen(media: str | None, *, but_not: tuple[str | None, ...] = ()) -> Screen | None:
    """Find the widest usual screen on which a media query list holds, and others do not; None where there is none."""
    return widest_screen_of((media,), but_not=tuple((other,) for other in but_not))


@lru_cache(maxsize=1024)
def widest_screen_of(
    conditions: tuple[str | None, ...], *, but_not: tuple[tuple[str | None, ...], ...] = ()
) -> Screen | None:
    """Do as `widest_screen` for conditions that all hold, and others of which never all do."""
    return next(
        (
            screen
            for screen in SCREENS
            if all(matches(media, screen) for media in conditions)
            and not any(all(matches(media, screen) for media in others) for others in but_not)
        ),
        None,
    )


@lru_cache(maxsize=1024)
def screens_of(conditions: tuple[str, ...]) -> frozenset[Screen]:
    """List the usual screens on which media query lists all hold."""
    return frozenset(screen for screen in SCREENS if all(matches(media, screen) for media in conditions))


@lru_cache(maxsize=4096)
def matches(media: str | None, screen: Screen) -> bool:
    """Tell whether a media query list, such as `(min-width: 40em)`, holds on a screen."""
    if media is None or not media.strip():
        return True
    return any(_query(query.strip(), screen) for query in _split(_plain(media), ","))


@lru_cache(maxsize=1024)
def source_size_px(sizes: str | None, screen: Screen) -> float:
    """Tell the width in CSS pixels that a `sizes` attribute gives its picture on a screen."""
    for entry in _split(_plain(sizes or ""), ","):
        *condition, last = _components(entry) or [""]
        size = length_px(last, screen)
        if size is None or size < 0:
            continue
        if not condition or _condition(" ".join(condition), screen, 0):
            return size
    return screen.width_px


def _plain(text: str) -> str:
    """Drop comments, and white space where there is more than one; CSS does not tell case here."""
    return " ".join(_COMMENT.sub(" ", text).lower().split()) if len(text) <= _LIMIT_CHARACTERS else ""


def _query(query: str, screen: Screen) -> bool:
    match = re.fullmatch(r"(?:(not|only)\s+)?([a-z-]+)(?:\s+and\s+(.+))?", query)
    if not match or match[2] == "not":
        return _condition(query, screen, 0)
    holds = match[2] in {"all", "screen"} and (not match[3] or _condition(match[3], screen, 0))
    return not holds if match[1] == "not" else holds


def _condition(text: str, screen: Screen, depth: int) -> bool:
    parts = _components(text)
    if depth > DEEPEST or not parts:
        return False
    if parts[0] == "not":
        return len(parts) == 2 and _known(parts[1]) and not _condition(parts[1], screen, depth + 1)  # noqa: PLR2004 - `not (…)`
    operands, operators = parts[::2], set(parts[1::2])
    if len(parts) % 2 == 0 or operators - {"and", "or"} or len(operators) > 1:
        return False
    holds = (_in_parentheses(operand, screen, depth + 1) for operand in operands)
    return any(holds) if operators == {"or"} else all(holds)


def _known(part: str) -> bool:
    inner = part[1:-1].strip()
    return part.startswith("(") and (
        inner.startswith(("(", "not"))
        or inner in _PLAIN_FEATURES
        or any(known.fullmatch(inner) for known in (_FEATURE, _RATIO_FEATURE, _CONSTANT_FEATURE, _RANGE))
    )


def _in_parentheses(part: str, screen: Screen, depth: int) -> bool:
    if not (part.startswith("(") and part.endswith(")")):
        return False
    inner = part[1:-1].strip()
    if inner.startswith(("(", "not")):
        return _condition(inner, screen, depth)
    return _feature(inner, screen)


def _feature(text: str, screen: Screen) -> bool:
    if text in _PLAIN_FEATURES:
        return True
    if match := _CONSTANT_FEATURE.fullmatch(text):
        return (match[2] or _CONSTANT[match[1]]) == _CONSTANT[match[1]]
    if match := _RATIO_FEATURE.fullmatch(text):
        return _bounded(screen.dppx, match[1], _resolution(f"{match[2]}x"))
    if match := _FEATURE.fullmatch(text):
        bound, name, value = match.groups()
        if name == "resolution":
            return _bounded(screen.dppx, bound, _resolution(value.strip()))
        actual = screen.height_px if name.endswith("height") else screen.width_px
        return _bounded(actual, bound, length_px(value.strip(), screen))
    return _range(text, screen)


def _bounded(actual: float, bound: str | None, limit: float | None) -> bool:
    return limit is not None and _holds(actual, {"min": ">=", "max": "<="}.get(bound or "", "="), limit)


def _resolution(text: str) -> float | None:
    match = _RESOLUTION.fullmatch(text)
    return float(match[1]) / _DOTS_PER_DPPX[match[2]] if match else None


def _range(text: str, screen: Screen) -> bool:
    match = _RANGE.fullmatch(text)
    if not match or not (match["low"] or match["high"]):
        return False
    low = length_px(match["low"].strip(), screen) if match["low"] else 0.0
    high = length_px(match["high"].strip(), screen) if match["high"] else math.inf
    if low is None or high is None:
        return False
    above = _holds(low, match["lower"] or "<=", screen.width_px)
    return above and _holds(screen.width_px, match["upper"] or "<=", high)


def _holds(left: float, comparison: str, right: float) -> bool:
    return {
        "<": left < right,
        "<=": left <= right,
        "=": left == right,
        ">=": left >= right,
        ">": left > right,
    }[comparison]


@lru_cache(maxsize=256)
def _split(text: str, separator: str) -> tuple[str, ...]:
    """Split at a separator that stands outside of brackets and strings."""
    parts, begin = [], 0
    for mark, position, depth in _structure(text):
        if mark == separator and depth == 0:
            parts.append(text[begin:position])
            begin = position + 1
    return *parts, text[begin:]


def _structure(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield brackets and separators, where they stand, and how many brackets are open after them."""
    waiting: list[str] = []
    for match in _STRUCTURE.finditer(text):
        mark = match[0]
        if mark in _CLOSING:
            waiting.append(_CLOSING[mark])
        elif waiting and mark == waiting[-1]:
            waiting.pop()
        yield mark, match.start(), len(waiting)


def _components(text: str) -> list[str]:
    """Split into what CSS calls component values: at spaces, and where a block has ended."""
    parts, begin = [], 0
    for mark, position, depth in _structure(text):
        if depth == 0 and mark in {" ", ")", "]", "}"}:
            parts.append(text[begin : position + 1].strip())
            begin = position + 1
    return [part for part in (*parts, text[begin:].strip()) if part]
