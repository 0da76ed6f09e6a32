"""What a provider calls a request, told too late, reaches whoever goes on with it by then, and nobody else."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from contracts.image_generation import GenerateImage, PaymentExpected, PaymentWaived
from services.image_generation.handlers import asking
from services.image_generation.providers import Done, GenerationRequest, Pending, Submitted
from services.image_generation.rules.trouble import Trouble
from shared.errors import TryAgain
from tests.image_generation.frozen import Slow, frozen
from tests.image_generation.lost_requests import again, end, going_on
from tests.image_generation.painters import trouble, wish
from tests.image_generation.shift import Shift
from tests.image_generation.test_told_late import known, said
from tests.living import House, until


@pytest.fixture(autouse=True)
def _heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was logged before, through other settings, is no part of it."""
    monkeypatch.setattr(asking, "_log", structlog.get_logger())


def afterwards(house: House, painter: Slow) -> Shift:
    return Shift(house, {"painter": painter})


async def lost_by_a_guess(shift: Shift, painter: Slow, command: GenerateImage, name: str) -> GenerateImage:
    """Have somebody go on with a lost job by a name that leads to nothing."""
    painter.polls = [trouble(Trouble.UNKNOWN)]
    heir = going_on(command, name)
    assert (await end(shift, heir)).code == "outcome_unknown"
    painter.polls = []
    return heir


@pytest.mark.parametrize("guesses", [1, 2])
async def test_whoever_goes_on_by_a_wrong_guess_is_told_the_true_name(house: House, guesses: int) -> None:
    painter, first = Slow(asked_by_name=True), wish()
    with capture_logs() as logs:
        async with frozen(house, painter, first) as successor:
            assert (await end(successor, first)).code == "outcome_unknown"
            heir = first
            for number in range(guesses):
                heir = await lost_by_a_guess(successor, painter, heir, f"guess {number}")
    assert (await known(house, heir))[:2] == (str(first.job_id), {"samples": "1", "told_late": "true"})
    assert not [one for one in logs if one["event"] == "told_too_late"]
    assert (await end(afterwards(house, painter), again(heir))).state == "completed"
    assert painter.asked == 1


async def test_a_picture_that_came_by_the_guess_stays_as_it_is(house: House) -> None:
    painter, first = Slow(asked_by_name=True), wish()
    with capture_logs() as logs:
        async with frozen(house, painter, first) as successor:
            assert (await end(successor, first)).code == "outcome_unknown"
            assert (await end(successor, going_on(first, "another's picture"))).state == "completed"
            before = await house.rows("SELECT * FROM image_generation.generations")
    assert await house.rows("SELECT * FROM image_generation.generations") == before
    told = [one for one in logs if one["event"] == "told_too_late"]
    assert [(one["request_id"], one["log_level"]) for one in told] == [(str(first.job_id), "warning")]


async def test_whoever_has_guessed_it_for_another_job_loses_it_to_the_heir_who_has_none(house: House) -> None:
    painter, first, other = Slow(asked_by_name=True), wish(), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
        painter.troubles = [trouble(Trouble.UNKNOWN)]
        assert (await end(successor, other)).code == "outcome_unknown"
        painter.polls = [TryAgain("provider_slow", "Not yet.")] * 4
        thief = going_on(other, str(first.job_id))
        assert (await end(successor, thief)).known
        heir = going_on(first, str(first.job_id))
        assert (await end(successor, heir)).code == "outcome_unknown", "by that name it draws for another job"
    assert (await known(house, thief))[0] is None
    assert (await known(house, heir))[0] == str(first.job_id)
    painter.polls = []
    assert (await end(afterwards(house, painter), again(heir))).state == "completed"
    assert painter.asked == 2


@pytest.mark.parametrize("meanwhile", ["let_go_at = now()", "payments = payments + 1", "taken_over_by = job_id"])
async def test_a_name_of_which_nobody_can_make_use_is_told_and_belongs_to_no_guess(
    house: House, meanwhile: str
) -> None:
    painter, first, other = Slow(asked_by_name=True), wish(), wish()
    with capture_logs() as logs:
        async with frozen(house, painter, first) as successor:
            assert (await end(successor, first)).code == "outcome_unknown"
            painter.troubles = [trouble(Trouble.UNKNOWN)]
            await end(successor, other)
            thief = await lost_by_a_guess(successor, painter, other, str(first.job_id))
            await house.admin.execute(
                f"UPDATE image_generation.generations SET {meanwhile} WHERE job_id = $1", first.job_id
            )
    assert (await known(house, thief))[0] is None
    told = [one for one in logs if one["event"] == "told_too_late"]
    assert [(one["job_id"], one["request_id"]) for one in told] == [(str(first.job_id), str(first.job_id))]
    assert told[0]["log_level"] == "warning"


async def test_a_retry_that_was_asked_for_patience_goes_on_with_what_was_told_meanwhile(house: House) -> None:
    painter, first = Slow(), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
        retry = again(first)
        painter.troubles = [trouble(Trouble.BUSY, 30)]
        patient = Shift(house, {"painter": painter}, patient=True)
        assert (await end(patient, retry)).state == "pending"
    await house.admin.execute("UPDATE image_generation.tasks SET run_at = now()")
    await house.admin.execute("DELETE FROM image_generation.accounts")
    assert (await end(afterwards(house, painter), retry)).state == "completed"
    assert painter.asked == 2, "by the first, and by the retry in vain"
    counted = "SELECT sum(price_micros)::int FROM image_generation.generations WHERE paid AND let_go_at IS NULL"
    assert await house.value(counted) == 10_000
    told = [(type(one), one.subject_version) for one in await said(house, retry.job_id)]
    assert told == [(PaymentExpected, 1), (PaymentWaived, 2), (PaymentExpected, 3)]
    last = (await said(house, retry.job_id))[-1]
    assert isinstance(last, PaymentExpected)
    assert last.instead_of == first.job_id


class Guarded(Slow):
    """Tells what became of a guess only once the true name was told."""

    def __init__(self, house: House) -> None:
        super().__init__(asked_by_name=True)
        self._house = house

    async def poll(self, submitted: Submitted) -> Pending | Done:
        if submitted.request_id == "a guess":
            self.answers.set()
            told = "SELECT EXISTS (SELECT FROM image_generation.generations WHERE resume ? 'told_late')"
            await until(lambda: self._house.value(told))
            raise trouble(Trouble.FAILED)
        return await super().poll(submitted)


async def test_what_becomes_of_a_guess_lets_nobody_go_of_the_true_name(house: House) -> None:
    painter, first = Guarded(house), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
        heir = going_on(first, "a guess")
        assert (await end(successor, heir)).state == "completed"
    assert (await known(house, heir))[0] == str(first.job_id)
    assert painter.asked == 1, "or it is paid for twice, and the name of the first payment is lost"
    assert [type(one) for one in await said(house, heir.job_id)] == [PaymentExpected]


class Twice(Slow):
    """Says what it calls the second request, too, only when it is let."""

    def __init__(self) -> None:
        super().__init__(asked_by_name=True)
        self.second, self.answers_again = asyncio.Event(), asyncio.Event()

    async def submit(self, request: GenerationRequest) -> Submitted:
        is_second = self.asked == 1
        submitted = await super().submit(request)
        if is_second:
            self.second.set()
            await self.answers_again.wait()
        return submitted


async def test_a_name_told_late_is_not_that_of_what_the_heir_has_paid_for_since(house: House) -> None:
    painter, first = Twice(), wish()
    with capture_logs() as logs:
        async with frozen(house, painter, first) as successor:
            assert (await end(successor, first)).code == "outcome_unknown"
            painter.polls = [trouble(Trouble.FAILED)]
            heir = going_on(first, "a guess")
            working = asyncio.create_task(end(successor, heir))
            await asyncio.wait_for(painter.second.wait(), 20)
        name = (await known(house, heir))[0]
        painter.answers_again.set()
        assert (await working).state == "completed"
    assert name is None
    assert [one["request_id"] for one in logs if one["event"] == "told_too_late"] == [str(first.job_id)]
