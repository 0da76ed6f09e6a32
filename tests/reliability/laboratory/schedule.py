"""Which fault comes when: drawn from a seed, and the same for the same seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from deploy.database import SERVICES
from deploy.local.servers import OBJECT_STORE, POSTGRES, RABBITMQ

T = TypeVar("T")
Target: TypeAlias = tuple[str, str | None]
"""A service or a server; with a second one the link between the two."""

LEASE_SECONDS = 4.0
"""In the laboratory leases are short, so that many are lost in little time."""

_BRIEF_SECONDS, _PAST_LEASE_SECONDS = 1.5, LEASE_SECONDS + 2.5


class Kind(StrEnum):
    """What can go wrong."""

    SERVICE_KILLED = "service killed"
    SERVICE_FROZEN = "service frozen, then continued"
    SERVICE_RESTARTED = "service restarted in order"
    LINK_RESET = "link reset"
    LINK_BLACK_HOLE = "link a black hole"
    LINK_LATENCY = "link with latency"
    LINK_SLOW_DRIP = "link a slow drip"
    DATABASE_KILLED = "PostgreSQL killed"
    OBJECT_STORE_KILLED = "object store killed"
    BROKER_KILLED = "RabbitMQ killed"
    BROKER_ERASED = "RabbitMQ erased"
    MEMORY_ALARM = "memory alarm"
    DISK_ALARM = "disk alarm"
    QUEUE_DELETED = "queue deleted"
    CONSUMER_CANCELLED = "consumer cancelled by the broker"


LINKS = (
    *((service, server) for server in (POSTGRES, RABBITMQ) for service in SERVICES),
    *((service, OBJECT_STORE) for service in ("media", "image_generation", "depth_map")),
)
"""Who speaks to which server; the gateway only signs addresses of the object store."""


_SERVICES: tuple[Target, ...] = tuple((service, None) for service in SERVICES)


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault.

    Attributes:
        target: the services it strikes first; with `server` the link between the two.
        lasting_seconds: until it is taken back; 0 where it is over at once.

    """

    at_seconds: float
    kind: Kind
    target: str
    server: str | None = None
    lasting_seconds: float = 0.0

    @property
    def what(self) -> str:
        """Name the kind and what it strikes."""
        return f"{self.kind}: {self.target} - {self.server}" if self.server else f"{self.kind}: {self.target}"

    def __str__(self) -> str:
        return self.what + (f" for {self.lasting_seconds:.1f} s" if self.lasting_seconds else "")


@dataclass(frozen=True, slots=True)
class Lane:
    """Faults that come one after the other, while those of other lanes come beside them.

    Attributes:
        targets: what its faults strike in turn, each kind each of them; of links with the server.
        pace_seconds: from one to the next, or longer where one takes longer to be over.
        rest_seconds: at least this much lies between the end of one and the next. A RabbitMQ 3.10 that is killed within
            a second of making a quorum queue may bring it back without a leader.

    """

    name: str
    kinds: tuple[Kind, ...]
    targets: tuple[Target, ...]
    pace_seconds: float
    rest_seconds: float = 0.0


LANES = (
    Lane("services", (Kind.SERVICE_KILLED, Kind.SERVICE_FROZEN, Kind.SERVICE_RESTARTED), _SERVICES, 4.5),
    Lane("links", (Kind.LINK_RESET, Kind.LINK_BLACK_HOLE, Kind.LINK_LATENCY, Kind.LINK_SLOW_DRIP), LINKS, 4.5),
    Lane("servers", (Kind.DATABASE_KILLED, Kind.OBJECT_STORE_KILLED), _SERVICES, 12.0),
    Lane(
        "broker",
        (
            *(Kind.BROKER_KILLED, Kind.BROKER_ERASED, Kind.MEMORY_ALARM),
            *(Kind.DISK_ALARM, Kind.QUEUE_DELETED, Kind.CONSUMER_CANCELLED),
        ),
        _SERVICES,
        9.5,
        rest_seconds=2.0,
    ),
)

_LASTING_SECONDS: dict[Kind, tuple[float, ...]] = {
    Kind.SERVICE_FROZEN: (_BRIEF_SECONDS, _PAST_LEASE_SECONDS),
    Kind.LINK_BLACK_HOLE: (_BRIEF_SECONDS, _PAST_LEASE_SECONDS),
    Kind.LINK_LATENCY: (3.0,),
    Kind.LINK_SLOW_DRIP: (3.0,),
    Kind.MEMORY_ALARM: (3.0, 6.0),
    Kind.DISK_ALARM: (3.0, 6.0),
}
_FIXED_TARGETS = {
    Kind.DATABASE_KILLED: (POSTGRES, None),
    Kind.OBJECT_STORE_KILLED: (OBJECT_STORE, None),
    **dict.fromkeys((Kind.BROKER_KILLED, Kind.BROKER_ERASED, Kind.MEMORY_ALARM, Kind.DISK_ALARM), (RABBITMQ, None)),
}


def plan(seed: int, seconds: float) -> dict[Lane, list[Planned]]:
    """Draw the faults of so many seconds, by lane and in order; all are to be taken back by then."""
    chance = random.Random(seed)  # noqa: S311 - a draw that can be repeated
    return {lane: list(_drawn(lane, seconds, chance)) for lane in LANES}


def _drawn(lane: Lane, seconds: float, chance: random.Random) -> Iterator[Planned]:
    at_seconds = chance.uniform(0.5, 2.0)
    for kind, (target, server) in _struck(lane, chance):
        lasting_seconds = chance.choice(_LASTING_SECONDS.get(kind, (0.0,)))
        if at_seconds + lasting_seconds > seconds:
            return
        yield Planned(at_seconds, kind, target, server, lasting_seconds)
        at_seconds += lane.pace_seconds * chance.uniform(0.9, 1.1)


def _struck(lane: Lane, chance: random.Random) -> Iterator[tuple[Kind, Target]]:
    """Give every kind in any order, again and again, and with each kind every target before one comes again."""
    targets = {
        kind: _rounds([_FIXED_TARGETS[kind]] if kind in _FIXED_TARGETS else lane.targets, chance) for kind in lane.kinds
    }
    for kind in _rounds(lane.kinds, chance):
        yield kind, next(targets[kind])


def _rounds(items: Sequence[T], chance: random.Random) -> Iterator[T]:
    """Give each item once in any order, then each once again, and so on."""
    while True:
        yield from chance.sample(items, len(items))
