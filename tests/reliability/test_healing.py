"""Small wounds that the laboratory has found: each heals soon, and by itself."""

import asyncio
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractConnection

from contracts.jobs import JobCompleted, ReportJobs
from deploy.local.ports import LOOPBACK
from shared import broker, hearing
from shared.broker import Link
from shared.topology import queue_of
from tests.living import House, until
from tests.shared.chores import about, all_said, check, is_in


async def test_a_deleted_queue_is_there_again_though_nobody_publishes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "_WATCH_SECONDS", 0.2)
    async with house.worker("media") as worker:
        async with await aio_pika.connect(house.servers.rabbitmq_url) as connection:
            await (await connection.channel()).queue_delete(queue_of("media"))
        ear: Any = worker.bus._hearing
        channel = ear._channel
        await until(lambda: _hears_anew(ear, channel), seconds=hearing._BROKEN_SECONDS / 2)
        await house.say(command := check())
        await until(lambda: is_in(house, "completed", command))


async def _hears_anew(ear: Any, channel: Any) -> bool:
    return ear._channel is not None and ear._channel is not channel


async def test_an_end_that_is_still_to_be_said_is_not_said_twice(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker takes nothing for a while, and the gateway asks about a job that has ended meanwhile."""
    taking = asyncio.Event()
    publish = broker.Publisher.publish

    async def wait_and_publish(*arguments: Any, **more: Any) -> None:
        await taking.wait()
        await publish(*arguments, **more)

    command = check()
    async with house.worker("media"):
        with monkeypatch.context() as blocked:
            say = house.publisher
            blocked.setattr(say, "publish", _bound(publish, say))
            blocked.setattr(broker.Publisher, "publish", wait_and_publish)
            await house.say(command)
            await until(lambda: is_in(house, "completed", command))
            await house.say(ReportJobs(addressee="media", job_ids=(command.job_id,)))
            await until(lambda: house.value("SELECT EXISTS (SELECT FROM media.inbox)"))
            taking.set()
            await until(lambda: all_said(house))
    ends = [one for one in about(await house.heard(), command.job_id) if isinstance(one, JobCompleted)]
    assert len(ends) == 1
    assert await house.value("SELECT count(*) FROM media.said WHERE job_id = $1", command.job_id) == 1


def _bound(publish: Any, publisher: Any) -> Any:
    async def publish_at_once(*arguments: Any, **more: Any) -> None:
        await publish(publisher, *arguments, **more)

    return publish_at_once


async def test_a_broker_that_hangs_up_while_it_is_greeted_is_only_away() -> None:
    greeted = asyncio.Queue[None]()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        greeted.put_nowait(None)
        writer.close()

    async def never(_connection: AbstractConnection) -> None:
        raise AssertionError("it was let in")

    async with await asyncio.start_server(hang_up, LOOPBACK) as server:
        port = server.sockets[0].getsockname()[1]
        link = asyncio.create_task(Link(f"amqp://guest:guest@{LOOPBACK}:{port}/", "tests", never).run())
        async with asyncio.timeout(20):
            for _ in range(5):
                await greeted.get()
        assert not link.done(), "it gave up"
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
