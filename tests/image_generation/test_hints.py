"""A provider that says when a picture is there is asked then, and not believed."""

import asyncio
import time
from typing import Any, cast
from uuid import uuid4

import pytest
from pydantic import ValidationError

from services.image_generation.handlers.asking import Asked
from services.image_generation.handlers.following import _pause_after, follow
from services.image_generation.providers import Done, Pending, Submitted
from services.image_generation.settings import Settings
from tests.image_generation.painters import Painter
from tests.living import until

NEEDED = {
    "database_url": "postgresql://x",
    "rabbitmq_url": "amqp://x",
    "s3_endpoint_url": "http://x",
    "s3_access_key_id": "x",
    "s3_secret_access_key": "x",
}


class Waiting:
    """As much of a job as is needed to wait in it."""

    cancel_requested = False

    def __init__(self) -> None:
        self.hinted = asyncio.Event()

    def progress(self, _share: float, _stage: str) -> None: ...


class Counting(Painter):
    """Counts how often it is asked, and is done when it says so."""

    def __init__(self, polls: int) -> None:
        super().__init__()
        self.polls = [Pending(eta_seconds=10) for _ in range(polls)]
        self.questions = 0

    async def poll(self, submitted: Submitted) -> Pending | Done:
        self.questions += 1
        return await super().poll(submitted)


async def _asks(painter: Counting, questions: int, *, within_seconds: float) -> bool:
    """Wait until it has asked so often, but no longer than that."""

    async def asked() -> bool:
        return painter.questions >= questions

    try:
        return await until(asked, seconds=within_seconds)
    except TimeoutError:
        return False


async def test_a_hint_is_a_reason_to_ask_and_no_more_than_that() -> None:
    job, painter = Waiting(), Counting(polls=2)
    asked = Asked(painter, Submitted("1", {"samples": "1"}), None, 10, paid=True, cost_micros=None)
    following = asyncio.create_task(follow(cast("Any", job), asked, 60))
    assert await _asks(painter, 1, within_seconds=5)
    assert not await _asks(painter, 2, within_seconds=0.6), "it said that it takes 10 s"

    job.hinted.set()
    assert await _asks(painter, 2, within_seconds=5), "for that it was told"
    assert not await _asks(painter, 3, within_seconds=0.6), "from then on it waits longer and not shorter"
    assert not following.done(), "what was hinted was not so"

    job.hinted.set()
    done = await asyncio.wait_for(following, 5)
    assert (len(done.pictures), painter.questions) == (1, 3)


async def test_whoever_hints_all_the_time_has_it_asked_only_so_often() -> None:
    job, painter = Waiting(), Counting(polls=50)
    asked = Asked(painter, Submitted("1", {"samples": "1"}), None, 10, paid=True, cost_micros=None)
    begun = time.monotonic()
    following = asyncio.create_task(follow(cast("Any", job), asked, 60))
    for _ in range(100):
        job.hinted.set()
        await asyncio.sleep(0.01)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert painter.questions <= 2 + (time.monotonic() - begun) / 0.2, "no more than five times a second"


def test_the_address_is_told_where_both_of_its_settings_are() -> None:
    job_id = uuid4()
    whole = Settings(**NEEDED, image_hints_origin="https://api.example.org", image_hints_secret="s" * 32)  # type: ignore[arg-type]
    assert str(whole.hint_url_of(job_id)).startswith(f"https://api.example.org/api/v1/hints/{job_id}/")
    assert "s" * 32 not in repr(whole)
    assert Settings(**NEEDED).hint_url_of(job_id) is None
    with pytest.raises(ValidationError, match="set together"):
        Settings(**NEEDED, image_hints_origin="https://api.example.org")


@pytest.mark.parametrize(
    ("before", "answer", "pause"),
    [
        (0, Pending(), 0.2),
        (0, Pending(eta_seconds=4), 4),
        (0, Pending(eta_seconds=400), 10),
        (0, Pending(eta_seconds=0), 0.2),
        (4, Pending(eta_seconds=1), 6),
        (8, Pending(), 10),
    ],
)
def test_it_is_asked_less_and_less_often(before: float, answer: Pending, pause: float) -> None:
    assert _pause_after(before, answer) == pause
