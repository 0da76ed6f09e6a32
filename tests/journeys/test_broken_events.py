"""An outsider publishes what nobody understands: it is set aside with its reason, and the journey beside it completes."""

from typing import Any

import aio_pika
import orjson

from contracts.media import FetchMedia, MediaStored
from contracts.envelope import routing_key_of
from deploy.local.stack import Stack
from shared.identifiers import uuid7
from shared.topology import EVENTS
from tests.journeys.end_state import books_of, differences, until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.visitors import Visitor

PICTURES = 6


def event(type_: str, data: Any) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(uuid7()),
            "source": "an outsider",
            "type": type_,
            "time": "2999-01-01T00:00:00Z",
            "data": data,
        }
    )


BROKEN = {
    "not_json": b"\xff\xd8 not json",
    "not_cloudevents": b'{"hello": "world"}',
    "message_unknown": event("media.never_heard_of.v1", {}),
    "message_invalid": event(FetchMedia.wire_name, {"url": 7}),
}


async def test_a_broken_event_becomes_a_dead_letter_and_disturbs_nobody(
    stack: Stack, gallery: Gallery, visitor: Visitor
) -> None:
    exhibition = await gallery.exhibit("disturbed", PICTURES)
    exhibition.picture_door.close_after(1)
    await visitor.scrapes(exhibition)
    await exhibition.picture_door.waited_at.wait()
    for routing_key in (routing_key_of(FetchMedia), routing_key_of(MediaStored)):
        await publish(stack, routing_key, list(BROKEN.values()))
    exhibition.picture_door.open()
    await until_quiet(stack)

    assert await differences(stack, visitor) == []
    async with books_of(stack) as books:
        for service in ("media", "gateway", "depth_map"):
            letters = await books.rows(f"SELECT code, sentence, body FROM {service}.dead_letters")
            assert {letter["code"]: letter["body"] for letter in letters} == BROKEN
            assert all(letter["sentence"] for letter in letters)


async def publish(stack: Stack, routing_key: str, bodies: list[bytes]) -> None:
    async with await aio_pika.connect(stack.rabbitmq_url) as connection:
        exchange = await (await connection.channel()).get_exchange(EVENTS, ensure=False)
        for body in bodies:
            await exchange.publish(aio_pika.Message(body), routing_key)
