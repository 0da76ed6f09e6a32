"""A steady load of mixed jobs, handed in through the gateway by users who repeat what was not answered."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, cycle
from typing import Any
from uuid import UUID

from contracts.depth_map import MapDepth
from contracts.media import AcceptUpload, FetchMedia
from deploy.database import WORKERS
from tests.journeys.gallery import Exhibition, Gallery, draw, truncated
from tests.journeys.visitors import Visitor
from tests.reliability.laboratory.ledger import Accepted, Ledger

_PROBES_HERTZ = 22.0
_SCRAPE_EVERY_SECONDS = 5.0
_SCENE_EVERY_SECONDS = 10.0
_STORE_EVERY_SECONDS = 2.0
_MAP_EVERY_SECONDS = 4.0
_IN_FLIGHT = 100
_TICK_SECONDS = 0.05
_PICTURES_A_PAGE = 3
_BROKEN_SHARE, _POISON_SHARE = 0.5, 0.4

HandIn = Callable[[], Awaitable[None]]


@dataclass
class Users:
    """Who asks for what, and what the house has promised to them.

    Attributes:
        painter: has pages scraped and scenes drawn, and nothing else, so that all that becomes of it can be compared.
        prober: sends jobs that do nothing.
        collector: has single images stored and mapped, some of which are none.
        ledger: is told of every job that was accepted.

    """

    painter: Visitor
    prober: Visitor
    collector: Visitor
    ledger: Ledger

    async def probe(self, service: str) -> None:
        answer = await self.prober.gateway.post("/probes", {"service": service})
        await self._note(self.prober, UUID(answer["id"]), service)

    async def scrape(self, exhibition: Exhibition) -> UUID:
        job_id = await self.painter.scrapes(exhibition)
        follow = {FetchMedia.wire_name: len(exhibition.pictures), MapDepth.wire_name: len(exhibition.sound)}
        await self._note(self.painter, job_id, "scraper", follow=follow, **_shown_by(exhibition))
        return job_id

    async def draw(self, scene_number: int) -> None:
        job_id = await self.painter.draws(scene_number)
        follow = {AcceptUpload.wire_name: 1, MapDepth.wire_name: 1}
        await self._note(self.painter, job_id, "image_generation", follow=follow)

    async def store(self, exhibition: Exhibition) -> None:
        """Have the one picture of an exhibition stored."""
        [picture] = exhibition.pictures
        answer = await self.collector.gateway.post("/media/store", {"url": exhibition.url_of(picture)})
        poison = picture.code is not None
        follow = {} if poison else {MapDepth.wire_name: 1}
        shown = _shown_by(exhibition)
        await self._note(self.collector, UUID(answer["id"]), "media", poison=poison, follow=follow, **shown)

    async def map_again(self, chance: random.Random) -> None:
        """Have one of the images mapped that are there already, if there is any."""
        images = (await self.collector.gateway.get("/images", limit=20))["items"]
        if images:
            answer = await self.collector.gateway.post("/maps", {"image_id": chance.choice(images)["id"]})
            await self._note(self.collector, UUID(answer["items"][0]["id"]), "depth_map")

    async def _note(self, visitor: Visitor, job_id: UUID, service: str, **promised: Any) -> None:
        await self.ledger.note(Accepted(job_id, service, visitor.project_id, datetime.now(UTC), **promised))


def _shown_by(exhibition: Exhibition) -> dict[str, Any]:
    """Give what must come of the pictures of an exhibition, and of what is none."""
    broken = {exhibition.url_of(picture): picture.code for picture in exhibition.broken}
    return {"broken": broken, "pictures": [picture.sha256 for picture in exhibition.sound]}


@dataclass
class Load:
    """What is asked of the house for as long as it runs.

    Attributes:
        refused: what was not accepted, though it should have been.

    """

    users: Users
    gallery: Gallery
    seed: int
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - a draw that can be repeated
        self._numbers = count()
        self._workers: Iterator[str] = cycle(WORKERS)
        self._handing_in: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Hand in until told to stop, and return once everything handed in was answered."""
        streams: list[tuple[float, HandIn]] = [
            (1 / _PROBES_HERTZ, self._probe),
            (_SCRAPE_EVERY_SECONDS, self._scrape),
            (_SCENE_EVERY_SECONDS, self._draw),
            (_STORE_EVERY_SECONDS, self._store),
            (_MAP_EVERY_SECONDS, self._map),
        ]
        async with asyncio.TaskGroup() as group:
            for every_seconds, hand_in in streams:
                group.create_task(self._steadily(every_seconds, hand_in, stop))
        while self._handing_in:
            await asyncio.wait(self._handing_in)

    async def _steadily(self, every_seconds: float, hand_in: HandIn, stop: asyncio.Event) -> None:
        """Keep to the rate; what could not be handed in while the gateway was away is made up for."""
        clock = asyncio.get_running_loop().time
        due_at = clock()
        while not stop.is_set():
            while due_at <= clock() and len(self._handing_in) < _IN_FLIGHT:
                due_at += every_seconds
                self._begin(hand_in)
            await asyncio.sleep(_TICK_SECONDS)

    def _begin(self, hand_in: HandIn) -> None:
        task = asyncio.create_task(self._answered(hand_in))
        self._handing_in.add(task)
        task.add_done_callback(self._handing_in.discard)

    async def _answered(self, hand_in: HandIn) -> None:
        try:
            await hand_in()
        except Exception as error:  # noqa: BLE001 - whatever it was, nothing was accepted, and that is told
            self.refused.append(repr(error))

    async def _probe(self) -> None:
        await self.users.probe(next(self._workers))

    async def _scrape(self) -> None:
        name = f"chaos-{self.seed}-{next(self._numbers)}"
        broken = [truncated(f"{name}-half")] if self._chance.random() < _BROKEN_SHARE else []
        await self.users.scrape(await self.gallery.exhibit(name, _PICTURES_A_PAGE, further=broken))

    async def _draw(self) -> None:
        await self.users.draw(next(self._numbers))

    async def _store(self) -> None:
        name = f"single-{self.seed}-{next(self._numbers)}"
        picture = truncated(name) if self._chance.random() < _POISON_SHARE else draw(name, 0)
        await self.users.store(await self.gallery.exhibit(name, 0, further=[picture]))

    async def _map(self) -> None:
        await self.users.map_again(self._chance)
