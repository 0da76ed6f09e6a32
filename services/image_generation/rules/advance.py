"""How far a picture is, as a person is told."""

from dataclasses import dataclass
from typing import Final

_ASKED: Final = 0.05
_DRAWN: Final = 0.95
_ALMOST: Final = 0.95
"""By the clock alone nothing is ever more than almost done."""


@dataclass(frozen=True, slots=True)
class Advance:
    share: float
    stage: str


def advance(
    name: str,
    *,
    progress: float | None,
    ahead: int | None,
    eta_seconds: float | None,
    elapsed_seconds: float,
    estimate_seconds: float,
) -> Advance:
    """Tell how far a picture is: as the provider counts, else by its own estimate, else by what is known of others.

    Args:
        name: of the provider.
        progress: 0 to 1, as it counts.
        ahead: so many of its requests are drawn before this one.
        eta_seconds: how long it says that it takes from now.
        elapsed_seconds: since it was asked.
        estimate_seconds: how long such a picture takes.

    """
    if ahead:
        return Advance(_ASKED, f"waiting at {name}, {ahead} before it")
    if progress is not None:
        left = elapsed_seconds * (1 - progress) / progress if progress > 0 else eta_seconds
        return Advance(_between(progress), _drawing(name, left))
    left = eta_seconds if eta_seconds is not None else max(0.0, estimate_seconds - elapsed_seconds)
    whole = elapsed_seconds + left
    return Advance(_between(min(_ALMOST, elapsed_seconds / whole if whole > 0 else 0.0)), _drawing(name, left))


def _between(share: float) -> float:
    return round(_ASKED + (_DRAWN - _ASKED) * min(1.0, max(0.0, share)), 3)


def _drawing(name: str, left_seconds: float | None) -> str:
    return f"{name} is drawing" + (f", about {left_seconds:.0f} s to go" if left_seconds and left_seconds >= 1 else "")
