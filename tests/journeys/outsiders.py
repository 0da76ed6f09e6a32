"""Programs that are no part of the house and publish to its exchange."""

import aio_pika

from deploy.local.stack import Stack
from shared.topology import EVENTS


async def publish(stack: Stack, routing_key: str, *bodies: bytes) -> None:
    async with await aio_pika.connect(stack.rabbitmq_url) as connection:
        exchange = await (await connection.channel()).get_exchange(EVENTS, ensure=False)
        for body in bodies:
            await exchange.publish(aio_pika.Message(body), routing_key)
