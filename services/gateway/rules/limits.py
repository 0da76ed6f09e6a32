"""What a request counts as, and how much of a window a gateway takes at once."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

_SHARE_OF_REST: Final = 8
_SHARE_OF_QUOTA: Final = 50


class Charge(NamedTuple):
    """The class of routes that a request belongs to, and how many of its units it costs."""

    route_class: str
    cost: int


class Ask(NamedTuple):
    """A gateway's wish for a slice of a window that begins, if it has not begun yet, and lasts for so many seconds."""

    key: str
    quota: int
    seconds: int
    size: int


class Slice(NamedTuple):
    """What it was given, what nobody has been given yet, and for how long the window still lasts."""

    size: int
    rest: int
    seconds_left: float


_READ: Final = Charge("read", 1)
_WRITE: Final = Charge("write", 1)
_CHARGES: Final = tuple(
    (method, re.compile(pattern), Charge(route_class, cost))
    for method, pattern, route_class, cost in (
        ("GET", r".*/events|/ws", "stream", 1),
        ("POST", r"/tickets", "stream", 1),
        ("GET", r"/search/.*(similar|duplicates).*", "search", 5),
        ("GET", r"/search/.*", "search", 1),
        ("GET", r".*/export", "read", 50),
        ("GET", r"/analytics/.*", "read", 20),
        ("POST", r"/(maps|imports|images/describe|jobs/retry)", "submit", 5),
        ("POST", r"/jobs/[^/]+/resume", "submit", 1),
        ("POST", r"/(scrapes|media/store|probes|events|images/upload|uploads(/.*)?)", "submit", 1),
        ("POST", r"/chapters/[^/]+/images/scenes/[^/]+(/versions/[^/]+/regenerate)?", "submit", 1),
        ("POST", r"/images/generate", "submit", 1),
        ("POST", r"/chapters/[^/]+/images", "submit", 5),
        ("POST", r".*/bulk(/.*)?", "write", 10),
    )
)
"""The first that matches; other requests are reads or writes by their method."""


@lru_cache(maxsize=1000)
def charge_of(method: str, path: str) -> Charge:
    """Give what a request costs; `path` is the route's template without the prefix of the API."""
    for asked, pattern, charge in _CHARGES:
        if method == asked and pattern.fullmatch(path):
            return charge
    return _READ if method in {"GET", "HEAD"} else _WRITE


def slice_of(quota: int, rest: int, cost: int) -> int:
    """Give how much a gateway takes of a window of which `rest` is left.

    An eighth of what is left, so that a few gateways share it; and never less than a fiftieth of all, so that the end
    of a window costs few statements too.
    """
    return min(rest, max(cost, rest // _SHARE_OF_REST, quota // _SHARE_OF_QUOTA))
