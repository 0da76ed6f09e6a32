"""CSS lengths and calculations of lengths, in pixels of a screen."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

WIDEST_PX: Final = 1920.0
_ASPECT: Final = 16 / 9
_ROOT_FONT_PX: Final = 16.0
DEEPEST: Final = 16
"""How far brackets nest in what is still read."""

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
NUMBER: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_DIMENSION: Final = re.compile(rf"({NUMBER})([a-zA-Z]*)")
_TOKEN: Final = re.compile(rf"\s*(?:({NUMBER})([a-zA-Z]*)|([a-zA-Z-]+\()|([-+*/(),]))\s*")


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen, in CSS pixels, and how many dots it has for each."""

    width_px: float = WIDEST_PX
    dppx: float = 2.0

    @property
    def height_px(self) -> float:
        return self.width_px / _ASPECT


def length_px(text: str, screen: Screen) -> float | None:
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
        if self._depth > DEEPEST:
            raise ValueError("nested too deeply")
        values = [self._sum()]
        while self._tokens[0] == ",":
            self._tokens.pop(0)
            values.append(self._sum())
        if self._tokens.pop(0) != ")":
            raise ValueError("an open parenthesis")
        self._depth -= 1
        return self._FUNCTIONS[token](values)
