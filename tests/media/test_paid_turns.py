"""Who stops while it waits to ask somebody who is paid has asked nobody: nothing is lost, and nothing is in doubt."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from contracts.jobs import JobCompleted, JobFailed
from services.media import store
from services.media.tagging.azure import AzureTagger
from services.media.tagging.tagger import PAID_AT_ONCE
from shared.database import Pool, open_pool
from tests.living import PROJECT, House, until
from tests.media.test_describing import ASSET, KEY, OLD, PICTURE, SHA256, describing, ended, working
from tests.media.test_tagging_by_azure import KEY as AZURE_KEY
from tests.media.test_tagging_by_azure import Azure


class Slow(Azure):
    """Answers nobody until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        answered = await super().answer(request)
        await self.may_answer.wait()
        return answered


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    """Media's tables, with an image."""
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    async with pool.acquire() as connection:
        await store.upsert_blob(connection, SHA256, size_bytes=len(PICTURE), original_key=KEY, facts=OLD)
        await store.upsert_asset(connection, ASSET, PROJECT, SHA256, None)
    yield pool
    await pool.close()


@pytest.fixture
async def azure() -> AsyncIterator[tuple[Slow, str]]:
    server = Slow()
    app = web.Application()
    app.router.add_post("/computervision/imageanalysis:analyze", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield server, f"http://127.0.0.1:{runner.addresses[0][1]}"
    server.may_answer.set()
    await runner.cleanup()


async def test_those_who_wait_for_their_turn_when_a_worker_stops_are_asked_about_by_the_next(
    house: House, pool: Pool, tmp_path: Path, azure: tuple[Slow, str]
) -> None:
    server, url = azure
    waiting = 3
    said: list[Any] = []
    async with AzureTagger(url, AZURE_KEY, ("tags",)) as tagger:
        commands = [describing(describer=tagger.origin) for _ in range(PAID_AT_ONCE + waiting)]
        async with working(house, pool, tmp_path, tagger, grace_seconds=1):
            for command in commands:
                await house.say(command)
            await until(lambda: all_run(house, len(commands)))
            await until(lambda: are_asked(server, PAID_AT_ONCE))
        assert len(server.asked) == PAID_AT_ONCE
        server.may_answer.set()
        async with working(house, pool, tmp_path, tagger):
            await ended(house, said, *(command.job_id for command in commands))
    assert len(server.asked) == len(commands), "nobody was asked about twice"
    ends = [one for one in said if isinstance(one, JobCompleted | JobFailed)]
    assert sorted(one.code for one in ends if isinstance(one, JobFailed)) == ["outcome_unknown"] * PAID_AT_ONCE
    assert len([one for one in ends if isinstance(one, JobCompleted)]) == waiting


async def all_run(house: House, number: int) -> bool:
    return bool(await house.value("SELECT count(*) = $1 FROM media.tasks WHERE state = 'in_progress'", number))


async def are_asked(server: Slow, number: int) -> bool:
    return len(server.asked) == number
