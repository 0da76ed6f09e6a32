"""Where messages go: one exchange, one queue for each service, bound to what the service hears.

Every process declares the whole of it before it publishes, so that a fact is never routed to some hearers only.
Arguments are those that RabbitMQ 3.10 and 4.x both understand; limits and dead lettering come from policies.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel

EVENTS = "diorama.events"
DEAD = "diorama.dead"
MARKS = "diorama.marks"
MARK_TYPE = "diorama.mark"

_EXCHANGES = {EVENTS: ExchangeType.TOPIC.value, DEAD: ExchangeType.DIRECT.value, MARKS: ExchangeType.DIRECT.value}
_FILE = Path(__file__).parent.parent / "contracts" / "topology.json"


def queue_of(service: str) -> str:
    """Name the queue that a service hears from."""
    return f"diorama.{service}"


def dead_queue_of(service: str) -> str:
    """Name the queue of what the broker gave up delivering to a service."""
    return f"{queue_of(service)}.dead"


@dataclass(frozen=True)
class Topology:
    """What each service hears: routing keys by service."""

    hears: dict[str, tuple[str, ...]]

    @classmethod
    def generated(cls) -> "Topology":
        """Read `contracts/topology.json`, which `make contracts` derives from the handler tables."""
        return cls({service: tuple(keys) for service, keys in json.loads(_FILE.read_text()).items()})

    async def declare(self, channel: AbstractChannel) -> None:
        """Declare exchanges, queues and bindings; what is there already stays.

        Only the last answer is waited for, since a channel works in order. What is refused closes the channel, so that
        whatever is awaited after it raises.
        """
        underlay = await channel.get_underlay_channel()
        for exchange, kind in _EXCHANGES.items():
            await underlay.exchange_declare(exchange, exchange_type=kind, durable=True, nowait=True)
        for service, routing_keys in self.hears.items():
            for queue in (dead_queue_of(service), queue_of(service)):
                await underlay.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"}, nowait=True)
            await underlay.queue_bind(dead_queue_of(service), DEAD, service, nowait=True)
            for routing_key in routing_keys:
                await underlay.queue_bind(queue_of(service), EVENTS, routing_key, nowait=True)
        await underlay.exchange_declare(EVENTS, exchange_type=_EXCHANGES[EVENTS], durable=True)
