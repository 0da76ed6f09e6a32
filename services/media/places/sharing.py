"""Who has how many of the places at a host: pure decisions. Times are seconds since 1970, by one clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shared.manners import Host

LEASE_SECONDS: Final = 15.0
"""Places of a process that is silent for so long are others'."""

WAIT_SECONDS: Final = 5.0
"""For so long a process that has no place is remembered as one that wants some."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one process has of a host.

    Attributes:
        places: downloads that it may have open.
        wanted: how many it could use.
        until: by then it has told of itself again, or all of this is over.
        since: when it was let in last, or began to wait.

    """

    places: int
    wanted: int
    until: float
    since: float


@dataclass(frozen=True, slots=True)
class Door:
    """What is known of a host, and who is in there."""

    host: Host = field(default_factory=Host)
    shares: Mapping[str, Share] = field(default_factory=dict)


def claim(door: Door, name: str, used: int, wanted: int, *, now: float, most: int) -> tuple[Door, int]:
    """Give a process the places that it may have from now on.

    What it uses stays its own, however little its part has become; it begins nothing until that has ended. A process
    that neither uses nor wants anything is forgotten, and so are those whose time is over.

    Args:
        door: as it is known.
        name: of the process.
        used: downloads that it has open.
        wanted: downloads that it could have open, those included.
        now: by the clock of the door's times.
        most: places that there are.

    Returns: the door, and how many downloads the process may have open when it begins another one.

    """
    others = {other: share for other, share in door.shares.items() if other != name and share.until > now}
    if not used and not wanted:
        return replace(door, shares=others), 0
    before = door.shares.get(name)
    if before is None or before.until <= now:
        before = Share(0, wanted, now, now)
    parts = divide({**others, name: replace(before, wanted=wanted)}, most)
    # Whoever is before us also has what it is still to get: otherwise each of two leaves that to the other for ever.
    theirs = sum(
        max(share.places, parts[other] if share.since < before.since else 0) for other, share in others.items()
    )
    allowed = max(0, min(parts[name], most - theirs))
    places = max(used, allowed)
    until = now + (LEASE_SECONDS if places else WAIT_SECONDS)
    mine = Share(places, wanted, until, now if allowed else before.since)
    return replace(door, shares={**others, name: mine}), allowed


def divide(shares: Mapping[str, Share], most: int) -> dict[str, int]:
    """Divide the places: as many to each as it wants while there are enough, otherwise equal parts.

    What cannot be divided goes to those that were let in, or began to wait, the longest ago.
    """
    parts = dict.fromkeys(shares, 0)
    hungry = sorted(shares, key=lambda name: (shares[name].since, name))
    left = most
    while left and (hungry := [name for name in hungry if parts[name] < shares[name].wanted]):
        for name in hungry[:left]:
            parts[name] += 1
        left -= min(left, len(hungry))
    return parts
