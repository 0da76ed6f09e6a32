"""The broker's disk may be erased at any moment: no message is lost, and none has its effect twice."""

import asyncio
from typing import Any

import aio_pika

from contracts.jobs import CheckWorker, JobCompleted
from contracts.media import FetchMedia
from contracts.scraper import ImageFound
from services.media.handlers import on_image_found
from shared.database import AWAY
from shared.identifiers import uuid7
from shared.jobs import Job
from shared.topology import queue_of
from shared.worker import Worker
from tests.living import House, lineage, until


async def completed(house: House, service: str, count: int) -> bool:
    rows = await house.rows(f'SELECT state FROM "{service}".tasks')
    return len(rows) == count and all(row["state"] == "completed" for row in rows)


def found(number: int) -> ImageFound:
    return ImageFound(**lineage(), fetch_job_id=uuid7(), url=f"http://a/{number}", found_in="img")


async def say_many(worker: Worker, count: int) -> None:
    """Say facts from the scraper, the way its handlers do."""
    for start in range(0, count, 50):
        async with worker.bus.transaction() as tx:
            for number in range(start, start + 50):
                tx.say(found(number))


async def fetch(_job: Job[FetchMedia]) -> None:
    await asyncio.sleep(0.001)


async def test_an_erased_broker_heals_by_itself(house: House) -> None:
    """Facts lie in a queue that nobody hears yet when the disk goes; they are said again, and heard once."""
    async with house.worker("scraper") as scraper:
        await say_many(scraper, 100)
        await until(lambda: _relayed(house, 100))
        await house.servers.erase_broker()
        await say_many(scraper, 100)
        async with house.worker("media", hears={ImageFound: on_image_found}, works={FetchMedia: fetch}):
            await until(lambda: completed(house, "media", 200), seconds=60)


async def test_without_the_replay_an_erased_broker_loses_messages(house: House, monkeypatch: Any) -> None:
    async def nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr("shared.hearing.Hearing._ask_for_replay", nothing)
    async with house.worker("scraper") as scraper:
        await say_many(scraper, 100)
        await until(lambda: _relayed(house, 100))
        await house.servers.erase_broker()
        async with house.worker("media", hears={ImageFound: on_image_found}, works={FetchMedia: fetch}):
            await asyncio.wait_for(house.publisher.up.wait(), 20)
            await house.say(probe := CheckWorker(**lineage(), service="media"))
            await until(lambda: _has_run(house, probe))
            assert await house.value("SELECT count(*) FROM media.tasks") == 1


async def test_work_goes_on_when_the_broker_is_killed(house: House) -> None:
    async with (
        house.worker("scraper") as scraper,
        house.worker("media", hears={ImageFound: on_image_found}, works={FetchMedia: fetch}),
    ):
        await say_many(scraper, 100)
        await house.servers.supervisor.kill("rabbitmq")
        await say_many(scraper, 100)
        await until(lambda: completed(house, "media", 200), seconds=60)


async def test_work_goes_on_when_the_database_is_killed(house: House) -> None:
    async with house.worker("media"):
        commands = [CheckWorker(**lineage(), service="media") for _ in range(200)]
        await asyncio.gather(*(house.say(command) for command in commands[:100]))
        await house.servers.supervisor.kill("postgres")
        await asyncio.gather(*(house.say(command) for command in commands[100:]))
        await until(lambda: _survives(house, 200), seconds=60)
    news = [one.job_id for one in await house.heard() if isinstance(one, JobCompleted)]
    assert sorted(news) == sorted(command.job_id for command in commands)


async def test_a_deleted_queue_is_made_again_and_what_it_held_is_said_again(house: House) -> None:
    async with house.worker("scraper") as scraper:
        await say_many(scraper, 50)
        await until(lambda: _relayed(house, 50))
        connection = await aio_pika.connect(house.servers.rabbitmq_url)
        async with connection, connection.channel() as channel:
            await channel.queue_delete(queue_of("media"))
        async with house.worker("media", hears={ImageFound: on_image_found}, works={FetchMedia: fetch}):
            await until(lambda: completed(house, "media", 50), seconds=60)


async def test_a_queue_deleted_under_a_hearing_worker_is_heard_again(house: House) -> None:
    async with house.worker("media"):
        connection = await aio_pika.connect(house.servers.rabbitmq_url)
        async with connection, connection.channel() as channel:
            await channel.queue_delete(queue_of("media"))
        await house.publisher.declare()
        await house.say(probe := CheckWorker(**lineage(), service="media"))
        await until(lambda: _has_run(house, probe), seconds=30)


async def _relayed(house: House, count: int) -> bool:
    return await house.value("SELECT count(*) FROM scraper.said WHERE routing_key = 'scraper.image_found'") == count


async def _has_run(house: House, probe: CheckWorker) -> bool:
    return await house.value("SELECT state FROM media.tasks WHERE id = $1", probe.job_id) == "completed"


async def _survives(house: House, count: int) -> bool:
    try:
        return await completed(house, "media", count) and not await house.value("SELECT count(*) FROM media.outbox")
    except AWAY:  # it is on its way back
        return False
