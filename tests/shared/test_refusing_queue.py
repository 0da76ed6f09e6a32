"""One queue that is full keeps what is said to it waiting, and nothing else."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import orjson

from contracts.media import MediaRejected
from shared.broker import Publisher
from shared.topology import queue_of
from tests.living import House, lineage, until
from tests.shared.chores import bytes_in, check, tell_broker, waiting_in

FULL = "depth_map"


@asynccontextmanager
async def a_full_queue(house: House) -> AsyncIterator[None]:
    limits = '{"max-length": 1, "overflow": "reject-publish"}'
    policy = ("-p", "diorama", "full")
    await tell_broker(house, "set_policy", "--priority", "9", *policy, f"^diorama[.]{FULL}$", limits)
    try:
        await until(lambda: _refuses(house))
        yield
    finally:
        await tell_broker(house, "clear_policy", *policy)


async def _refuses(house: House) -> bool:
    try:
        await house.say(check(FULL))
    except ConnectionError:
        return True
    return False


def rejected() -> MediaRejected:
    return MediaRejected(**lineage(), code="too_large", sentence="It is too large.", url="http://example.com/a.png")


async def test_what_one_queue_refuses_waits_and_its_neighbours_are_said_once(house: House) -> None:
    async with a_full_queue(house), house.worker("media") as worker:
        await bytes_in(house, "gateway")
        said: list[UUID] = []
        publisher: Publisher = worker.bus.publisher
        for _ in range(3):
            async with worker.bus.transaction() as tx:
                for _ in range(5):
                    tx.say(check(FULL))
                    said.append(tx.say(rejected()))
        await until(lambda: _is_kept(house, 15))
        assert publisher.up.is_set()
        await until(lambda: _was_tried_again(house))
        heard = [orjson.loads(body) for body in await bytes_in(house, "gateway")]
        # Of itself a process tells by the clock.
        facts = Counter(one["id"] for one in heard if one["type"] == MediaRejected.wire_name)
        assert facts == {str(message_id): 1 for message_id in said}
        assert await _wait(house) >= 13, "the queue took more than it has room for"
        await bytes_in(house, FULL)
    async with house.worker("media"):
        await house.admin.execute("UPDATE media.outbox SET not_before = now() WHERE not_before IS NOT NULL")
        await until(lambda: _nothing_waits(house))
    assert await waiting_in(house, queue_of(FULL)) >= 13


async def _is_kept(house: House, count: int) -> bool:
    said = await house.value("SELECT count(*) FROM media.said WHERE routing_key = 'media.media_rejected'")
    return bool(said == count)


async def _wait(house: House) -> int:
    count: int = await house.value("SELECT count(*) FROM media.outbox")
    return count


async def _nothing_waits(house: House) -> bool:
    return await _wait(house) == 0


async def _was_tried_again(house: House) -> bool:
    """Put forward the time of the next try, and wait until it was put off again."""
    await house.admin.execute("UPDATE media.outbox SET not_before = now() - interval '1 s'")
    await until(lambda: house.value("SELECT every(not_before > now()) FROM media.outbox"))
    return True
