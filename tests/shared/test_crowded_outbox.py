"""However much one queue refuses, what is said to the others leaves."""

from uuid import UUID

from contracts.envelope import Message, routing_key_of
from contracts.media import MediaRejected
from shared.topology import queue_of
from shared.worker import Worker
from tests.living import House, lineage, until
from tests.shared.chores import all_said, bytes_in, check, waiting_in
from tests.shared.test_refusing_queue import FULL, a_full_queue

REFUSED = 30_000
"""More than are offered anew to a full queue in the time for which they wait."""
ROOM = 1_000
SOON_SECONDS = 8


async def lay(house: House, count: int, message: Message | None = None) -> None:
    """Put before all else in the outbox what is said to one queue and was put off until now, as hours of it are."""
    saying = house.outbox.encode(message or check(FULL))
    await house.admin.execute(
        "INSERT INTO media.outbox (message_id, routing_key, body, not_before)"
        " SELECT gen_random_uuid(), $1, $2, now() FROM generate_series(1, $3)",
        saying.routing_key,
        saying.body,
        count,
    )


async def say(worker: Worker) -> UUID:
    async with worker.bus.transaction() as tx:
        return tx.say(
            MediaRejected(**lineage(), code="too_large", sentence="It is too large.", url="http://example.com/a.png")
        )


async def was_said(house: House, message_id: UUID) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.said WHERE message_id = $1", message_id))


async def test_what_a_full_queue_refuses_crowds_nobody_out(house: House) -> None:
    async with a_full_queue(house):
        await lay(house, REFUSED)
        async with house.worker("media") as worker:
            for _ in range(3):
                message_id = await say(worker)
                await until(lambda message_id=message_id: was_said(house, message_id), seconds=SOON_SECONDS)
            await until(lambda: one_was_offered_again(house))
        await house.admin.execute("DELETE FROM media.outbox")
        await bytes_in(house, FULL)


async def test_what_was_put_off_for_a_moment_does_not_wait_behind_what_a_full_queue_refuses(house: House) -> None:
    async with a_full_queue(house):
        await lay(house, REFUSED)
        await lay(house, 1, MediaRejected(**lineage(), code="too_large", sentence="It is.", url="http://example.com/a"))
        async with house.worker("media"):
            await until(lambda: another_was_said(house))
        await house.admin.execute("DELETE FROM media.outbox")
        await bytes_in(house, FULL)


async def another_was_said(house: House) -> bool:
    key = routing_key_of(MediaRejected)
    return bool(await house.value("SELECT count(*) FROM media.said WHERE routing_key = $1", key))


async def one_was_offered_again(house: House) -> bool:
    return bool(await house.value("SELECT count(*) FROM media.outbox WHERE not_before > now()"))


async def test_what_a_queue_has_room_for_again_leaves(house: House) -> None:
    await lay(house, ROOM)
    async with house.worker("media"):
        await until(lambda: all_said(house), seconds=SOON_SECONDS)
    assert await waiting_in(house, queue_of(FULL)) == ROOM
