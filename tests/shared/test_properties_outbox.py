"""However the broker and the relay fail, exactly what became true is said, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

import aio_pika
import orjson
import pytest
from aio_pika.abc import AbstractQueue
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from contracts.scraper import ImageFound
from shared import relay
from shared.broker import Publisher
from shared.database import Pool, open_pool
from shared.identifiers import uuid7
from shared.outbox import Outbox, insert_sayings
from shared.relay import Relay
from shared.topology import queue_of
from tests.living import House, lineage
from tests.shared.machines import Machine, explore, finds_a_broken_promise

EXAMPLES, STEPS = 40, 12
QUEUE = queue_of("media")
FATES = ("confirmed", "refused", "confirmation_lost", "process_died")


class Killed(BaseException):
    """The process died while a batch was on its way."""


class Whims:
    """A real publisher with whims: each message meets the next fate, and without one it is confirmed."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.up = publisher.up
        self.fates: list[str] = []

    async def publish(self, routing_key: str, body: bytes, **more: Any) -> None:
        fate = self.fates.pop(0) if self.fates else "confirmed"
        if fate == "refused":
            raise ConnectionError("the queue refused it")
        await self._publisher.publish(routing_key, body, **more)
        if fate == "confirmation_lost":
            raise ConnectionError("the confirmation was lost")
        if fate == "process_died":
            raise Killed

    async def declare(self) -> None:
        await self._publisher.declare()


class Saying(Machine):
    """A service that says facts, the relays of its processes, and a queue that hears them."""

    def __init__(self, house: House, pool: Pool, queue: AbstractQueue) -> None:
        super().__init__()
        self.house, self.pool, self.queue = house, pool, queue
        self.outbox = Outbox("scraper")
        self.whims = Whims(house.publisher)
        self.relays = [Relay(self.outbox, pool, cast("Any", self.whims)) for _ in range(2)]
        self.true: set[UUID] = set()
        self.heard: set[UUID] = set()
        self.do(self._empty())

    async def _empty(self) -> None:
        await self.pool.execute("DELETE FROM outbox; DELETE FROM said; DELETE FROM replays")
        await self.queue.purge()

    def teardown(self) -> None:
        """Let everything be well at last: then all that is true has been heard."""
        self.do(self._relay_all())
        self.listen()
        assert self.true <= self.heard, "something true was never heard"

    @rule(count=st.integers(1, 4), commits=st.booleans())
    def say(self, count: int, *, commits: bool) -> None:
        said = self.do(self._say(count, commits=commits))
        if commits:
            self.true |= said

    async def _say(self, count: int, *, commits: bool) -> set[UUID]:
        said: set[UUID] = set()
        with suppress(Killed):
            async with self.outbox.transaction(self.pool) as tx:
                for number in range(count):
                    said.add(
                        tx.say(ImageFound(**lineage(), fetch_job_id=uuid7(), url=f"http://a/{number}", found_in="img"))
                    )
                await tx.flush()
                if not commits:
                    raise Killed
        return said

    @rule(
        count=st.integers(0, 4),
        fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=5),
        processes=st.integers(1, 2),
    )
    def say_and_relay(self, count: int, fates: list[str], processes: int) -> None:
        """Have one or two processes publish at once."""
        self.say(count=count, commits=True)

        async def publish() -> None:
            await asyncio.gather(*(one.relay_batch() for one in self.relays[:processes]), return_exceptions=True)

        self.whims.fates = list(fates)
        self.do(publish())
        self.whims.fates = []

    @rule()
    def ask_for_everything_again(self) -> None:
        self.do(
            self.pool.execute(
                "INSERT INTO replays (queue, routing_keys, said_at) VALUES ($1, $2, now() - interval '1 hour')",
                QUEUE,
                ["scraper.image_found"],
            )
        )

    @rule()
    def copy_a_page(self) -> None:
        self.relays[0]._look_for_replays_at = 0
        self.do(self.relays[0]._replay_page())

    @rule()
    def a_refused_one_has_waited(self) -> None:
        self.do(self.pool.execute("UPDATE outbox SET not_before = now() - interval '1 s' WHERE not_before IS NOT NULL"))

    @rule()
    def listen(self) -> None:
        assert self.do(self._listen()) <= self.true, "something was said that never became true"

    @invariant()
    def what_is_true_is_kept_once_until_it_is_heard(self) -> None:
        waiting, kept = self.do(self._rows())
        assert {*waiting, *kept} <= self.true, "something is kept that never became true"
        assert self.true <= {*waiting, *kept}, "something true is not kept"
        assert len([*waiting, *kept]) == len(self.true), "something is kept twice"

    async def _rows(self) -> tuple[list[UUID], list[UUID]]:
        waiting = await self.pool.fetch("SELECT message_id FROM outbox WHERE queue IS NULL")
        kept = await self.pool.fetch("SELECT message_id FROM said")
        return [row["message_id"] for row in waiting], [row["message_id"] for row in kept]

    async def _relay_all(self) -> None:
        await self.pool.execute("UPDATE outbox SET not_before = NULL")
        while await self.relays[0].relay_batch():
            pass

    async def _listen(self) -> set[UUID]:
        """Take what waits in the queue; return the ids of everything heard in this life."""
        while (delivery := await self.queue.get(no_ack=True, fail=False)) is not None:
            self.heard.add(UUID(orjson.loads(delivery.body)["id"]))
        return self.heard


@pytest.fixture
async def saying(house: House) -> AsyncIterator[Callable[[], Saying]]:
    pool = await open_pool(house.servers.database_url("scraper"), size=4, application_name="relays")
    async with pool, await aio_pika.connect(house.servers.rabbitmq_url) as connection, connection.channel() as channel:
        queue = await channel.get_queue(QUEUE, ensure=False)
        yield lambda: Saying(house, pool, queue)


async def test_what_became_true_is_said_and_nothing_else(saying: Callable[[], Saying]) -> None:
    await explore(saying, examples=EXAMPLES, steps=STEPS)


async def _write_beside_the_transaction(pool: Pool, sayings: Sequence[Any]) -> None:
    async with pool.acquire() as other:
        await insert_sayings(other, sayings)


async def test_saying_beside_the_transaction_is_noticed(
    saying: Callable[[], Saying], house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await open_pool(house.servers.database_url("scraper"), size=2, application_name="beside")
    monkeypatch.setattr("shared.outbox.insert_sayings", lambda _, sayings: _write_beside_the_transaction(pool, sayings))
    async with pool:
        await finds_a_broken_promise(saying, "kept that never became true", examples=EXAMPLES, steps=STEPS)


async def test_taking_a_refusal_for_a_confirmation_is_noticed(
    saying: Callable[[], Saying], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_fails(_relay: Relay, rows: Sequence[Any]) -> dict[int, BaseException]:
        await publish_each(_relay, rows)
        return {}

    publish_each = Relay._publish_each
    monkeypatch.setattr(Relay, "_publish_each", never_fails)
    await finds_a_broken_promise(saying, "true was never heard", examples=EXAMPLES, steps=STEPS)


async def test_letting_go_of_what_was_published_is_noticed(
    saying: Callable[[], Saying], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forget(connection: Any, ids: list[int]) -> None:
        await connection.execute("DELETE FROM outbox WHERE id = ANY ($1)", ids)

    monkeypatch.setattr(relay, "_move_to_said", forget)
    await finds_a_broken_promise(saying, "true is not kept", examples=EXAMPLES, steps=STEPS)
