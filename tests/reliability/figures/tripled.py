"""Every event is delivered three times, in any order: the house comes to the same end as when each is heard once."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage

from deploy.database import WORKERS
from deploy.local.stack import Stack
from shared.topology import EVENTS, Topology, queue_of
from tests.journeys.end_state import until_quiet
from tests.journeys.gallery import Exhibition, truncated, web_page_in_disguise
from tests.journeys.visitors import SCENE, Visitor, visiting
from tests.living import until
from tests.reliability.figures.canonical import Dump, differing, dump, told_again
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.hearers import Heard, heard_by_all, known_since
from tests.reliability.figures.lines import Line, at_least, nothing
from tests.reliability.laboratory.bucket import compared
from tests.reliability.laboratory.checker import Finding

NEEDS = Needs()
TIMES = 3
_DELIVERIES = TIMES - 0.1
"""Once is heard what is sent to one queue alone, as the answers of which the gateway asks when a job is silent."""

_SHUFFLED = "figures.shuffled"
_LAST = "figures.last"
_SEED = 1
_PATIENCE_SECONDS = 600.0
_SCENE_SEED = 7


@dataclass(frozen=True)
class Size:
    """How much is done.

    Attributes:
        spread_seconds: how far a delivery may be put off, and so how far out of its order.

    """

    pages: int
    pictures: int
    scenes: int
    probes: int
    spread_seconds: float


FULL = Size(pages=20, pictures=24, scenes=6, probes=500, spread_seconds=2.0)
SHORT = Size(pages=1, pictures=5, scenes=1, probes=20, spread_seconds=0.5)


class Shuffle:
    """Stands between the services' exchange and their queues, and delivers each event three times, each time later."""

    def __init__(self, target: AbstractExchange, spread_seconds: float) -> None:
        self._target = target
        self._spread_seconds = spread_seconds
        self._chance = random.Random(_SEED)  # noqa: S311 - an order is no secret
        self._deliveries: set[asyncio.Task[None]] = set()
        self._heard_last = asyncio.Event()
        self.taken = 0
        self.overtaken = 0
        self._latest = 0

    async def take(self, event: AbstractIncomingMessage) -> None:
        if event.type == _LAST:
            self._heard_last.set()
            return
        self.taken += 1
        number = self.taken
        for _ in range(TIMES):
            task = asyncio.create_task(self._deliver(event, number))
            self._deliveries.add(task)
            task.add_done_callback(self._forget)

    def _forget(self, delivery: asyncio.Task[None]) -> None:
        """Keep those that failed: whoever waits for all of them is told."""
        if delivery.cancelled() or delivery.exception() is None:
            self._deliveries.discard(delivery)

    async def finish(self) -> None:
        """Wait until the last event was taken, and all were delivered as often as they should be."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._heard_last.wait()
            await asyncio.gather(*self._deliveries)

    async def _deliver(self, event: AbstractIncomingMessage, number: int) -> None:
        await asyncio.sleep(self._chance.uniform(0, self._spread_seconds))
        again = aio_pika.Message(
            event.body,
            content_type=event.content_type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers=event.headers,
            message_id=event.message_id,
            type=event.type,
        )
        # What only the gateway asks of itself has no hearer but its own queue; nobody else need be there.
        await self._target.publish(again, event.routing_key or "", mandatory=False)
        self.overtaken += number < self._latest
        self._latest = max(self._latest, number)

    async def is_idle(self) -> bool:
        return not self._deliveries


@asynccontextmanager
async def tripled(stack: Stack, spread_seconds: float) -> AsyncIterator[Shuffle]:
    """Have every event delivered three times and out of order while the context is open."""
    topology = Topology.generated()
    bindings = [(queue_of(service), key) for service, keys in topology.hears.items() for key in keys]
    async with await aio_pika.connect(stack.rabbitmq_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        shuffled = await channel.declare_exchange(_SHUFFLED, aio_pika.ExchangeType.TOPIC, auto_delete=True)
        tap = await channel.declare_queue(exclusive=True)
        shuffle = Shuffle(shuffled, spread_seconds)
        await tap.consume(shuffle.take, no_ack=True)
        # What is published while the queues hear both exchanges is heard once more, and nothing is missed.
        await tap.bind(EVENTS, "#")
        await _bind(channel, bindings, _SHUFFLED)
        await _unbind(channel, bindings, EVENTS)
        try:
            yield shuffle
        finally:
            await _bind(channel, bindings, EVENTS)
            await tap.unbind(EVENTS, "#")
            await channel.default_exchange.publish(aio_pika.Message(b"", type=_LAST), tap.name)
            await shuffle.finish()
            # With its last binding the exchange is gone, and nothing can be delivered through it any more.
            await _unbind(channel, bindings, _SHUFFLED)


async def _bind(channel: AbstractChannel, bindings: list[tuple[str, str]], exchange: str) -> None:
    for queue_name, key in bindings:
        await (await channel.get_queue(queue_name, ensure=False)).bind(exchange, key)


async def _unbind(channel: AbstractChannel, bindings: list[tuple[str, str]], exchange: str) -> None:
    for queue_name, key in bindings:
        await (await channel.get_queue(queue_name, ensure=False)).unbind(exchange, key)


async def measure(ground: Ground, size: Size) -> list[Line]:
    async with visiting(ground.stack) as once, visiting(ground.stack) as thrice:
        exhibitions = [await _exhibit(ground, once, number, size) for number in range(size.pages)]
        undisturbed = await _journey(ground, once, exhibitions, size)
        begun_at, before = await ground.books.value("SELECT clock_timestamp()"), await heard_by_all(ground)
        async with tripled(ground.stack, size.spread_seconds) as shuffle:
            disturbed = await _journey(ground, thrice, exhibitions, size, shuffle)
        heard = {service: now.since(before[service]) for service, now in (await heard_by_all(ground)).items()}
        return [
            at_least("events", shuffle.taken, size.pages * size.pictures),
            at_least("deliveries that came after those of a later event", shuffle.overtaken, shuffle.taken // 2),
            *hearing(heard, await known_since(ground.books, begun_at, heard)),
            at_least("rows and objects compared", undisturbed.total(), size.pages * size.pictures),
            nothing("that differ from those of the journey whose events came once", differing(undisturbed, disturbed)),
            nothing("told to clients more than once", await told_again(ground.books, thrice.project_id)),
            nothing("objects that no row names, or that are not what was stored", await _wrong_objects(ground)),
        ]


def hearing(heard: Mapping[str, Heard], known: Mapping[str, int]) -> list[Line]:
    """Hold that the services themselves heard everything three times, and took it in once."""
    deliveries = min(of.messages.total() / max(1, known[service]) for service, of in heard.items())
    absorbed = [of.absorbed_percent for of in heard.values()]
    return [
        at_least("deliveries of each message, at the service that heard it least often", deliveries, _DELIVERIES),
        # What comes twice in one batch is told apart before the inbox is asked, and does not count as absorbed by it.
        Line(
            "of what a service reacts to, absorbed by its inbox",
            f"{min(absorbed):.1f} to {max(absorbed):.1f} %",
            "> 0 %",
            met=min(absorbed) > 0,
        ),
    ]


async def _wrong_objects(ground: Ground) -> list[Finding]:
    return (await compared(ground.stack, ground.books)).findings


async def _exhibit(ground: Ground, visitor: Visitor, number: int, size: Size) -> Exhibition:
    name = f"tripled-{visitor.user_id}-{number}"
    return await ground.site.exhibit(name, size.pictures, further=[truncated("cut"), web_page_in_disguise("page")])


async def _journey(
    ground: Ground, visitor: Visitor, exhibitions: list[Exhibition], size: Size, shuffle: Shuffle | None = None
) -> Dump:
    """Do the same for every visitor: scrape, draw, probe, and cancel what has not begun to arrive."""
    gateway = visitor.gateway
    unwanted = await ground.site.exhibit("unwanted", 1)
    unwanted.page_door.close_after(0)
    for exhibition in exhibitions:
        await visitor.scrapes(exhibition)
    for number in range(size.scenes):
        body = {**SCENE, "seed": _SCENE_SEED + number}
        await gateway.post(f"/chapters/{visitor.chapter}/images/scenes/{number}", body)
    for number in range(size.probes):
        await gateway.post("/probes", {"service": WORKERS[number % len(WORKERS)]})
    never = await gateway.post("/scrapes", {"url": unwanted.url})
    await asyncio.wait_for(unwanted.page_door.waited_at.wait(), _PATIENCE_SECONDS)
    await gateway.post(f"/jobs/{never['id']}/cancel", {})  # at once: left waiting, it would be tried again
    await until_quiet(ground.stack, seconds=_PATIENCE_SECONDS)
    if shuffle is not None:  # late copies have their effect, if they have one
        await until(shuffle.is_idle)
        await until_quiet(ground.stack, seconds=_PATIENCE_SECONDS)
    unwanted.page_door.open()
    return await dump(ground.books, visitor.project_id)
