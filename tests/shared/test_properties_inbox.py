"""However often messages are delivered, and whenever processes die, each has its effect once."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import UUID

import aio_pika
import asyncpg
import pytest
import structlog
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage, AbstractQueue
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from contracts.media import FetchMedia, MediaRejected
from contracts.scraper import ImageFound
from shared import intake
from shared.database import Pool, open_pool
from shared.handling import Heard
from shared.intake import Intake
from shared.jobs import Bench, Clock
from shared.outbox import Outbox, Transaction
from shared.runner import Runner
from shared.topology import queue_of
from tests.living import House, lineage, until
from tests.shared.machines import Machine, explore, finds_a_broken_promise

EXAMPLES, STEPS = 40, 12
FACTS, POISON, COMMANDS = {1, 2, 3, 4}, 5, {6, 7}
"""The messages of a life, by number; their ids are of that life alone, for an earlier one may have left some."""

FATES = ("well", "died_before_commit", "died_after_commit", "database_away")
_SOME = st.lists(st.integers(1, 7), min_size=1, max_size=6)
_lives = count(1)


class Killed(BaseException):
    """The process died while it took a batch in."""


class Hearing(Machine):
    """Two processes of a service that take in what one queue delivers."""

    def __init__(self, house: House, pool: Pool, connection: AbstractConnection) -> None:
        super().__init__()
        self.house, self.pool, self.connection = house, pool, connection
        self.outbox = Outbox("media")
        self.life = next(_lives)
        self.said: set[int] = set()
        self.acknowledged: set[int] = set()
        self.fates: list[str] = []
        self.do(self._begin())

    async def _begin(self) -> None:
        bench = Bench("media", self.pool, self.outbox, Clock(), "me", frozenset(), lambda *_: None)
        self.outbox.tasks = Runner(bench, self.house.settings("media"), self.pool)
        works = frozenset({FetchMedia})
        self.processes = [Intake("media", self.pool, self.outbox, works=works, retention_days=7) for _ in range(2)]
        for process in self.processes:
            process.react({ImageFound: self._react})
        self._queues = [await self._open() for _ in self.processes]
        await self._queues[0].purge()

    async def _open(self) -> AbstractQueue:
        return await (await self.connection.channel()).get_queue(queue_of("media"), ensure=False)

    def teardown(self) -> None:
        """Let everything be well at last: then all that was said has had its effect."""
        self.do(self._hear_all())
        self.do(self._close())

    async def _hear_all(self) -> None:
        self.fates = []
        await until(self._all_is_acknowledged, seconds=60)
        assert set().union(*await self._look()) == self.said, "something was lost"

    async def _all_is_acknowledged(self) -> bool:
        """Take in what is there; what a dead process held is there again after a moment."""
        return not await self._take_in(0, 100) and self.acknowledged == self.said

    async def _close(self) -> None:
        for queue in self._queues:
            await queue.channel.close()

    async def _react(self, tx: Transaction, facts: Sequence[Heard[ImageFound]]) -> None:
        """Have an effect for each fact: one message that is said. Poison has none."""
        for one in facts:
            if _number_of(one.id) == POISON:
                raise ValueError("it cannot be taken in")
            tx.say(MediaRejected(**one.message.own_lineage(), code="seen", sentence=str(one.id)))
        await tx.flush()
        match self.fates.pop(0) if self.fates else "well":
            case "died_before_commit":
                raise Killed
            case "database_away":
                raise asyncpg.CannotConnectNowError("the database system is starting up")

    @initialize(numbers=_SOME)
    def something_is_said(self, numbers: list[int]) -> None:
        self.messages_are_said_and_said_again(numbers=numbers)

    @rule(numbers=_SOME)
    def messages_are_said_and_said_again(self, numbers: list[int]) -> None:
        async def say() -> None:
            for number in numbers:
                message_id = UUID(int=self.life << 8 | number)
                await self.house.say(_message(message_id), message_id=message_id)

        self.do(say())
        self.said |= set(numbers)

    @rule(many=st.integers(1, 6), fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=3))
    def a_process_takes_a_batch_in(self, many: int, fates: list[str]) -> None:
        self.fates = list(fates)
        self.do(self._take_in(0, many, dies="died_after_commit" in fates))

    @rule(sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)))
    def two_processes_take_batches_in(self, sizes: tuple[int, int]) -> None:
        async def take_in() -> None:
            await asyncio.gather(*(self._take_in(number, many) for number, many in enumerate(sizes)))

        self.fates = []
        self.do(take_in())

    async def _take_in(self, number: int, many: int, *, dies: bool = False) -> bool:
        """Take in a batch as a process does; where it dies its channel closes, and the broker delivers again."""
        batch = await self._deliveries(self._queues[number], many)
        died = dies
        try:
            await self.processes[number]._take_in(batch)
        except Killed:
            died = True
        if died:
            await self._queues[number].channel.close()
            self._queues[number] = await self._open()
        else:
            await intake._acknowledge(batch)
            ids = [UUID(delivery.message_id or "") for delivery in batch]
            self.acknowledged |= {_number_of(one) for one in ids if one.int >> 8 == self.life}
        return bool(batch)

    async def _deliveries(self, queue: AbstractQueue, many: int) -> list[AbstractIncomingMessage]:
        batch: list[AbstractIncomingMessage] = []
        while len(batch) < many and (delivery := await queue.get(fail=False)) is not None:
            batch.append(delivery)
        return batch

    @invariant()
    def nothing_has_its_effect_twice(self) -> None:
        effects, letters, tasks = self.do(self._look())
        assert set(letters) <= self.said & {POISON}, "poison took its neighbours with it"
        assert set(effects) <= self.said & FACTS, "something had an effect that it has not"
        assert set(tasks) <= self.said & COMMANDS, "something had an effect that it has not"
        assert set((effects + letters + tasks).values()) <= {1}, "something had its effect twice"
        assert self.acknowledged <= set(effects + letters + tasks), "something was acknowledged and lost"

    async def _look(self) -> tuple[Counter[int], Counter[int], Counter[int]]:
        """Count the effects of facts, the dead letters, and the tasks, by the message that caused them."""
        effects = """
            SELECT convert_from(body, 'UTF8')::jsonb #>> '{data,sentence}' AS id FROM outbox
            WHERE routing_key = 'media.media_rejected'
        """
        letters, tasks = "SELECT message_id AS id FROM dead_letters", "SELECT id FROM tasks"
        return await self._count(effects), await self._count(letters), await self._count(tasks)

    async def _count(self, sql: str) -> Counter[int]:
        ids = [UUID(str(row["id"])) for row in await self.pool.fetch(sql)]
        return Counter(_number_of(one) for one in ids if one.int >> 8 == self.life)


def _number_of(message_id: UUID) -> int:
    return message_id.int & 0xFF


def _message(message_id: UUID) -> FetchMedia | ImageFound:
    """Make the message of an id: for a command, the job has the same."""
    if _number_of(message_id) in COMMANDS:
        return FetchMedia(**lineage(message_id), url="http://example.com/a.png")
    return ImageFound(**lineage(message_id), fetch_job_id=message_id, url="http://a/b", found_in="img")


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Log nothing: drawing tracebacks for people takes longer than the test."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def hearing(house: House) -> AsyncIterator[Callable[[], Hearing]]:
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="intakes")
    async with pool, await aio_pika.connect(house.servers.rabbitmq_url) as connection:
        yield lambda: Hearing(house, pool, connection)


async def test_each_message_has_its_effect_once(hearing: Callable[[], Hearing]) -> None:
    await explore(hearing, examples=EXAMPLES, steps=STEPS)


async def _know_nothing(_connection: Any, message_ids: list[UUID]) -> set[UUID]:
    return set(message_ids)


async def _set_all_aside(process: Intake, readings: list[Any], **_: Any) -> None:
    """Let a bad message take its neighbours with it."""
    try:
        await process._commit(readings)
    except ValueError as error:
        await process._commit([intake._set_aside(one, error) for one in readings])


async def _drop_while_away(process: Intake, batch: list[Any]) -> None:
    """Give up a batch that the database could not take, and have it acknowledged nevertheless."""
    with suppress(asyncpg.CannotConnectNowError):
        await process._commit_or_set_aside([process._read(delivery) for delivery in batch])


@pytest.mark.parametrize(
    ("room", "name", "mutation", "promise"),
    [
        (intake, "_insert_inbox", _know_nothing, "had its effect twice"),
        (Intake, "_commit_or_set_aside", _set_all_aside, "poison took its neighbours with it"),
        (Intake, "_take_in", _drop_while_away, "acknowledged and lost"),
    ],
)
async def test_a_mutated_intake_breaks_these_promises(
    hearing: Callable[[], Hearing],
    monkeypatch: pytest.MonkeyPatch,
    *,
    room: Any,
    name: str,
    mutation: Any,
    promise: str,
) -> None:
    monkeypatch.setattr(room, name, mutation)
    await finds_a_broken_promise(hearing, promise, examples=EXAMPLES, steps=STEPS)
