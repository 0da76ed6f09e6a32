"""What nobody uses is given back, also where whoever asked for it went away, and in time."""

import asyncio
from dataclasses import dataclass, field

import pytest

from services.media.places import Door, Places, places
from services.media.places.here import Here
from shared.addresses import parse_url
from shared.manners import Decide, T
from tests.media.places.replicas import NAMES, PATIENT, Notebook

PLACE = parse_url(f"http://{NAMES[0]}/a")


@dataclass
class Hanging(Notebook):
    """Writes down what it is told, and does not answer while it hangs."""

    answers: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def change(self, name: str, decide: Decide[Door, T]) -> T:
        answer = await super().change(name, decide)
        self.asked.set()
        await self.answers.wait()
        return answer


def hanging() -> Hanging:
    return Hanging(now=lambda: 1000.0)


@pytest.mark.parametrize("careless", [False, True])
async def test_a_place_that_was_given_to_somebody_who_went_away_is_given_back(
    monkeypatch: pytest.MonkeyPatch, *, careless: bool
) -> None:
    """With its negative control: who does not doubt that it has none keeps it from others until its lease is over."""
    if careless:
        monkeypatch.setattr(Here, "doubt", lambda _here: None)
    book, now = hanging(), [1000.0]
    ours = Places(book, PATIENT, most=1, clock=lambda: now[0])

    async def download() -> None:
        async with ours.at(PLACE):
            pass

    asking = asyncio.create_task(download())
    await book.asked.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert [share.places for share in book.doors[PLACE.host].shares.values()] == [1]
    book.answers.set()
    now[0] += 2
    await ours.look_after()
    assert bool(book.doors[PLACE.host].shares) is careless


@pytest.mark.parametrize("bound_seconds", [0.0, None])
async def test_whoever_ends_does_not_wait_for_a_database_that_hangs(
    monkeypatch: pytest.MonkeyPatch, bound_seconds: float | None
) -> None:
    """With its negative control: without a bound it would wait for as long as the database does."""
    monkeypatch.setattr(places, "_LEAVE_SECONDS", bound_seconds)
    book = hanging()
    book.answers.set()
    ours = Places(book, PATIENT, most=1)
    async with ours.at(PLACE):
        pass
    book.answers.clear()
    book.asked.clear()
    leaving = asyncio.create_task(ours.leave())
    for _ in range(20):
        await asyncio.sleep(0)
    assert leaving.done() is (bound_seconds is not None)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
