"""What a person is told while a picture is drawn, and when it will be there."""

import asyncio
from typing import Any

import orjson
import pytest

from contracts.image_generation import GenerateImage
from services.image_generation import store
from services.image_generation.handlers.telling import Telling
from services.image_generation.providers import GenerationRequest, Pending, Submitted
from services.image_generation.rules import Size
from services.image_generation.rules.admission import closed_seconds
from services.image_generation.rules.advance import Advance, advance
from services.image_generation.rules.trouble import Trouble
from tests.image_generation.painters import AtOnce, Painter, wish
from tests.image_generation.shift import Shift
from tests.living import House, lineage, until


def told(
    progress: float | None = None,
    ahead: int | None = None,
    eta: float | None = None,
    elapsed: float = 5,
    estimate: float = 20,
) -> Advance:
    return advance(
        "lab",
        progress=progress,
        ahead=ahead,
        eta_seconds=eta,
        elapsed_seconds=elapsed,
        estimate_seconds=estimate,
    )


def test_what_the_provider_counts_is_shown() -> None:
    assert told(progress=0.5, elapsed=10) == Advance(0.5, "lab is drawing, about 10 s to go")
    assert told(progress=1.0).share == 0.95, "it is not stored yet"
    assert told(progress=7.0).share == 0.95


def test_a_place_in_the_queue_is_no_progress() -> None:
    assert told(ahead=3) == Advance(0.05, "waiting at lab, 3 before it")
    assert told(ahead=0, elapsed=0).stage == "lab is drawing, about 20 s to go"


def test_its_own_estimate_wins_over_ours_and_ours_over_nothing() -> None:
    assert told(eta=5) == Advance(0.5, "lab is drawing, about 5 s to go")
    assert told() == Advance(0.275, "lab is drawing, about 15 s to go")


@pytest.mark.parametrize("elapsed", [0.0, 19.0, 20.0, 1e6])
def test_by_the_clock_nothing_is_ever_done(elapsed: float) -> None:
    assert 0.05 <= told(elapsed=elapsed, estimate=20).share < 0.95
    assert told(elapsed=0, estimate=0).share == 0.05


async def test_how_long_it_takes_is_learnt_from_pictures_of_the_same_size(house: House) -> None:
    painter = Painter()
    shift = Shift(house, {"painter": painter})
    await shift.work([GenerateImage(**lineage(), description="a lake") for _ in range(5)])
    await house.admin.execute(
        """
        UPDATE image_generation.generations g SET asked_at = generated_at - n * interval '10 s'
        FROM (SELECT job_id, row_number() OVER () AS n FROM image_generation.generations) AS numbered
        WHERE numbered.job_id = g.job_id
        """
    )
    async with house.admin.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL search_path = image_generation")
        assert await store.select_pace(connection, "painter", Size(768, 768), 1) == pytest.approx(30)
        assert await store.select_pace(connection, "painter", Size(512, 768), 1) is None
        assert await store.select_pace(connection, "painter", Size(768, 768), 2) is None
        assert await store.select_pace(connection, "another", Size(768, 768), 1) is None


@pytest.mark.parametrize(
    ("trouble", "failures", "patience", "seconds"),
    [
        (Trouble.KEY, 0, None, 300),
        (Trouble.CREDIT, 0, None, 900),
        (Trouble.BUSY, 0, 30, 30),
        (Trouble.BUSY, 0, 1e9, 3600),
        (Trouble.BUSY, 0, None, 10),
        (Trouble.PASSING, 4, None, None),
        (Trouble.PASSING, 5, None, 30),
        (Trouble.UNKNOWN, 6, None, 60),
        (Trouble.PASSING, 99, None, 600),
        (Trouble.WISH, 99, None, None),
        (Trouble.FAILED, 99, None, None),
    ],
)
def test_nobody_asks_for_as_long_as_follows_from_a_trouble(
    trouble: Trouble, failures: int, patience: float | None, seconds: float | None
) -> None:
    assert closed_seconds(trouble, failures, patience) == seconds


class Listener:
    """A job that remembers what was told of it."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []

    def progress(self, share: float, stage: str) -> None:
        self.told.append((share, stage))


def telling(listener: Listener, elapsed_seconds: float = 0.0) -> Telling:
    return Telling(listener, "lab", 20, elapsed_seconds)  # type: ignore[arg-type]  # as much of a job as is needed


@pytest.mark.parametrize(
    "answers",
    [
        [Pending(progress=0.75), Pending(ahead=0), Pending(progress=0.8)],
        [Pending(progress=1.0), Pending(progress=0.1)],
        [Pending(eta_seconds=1), Pending(), Pending(eta_seconds=40)],
        [Pending(), Pending(ahead=2), Pending(ahead=0)],
    ],
)
def test_whatever_a_provider_tells_nothing_goes_back(answers: list[Pending]) -> None:
    listener = Listener()
    tells = telling(listener, elapsed_seconds=5)
    for answer in answers:
        tells.report(answer)
    shares = [share for share, _ in listener.told]
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("pending", "stage"),
    [
        (Pending(ahead=3), "waiting at lab, 3 before it"),
        (Pending(progress=0.5), "lab is drawing, about 1"),
        (Pending(eta_seconds=95), "lab is drawing, about 9"),
    ],
)
async def test_who_waits_for_an_answer_is_told_what_the_provider_told_before(
    monkeypatch: pytest.MonkeyPatch, pending: Pending, stage: str
) -> None:
    monkeypatch.setattr("services.image_generation.handlers.telling._EVERY_SECONDS", 0.001)
    listener = Listener()
    tells = telling(listener, elapsed_seconds=10)
    tells.report(pending)

    async def several() -> bool:
        return len(listener.told) > 3

    async with tells.by_the_clock():
        await until(several)
    assert all(told.startswith(stage) for _, told in listener.told), listener.told


class Pondering(Painter):
    """Takes its time before it takes a request."""

    async def submit(self, request: GenerationRequest) -> Submitted:
        await asyncio.sleep(0.1)
        return await super().submit(request)


class PonderingAtOnce(Pondering, AtOnce):
    """Takes its time, and gives the pictures with its answer."""


async def test_what_is_gone_on_with_took_as_long_as_since_it_was_asked_for(house: House) -> None:
    whole, taken_over = wish(), wish()
    shift = Shift(house, {"painter": PonderingAtOnce()})
    await shift.work([whole])
    shift.dying[taken_over.job_id] = shift.steps[whole.job_id] - 2  # its picture lies there, and nothing was said
    await shift.work([taken_over])
    assert shift.died == {taken_over.job_id}
    rows = await house.rows("SELECT body FROM image_generation.outbox WHERE routing_key LIKE '%image_generated'")
    assert all(orjson.loads(bytes(row["body"]))["data"]["generation_seconds"] >= 0.1 for row in rows)
    assert len(rows) == 2


async def test_the_time_that_asking_took_counts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    elapsed: list[float] = []

    class Noting(Telling):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            elapsed.extend(args[3:])

    monkeypatch.setattr("services.image_generation.handlers.following.Telling", Noting)
    await Shift(house, {"painter": Pondering()}).work([wish()])
    assert elapsed[0] >= 0.1
