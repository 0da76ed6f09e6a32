"""What was paid for and did not come in time is waited for when its job is done again, and not paid for anew."""

from uuid import uuid4

import orjson
import pytest

from contracts.catalogue import open_envelope, understand
from contracts.image_generation import GenerateImage, PaymentExpected
from services.image_generation.providers import Pending
from services.image_generation.rules.trouble import Trouble
from tests.image_generation.lost_requests import again, end
from tests.image_generation.painters import Painter, trouble, wish
from tests.image_generation.shift import Outcome, Shift
from tests.living import House

SHORT = {"deadline_seconds": 0.05}


async def too_slow(house: House, painter: Painter, command: GenerateImage) -> Outcome:
    """Have a provider take a request and draw for longer than anybody waits."""
    painter.polls = [Pending() for _ in range(99)]
    outcome = await end(Shift(house, {"painter": painter}, SHORT), command)
    painter.polls = []
    return outcome


async def test_a_retry_waits_for_what_was_paid_for(house: House, painter: Painter) -> None:
    first = wish(samples=2)
    outcome = await too_slow(house, painter, first)
    assert (outcome.state, outcome.code, outcome.known) == ("failed", "provider_slow", True)
    shift = Shift(house, {"painter": painter})
    retry = again(first)
    assert (await end(shift, retry)).state == "completed"
    assert painter.asked == 1
    counted = "SELECT sum(price_micros)::int FROM image_generation.generations WHERE paid AND let_go_at IS NULL"
    assert await house.value(counted) == 20_000, "and its money counts once"
    assert (await end(shift, again(first))).state == "completed"
    assert painter.asked == 2, "whoever does it again once it has come pays"


async def test_what_was_paid_for_stays_in_the_budget_of_whoever_asked_for_it(house: House, painter: Painter) -> None:
    first = wish(submitted_by="ann")
    await too_slow(house, painter, first)
    retry = again(first, submitted_by="bob")
    painter.polls = [trouble(Trouble.FAILED)]  # so that it asks for another one
    assert (await end(Shift(house, {"painter": painter}), retry)).state == "completed"
    bodies = await house.rows("SELECT body FROM image_generation.outbox WHERE job_id = $1 ORDER BY id", retry.job_id)
    told = [understand(open_envelope(orjson.loads(bytes(row["body"])))) for row in bodies]
    assert [one.submitted_by for one in told if isinstance(one, PaymentExpected)] == ["ann", "bob"]
    kept = "SELECT submitted_by FROM image_generation.generations WHERE job_id = $1"
    assert await house.value(kept, retry.job_id) == "bob"


async def test_whoever_is_told_nothing_of_the_first_pays_again(house: House, painter: Painter) -> None:
    """The control."""
    first = wish()
    await too_slow(house, painter, first)
    assert (await end(Shift(house, {"painter": painter}), again(first, retries=None))).state == "completed"
    assert painter.asked == 2


async def test_a_retry_of_a_retry_finds_it_too(house: House, painter: Painter) -> None:
    first = wish()
    await too_slow(house, painter, first)
    second = again(first)
    await too_slow(house, painter, second)
    never_begun = again(second)
    await house.admin.execute(
        """
        INSERT INTO image_generation.tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at,
                                            error_code, finished_at)
        VALUES ($1, $2, $3, $4, $1, 'failed', now(), now(), 'worker_lost', now())
        """,
        *(never_begun.job_id, never_begun.wire_name, never_begun.model_dump(mode="json", exclude_none=True)),
        never_begun.project_id,
    )
    assert (await end(Shift(house, {"painter": painter}), again(never_begun))).state == "completed"
    assert painter.asked == 1


async def test_a_retry_finds_it_long_after_the_task_was_forgotten(house: House, painter: Painter) -> None:
    first = wish()
    await too_slow(house, painter, first)
    await house.admin.execute("DELETE FROM image_generation.tasks")
    assert (await end(Shift(house, {"painter": painter}), again(first))).state == "completed"
    assert painter.asked == 1


async def test_of_two_that_were_paid_for_one_is_gone_on_with_and_both_count(house: House, painter: Painter) -> None:
    """A worker of the version before has taken no heed of what the retry does again."""
    first = wish()
    await too_slow(house, painter, first)
    second = again(first)
    await too_slow(house, painter, second.model_copy(update={"retries": None}))
    assert painter.asked == 2
    told = {"retries": str(first.job_id)}
    await house.admin.execute(
        "UPDATE image_generation.tasks SET command = command || $2 WHERE id = $1", second.job_id, told
    )
    third = again(second)
    assert (await end(Shift(house, {"painter": painter}), third)).state == "completed"
    assert painter.asked == 2
    rows = await house.rows("SELECT job_id FROM image_generation.generations WHERE paid AND let_go_at IS NULL")
    assert {row["job_id"] for row in rows} == {first.job_id, third.job_id}


async def test_whoever_dies_while_it_goes_on_goes_on_all_the_same(house: House, painter: Painter) -> None:
    for step in range(1, 12):
        first = wish()
        await too_slow(house, painter, first)
        asked, retry = painter.asked, again(first)
        shift = Shift(house, {"painter": painter}, dying={retry.job_id: step})
        assert (await end(shift, retry)).state == "completed", step
        assert painter.asked == asked, step


@pytest.mark.parametrize("kind", [Trouble.BROKEN, Trouble.WISH, Trouble.UNKNOWN])
async def test_what_the_provider_has_said_the_end_of_is_asked_for_anew(
    house: House, painter: Painter, kind: Trouble
) -> None:
    shift, first = Shift(house, {"painter": painter}), wish()
    painter.polls = [trouble(kind)]
    assert (await end(shift, first)).state == "failed"
    assert (await end(shift, again(first))).state == "completed"
    assert painter.asked == 2


@pytest.mark.parametrize("what", ["a stranger's", "one that is still drawn", "one that was never asked for"])
async def test_nobody_goes_on_with_what_is_not_lost_or_not_his(house: House, painter: Painter, what: str) -> None:
    first = wish()
    if what == "a stranger's":
        await too_slow(house, painter, first)
        retry = again(first, project_id=uuid4())
    elif what == "one that is still drawn":
        painter.polls = [Pending() for _ in range(99)]
        await Shift(house, {"painter": painter}, SHORT, patient=True).work([first])
        painter.polls = []
        retry = again(first)
        await house.admin.execute("UPDATE image_generation.tasks SET run_at = now() + interval '1 hour'")
    else:
        retry = again(first)
    before = painter.asked
    assert (await end(Shift(house, {"painter": painter}, patient=True), retry)).state == "completed"
    assert painter.asked == before + 1
