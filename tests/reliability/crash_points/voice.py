"""What speaks on the bus beside the house: other systems, broken ones, and the broker when it gives up."""

from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self
from uuid import UUID, uuid5

import aio_pika
from aio_pika.abc import AbstractExchange

from contracts.envelope import CONTENT_TYPE, Envelope, Message
from shared.identifiers import uuid7
from shared.topology import EVENTS, MARKS, dead_queue_of, queue_of

_SAME_EACH_TIME: Final = UUID("5d0c2d5e-8c1b-5f0e-9d7a-3a4f0e6b1c21")
SOURCE: Final = "another-system"


def same_id(name: str) -> UUID:
    """Give an id that is the same in each round."""
    return uuid5(_SAME_EACH_TIME, name)


class Voice:
    """A connection of its own to the broker."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> Self:
        self._connection = await aio_pika.connect(self._url)
        self._channel = await self._connection.channel()
        self._events = await self._channel.get_exchange(EVENTS, ensure=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    async def say(self, message: Message, *, age: timedelta = timedelta()) -> None:
        """Say a message to whoever hears it, as old as it shall seem."""
        await self._publish(self._events, message.routing_key, message, age)

    async def say_nonsense(self, routing_key: str) -> None:
        """Say something that nobody can read."""
        nonsense = aio_pika.Message(b"{", message_id=str(same_id(f"nonsense {routing_key}")))
        await self._events.publish(nonsense, routing_key)

    async def give_up(self, service: str, message: Message) -> None:
        """Lay a message where the broker lays what it gave up delivering."""
        await self._publish(self._channel.default_exchange, dead_queue_of(service), message, timedelta())

    async def forget_mark(self, service: str, token: UUID) -> None:
        """Take the mark from a service's queue, as if the queue had been created anew."""
        queue = await self._channel.get_queue(queue_of(service), ensure=False)
        await queue.unbind(MARKS, str(token))

    async def _publish(self, exchange: AbstractExchange, routing_key: str, message: Message, age: timedelta) -> None:
        said = Envelope.wrap(message, message_id=uuid7(), source=SOURCE, time=datetime.now(UTC) - age)
        delivery = aio_pika.Message(said.encode(), content_type=CONTENT_TYPE, message_id=str(said.id))
        await exchange.publish(delivery, routing_key)
