"""Whoever is ended while a provider is asked tells that it may be paid for, and by what name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from asyncpg import DataError

from contracts.image_generation import GenerateImage
from services.image_generation.handlers import asking, generate_image
from services.image_generation.studio import Studio
from shared.database import DatabaseAway
from shared.jobs import Job, LostLease
from tests.image_generation.frozen import Slow
from tests.image_generation.painters import wish
from tests.image_generation.shift import Life, Shelf
from tests.living import House, until


@asynccontextmanager
async def working(house: House, painter: Slow, command: GenerateImage) -> AsyncIterator[None]:
    """Have a real worker ask for a picture."""
    shelf = cast("Any", Shelf(Life(), {}))
    studio = Studio(providers={"painter": painter}, default="painter", objects=shelf, deadline_seconds=20)
    async with house.worker(
        "image_generation",
        works={GenerateImage: generate_image},
        crafts={"studio": studio},
        heartbeat_seconds=0.2,
        grace_seconds=5,
    ):
        await house.say(command)
        await painter.began.wait()
        yield


@pytest.mark.parametrize(("costs_money", "code"), [(True, "outcome_unknown"), (False, "deadline_exceeded")])
async def test_where_the_deadline_passes_while_it_is_asked_nobody_knows_whether_it_is_paid_for(
    house: House, code: str, *, costs_money: bool
) -> None:
    painter, command = Slow(costs_money=costs_money), wish()

    async def failed() -> bool:
        return bool(await house.value("SELECT state = 'failed' FROM image_generation.tasks"))

    async with working(house, painter, command):
        await house.admin.execute("UPDATE image_generation.tasks SET deadline_at = now() - interval '1 s'")
        await until(failed)
    assert await house.value("SELECT error_code FROM image_generation.tasks") == code


@pytest.mark.parametrize("lost", [True, False])
async def test_a_stop_while_the_name_cannot_be_written_down_tells_the_name(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, lost: bool
) -> None:
    tried = asyncio.Event()

    async def gone(*_: Any, **__: Any) -> None:
        raise LostLease

    async def away(*_: Any, **__: Any) -> None:
        tried.set()
        raise DatabaseAway

    monkeypatch.setattr(asking, "_keep", gone if lost else away)
    monkeypatch.setattr(asking, "_leave", away)
    painter, command = Slow(), wish()
    async with working(house, painter, command):
        painter.answers.set()
        await asyncio.wait_for(tried.wait(), 10)
    assert f'"request_id":"{command.job_id}"' in capsys.readouterr().out


async def test_an_error_while_the_name_is_written_down_tells_the_name(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise DataError

    async def has_ended() -> bool:
        return bool(await house.value("SELECT state <> 'in_progress' FROM image_generation.tasks"))

    monkeypatch.setattr(asking, "_keep", broken)
    painter, command = Slow(), wish()
    async with working(house, painter, command):
        painter.answers.set()
        await until(has_ended)
    told = [line for line in capsys.readouterr().out.splitlines() if '"name_not_kept"' in line]
    assert len(told) == 1
    assert f'"request_id":"{command.job_id}"' in told[0]


async def test_where_the_deadline_passes_while_the_name_is_written_down_it_is_known_and_not_paid_for_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, tried = asking._keep, asyncio.Event()

    async def away_until_then(job: Job[GenerateImage], *rest: Any) -> None:
        tried.set()
        if not job.overdue:
            raise DatabaseAway
        await keep(job, *rest)

    async def failed() -> bool:
        return bool(await house.value("SELECT state = 'failed' FROM image_generation.tasks"))

    monkeypatch.setattr(asking, "_keep", away_until_then)
    painter, command = Slow(), wish()
    async with working(house, painter, command):
        painter.answers.set()
        await asyncio.wait_for(tried.wait(), 10)
        await house.admin.execute("UPDATE image_generation.tasks SET deadline_at = now() - interval '1 s'")
        await until(failed)

    assert await house.value("SELECT error_code FROM image_generation.tasks") == "deadline_exceeded"
    assert await house.value("SELECT request_id FROM image_generation.generations") == str(command.job_id)
