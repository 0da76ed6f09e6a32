"""An outsider publishes what nobody understands: it is set aside with its reason, and journeys beside it complete."""

from typing import Any

import orjson

from contracts.envelope import routing_key_of
from contracts.media import FetchMedia, MediaStored
from deploy.local.stack import Stack
from shared.identifiers import uuid7
from tests.journeys.end_state import books_of, differences, until_quiet
from tests.journeys.gallery import Gallery
from tests.journeys.outsiders import publish
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
        await publish(stack, routing_key, *BROKEN.values())
    exhibition.picture_door.open()
    await until_quiet(stack)

    async with books_of(stack) as books:
        letters = {
            service: await books.rows(f"DELETE FROM {service}.dead_letters RETURNING code, sentence, body")
            for service in ("media", "gateway", "depth_map", "scraper")
        }
        await books.rows("DELETE FROM gateway.letters")  # what operators are told of them
    assert await differences(stack, visitor) == []
    for service, told in letters.items():
        assert {letter["code"]: letter["body"] for letter in told} == BROKEN, service
        assert len(told) == len(BROKEN), service
        assert all(letter["sentence"] for letter in told)
