"""Where messages go: one exchange, one queue for each service, bound to what the service hears.

Every process declares the whole of it before it publishes, so that a fact is never routed to some hearers only.
Arguments are those that RabbitMQ 3.10 and 4.x both understand; limits and dead lettering come from policies.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel

EVENTS = "diorama.events"
DEAD = "diorama.dead"
MARKS = "diorama.marks"
MARK_TYPE = "diorama.mark"

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
        """Declare exchanges, queues and bindings; what is there already stays."""
        events = await channel.declare_exchange(EVENTS, ExchangeType.TOPIC, durable=True)
        dead = await channel.declare_exchange(DEAD, ExchangeType.DIRECT, durable=True)
        await channel.declare_exchange(MARKS, ExchangeType.DIRECT, durable=True)
        for service, routing_keys in self.hears.items():
            dead_queue = await channel.declare_queue(
                dead_queue_of(service), durable=True, arguments={"x-queue-type": "quorum"}
            )
            await dead_queue.bind(dead, service)
            queue = await channel.declare_queue(queue_of(service), durable=True, arguments={"x-queue-type": "quorum"})
            await _bind_all(channel, queue.name, events.name, routing_keys)


async def _bind_all(channel: AbstractChannel, queue: str, exchange: str, routing_keys: Sequence[str]) -> None:
    """Bind a queue by all these keys; only the last answer is waited for, since a channel works in order.

    A binding that is refused closes the channel, so that whatever is awaited after it raises.
    """
    underlay = await channel.get_underlay_channel()
    for routing_key in routing_keys[:-1]:
        await underlay.queue_bind(queue, exchange, routing_key, nowait=True)
    for routing_key in routing_keys[-1:]:
        await underlay.queue_bind(queue, exchange, routing_key)
