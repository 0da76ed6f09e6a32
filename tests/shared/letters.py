"""Dead letters that tests make, and looks at what became of them."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from contracts.catalogue import open_envelope, understand
from contracts.envelope import Message
from contracts.jobs import DeadLetterFilter, DeadLettersSettled, DiscardDeadLetters, RedriveDeadLetters
from contracts.scraper import ImageFound
from shared.database import Pool, close_pool, open_pool
from shared.errors import Refused
from shared.handling import Heard
from shared.identifiers import uuid7
from shared.outbox import Outbox, Transaction
from shared.redriving import DeadLetters
from shared.topology import queue_of
from shared.worker import Worker
from tests.living import House, lineage, until
from tests.shared.chores import all_said


class Handler:
    """Takes in what it hears, except while it is broken; then it refuses it with a reason."""

    def __init__(self, reason: str | None = "not_ready") -> None:
        self.reason = reason
        self.taken_in: Counter[UUID] = Counter()

    async def __call__(self, _tx: Transaction, facts: Sequence[Heard[ImageFound]]) -> None:
        if self.reason:
            raise Refused(self.reason, "It is not ready for that.")
        self.taken_in.update(fact.id for fact in facts)

    async def has(self, message_id: UUID) -> bool:
        return message_id in self.taken_in


def found() -> ImageFound:
    return ImageFound(**lineage(), fetch_job_id=uuid7(), url="http://example.com/a.png", found_in="img")


def redrive(*ids: UUID, **conditions: Any) -> RedriveDeadLetters:
    wanted = DeadLetterFilter(**conditions) if conditions else None
    return RedriveDeadLetters(addressee="media", dead_letter_ids=ids, filter=wanted, asked_by="me")


def discard(*ids: UUID) -> DiscardDeadLetters:
    return DiscardDeadLetters(addressee="media", dead_letter_ids=ids, asked_by="me")


async def letters_in(house: House) -> list[Any]:
    return await house.rows("SELECT * FROM media.dead_letters ORDER BY received_at")


async def outcomes_are(house: House, *expected: str | None) -> bool:
    return Counter(letter["outcome"] for letter in await letters_in(house)) == Counter(expected)


async def set_aside(house: House, *messages: Message) -> list[UUID]:
    """Say messages, and give the ids of the letters that become of them."""
    before = len(await letters_in(house))
    said = [str(await house.say(message)) for message in messages]

    async def all_dead() -> bool:
        return len(await letters_in(house)) == before + len(messages)

    await until(all_dead)
    ids = {letter["message_id"]: letter["id"] for letter in await letters_in(house)}
    return [ids[message_id] for message_id in said]


async def obeyed(house: House, instruction: Message) -> None:
    await until(obeys(house, await house.say(instruction)))


def obeys(house: House, asked: UUID) -> Any:
    return lambda: house.value("SELECT true FROM media.inbox WHERE message_id = $1", asked)


async def settled(house: House) -> dict[UUID, str]:
    """Give the last that was said of each letter."""
    await until(lambda: all_said(house))
    told = [one for one in await house.heard() if isinstance(one, DeadLettersSettled)]
    return {letter.dead_letter_id: letter.state for one in told for letter in one.letters}


def redriven_by(worker: Worker) -> Counter[UUID]:
    """Count what a worker publishes to its own queue."""
    redriven: Counter[UUID] = Counter()
    publish = worker.bus.publisher.publish

    async def spy(routing_key: str, body: bytes, *, message_id: UUID, **more: Any) -> None:
        await publish(routing_key, body, message_id=message_id, **more)
        if routing_key == queue_of("media"):
            redriven[message_id] += 1

    worker.bus.publisher.publish = spy  # type: ignore[method-assign]
    return redriven


class Desk:
    """The letters of media, without a worker: instructions are obeyed by hand, and what is said stays in the outbox."""

    def __init__(self, house: House, pool: Pool) -> None:
        self._house = house
        self.pool = pool
        self.outbox = Outbox("media")
        self._letters = DeadLetters("media", self.outbox)

    async def obey(self, *instructions: RedriveDeadLetters | DiscardDeadLetters) -> None:
        async with self.outbox.transaction(self.pool) as tx:
            for asked in instructions:
                await self.obey_in(tx, asked)

    async def obey_in(self, tx: Transaction, asked: RedriveDeadLetters | DiscardDeadLetters) -> None:
        heard: Any = [Heard(asked, uuid7(), datetime.now(UTC), "tests", None)]
        if isinstance(asked, RedriveDeadLetters):
            await self._letters.on_redrive_dead_letters(tx, heard)
        else:
            await self._letters.on_discard_dead_letters(tx, heard)

    async def delivered(self) -> list[UUID]:
        """Give the ids of the messages that are to be delivered to the queue of media once more."""
        rows = await self._house.rows("SELECT message_id FROM media.outbox WHERE queue IS NOT NULL ORDER BY id")
        return [row["message_id"] for row in rows]

    async def said(self) -> list[Message]:
        """Give what is to be said to everybody."""
        rows = await self._house.rows("SELECT body FROM media.outbox WHERE queue IS NULL ORDER BY id")
        return [understand(open_envelope(orjson.loads(row["body"]))) for row in rows]

    async def told(self) -> dict[UUID, str]:
        """Give the last word about each letter, as whoever hears it orders them."""
        told = [one for one in await self.said() if isinstance(one, DeadLettersSettled)]
        told.sort(key=lambda one: one.at)
        return {letter.dead_letter_id: letter.state for one in told for letter in one.letters}

    async def lose_what_is_said(self) -> None:
        await self._house.admin.execute("DELETE FROM media.outbox")


@asynccontextmanager
async def a_desk(house: House) -> AsyncIterator[Desk]:
    pool = await open_pool(house.servers.database_url("media"), size=3, application_name="desk")
    try:
        yield Desk(house, pool)
    finally:
        await close_pool(pool)
