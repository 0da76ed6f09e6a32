"""What was paid for and lost is gone on with once somebody says what it is called, and is never paid for again."""

import random
from collections.abc import Sequence
from uuid import uuid4

import pytest

from services.image_generation.providers import Provider
from tests.image_generation.ateliers import VANISHING, ModelsLabServer, OpenAIServer, Reply, opened
from tests.image_generation.lost_requests import end, going_on, lose, name_of, paid, wishes
from tests.image_generation.shift import Shift
from tests.living import House

JOBS = 40


async def test_whoever_dies_with_a_name_that_was_told_pays_for_nothing_again(
    shift: Shift, server: ModelsLabServer
) -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    lost = await lose(shift, server, JOBS)
    heirs = [going_on(one, name_of(server, one.job_id)) for one in lost]
    shift.dying |= {heir.job_id: chance.randint(1, 12) for heir in heirs}
    outcomes = await shift.work(heirs, workers=8)
    assert len(shift.died) > JOBS // 2
    assert {outcome.state for outcome in outcomes.values()} == {"completed"}
    assert [paid(server, *pair) for pair in zip(lost, heirs, strict=True)] == [1] * JOBS
    assert len(server.taken) == JOBS


async def test_whoever_does_it_again_pays_again(shift: Shift, server: ModelsLabServer) -> None:
    """The control: the same without the name."""
    [lost] = await lose(shift, server)
    heir = going_on(lost, "1000").model_copy(update={"resumes": None})
    assert (await end(shift, heir)).state == "completed"
    assert paid(server, lost, heir) == 2


async def test_a_name_that_belongs_to_another_request_is_not_believed(shift: Shift, server: ModelsLabServer) -> None:
    server.tells_whose = True
    lost, other = await lose(shift, server, 2)
    wrong = going_on(lost, name_of(server, other.job_id))
    outcome = await end(shift, wrong)
    assert (outcome.state, outcome.code) == ("failed", "outcome_unknown")
    right = going_on(lost, name_of(server, lost.job_id))
    assert (await end(shift, right)).code == "outcome_unknown", "another job goes on with it already"
    right = going_on(wrong, name_of(server, lost.job_id))
    assert (await end(shift, right)).state == "completed", "and that one may be told better"
    assert paid(server, lost, wrong, right) == 1


@pytest.mark.parametrize("ended", [True, False])
async def test_nobody_gets_the_pictures_of_another_by_naming_its_request(
    shift: Shift, server: ModelsLabServer, *, ended: bool
) -> None:
    """Names are numbers that follow each other, and the provider need not tell whose a picture is."""
    [other] = wishes(1)
    await shift.work([other])
    if not ended:
        await shift.house.admin.execute("UPDATE image_generation.generations SET generated_at = NULL")
    [lost] = await lose(shift, server)
    wrong = going_on(lost, name_of(server, other.job_id))
    outcome = await end(shift, wrong)
    assert (outcome.state, outcome.code, outcome.known) == ("failed", "outcome_unknown", False)
    right = going_on(wrong, name_of(server, lost.job_id))
    assert (await end(shift, right)).state == "completed", "and the right name is heard after a wrong one"
    assert paid(server, lost, wrong, right) == 1


async def test_what_is_given_up_under_a_strange_name_is_not_asked_for_anew(
    shift: Shift, server: ModelsLabServer
) -> None:
    [lost] = await lose(shift, server)
    given_up = {"status": "failed", "id": 1, "message": "it broke"}
    for said in ({}, {"track_id": "another"}):
        server.next_poll.append(Reply({**given_up, **said}))
        lost, before = going_on(lost, "1000"), lost
        assert (await end(shift, lost)).code == "outcome_unknown"
        assert before.job_id != lost.job_id
    assert sum(server.taken.values()) == 1


async def test_what_is_given_up_under_its_own_name_costs_nothing_and_is_made_again(
    shift: Shift, server: ModelsLabServer
) -> None:
    [lost] = await lose(shift, server)
    server.next_poll.append(Reply({"status": "failed", "id": 1, "message": "it broke", "track_id": str(lost.job_id)}))
    heir = going_on(lost, name_of(server, lost.job_id))
    assert (await end(shift, heir)).state == "completed"
    assert paid(server, lost, heir) == 2, "the first of which was given up"


@pytest.mark.parametrize("foreign", [True, False])
async def test_nobody_goes_on_with_what_is_not_his_or_is_not_lost(
    shift: Shift, server: ModelsLabServer, *, foreign: bool
) -> None:
    if foreign:
        [before] = await lose(shift, server)
        heir = going_on(before, name_of(server, before.job_id)).model_copy(update={"project_id": uuid4()})
    else:
        [before] = wishes(1)
        assert (await end(shift, before)).state == "completed"
        heir = going_on(before, name_of(server, before.job_id))
    assert (await end(shift, heir)).code == "outcome_unknown"
    assert sum(server.taken.values()) == 1


async def test_what_it_costs_counts_once_and_by_the_day_on_which_it_was_asked_for(
    house: House, shift: Shift, server: ModelsLabServer
) -> None:
    [lost] = await lose(shift, server)
    heir = going_on(lost, name_of(server, lost.job_id))
    await end(shift, heir)
    rows = await house.rows(
        "SELECT job_id, price_micros, let_go_at IS NULL AS counts, asked_at FROM image_generation.generations"
    )
    by_job = {row["job_id"]: row for row in rows}
    assert (by_job[lost.job_id]["counts"], by_job[heir.job_id]["counts"]) == (False, True)
    assert by_job[lost.job_id]["asked_at"] == by_job[heir.job_id]["asked_at"]
    assert by_job[heir.job_id]["price_micros"] == 40_000


async def test_who_cannot_be_asked_by_name_is_not_asked(house: House) -> None:
    async with OpenAIServer() as server, opened(server, price_usd="0.04") as providers:
        shift = Shift(house, _by_name(providers))
        [lost] = wishes(1)
        server.next.append(VANISHING)
        assert (await end(shift, lost)).code == "outcome_unknown"
        assert (await end(shift, going_on(lost, "1"))).code == "outcome_unknown"
        assert sum(server.taken.values()) == 1


def _by_name(providers: Sequence[Provider]) -> dict[str, Provider]:
    return {provider.name: provider for provider in providers}
