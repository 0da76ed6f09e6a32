"""What a provider tells to whoever has lost the job is not lost: whoever does it again goes on with it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID

import orjson
import pytest

from contracts.catalogue import open_envelope, understand
from contracts.image_generation import GenerateImage, PaymentExpected, PaymentWaived
from contracts.jobs import CancelJob
from services.image_generation import store
from services.image_generation.handlers import asking, generate_image, hearing_out
from services.image_generation.rules.trouble import Trouble
from services.image_generation.studio import Studio
from shared.jobs import Job
from shared.object_keys import generated_key
from tests.image_generation.frozen import SETTLED_MEANWHILE, Slow, frozen, lose
from tests.image_generation.lost_requests import again, end, going_on
from tests.image_generation.painters import trouble, wish
from tests.image_generation.shift import Life, Shelf, Shift
from tests.living import House, until

GRACE_SECONDS = 6


def afterwards(house: House, painter: Slow) -> Shift:
    return Shift(house, {"painter": painter})


async def known(house: House, command: GenerateImage) -> tuple[Any, ...]:
    rows = await house.rows(
        "SELECT request_id, resume, kept FROM image_generation.generations WHERE job_id = $1", command.job_id
    )
    return tuple(rows[0].values())


async def test_whoever_does_it_again_goes_on_with_what_was_told_late(house: House) -> None:
    painter, first = Slow(), wish()
    await lose(house, painter, first)
    outcome = await end(afterwards(house, painter), again(first))
    assert (outcome.state, painter.asked) == ("completed", 1)
    counted = "SELECT sum(price_micros)::int FROM image_generation.generations WHERE paid AND let_go_at IS NULL"
    assert await house.value(counted) == 10_000
    assert (await end(afterwards(house, painter), again(first))).state == "completed"
    assert painter.asked == 2, "whoever does it again once it has come pays"


async def test_whoever_writes_nothing_down_without_a_lease_has_it_paid_for_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    async def nothing(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(store, "update_generation_told_late", nothing)
    painter, first = Slow(), wish()
    await lose(house, painter, first)
    assert (await end(afterwards(house, painter), again(first))).state == "completed"
    assert painter.asked == 2


async def test_what_came_with_the_answer_needs_no_provider_any_more(house: House) -> None:
    painter, first = Slow(at_once=True), wish()
    await lose(house, painter, first)
    painter.polls = [trouble(Trouble.UNKNOWN)]
    retry = again(first)
    assert (await end(afterwards(house, painter), retry)).state == "completed"
    assert (painter.asked, len(painter.polls)) == (1, 1)
    kept = "SELECT object_key FROM image_generation.generations WHERE job_id = $1"
    assert await house.value(kept, retry.job_id) == generated_key(first.job_id, 1, 0)


async def test_whoever_takes_the_job_over_once_it_was_told_goes_on_by_itself(house: House) -> None:
    painter, first = Slow(), wish()
    async with frozen(house, painter, first):
        pass
    assert await house.value("SELECT state FROM image_generation.tasks WHERE id = $1", first.job_id) == "completed"
    assert painter.asked == 1


async def test_what_is_told_between_the_look_of_the_successor_and_its_end_is_found_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    painter, first, look = Slow(), wish(), asking._known

    async def told() -> bool:
        return (await known(house, first))[0] is not None

    async def looked(job: Job[GenerateImage]) -> store.Generation | None:
        seen = await look(job)
        if job.id == first.job_id:
            painter.answers.set()
            await until(told)
        return seen

    monkeypatch.setattr(asking, "_known", looked)
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
    assert (await end(afterwards(house, painter), again(first))).state == "completed"
    assert painter.asked == 1


async def test_what_is_told_after_the_task_was_forgotten_is_found_too(house: House) -> None:
    painter, first = Slow(), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
        await house.admin.execute("DELETE FROM image_generation.tasks")
    assert (await end(afterwards(house, painter), again(first))).state == "completed"
    assert painter.asked == 1


@pytest.mark.parametrize("who", ["the successor", "a retry"])
async def test_once_the_provider_has_told_the_end_of_it_nobody_asks_about_it_again(house: House, who: str) -> None:
    painter, first = Slow(), wish()
    if who == "the successor":
        async with frozen(house, painter, first):
            painter.polls = [trouble(Trouble.UNKNOWN)]
    else:
        await lose(house, painter, first)
        painter.polls = [trouble(Trouble.UNKNOWN)]
        first = again(first)
        assert (await end(afterwards(house, painter), first)).code == "outcome_unknown"
    assert painter.asked == 1
    assert (await end(afterwards(house, painter), again(first))).state == "completed"
    assert painter.asked == 2


@pytest.mark.parametrize("at_once", [True, False])
async def test_whoever_is_told_a_name_by_somebody_else_goes_on_by_that_of_the_provider(
    house: House, *, at_once: bool
) -> None:
    painter, first = Slow(at_once=at_once), wish()
    await lose(house, painter, first)
    heir = going_on(first, "a guess")
    assert (await end(afterwards(house, painter), heir)).state == "completed"
    assert (await known(house, heir))[:2] == (str(first.job_id), {"samples": "1"})
    assert painter.asked == 1
    assert (await end(afterwards(house, painter), again(first))).state == "completed"
    assert painter.asked == 2, "and only one goes on"


async def test_a_name_that_another_one_has_guessed_is_his_no_more(house: House) -> None:
    painter, first, other = Slow(asked_by_name=True), wish(), wish()
    async with frozen(house, painter, first) as successor:
        painter.troubles = [trouble(Trouble.UNKNOWN)]
        await end(successor, other)
        guess = going_on(other, str(first.job_id))
        painter.polls = [trouble(Trouble.UNKNOWN)]
        await end(successor, guess)
        assert (await known(house, guess))[0] == str(first.job_id)
        await end(successor, first)
    assert (await known(house, guess))[0] is None
    assert (await known(house, first))[0] == str(first.job_id)


async def test_what_somebody_goes_on_with_already_is_let_be(house: House) -> None:
    painter, first = Slow(asked_by_name=True), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
        heir = going_on(first, str(first.job_id))
        assert (await end(successor, heir)).state == "completed"
    assert (await known(house, first))[0] is None
    assert (await known(house, heir))[0] == str(first.job_id)
    assert painter.asked == 1


@pytest.mark.parametrize("meanwhile", SETTLED_MEANWHILE)
async def test_only_what_stands_as_it_was_asked_for_is_written_onto(house: House, meanwhile: str) -> None:
    painter, first = Slow(), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
        await house.admin.execute(f"UPDATE image_generation.generations SET {meanwhile}")
        before = await house.rows("SELECT * FROM image_generation.generations")
    assert await house.rows("SELECT * FROM image_generation.generations") == before


async def test_what_costs_nothing_is_not_written_without_a_lease(house: House) -> None:
    painter, first = Slow(costs_money=False), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).state == "completed"
        before = await house.rows("SELECT * FROM image_generation.generations")
    assert await house.rows("SELECT * FROM image_generation.generations") == before


async def said(house: House, job_id: UUID) -> list[PaymentExpected | PaymentWaived]:
    bodies = await house.rows("SELECT body FROM image_generation.outbox WHERE job_id = $1 ORDER BY id", job_id)
    told = [understand(open_envelope(orjson.loads(bytes(row["body"])))) for row in bodies]
    return [one for one in told if isinstance(one, PaymentExpected | PaymentWaived)]


async def test_it_is_told_once_that_it_is_paid_and_then_who_goes_on_with_it(house: House) -> None:
    painter, first = Slow(), wish(submitted_by="ann")
    await lose(house, painter, first)
    retry = again(first, submitted_by="bob")
    await end(afterwards(house, painter), retry)
    before, after = await said(house, first.job_id), await said(house, retry.job_id)
    assert [type(one) for one in (*before, *after)] == [PaymentExpected, PaymentExpected]
    for one, instead_of in ((before[0], None), (after[0], first.job_id)):
        assert isinstance(one, PaymentExpected)
        assert (one.instead_of, one.submitted_by, one.subject_version) == (instead_of, "ann", 1)


async def test_whoever_dies_while_it_writes_down_what_it_was_told_late_loses_no_more_than_that(house: House) -> None:
    ends = set()
    for step in range(5, 10):  # before that it has not been asked
        painter, first = Slow(), wish()
        await lose(house, painter, first, dying={first.job_id: step})
        written = (await known(house, first))[0] is not None
        assert (await end(afterwards(house, painter), again(first))).state == "completed"
        assert painter.asked == 2 - written, step
        ends.add(written)
    assert ends == {True, False}


class Kept:
    """A real worker's handler, which keeps the first attempt at hand."""

    def __init__(self) -> None:
        self.first: Job[GenerateImage] | None = None
        self.ended = asyncio.Event()

    async def __call__(self, job: Job[GenerateImage], studio: Studio) -> None:
        if self.first is not None:
            return await generate_image(job, studio)
        self.first = job
        try:
            return await generate_image(job, studio)
        finally:
            self.ended.set()

    async def has_lost(self) -> bool:
        return self.first is not None and self.first.lease_lost


@asynccontextmanager
async def losing(
    house: House, painter: Slow, command: GenerateImage, *, deadline_seconds: float = 20
) -> AsyncIterator[Kept]:
    """Have a job taken from a real worker, which learns of it while the provider still draws."""
    work, shelf = Kept(), cast("Any", Shelf(Life(), {}))
    studio = Studio(providers={"painter": painter}, default="painter", objects=shelf, deadline_seconds=deadline_seconds)
    async with house.worker(
        "image_generation",
        works={GenerateImage: work},
        crafts={"studio": studio},
        heartbeat_seconds=0.2,
        grace_seconds=GRACE_SECONDS,
    ):
        await house.say(command)
        await painter.began.wait()
        await house.admin.execute(
            """
            UPDATE image_generation.tasks SET state = 'failed', error_code = 'outcome_unknown', lease_token = NULL,
                lease_until = NULL, worker = NULL, finished_at = now() WHERE id = $1
            """,
            command.job_id,
        )
        await until(work.has_lost)
        yield work


async def told_after_the_heartbeat(house: House, painter: Slow) -> GenerateImage:
    command = wish()
    async with losing(house, painter, command) as work:
        painter.answers.set()
        await work.ended.wait()
    return command


@pytest.mark.parametrize("at_once", [True, False])
async def test_whoever_hears_from_its_heartbeat_that_its_job_is_lost_hears_the_provider_out(
    house: House, *, at_once: bool
) -> None:
    painter = Slow(at_once=at_once)
    first = await told_after_the_heartbeat(house, painter)
    assert (await known(house, first))[0] == str(first.job_id)
    assert (await end(afterwards(house, painter), again(first))).state == "completed"
    assert painter.asked == 1


async def test_whoever_breaks_off_where_its_job_is_lost_never_hears_the_provider(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    async def broken_off(
        _job: Job[GenerateImage], _provider: str, work: Coroutine[Any, Any, asking.Asked], _seconds: float
    ) -> asking.Asked:
        return await work

    monkeypatch.setattr(asking, "heard_out", broken_off)
    painter = Slow()
    first = await told_after_the_heartbeat(house, painter)
    assert (await known(house, first))[0] is None


async def test_a_stop_ends_whoever_hears_a_provider_out(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    painter, command = Slow(), wish()
    async with losing(house, painter, command) as work:
        pass
    assert work.ended.is_set()
    assert "not_heard_out" in capsys.readouterr().out


async def test_whoever_cancels_a_job_that_was_lost_ends_it(house: House) -> None:
    painter, command = Slow(), wish()
    async with losing(house, painter, command) as work:
        await house.say(CancelJob(addressee="all", job_id=command.job_id, cancelled_by="somebody"))
        await asyncio.wait_for(work.ended.wait(), 10)
    assert not painter.answers.is_set()


async def test_nobody_is_heard_out_for_much_longer_than_a_picture_takes(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hearing_out, "_UNTIL_STORED_SECONDS", 0.1)
    painter, command = Slow(), wish()
    async with losing(house, painter, command, deadline_seconds=0.1) as work:
        await asyncio.wait_for(work.ended.wait(), 10)
    assert not painter.answers.is_set()
    assert f'"job_id":"{command.job_id}"' in _line_of("not_heard_out", capsys)


async def test_who_costs_nothing_is_not_heard_out(house: House) -> None:
    painter = Slow(costs_money=False)
    async with losing(house, painter, wish()) as work:
        await asyncio.wait_for(work.ended.wait(), 10)
    assert not painter.answers.is_set()


async def test_what_fails_while_it_is_heard_out_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "update_generation_told_late", broken)
    command = await told_after_the_heartbeat(house, Slow())
    told = _line_of("failed_while_heard_out", capsys)
    assert f'"job_id":"{command.job_id}"' in told
    assert '"provider":"painter"' in told
    assert '"level":"error"' in told
    assert "ZeroDivisionError" in told


def _line_of(event: str, capsys: pytest.CaptureFixture[str]) -> str:
    return next(line for line in capsys.readouterr().out.splitlines() if f'"event":"{event}"' in line)
