"""A broker that takes nothing more still gives; a database that is away does not make us deaf."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared import broker, hearing
from shared.database import Pool
from shared.hearing import Hearing
from shared.worker import Worker
from tests.living import House, until
from tests.shared.chores import all_ended, all_said, check, is_in, tell_broker

STOCK = "0.25"


@asynccontextmanager
async def a_memory_alarm(house: House) -> AsyncIterator[None]:
    await tell_broker(house, "set_vm_memory_high_watermark", "0.0001")
    try:
        yield
    finally:
        await tell_broker(house, "set_vm_memory_high_watermark", STOCK)


class Looks:
    """Counts the looks of the watchdog, and those for which it could not find out anything."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.all = self.failed = self.after_a_failure = 0
        send_mark = Hearing._send_mark
        is_marked = Hearing._is_marked

        async def count_failure(ear: Hearing, token: str) -> None:
            try:
                await send_mark(ear, token)
            except BaseException:
                self.failed += 1
                raise

        async def count(ear: Hearing) -> bool:
            self.after_a_failure += self.failed > 0
            self.all += 1
            return await is_marked(ear)

        monkeypatch.setattr(Hearing, "_send_mark", count_failure)
        monkeypatch.setattr(Hearing, "_is_marked", count)

    async def went_on(self) -> bool:
        return self.after_a_failure >= 3


async def _of(worker: Worker) -> Any:
    return worker.bus._hearing._channel


async def test_under_a_memory_alarm_consumers_go_on_hearing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_WATCH_SECONDS", 0.2)
    for _ in range(300):
        await house.say(check())
    async with a_memory_alarm(house), house.worker("media") as worker:
        channel = await _of(worker)
        with monkeypatch.context() as hasty:
            hasty.setattr(broker, "_PUBLISH_SECONDS", 0.5)
            looks = Looks(monkeypatch)
            await until(lambda: all_ended(house, 300))
            await until(looks.went_on, seconds=40)
        assert await _of(worker) is channel, "it gave up its consumer"
        await tell_broker(house, "set_vm_memory_high_watermark", STOCK)
        await until(lambda: all_said(house))
        await house.say(late := check())
        await until(lambda: is_in(house, "completed", late))


async def test_a_worker_stops_in_time_under_a_memory_alarm(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        await house.say(check())
    monkeypatch.setattr(broker, "_PUBLISH_SECONDS", 0.5)
    async with a_memory_alarm(house):
        async with house.worker("media", grace_seconds=12):
            await until(lambda: all_ended(house, 3))
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 12
    assert await house.value("SELECT count(*) FROM media.outbox") == 3, "what could not be said is kept"


class Absent:
    """A database that is away."""

    def __init__(self) -> None:
        self.asked = Counter[str]()

    async def fetchval(self, statement: str) -> None:
        self.asked[statement] += 1
        raise ConnectionRefusedError("nobody there")

    async def often(self) -> bool:
        return self.asked.total() >= 4


async def test_an_absent_database_does_not_end_the_ear(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "_WATCH_SECONDS", 0.05)
    absent = Absent()
    async with house.worker("media") as worker:
        channel = await _of(worker)
        ear: Any = worker.bus._hearing
        pool: Pool = ear._pool
        ear._pool = absent
        await until(absent.often)
        await house.say(command := check())
        await until(lambda: is_in(house, "completed", command))
        assert await _of(worker) is channel
        ear._pool = pool
