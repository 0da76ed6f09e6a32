"""A relay waits for a broker no longer than the database lets its transaction wait."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from shared import broker, database, relay
from shared.broker import Unroutable
from shared.identifiers import uuid7
from shared.relay import Relay
from tests.living import House
from tests.shared.chores import check
from tests.shared.letters import Desk, a_desk


class DeafBroker:
    """Confirms everything except what it has no queue for, and never ends a declaration."""

    def __init__(self, unheard: str) -> None:
        self.up = asyncio.Event()
        self.up.set()
        self._unheard = unheard

    async def publish(self, routing_key: str, _body: bytes, *, message_id: UUID, **_: Any) -> None:
        if routing_key == self._unheard:
            raise Unroutable(str(message_id))

    async def declare(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
async def desk(house: House) -> AsyncIterator[Desk]:
    async with a_desk(house) as desk:
        yield desk


async def test_what_was_confirmed_is_kept_though_the_broker_does_not_declare(
    house: House, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_SECOND_TRY_SECONDS", 0.1)
    unheard = check("nobody")
    async with desk.outbox.transaction(desk.pool) as tx:
        heard_id, unheard_id = tx.say(check()), tx.say(unheard)
    broken: Any = DeafBroker(unheard.routing_key)
    async with asyncio.timeout(20):
        assert await Relay(desk.outbox, desk.pool, broken).relay_batch() == 1
    assert [row["message_id"] for row in await house.rows("SELECT message_id FROM media.said")] == [heard_id]
    assert [row["message_id"] for row in await house.rows("SELECT message_id FROM media.outbox")] == [unheard_id]


async def test_the_wait_for_room_is_a_part_of_the_wait_for_a_confirmation(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "_PUBLISH_SECONDS", 0.1)
    monkeypatch.setattr(house.publisher, "_room", asyncio.Semaphore(0))
    async with asyncio.timeout(20) as patience:
        with pytest.raises(TimeoutError):
            await house.publisher.publish("media.fetch_media", b"{}", message_id=uuid7(), type_="any")
    assert not patience.expired()


def test_both_tries_together_are_shorter_than_the_patience_of_the_database() -> None:
    assert broker._PUBLISH_SECONDS + relay._SECOND_TRY_SECONDS < database._IDLE_IN_TRANSACTION_SECONDS
    assert database._IDLE_IN_TRANSACTION_SECONDS < database._LOCK_SECONDS < database._STATEMENT_SECONDS
