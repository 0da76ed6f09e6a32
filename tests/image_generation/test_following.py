"""What is asked after it was paid for, until it is there or somebody lets go of it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from services.image_generation.handlers import following
from services.image_generation.handlers.asking import Asked
from services.image_generation.providers import Pending, Submitted
from services.image_generation.rules.admission import FAILURES_UNTIL_CLOSED
from services.image_generation.rules.trouble import Trouble
from tests.image_generation.painters import Painter, made, trouble, wish
from tests.image_generation.shift import Shift
from tests.living import House


async def test_who_cancels_does_not_wait_for_a_provider_that_is_silent(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_LET_GO_SECONDS", 0.01)
    asked_to_stop, never = asyncio.Event(), asyncio.Event()

    async def cancel(_: Submitted) -> None:
        asked_to_stop.set()
        await never.wait()

    painter.cancel = cancel  # type: ignore[method-assign]
    painter.polls = [Pending() for _ in range(999)]
    job: Any = SimpleNamespace(cancel_requested=True, hinted=asyncio.Event(), progress=lambda *_: None)
    asked = Asked(painter, Submitted("1", {"samples": "1"}), None, estimate_seconds=1, paid=True, cost_micros=None)
    waiting = asyncio.create_task(following.follow(job, asked, 60))
    while len(painter.polls) == 999:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting}, timeout=10)
    assert waiting.cancelled()
    assert asked_to_stop.is_set()


async def test_what_a_provider_gives_up_is_asked_for_anew_only_so_often(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.FAILED), trouble(Trouble.FAILED)]
    [outcome] = await made(house, painter, patient=False)
    assert (outcome.state, painter.asked) == ("completed", 3)

    painter.polls = [trouble(Trouble.FAILED) for _ in range(9)]
    [outcome] = await made(house, painter, patient=False)
    assert (outcome.state, outcome.code, painter.asked) == ("failed", "generation_failed", 6)


async def test_what_is_paid_for_is_asked_for_however_often_the_question_fails(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.PASSING, 0.01) for _ in range(3)]
    [outcome] = await made(house, painter)
    assert (outcome.state, outcome.attempts, painter.asked) == ("completed", 1, 1)


async def test_whoever_asks_for_long_patience_is_not_asked_before(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.BUSY, 300)]
    [outcome] = await made(house, painter)
    assert (outcome.state, outcome.code, outcome.known, outcome.attempts) == ("pending", "provider_busy", True, 0)
    due = await house.value("SELECT extract(epoch FROM run_at - now())::float8 FROM image_generation.tasks")
    assert 290 < due <= 300


async def test_with_a_key_that_is_refused_afterwards_the_job_waits(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.KEY)]
    [outcome] = await made(house, painter)
    assert (outcome.state, outcome.known, outcome.attempts) == ("pending", True, 0)


async def test_what_is_drawn_by_who_is_missing_from_the_settings_waits_for_him(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.KEY)]
    command = wish()
    await Shift(house, {"painter": painter}, patient=True).work([command])
    await house.admin.execute("UPDATE image_generation.tasks SET run_at = now()")
    shift = Shift(house, {"another": Painter("another")}, patient=True)
    outcome = (await shift.work([command]))[command.job_id]
    assert (outcome.state, outcome.code, outcome.attempts) == ("pending", "provider_missing", 0)

    await house.admin.execute("UPDATE image_generation.tasks SET run_at = now()")
    shift = Shift(house, {"another": Painter("another"), "painter": painter})
    outcome = (await shift.work([command]))[command.job_id]
    assert (outcome.state, outcome.provider, painter.asked) == ("completed", "painter", 1)


async def test_a_request_that_nobody_finds_again_counts_once_against_the_account(
    house: House, painter: Painter
) -> None:
    painter.polls = [trouble(Trouble.PASSING, 0.01) for _ in range(FAILURES_UNTIL_CLOSED + 2)]
    await made(house, painter)
    assert await house.value("SELECT failures FROM image_generation.accounts") == 1
