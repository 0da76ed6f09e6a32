"""How wide a picture is shown: the `sizes` and `media` attributes, seen on a large screen.

Parsing follows the HTML standard (§4.8.4.3.9, "parse a sizes attribute") and Media Queries 4, for the features
by which pages choose pictures. What cannot be known here is false, as the standards say of the unknown.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

WIDEST_PX: Final = 1920.0
_ASPECT: Final = 16 / 9
_ROOT_FONT_PX: Final = 16.0
# Where pages usually break. A source is judged on the widest screen that its media condition lets it be shown on.
_SCREENS_PX: Final = (WIDEST_PX, 1440.0, 1280.0, 1024.0, 900.0, 768.0, 640.0, 600.0, 480.0, 414.0, 375.0, 320.0)
_LIMIT_CHARACTERS: Final = 1000
"""A longer attribute is not read: nobody writes one, and time is spent for each character of it."""

_DEEPEST: Final = 16

_UNITS_PX: Final = {
    "px": 1.0,
    "em": _ROOT_FONT_PX,
    "rem": _ROOT_FONT_PX,
    "ex": _ROOT_FONT_PX / 2,
    "ch": _ROOT_FONT_PX / 2,
    "in": 96.0,
    "cm": 96 / 2.54,
    "mm": 96 / 25.4,
    "q": 96 / 101.6,
    "pt": 96 / 72,
    "pc": 16.0,
}
_NUMBER: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_DIMENSION: Final = re.compile(rf"({_NUMBER})([a-zA-Z]*)")
_TOKEN: Final = re.compile(rf"\s*(?:({_NUMBER})([a-zA-Z]*)|([a-zA-Z-]+\()|([-+*/(),]))\s*")
_PARENTHESIS_OR_SEPARATOR: Final = re.compile("[(), ]")
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_FEATURE: Final = re.compile(r"(?:(min|max)-)?(width|height|device-width|orientation)\s*:\s*(.+)", re.IGNORECASE)
_RANGE: Final = re.compile(
    r"(?:(?P<low>[^<>=]+?) ?(?P<lower><=?) ?)?width(?: ?(?P<upper>[<>]=?|=) ?(?P<high>[^<>=]+))?"
)


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen, in CSS pixels."""

    width_px: float = WIDEST_PX

    @property
    def height_px(self) -> float:
        return self.width_px / _ASPECT


@lru_cache(maxsize=1024)
def widest_screen(media: str | None, *, but_not: tuple[str | None, ...] = ()) -> Screen | None:
    """Find the widest usual screen on which a media query list holds, and others do not; None where there is none."""
    screens = (screen for screen in map(Screen, _SCREENS_PX) if matches(media, screen))
    return next((screen for screen in screens if not any(matches(other, screen) for other in but_not)), None)


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
        size = _length(last, screen)
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
    if depth > _DEEPEST or not parts:
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
        inner.startswith(("(", "not")) or bool(_FEATURE.fullmatch(inner) or _RANGE.fullmatch(inner))
    )


def _in_parentheses(part: str, screen: Screen, depth: int) -> bool:
    if not (part.startswith("(") and part.endswith(")")):
        return False
    inner = part[1:-1].strip()
    if inner.startswith(("(", "not")):
        return _condition(inner, screen, depth)
    return _feature(inner, screen)


def _feature(text: str, screen: Screen) -> bool:
    match = _FEATURE.fullmatch(text)
    if not match:
        return _range(text, screen)
    bound, name, value = match.groups()
    if name == "orientation":
        return bound is None and value.strip() == "landscape"
    limit = _length(value.strip(), screen)
    actual = screen.height_px if name == "height" else screen.width_px
    return limit is not None and _holds(actual, {"min": ">=", "max": "<="}.get(bound, "="), limit)


def _range(text: str, screen: Screen) -> bool:
    match = _RANGE.fullmatch(text)
    if not match or not (match["low"] or match["high"]):
        return False
    low = _length(match["low"].strip(), screen) if match["low"] else 0.0
    high = _length(match["high"].strip(), screen) if match["high"] else math.inf
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
    """Split at a separator that stands outside of parentheses."""
    parts, depth, begin = [], 0, 0
    for match in _PARENTHESIS_OR_SEPARATOR.finditer(text):
        if match[0] == separator and depth == 0:
            parts.append(text[begin : match.start()])
            begin = match.end()
        depth = max(0, depth + (match[0] == "(") - (match[0] == ")"))
    return *parts, text[begin:]


def _components(text: str) -> list[str]:
    return [part for part in _split(text, " ") if part]


def _length(text: str, screen: Screen) -> float | None:
    """Read a CSS length or a calculation of lengths, in pixels; None where it is none."""
    match = _DIMENSION.fullmatch(text)
    if match:
        return _dimension(match[1], match[2].lower(), screen)
    if not re.match(r"(?:calc|min|max|clamp)\(", text, re.IGNORECASE):
        return None
    try:
        return max(0.0, _Calculation(text, screen).value())
    except (ValueError, ArithmeticError, LookupError):
        return None


def _dimension(number: str, unit: str, screen: Screen) -> float | None:
    value = float(number)
    if unit in _UNITS_PX:
        return value * _UNITS_PX[unit]
    sides = {"w": (screen.width_px,), "h": (screen.height_px,), "min": (screen.width_px, screen.height_px)}
    sides["max"] = sides["min"]
    match = re.fullmatch(r"[sld]?v(w|h|min|max)", unit)
    if match:
        chosen = max(sides[match[1]]) if match[1] == "max" else min(sides[match[1]])
        return value * chosen / 100
    return value if not unit and value == 0 else None


class _Calculation:
    """Evaluates `calc()`, `min()`, `max()` and `clamp()` by recursive descent."""

    _FUNCTIONS: Final[dict[str, Callable[[list[float]], float]]] = {
        "(": lambda values: values[0],
        "calc(": lambda values: values[0],
        "min(": min,
        "max(": max,
        "clamp(": lambda values: max(values[0], min(values[1], values[2])),
    }

    def __init__(self, text: str, screen: Screen) -> None:
        self._screen = screen
        self._tokens = [*self._read(text), ")"]
        self._depth = 0

    def value(self) -> float:
        value = self._sum()
        if len(self._tokens) != 1:
            raise ValueError("something is left over")
        return value

    def _read(self, text: str) -> Iterator[str | float]:
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise ValueError("not a calculation")
            position = match.end()
            number, unit, function, sign = match.groups()
            yield self._number(number, unit.lower()) if number else (function or sign).lower()

    def _number(self, number: str, unit: str) -> float:
        value = _dimension(number, unit, self._screen) if unit else float(number)
        if value is None:
            raise ValueError("not a length")
        return value

    def _sum(self) -> float:
        value = self._product()
        while self._tokens[0] in {"+", "-"}:
            sign = -1 if self._tokens.pop(0) == "-" else 1
            value += sign * self._product()
        return value

    def _product(self) -> float:
        value = self._operand()
        while self._tokens[0] in {"*", "/"}:
            operator, operand = self._tokens.pop(0), self._operand()
            value = value * operand if operator == "*" else value / operand
        return value

    def _operand(self) -> float:
        token = self._tokens.pop(0)
        if isinstance(token, float):
            return token
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("nested too deeply")
        values = [self._sum()]
        while self._tokens[0] == ",":
            self._tokens.pop(0)
            values.append(self._sum())
        if self._tokens.pop(0) != ")":
            raise ValueError("an open parenthesis")
        self._depth -= 1
        return self._FUNCTIONS[token](values)
