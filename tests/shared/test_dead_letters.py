"""A dead letter is kept, once, whatever happens while it is buried; and delivered once more, never for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aio_pika
import pytest

from contracts.envelope import Message
from contracts.jobs import MessageDeadLettered
from shared.hearing import Hearing
from shared.identifiers import uuid7
from shared.topology import dead_queue_of, queue_of
from tests.living import House, until
from tests.shared.chores import all_said, check, is_in, waiting_in
from tests.shared.letters import redriven_by


async def kill(house: House, message: Message) -> UUID:
    """Have the broker give up delivering a message, as far as media can see."""
    saying = house.outbox.encode(message)
    await house.publisher.publish(
        dead_queue_of("media"), saying.body, message_id=saying.message_id, type_=message.wire_name, exchange=""
    )
    return saying.message_id


@asynccontextmanager
async def burials_held_up(house: House) -> AsyncIterator[None]:
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE media.dead_letters IN ACCESS EXCLUSIVE MODE")
        yield


async def _burial_waits(house: House) -> bool:
    return bool(
        await house.value(
            "SELECT count(*) FROM pg_locks WHERE relation = 'media.dead_letters'::regclass AND NOT granted"
        )
    )


async def _letters(house: House) -> list[str]:
    return [row["code"] for row in await house.rows("SELECT code FROM media.dead_letters ORDER BY code")]


async def the_process_ends_while_it_buries(house: House) -> Message:
    """Others are heard and acknowledged meanwhile."""
    dead, neighbour = check(), check()
    async with burials_held_up(house), house.worker("media"):
        await kill(house, dead)
        await until(lambda: _burial_waits(house))
        await house.say(neighbour)
        await until(lambda: is_in(house, "completed", neighbour))
        await until(lambda: _is_acknowledged(house))
    return dead


async def _is_acknowledged(house: House) -> bool:
    return not await waiting_in(house, queue_of("media"))


async def test_a_dead_letter_whose_burial_is_interrupted_is_not_lost(house: House) -> None:
    dead = await the_process_ends_while_it_buries(house)
    assert await _letters(house) == []
    async with house.worker("media"):
        await until(lambda: _letters(house))
        await until(lambda: is_in(house, "completed", dead))  # type: ignore[arg-type]


class OneChannel:
    """A connection that gives the same channel to all."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._channel: Any = None

    async def channel(self) -> Any:
        self._channel = self._channel or await self._connection.channel()
        return self._channel


async def test_on_a_shared_channel_the_dead_letter_would_be_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = Hearing._session

    with monkeypatch.context() as mutation:
        mutation.setattr(Hearing, "_session", lambda hearing, link: session(hearing, OneChannel(link)))  # type: ignore[arg-type]
        await the_process_ends_while_it_buries(house)
    assert await waiting_in(house, dead_queue_of("media")) == 0, "the test would not notice a shared channel"


async def test_a_burial_goes_on_when_its_connection_is_cut(house: House) -> None:
    async with house.worker("media"):
        async with burials_held_up(house):
            await kill(house, check())
            await until(lambda: _burial_waits(house))
            await house.admin.execute(
                """
                SELECT pg_terminate_backend(pid) FROM pg_locks
                WHERE relation = 'media.dead_letters'::regclass AND NOT granted
                """
            )
        await until(lambda: _letters(house))
    assert await waiting_in(house, dead_queue_of("media")) == 0


class Burials:
    """Counts what was buried to its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ended = 0
        bury = Hearing._bury

        async def count(hearing: Hearing, delivery: Any) -> None:
            await bury(hearing, delivery)
            self.ended += 1

        monkeypatch.setattr(Hearing, "_bury", count)

    async def are(self, count: int) -> bool:
        return self.ended == count


async def test_what_dies_again_and_again_is_delivered_once_more_and_no_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    burials = Burials(monkeypatch)
    dead = check()
    async with house.worker("media") as worker:
        redriven = redriven_by(worker)
        message_id = await kill(house, dead)
        await until(lambda: is_in(house, "completed", dead))
        saying = house.outbox.encode(dead, message_id=message_id)
        for _ in range(3):
            await house.publisher.publish(
                dead_queue_of("media"), saying.body, message_id=message_id, type_=dead.wire_name, exchange=""
            )
        await until(lambda: burials.are(4))
        await until(lambda: all_said(house))
    assert redriven == {message_id: 1}
    assert await _letters(house) == ["delivery_limit"]
    assert await house.value("SELECT redriven_at IS NOT NULL FROM media.dead_letters")
    assert len([one for one in await house.heard() if isinstance(one, MessageDeadLettered)]) == 1


async def test_a_bad_message_that_comes_three_times_is_one_dead_letter(house: House) -> None:
    message_id, neighbour = uuid7(), check()
    async with house.worker("media"):
        for _ in range(3):
            await house.publisher.publish("media.fetch_media", b"not json", message_id=message_id, type_="any")
        await house.say(neighbour)
        await until(lambda: is_in(house, "completed", neighbour))
        await until(lambda: all_said(house))
    assert await _letters(house) == ["not_json"]
    assert len([one for one in await house.heard() if isinstance(one, MessageDeadLettered)]) == 1


async def test_one_message_with_two_reasons_is_two_dead_letters(house: House) -> None:
    message_id, neighbour = uuid7(), check()
    async with house.worker("media"):
        for body in (b"not json", b"{}"):
            await house.publisher.publish("media.fetch_media", body, message_id=message_id, type_="any")
        await house.say(neighbour)
        await until(lambda: is_in(house, "completed", neighbour))
    assert await _letters(house) == ["not_cloudevents", "not_json"]


async def test_what_nobody_hears_is_set_aside_and_its_neighbours_are_said(house: House) -> None:
    async with house.worker("media") as worker:
        async with worker.bus.transaction() as tx:
            tx.say(check("nobody"))
            tx.say(neighbour := check())
        await until(lambda: is_in(house, "completed", neighbour))
        await until(lambda: all_said(house))
    assert await _letters(house) == ["unroutable"]


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"5", b'{"type": 5}', b'{"type": "\\u0000"}'])
async def test_what_nobody_hears_may_be_anything(house: House, body: bytes) -> None:
    """What was set aside unread and is delivered once more, to a queue that is gone."""
    async with house.worker("media") as worker:
        await house.admin.execute(
            "INSERT INTO media.outbox (message_id, routing_key, body) VALUES ($1, 'nobodys.business', $2)",
            uuid7(),
            body,
        )
        worker.bus.outbox.wake.set()
        await until(lambda: _letters(house))
        await house.say(neighbour := check())
        await until(lambda: is_in(house, "completed", neighbour))
    assert await _letters(house) == ["unroutable"]


EVIL = [
    b"[" * 5000 + b"]" * 5000,
    b"null",
    b"[]",
    b"5",
    b'""',
    b"",
    b'{"specversion":"1.0","id":"%s","source":"x","type":"media.fetch_media.v1","time":"0001-01-01T00:00:00+23:59","data":{}}',
    b'{"specversion":"1.0","id":"%s","source":"x","type":"media.fetch_media.v1","time":"9999-12-31T23:59:59-23:59","data":{}}',
    (
        b'{"specversion":"1.0","id":"%s","source":"x","type":"jobs.cancel_job.v1","time":"9999-12-31T23:59:59-23:59",'
        b'"data":{"addressee":"all","job_id":"%s","cancelled_by":"\\u0000"}}'
    ),
    (
        b'{"specversion":"1.0","id":"%s","source":"x","type":"jobs.report_jobs.v1","time":"0001-01-01T00:00:00+23:59",'
        b'"data":{"addressee":"all","job_ids":[]}}'
    ),
    (
        b'{"specversion":"1.0","id":"%s","source":"x","type":"jobs.pause_work.v1","time":"2026-11-21T00:00:00Z",'
        b'"data":{"addressee":"all","kind":"\\u0000","owner":"x","expires_at":"9999-12-31T23:59:59-23:59"}}'
    ),
]


async def test_nothing_that_can_be_sent_ends_the_ear(house: House) -> None:
    neighbour = check()
    job_id = str(neighbour.job_id).encode()
    async with house.worker("media"):
        for body in EVIL:
            evil = body.replace(b"%s", job_id)
            await house.publisher.publish("media.fetch_media", evil, message_id=uuid7(), type_="\x00" * 3)
        await house.say(neighbour)
        await until(lambda: is_in(house, "completed", neighbour))
        await until(lambda: _has_letters(house, len(EVIL)))


async def _has_letters(house: House, count: int) -> bool:
    return len(await _letters(house)) == count


async def test_headers_of_strangers_do_not_end_the_ear(house: House) -> None:
    neighbour = check()
    connection = await aio_pika.connect(house.servers.rabbitmq_url)
    headers: list[dict[str, Any]] = [
        {"cloudEvents_specversion": 5},
        {"ce-specversion": "1.0", "ce-data": bytearray(b"\xff"), "ce-id": [1, {"a": None}]},
        {"x-death": "no list", "n\u0000ul": "\x00"},
        {"x": "y" * 100_000},
    ]
    async with house.worker("media"):
        async with connection, connection.channel() as channel:
            for given in headers:
                message = aio_pika.Message(b"{}", headers=given, message_id="\u00e4" * 100)
                await channel.default_exchange.publish(message, queue_of("media"))
        await house.say(neighbour)
        await until(lambda: is_in(house, "completed", neighbour))
        await until(lambda: _has_letters(house, 1))


async def test_a_worker_stops_in_order_while_a_burial_is_held_up(house: House) -> None:
    async with burials_held_up(house):
        async with house.worker("media"):
            await kill(house, check())
            await until(lambda: _burial_waits(house))
        async with asyncio.timeout(5):
            await until(lambda: _comes_again(house))


async def _comes_again(house: House) -> bool:
    return await waiting_in(house, dead_queue_of("media")) == 1
