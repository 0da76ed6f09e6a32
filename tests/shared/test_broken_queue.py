"""A queue that is there and neither gives nor takes is replaced, and what it held is said again."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.jobs import CheckWorker
from contracts.media import FetchMedia
from contracts.scraper import ImageFound
from services.media.handlers import on_image_found
from shared import hearing
from shared.broker import BROKER_AWAY, Publisher
from shared.identifiers import uuid7
from shared.jobs import Job
from shared.topology import queue_of
from shared.worker import Worker
from tests.living import House, lineage, until
from tests.shared.chores import check, is_in, tell_broker

FACTS = 50
AN_HOUR_SECONDS = 3600


async def fetch(_job: Job[FetchMedia]) -> None: ...


async def break_queue(house: House, service: str) -> None:
    """Leave the queue without a leader, as a broker does that was killed while it made it."""
    await tell_broker(house, "eval", f"ra:stop_server(quorum_queues, {{'diorama_{queue_of(service)}', node()}}).")


async def lose_facts_in_a_broken_queue(house: House, scraper: Worker) -> None:
    async with scraper.bus.transaction() as tx:
        for number in range(FACTS):
            tx.say(ImageFound(**lineage(), fetch_job_id=uuid7(), url=f"http://a/{number}", found_in="img"))
    await until(lambda: house.value("SELECT count(*) >= $1 FROM scraper.said", FACTS))
    await break_queue(house, "media")


@pytest.fixture(autouse=True)
async def unspoken(house: House) -> AsyncIterator[None]:
    """Leave a channel to the tests to come that has not spoken to the queue which was broken.

    RabbitMQ numbers what a channel says to a queue. One without a leader tells no channel that it is deleted, and what
    takes its place waits for the numbers that the old one has had: nothing is confirmed any more.
    """
    yield
    await house.post.renew()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_BROKEN_SECONDS", 0.5)


@pytest.mark.usefixtures("soon")
async def test_a_queue_without_a_leader_is_replaced_and_what_it_held_is_said_again(house: House) -> None:
    async with house.worker("scraper") as scraper:
        await lose_facts_in_a_broken_queue(house, scraper)
        async with house.worker("media", hears={ImageFound: on_image_found}, works={FetchMedia: fetch}):
            await until(lambda: _all_fetched(house), seconds=30)


@pytest.mark.usefixtures("soon")
async def test_whoever_has_spoken_to_a_queue_is_heard_by_the_one_that_takes_its_place(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced, replace = asyncio.Event(), Publisher.replace

    async def tell(publisher: Publisher, queue: str) -> None:
        await replace(publisher, queue)
        replaced.set()

    monkeypatch.setattr(Publisher, "replace", tell)
    before, after = check(), check()
    async with house.worker("media") as worker:
        await house.say(before)
        await until(lambda: is_in(house, "completed", before))
        await break_queue(house, "media")
        await worker.bus._hearing._channel.close()
        await asyncio.wait_for(replaced.wait(), 60)
        await until(lambda: _hears(worker))
        await until(lambda: _has_said(house, after), seconds=60)
        await until(lambda: is_in(house, "completed", after))


async def _has_said(house: House, command: CheckWorker) -> bool:
    """Say it as the relay does: once more with the same id, as long as nobody confirms it."""
    try:
        await house.say(command, message_id=command.job_id)
    except BROKER_AWAY:
        return False
    return True


@pytest.mark.parametrize("refused_before_the_broker_left", [False, True])
async def test_a_queue_that_refuses_for_a_moment_keeps_what_it_holds(
    house: House, monkeypatch: pytest.MonkeyPatch, refused_before_the_broker_left: bool
) -> None:
    replaced: list[Any] = []
    monkeypatch.setattr("shared.broker.Publisher.replace", lambda _self, queue: replaced.append(queue))
    refusals = asyncio.Event()
    monkeypatch.setattr(hearing.Hearing, "_replace_if_broken", _counted(hearing.Hearing._replace_if_broken, refusals))
    async with house.worker("media") as worker:
        if refused_before_the_broker_left:
            worker.bus._hearing._refused_since[queue_of("media")] = time.monotonic() - AN_HOUR_SECONDS
            worker.bus._hearing._link.unreachable_at = time.monotonic()
        await break_queue(house, "media")
        await worker.bus._hearing._channel.close()
        await asyncio.wait_for(refusals.wait(), 20)
        await tell_broker(house, "eval", _restarted("media"))
        await until(lambda: _hears(worker))
    assert replaced == []


def _counted(replace: Any, refusals: asyncio.Event) -> Any:
    async def count(ear: hearing.Hearing, queue: str) -> None:
        refusals.set()
        await replace(ear, queue)

    return count


def _restarted(service: str) -> str:
    return f"ra:restart_server(quorum_queues, {{'diorama_{queue_of(service)}', node()}})."


async def _hears(worker: Worker) -> bool:
    return "consumer" not in await worker.health.problems()


async def _all_fetched(house: House) -> bool:
    return await house.value("SELECT count(*) FROM media.tasks WHERE state = 'completed'") == FACTS
