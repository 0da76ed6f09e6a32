"""Short experiments, each made for one guarantee: where it holds nothing is lost and nothing happens twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.envelope import routing_key_of
from contracts.jobs import JobCompleted
from contracts.media import MediaStored
from contracts.scraper import ImageFound
from deploy.local.servers import RABBITMQ
from deploy.local.stack import Stack
from shared.topology import queue_of
from tests.journeys.end_state import Books, books_of
from tests.journeys.gallery import Exhibition
from tests.living import until
from tests.reliability.laboratory.checker import Checker, Finding
from tests.reliability.laboratory.experiment import users_of
from tests.reliability.laboratory.faults import inflict
from tests.reliability.laboratory.ledger import read
from tests.reliability.laboratory.listener import Listener
from tests.reliability.laboratory.load import Users
from tests.reliability.laboratory.mutated import launcher_of
from tests.reliability.laboratory.premises import Premises
from tests.reliability.laboratory.proxies import BLACK_HOLE, FAIR
from tests.reliability.laboratory.schedule import LEASE_SECONDS, Kind, Planned

PICTURES = 4
_SETTLED_SECONDS = 40.0
_FORGOTTEN_SECONDS = 12.0
"""What nobody says again after so long, the gateway has asked about in vain."""


@dataclass(frozen=True)
class Trial:
    """What a control has at hand.

    Attributes:
        suspect: the stack in which the one service runs whose guarantee is tried.

    """

    premises: Premises
    suspect: Stack
    users: Users
    books: Books
    name: str

    async def exhibit(self, name: str, pictures: int = PICTURES) -> Exhibition:
        return await self.premises.gallery.exhibit(f"{self.name}-{name}", pictures)


@dataclass(frozen=True)
class Control:
    """A guarantee, the service in which it is tried, and what puts it to the test."""

    guarantee: str
    service: str
    put_to_the_test: Callable[[Trial], Awaitable[None]]

    def __str__(self) -> str:
        return self.guarantee
