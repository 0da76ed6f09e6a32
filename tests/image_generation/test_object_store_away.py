"""A picture that was paid for and came with the answer waits for the object store, however long that is away."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from structlog.testing import capture_logs

from contracts.image_generation import GenerateImage
from contracts.jobs import CancelJob
from services.image_generation.handlers import asking, copying, generate_image, hearing_out
from services.image_generation.studio import Studio
from shared import objects
from shared.errors import TryAgain
from tests.image_generation.painters import AtOnce, Painter, wish
from tests.image_generation.shift import Life, Outcome, Shelf, Shift
from tests.living import House, until

LONGER = copying._TRIES + 3
QUICK = {"heartbeat_seconds": 0.2}


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(copying, "_LONGEST_PAUSE_SECONDS", 0.05)


def unanswered() -> None:
    raise TryAgain("object_store_unavailable", "The object store does not answer.")


def denied(status: int, code: str) -> None:
    with objects._named_failures("a key"):
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")  # type: ignore[typeddict-item]


class Away(Shelf):
    """Nobody can store anything for the next so many tries."""

    left = LONGER
    fail: Callable[[], None] = staticmethod(unanswered)

    async def put_once(self, key: str, body: bytes, *, content_type: str) -> bool:
        if type(self).left:
            type(self).left -= 1
            type(self).fail()
        return await super().put_once(key, body, content_type=content_type)


def away(fail: Callable[[], None] = unanswered) -> type[Away]:
    return type("AwayForNow", (Away,), {"fail": staticmethod(fail)})


async def drawn(house: House, painter: Painter, shelf: type[Shelf] | None = None) -> Outcome:
    command = wish()
    return (await Shift(house, {"painter": painter}, shelf=shelf or away()).work([command]))[command.job_id]


async def test_what_came_with_the_answer_is_stored_once_the_object_store_is_back(house: House) -> None:
    painter = AtOnce()
    with capture_logs() as logs:
        outcome = await drawn(house, painter)
    assert (outcome.state, outcome.known, painter.asked, outcome.attempts) == ("completed", True, 1, 1)
    told = [one for one in logs if one["event"] == "object_store_away"]
    assert [one["log_level"] for one in told] == ["warning"] * LONGER


async def test_who_gives_up_after_a_while_has_lost_what_was_paid_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    given_up = copying.copied

    async def tried(job: Any, done: Any, studio: Any, *, only_here: bool) -> copying.Copies:
        assert only_here
        return await given_up(job, done, studio)

    monkeypatch.setattr(asking, "copied", tried)
    painter = AtOnce()
    outcome = await drawn(house, painter)
    assert (outcome.state, outcome.code, painter.asked) == ("failed", "outcome_unknown", 1)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "404"),
        (307, "307"),
        (400, "RequestTimeout"),
        (408, "408"),
        (409, "409"),
        (425, "425"),
        (429, "SlowDown"),
        (502, "502"),
    ],
)
async def test_an_answer_that_is_not_about_the_picture_is_tried_again(house: House, status: int, code: str) -> None:
    painter = AtOnce()
    outcome = await drawn(house, painter, away(partial(denied, status, code)))
    assert (outcome.state, outcome.known, painter.asked, outcome.attempts) == ("completed", True, 1, 1)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AccessDenied"),
        (401, "401"),
        (404, "NoSuchBucket"),
        (400, "InvalidArgument"),  # so R2 says that a key has another length than keys have
        (400, "AuthorizationHeaderMalformed"),  # another region
        (400, "400"),  # the same, to whoever only asks whether something is there
        (400, "QuotaExceeded"),
        (402, "402"),
    ],
)
async def test_a_store_that_denies_us_is_waited_for_until_somebody_acts_and_is_told_as_an_error(
    house: House, status: int, code: str
) -> None:
    painter = AtOnce()
    with capture_logs() as logs:
        outcome = await drawn(house, painter, away(partial(denied, status, code)))
    assert (outcome.state, outcome.known, painter.asked, outcome.attempts) == ("completed", True, 1, 1)
    told = [one for one in logs if one["event"] == "object_store_refuses"]
    assert [(one["log_level"], one["status"], one["code"]) for one in told] == [("error", status, code)] * LONGER


@pytest.mark.parametrize(("status", "code"), [(400, "EntityTooLarge"), (413, "413")])
async def test_what_the_store_will_never_take_ends_after_some_tries_and_says_so(
    house: House, status: int, code: str
) -> None:
    painter, shelf = AtOnce(), away(partial(denied, status, code))
    with capture_logs() as logs:
        outcome = await drawn(house, painter, shelf)
    assert (outcome.state, outcome.code, painter.asked) == ("failed", "outcome_unknown", 1)
    assert "could not be stored" in str(outcome.sentence)
    assert shelf.left == LONGER - copying._TRIES
    assert [one["status"] for one in logs if one["event"] == "object_store_refuses"] == [status]


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_can_be_asked_for_again_is_given_back_after_a_while_and_paid_for_once(
    house: House, *, at_once: bool
) -> None:
    painter = AtOnce(asked_by_name=True) if at_once else Painter()
    outcome = await drawn(house, painter)
    assert (outcome.state, painter.asked, outcome.attempts) == ("completed", 1, 2)


async def test_what_costs_nothing_is_drawn_again_after_a_while(house: House) -> None:
    painter = AtOnce(costs_money=False)
    outcome = await drawn(house, painter)
    assert (outcome.state, painter.asked, outcome.attempts) == ("completed", 2, 2)


@pytest.mark.parametrize("can", [True, False])
async def test_whoever_dies_while_it_stores_goes_on_where_the_provider_can_be_asked_by_name(
    house: House, *, can: bool
) -> None:
    """Only there its name is written down before: elsewhere it would lead to no picture."""
    ends = set()
    for step in range(1, 12):
        painter, command = AtOnce(asked_by_name=can), wish()
        shift = Shift(house, {"painter": painter}, dying={command.job_id: step})
        outcome = (await shift.work([command]))[command.job_id]
        assert painter.asked <= 1
        assert outcome.known == (outcome.state == "completed"), step
        if any(command.job_id.hex in key.replace("-", "") for key in shift.objects):
            ends.add((outcome.state, shift.died == {command.job_id}))
    assert (("failed", True) in ends) == (not can)
    assert ("completed", True) in ends


class Waiting(Shelf):
    """Away until it is told to be there."""

    def __init__(self) -> None:
        super().__init__(Life(), {})
        self.there = False
        self.fail: Callable[[], None] = unanswered

    async def put_once(self, key: str, body: bytes, *, content_type: str) -> bool:
        if not self.there:
            self.fail()
        return await super().put_once(key, body, content_type=content_type)


@asynccontextmanager
async def working(
    house: House, painter: Painter, shelf: Waiting, deadline_seconds: float = 20, **settings: Any
) -> AsyncIterator[None]:
    studio = Studio(
        providers={"painter": painter},
        default="painter",
        objects=cast("Any", shelf),
        deadline_seconds=deadline_seconds,
    )
    async with house.worker(
        "image_generation", works={GenerateImage: generate_image}, crafts={"studio": studio}, **QUICK, **settings
    ):
        yield


async def column(house: House, name: str, command: GenerateImage) -> Any:
    return await house.value(f"SELECT {name} FROM image_generation.tasks WHERE id = $1", command.job_id)


async def _is(house: House, name: str, command: GenerateImage, wanted: Any) -> bool:
    return bool(await column(house, name, command) == wanted)


async def waits(house: House, command: GenerateImage, stage: str = "waiting for the object store") -> None:
    await house.say(command)
    await until(partial(_is, house, "stage", command, stage))


async def test_its_job_tells_what_it_waits_for_and_keeps_its_lease(house: House) -> None:
    painter, shelf, command = AtOnce(), Waiting(), wish()
    async with working(house, painter, shelf):
        await waits(house, command)
        for _ in range(3):
            before = await column(house, "lease_until", command)
            await until(partial(_is, house, f"lease_until > '{before}'", command, True))
        assert await column(house, "lease_epoch", command) == 1
        shelf.there = True
        await until(partial(_is, house, "state", command, "completed"))
    assert painter.asked == 1


async def test_its_job_tells_that_the_store_refuses_it(house: House) -> None:
    painter, shelf, command = AtOnce(), Waiting(), wish()
    shelf.fail = partial(denied, 403, "AccessDenied")
    async with working(house, painter, shelf):
        await waits(house, command, "the object store refuses it")
        shelf.there = True
        await until(partial(_is, house, "state", command, "completed"))


async def test_where_its_deadline_passes_it_is_told_that_it_was_paid_for(house: House) -> None:
    painter, command = AtOnce(), wish()
    async with working(house, painter, Waiting()):
        await waits(house, command)
        await house.admin.execute("UPDATE image_generation.tasks SET deadline_at = now() - interval '1 s'")
        await until(partial(_is, house, "state", command, "failed"))
    assert await column(house, "error_code", command) == "outcome_unknown"
    assert "paid for could not be stored" in await column(house, "error_sentence", command)


@pytest.mark.parametrize("costs_money", [True, False])
async def test_where_the_deadline_passes_and_nothing_paid_for_is_lost_the_deadline_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch, *, costs_money: bool
) -> None:
    """The control."""
    monkeypatch.setattr(copying, "_FIRST_PAUSE_SECONDS", 60)
    painter, command = AtOnce(costs_money=costs_money, asked_by_name=costs_money), wish()
    async with working(house, painter, Waiting()):
        await waits(house, command, "storing")
        await house.admin.execute("UPDATE image_generation.tasks SET deadline_at = now() - interval '1 s'")
        await until(partial(_is, house, "state", command, "failed"))
    assert await column(house, "error_code", command) == "deadline_exceeded"


async def test_whoever_has_lost_it_gives_its_place_back_though_the_store_stays_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing_out, "_UNTIL_STORED_SECONDS", 0.1)
    painter, shelf, command, other = AtOnce(), Waiting(), wish(), wish()
    async with working(house, painter, shelf, deadline_seconds=0.1, concurrency=1):
        await waits(house, command)
        await house.admin.execute(
            """
            UPDATE image_generation.tasks SET state = 'failed', error_code = 'outcome_unknown', lease_token = NULL,
                lease_until = NULL, worker = NULL, finished_at = now() WHERE id = $1
            """,
            command.job_id,
        )
        await waits(house, other)


async def test_whoever_cancels_it_does_not_wait_for_the_object_store(house: House) -> None:
    painter, command = AtOnce(), wish()
    async with working(house, painter, Waiting()):
        await waits(house, command)
        await house.say(CancelJob(addressee="all", job_id=command.job_id, cancelled_by="somebody"))
        await until(partial(_is, house, "state", command, "cancelled"))


async def test_a_worker_that_stops_meanwhile_has_lost_it_and_nobody_pays_again(house: House) -> None:
    painter, shelf, command = AtOnce(), Waiting(), wish()
    async with working(house, painter, shelf):
        await waits(house, command)
    assert await column(house, "state", command) == "pending"
    shelf.there = True
    async with working(house, painter, shelf):
        await until(partial(_is, house, "state", command, "failed"))
    assert (await column(house, "error_code", command), painter.asked) == ("outcome_unknown", 1)
    assert "answer was lost" in await column(house, "error_sentence", command)
