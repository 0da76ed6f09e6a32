"""What a provider answers is told once: it is kept also where the database is away at that moment."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from services.image_generation.handlers import asking, following
from services.image_generation.providers import Done, GeneratedPicture, GenerationRequest, Pending, Submitted
from services.image_generation.rules.trouble import Trouble
from shared.outbox import Transaction
from tests.image_generation.ateliers import PICTURE
from tests.image_generation.painters import Painter, trouble, wish
from tests.image_generation.shift import Mortal, Outcome, Shift
from tests.living import House


class Outage:
    """The database is away for the next so many transactions; or it commits them, and nobody hears of it.

    It begins with the first request, or with the first question about one.
    """

    def __init__(self, painter: Painter) -> None:
        self.left = 0
        self.commits = False
        self._submit, self._poll = painter.submit, painter.poll
        painter.submit = self._and_then_away  # type: ignore[method-assign]
        painter.poll = self._and_away_then  # type: ignore[method-assign]
        self.begins_with = 0
        self.begins_with_question = 0

    async def _and_then_away(self, request: GenerationRequest) -> Submitted:
        self.left, self.begins_with = self.begins_with, 0
        return await self._submit(request)

    async def _and_away_then(self, submitted: Submitted) -> Pending | Done:
        if self.begins_with_question:
            self.left, self.begins_with_question = self.begins_with_question, 0
        return await self._poll(submitted)


@pytest.fixture
def outage(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> Outage:
    outage, recording = Outage(painter), Mortal.recording

    @asynccontextmanager
    async def away(job: Mortal) -> AsyncIterator[Transaction]:
        if outage.left and not outage.commits:
            outage.left -= 1
            raise ConnectionRefusedError("nobody is there")
        async with recording(job) as tx:
            yield tx
        if outage.left:
            outage.left -= 1
            raise ConnectionResetError("its answer is lost")

    monkeypatch.setattr(Mortal, "recording", away)
    return outage


async def once(attempt: Callable[[], Awaitable[object]], purpose: str) -> None:
    del purpose
    await attempt()


async def drawn(house: House, painter: Painter) -> Outcome:
    command = wish()
    return (await Shift(house, {"painter": painter}).work([command]))[command.job_id]


@pytest.mark.parametrize("commits", [True, False])
async def test_the_name_of_a_request_is_kept_once_the_database_is_back(
    house: House, painter: Painter, outage: Outage, *, commits: bool
) -> None:
    outage.begins_with, outage.commits = 3, commits
    outcome = await drawn(house, painter)
    assert (outcome.state, outcome.known, painter.asked, outcome.attempts) == ("completed", True, 1, 1)


@pytest.mark.parametrize("commits", [True, False])
async def test_pictures_that_came_with_the_answer_are_kept_too(
    house: House, painter: Painter, outage: Outage, monkeypatch: pytest.MonkeyPatch, *, commits: bool
) -> None:
    submit = painter.submit

    async def at_once(request: GenerationRequest) -> Submitted:
        await submit(request)
        return Submitted("a name", done=Done((GeneratedPicture(PICTURE, "image/png", 64, 48, 1),), "a brush"))

    monkeypatch.setattr(painter, "submit", at_once)
    outage.begins_with, outage.commits = 3, commits
    assert (await drawn(house, painter)).state == "completed"
    assert painter.asked == 1


@pytest.mark.parametrize("commits", [True, False])
async def test_what_was_not_taken_is_asked_for_again_and_not_given_up(
    house: House, painter: Painter, outage: Outage, *, commits: bool
) -> None:
    painter.troubles = [trouble(Trouble.PASSING)]
    outage.begins_with, outage.commits = 3, commits
    outcome = await drawn(house, painter)
    assert (outcome.state, painter.asked) == ("completed", 2)
    assert await house.value("SELECT price_micros::int FROM image_generation.generations") == 10_000


@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("answer", [Trouble.FAILED, Trouble.PASSING])
async def test_what_is_answered_while_the_database_is_away_is_neither_blamed_on_the_provider_nor_forgotten(
    house: House, painter: Painter, outage: Outage, answer: Trouble, *, commits: bool
) -> None:
    painter.polls = [trouble(answer)]
    outage.begins_with_question, outage.commits = 3, commits
    outcome = await drawn(house, painter)
    is_given_up = answer is Trouble.FAILED
    assert (outcome.state, painter.asked, outcome.attempts) == ("completed", 1 + is_given_up, 1 + is_given_up)
    assert await house.value("SELECT failures FROM image_generation.generations") == is_given_up


async def test_who_gives_up_at_once_asks_again_for_what_the_provider_has_given_up(
    house: House, painter: Painter, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(following, "until_answered", once)
    painter.polls = [trouble(Trouble.FAILED)]
    outage.begins_with_question = 1
    assert (await drawn(house, painter)).attempts == 2
    assert (painter.asked, await house.value("SELECT failures FROM image_generation.generations")) == (1, 0)


async def test_who_gives_up_at_once_has_lost_what_was_paid_for(
    house: House, painter: Painter, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    monkeypatch.setattr(asking, "until_answered", once)
    outage.begins_with = 1
    outcome = await drawn(house, painter)
    assert (outcome.state, outcome.code, painter.asked) == ("failed", "outcome_unknown", 1)
