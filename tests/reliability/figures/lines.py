"""A figure as it is read: what was measured, beside the bar that it has to clear."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """One measurement.

    Attributes:
        by_the_clock: it depends on how fast and how busy the machine is, so only `make figures` holds it to its bar.

    """

    what: str
    measured: str
    bar: str
    met: bool
    by_the_clock: bool = False


def exactly(what: str, measured: Any, bar: Any) -> Line:
    return Line(what, str(measured), str(bar), measured == bar)


def at_least(what: str, measured: float, bar: float, unit: str = "", *, by_the_clock: bool = False) -> Line:
    return Line(what, _told(measured, unit), f">= {_told(bar, unit)}", measured >= bar, by_the_clock)


def at_most(what: str, measured: float, bar: float, unit: str = "", *, by_the_clock: bool = True) -> Line:
    return Line(what, _told(measured, unit), f"<= {_told(bar, unit)}", measured <= bar, by_the_clock)


def below(what: str, measured: float, bar: float, unit: str = "", *, by_the_clock: bool = True) -> Line:
    return Line(what, _told(measured, unit), f"< {_told(bar, unit)}", measured < bar, by_the_clock)


def nothing(what: str, found: Sequence[object]) -> Line:
    """Expect that nothing was found; what was is told."""
    shown = "; ".join(str(one) for one in found[:_SHOWN])
    return Line(what, f"{len(found)}: {shown}" if found else "0", "0", not found)


def simply(what: str, measured: float, unit: str = "") -> Line:
    """Tell a measurement that has no bar."""
    return Line(what, _told(measured, unit), "", met=True)


def percentile(values: Sequence[float], percent: int) -> float:
    """Give the value below which so many percent of at least two lie."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


_SHOWN = 3


def _told(value: float, unit: str) -> str:
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.{_digits(value)}f}"
    return f"{number} {unit}".rstrip()


def _digits(value: float) -> int:
    """Three figures say enough."""
    return 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
