"""Small wounds that the laboratory has found: each heals soon, and by itself."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractConnection
from aiormq.connection import FrameReceiver

from contracts.jobs import JobCompleted, ReportJobs
from deploy.local.stack import Stack
from shared import broker, hearing
from shared.broker import Link
from shared.topology import queue_of
from tests.living import House, until
from tests.shared.chores import about, all_said, check, is_in


async def test_a_deleted_queue_is_there_again_though_nobody_publishes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "_WATCH_SECONDS", 0.2)
    monkeypatch.setattr(hearing, "_BROKEN_SECONDS", 600)  # it is not that way that it heals
    async with house.worker("media") as worker:
        async with await aio_pika.connect(house.servers.rabbitmq_url) as connection:
            await (await connection.channel()).queue_delete(queue_of("media"))
        ear: Any = worker.bus._hearing
        channel = ear._channel
        await until(lambda: _hears_anew(ear, channel), seconds=60)
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


async def test_a_broker_that_hangs_up_while_it_is_greeted_is_only_away(
    servers: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiormq then lets out what is meant to end a loop over frames, and nobody's `except` is made for that."""
    get_frame, hung_up = FrameReceiver.get_frame, Counter[str]()

    async def hang_up_twice(receiver: FrameReceiver) -> Any:
        hung_up["times"] += 1
        if hung_up["times"] <= 2:
            raise StopAsyncIteration
        return await get_frame(receiver)

    monkeypatch.setattr(FrameReceiver, "get_frame", hang_up_twice)
    let_in = asyncio.Event()

    async def enter(_connection: AbstractConnection) -> None:
        let_in.set()

    link = asyncio.create_task(Link(servers.rabbitmq_url, "tests", enter).run())
    entered = asyncio.create_task(let_in.wait())
    await asyncio.wait((link, entered), timeout=20, return_when=asyncio.FIRST_COMPLETED)
    link.cancel()
    with suppress(asyncio.CancelledError):
        await link
    assert let_in.is_set()
