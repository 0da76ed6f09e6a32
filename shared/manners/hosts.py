"""What is known of a host, and within which limits it is asked. Times are seconds since 1970, by one clock."""

from dataclasses import dataclass
from typing import Final

BLOCKS: Final = frozenset({"http_403", "http_429", "http_503", "http_509", "http_529", "http_999"})
"""How a host answers whom it does not want, or cannot bear, to answer."""


@dataclass(frozen=True, slots=True)
class Host:
    """What all who ask a host know of it together.

    Attributes:
        next_at: when the next request may begin.
        delay_seconds: between two requests, as the host bears it; the limits may ask for more.
        blocks: in a row, without any other answer in between.
        blocked_by: the code of the last one.
        open_until: nobody asks before; None while the breaker is closed.
        open_seconds: for how long the breaker opened last; 0 while it is closed.
        probe_until: one request tries whether the host answers again; until then all others wait for what comes of it.

    """

    next_at: float = 0.0
    delay_seconds: float = 0.0
    blocks: int = 0
    blocked_by: str | None = None
    open_until: float | None = None
    open_seconds: float = 0.0
    probe_until: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Within which bounds a host is asked.

    Attributes:
        spacing_seconds: the least between two requests.
        longest_delay_seconds: the most that the throttle or a `Crawl-delay` puts between two requests.
        concurrency: how many requests a host has to answer at a time, on average.
        patience_seconds: a longer wait for the host's turn is handed back.
        ahead_seconds: for so long whoever is alone with a host takes turns in advance, at most.
        blocks: after so many in a row the breaker opens.
        open_seconds: for so long at first; each probe that is blocked again doubles it.
        longest_open_seconds: but no longer.
        probe_seconds: a probe that tells nothing for so long is given up, and another one begins.

    """

    spacing_seconds: float = 0.25
    longest_delay_seconds: float = 60.0
    concurrency: float = 1.0
    patience_seconds: float = 15.0
    ahead_seconds: float = 2.0
    blocks: int = 5
    open_seconds: float = 60.0
    longest_open_seconds: float = 3600.0
    probe_seconds: float = 120.0
