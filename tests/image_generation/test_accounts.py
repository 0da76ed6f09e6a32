"""What all replicas share of an account: its places, its money, and the patience that it asks for."""

from uuid import uuid4

import pytest

from services.image_generation import store
from services.image_generation.providers import GenerationRequest, Pending, Submitted
from services.image_generation.rules import Size
from services.image_generation.rules.admission import FAILURES_UNTIL_CLOSED, Budgets
from services.image_generation.rules.trouble import Trouble
from shared.database import open_pool
from tests.image_generation.painters import Painter, let_time_pass, made, trouble, wish
from tests.image_generation.shift import Shift
from tests.living import House


async def test_two_processes_together_never_ask_for_more_than_the_account_allows(house: House) -> None:
    painter = Painter(most_in_flight=3)
    painter.slow = True
    commands = [wish() for _ in range(40)]

    outcomes = await Shift(house, {"painter": painter}).work(commands, workers=10)

    assert {outcome.state for outcome in outcomes.values()} == {"completed"}
    assert painter.most_in_hand == 3
    assert painter.asked == 40
    assert {outcome.attempts for outcome in outcomes.values()} <= {0, 1}, "waiting for a place uses no attempt up"


async def test_the_more_wait_for_a_place_the_longer_each_of_them_waits(house: House) -> None:
    painter = Painter(most_in_flight=1)
    painter.polls = [Pending() for _ in range(9)]
    held, first, later = wish(), wish(), wish()
    shift = Shift(house, {"painter": painter}, {"deadline_seconds": 0.01}, patient=True)
    await shift.work([held])  # it takes its place, and is not done in time
    await shift.work([first])
    await house.admin.execute(
        """
        INSERT INTO image_generation.tasks
            (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at, run_at, limited)
        SELECT gen_random_uuid(), 'another', '{}', gen_random_uuid(), gen_random_uuid(), 'pending', now(),
               now() + interval '1 d', now() + interval '1 d', true
        FROM generate_series(1, 200)
        """
    )
    await shift.work([later])

    due = await house.rows(
        "SELECT id, extract(epoch FROM run_at - now())::float8 AS seconds FROM image_generation.tasks"
        " WHERE error_code = 'account_full'"
    )
    seconds = {row["id"]: row["seconds"] for row in due}
    assert seconds[first.job_id] < 3
    assert 20 < seconds[later.job_id] < 25


async def test_who_asks_for_a_place_reads_nothing_of_thousands_that_have_not_asked_yet(house: House) -> None:
    """All others wait meanwhile."""
    await house.admin.execute(
        """
        INSERT INTO image_generation.tasks (id, kind, command, project_id, root_job_id, state, rank_at, deadline_at)
        SELECT gen_random_uuid(), 'another', '{}', gen_random_uuid(), gen_random_uuid(), 'pending', now(),
               now() + interval '1 d'
        FROM generate_series(1, 3000)
        """
    )
    await house.admin.execute("ANALYZE image_generation.tasks")
    asking = store.Asking(uuid4(), uuid4(), "ann", "painter", True, 10_000, Size(64, 48), 1)
    pool = await open_pool(house.servers.database_url("image_generation"), size=1, application_name="looking")
    try:
        async with pool.acquire() as connection, connection.transaction():
            standing = await store.select_standing(connection, asking)
            read = await connection.fetchval(
                """
                SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
                WHERE (schemaname, relname) = ('image_generation', 'tasks')
                """
            )
    finally:
        await pool.close()
    assert (standing.waiting, read) == (0, 0)


async def test_without_a_limit_they_do(house: House) -> None:
    painter = Painter()
    painter.crowd = 4
    outcomes = await Shift(house, {"painter": painter}).work([wish() for _ in range(40)], workers=10)
    assert {outcome.state for outcome in outcomes.values()} == {"completed"}
    assert painter.most_in_hand > 3


@pytest.mark.parametrize("known", [True, False])
async def test_what_comes_once_more_after_its_task_was_forgotten_is_not_paid_for_again(
    house: House, painter: Painter, *, known: bool
) -> None:
    command, shift = wish(), Shift(house, {"painter": painter})
    if not known:
        painter.troubles = [trouble(Trouble.UNKNOWN)]
    await shift.work([command])
    await house.admin.execute("DELETE FROM image_generation.tasks")
    outcome = (await shift.work([command]))[command.job_id]
    assert (outcome.state, outcome.code) == (("completed", None) if known else ("failed", "outcome_unknown"))
    assert painter.asked == 1


async def test_a_place_that_a_dead_job_held_is_free_again(house: House) -> None:
    painter = Painter(most_in_flight=1)
    painter.troubles = [trouble(Trouble.UNKNOWN)]
    outcomes = await made(house, painter, count=2)
    assert sorted((outcome.state, outcome.code) for outcome in outcomes) == [
        ("completed", None),
        ("failed", "outcome_unknown"),
    ]


async def test_a_budget_of_the_day_is_not_overdrawn_by_many_at_once(house: House) -> None:
    painter = Painter()
    budgets = Budgets(of_all_micros=50_000)
    commands = [wish() for _ in range(12)]

    outcomes = await Shift(house, {"painter": painter}, {"budgets": budgets}).work(commands, workers=8)

    ends = sorted((outcome.state, outcome.code or "") for outcome in outcomes.values())
    assert ends == [("completed", "")] * 5 + [("failed", "budget_used_up")] * 7
    assert painter.asked == 5


async def test_each_owner_has_a_budget_and_a_new_day_is_a_new_one(house: House, painter: Painter) -> None:
    shift = Shift(house, {"painter": painter}, {"budgets": Budgets(of_owner_micros=10_000)})
    mine, again, yours = (wish(submitted_by=who) for who in ("me", "me", "you"))
    outcomes = await shift.work([mine, again, yours])

    assert sorted(str(outcomes[one.job_id].code) for one in (mine, again)) == ["None", "budget_used_up"]
    assert outcomes[yours.job_id].state == "completed"

    await house.admin.execute("UPDATE image_generation.generations SET asked_at = asked_at - interval '1 day'")
    tomorrow = wish(submitted_by="me")
    assert (await shift.work([tomorrow]))[tomorrow.job_id].state == "completed"


async def test_samples_are_all_paid_and_each_is_said_with_its_cost(house: House, painter: Painter) -> None:
    command = wish(samples=3)
    await Shift(house, {"painter": painter}, {"budgets": Budgets(of_all_micros=30_000)}).work([command])

    bodies = await house.rows("SELECT body FROM image_generation.outbox WHERE routing_key LIKE '%image_generated'")
    assert len(bodies) == 3
    assert all(b'"cost_micros":10000' in bytes(row["body"]) for row in bodies)
    assert await house.value("SELECT price_micros FROM image_generation.generations") == 30_000


class Miscounting(Painter):
    """Draws another number of pictures than it was asked for."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    async def submit(self, request: GenerationRequest) -> Submitted:
        return await super().submit(request.model_copy(update={"samples": self._count}))


@pytest.mark.parametrize(("drawn", "kept"), [(4, 2), (1, 1)])
async def test_no_more_is_kept_than_was_asked_for_and_what_is_missing_is_said(
    house: House, drawn: int, kept: int
) -> None:
    command = wish(samples=2)
    outcomes = await Shift(house, {"painter": Miscounting(drawn)}).work([command])
    assert outcomes[command.job_id].state == "completed"
    bodies = await house.rows("SELECT body FROM image_generation.outbox WHERE routing_key LIKE '%image_generated'")
    assert len(bodies) == kept
    missing = "SELECT count(*) FROM image_generation.outbox WHERE convert_from(body, 'UTF8') LIKE '%only 1 came%'"
    assert await house.value(missing) == (drawn < command.samples)


async def test_a_day_s_money_is_not_spent_on_what_was_not_taken(house: House, painter: Painter) -> None:
    painter.troubles = [trouble(Trouble.PASSING)]
    [outcome] = await made(house, painter, patient=False, budgets=Budgets(of_all_micros=10_000))
    assert outcome.state == "completed"


async def test_a_wrong_key_keeps_everybody_from_asking(house: House, painter: Painter) -> None:
    painter.troubles = [trouble(Trouble.KEY)]
    outcomes = await made(house, painter, count=5)

    assert {(outcome.state, outcome.code) for outcome in outcomes} == {("failed", "provider_key_refused")}
    assert painter.asked == 1


async def test_what_was_asked_to_wait_waits_and_so_do_the_others(house: House, painter: Painter) -> None:
    painter.troubles = [trouble(Trouble.BUSY, 30)]
    outcomes = await made(house, painter, count=4)

    assert painter.asked == 1
    assert {(outcome.state, outcome.code, outcome.attempts) for outcome in outcomes} == {
        ("pending", "provider_busy", 0)
    }
    due = await house.rows("SELECT extract(epoch FROM run_at - now())::float8 AS due FROM image_generation.tasks")
    assert all(25 < row["due"] <= 30 for row in due), "Retry-After wins over our own backoff"


async def test_who_has_too_much_to_do_is_not_asked_by_everybody_also_where_it_does_not_say_for_how_long(
    house: House, painter: Painter
) -> None:
    painter.troubles = [trouble(Trouble.BUSY) for _ in range(9)]
    outcomes = await made(house, painter, count=9)
    assert painter.asked == 1
    assert {(outcome.state, outcome.code, outcome.attempts) for outcome in outcomes} == {
        ("pending", "provider_busy", 0)
    }
    await let_time_pass(house, 60)
    painter.troubles = []
    assert {outcome.state for outcome in await made(house, painter, count=3)} == {"completed"}


async def test_after_failures_in_a_row_one_request_alone_tries_whether_it_is_back(
    house: House, painter: Painter
) -> None:
    away = [trouble(Trouble.PASSING) for _ in range(FAILURES_UNTIL_CLOSED)]
    painter.troubles = [*away]
    await made(house, painter, count=FAILURES_UNTIL_CLOSED + 3)
    assert painter.asked == FAILURES_UNTIL_CLOSED, "the circuit is open"

    await let_time_pass(house, 60)
    painter.troubles = [trouble(Trouble.PASSING)]
    await made(house, painter, count=3)
    assert painter.asked == FAILURES_UNTIL_CLOSED + 1, "one has tried, and it is open again"

    await let_time_pass(house, 120)
    outcomes = await made(house, painter, count=3)
    assert {outcome.state for outcome in outcomes} == {"completed"}, "one was taken, and it is closed"


async def test_while_one_tries_the_others_wait(house: House, painter: Painter) -> None:
    await house.admin.execute(
        "INSERT INTO image_generation.accounts VALUES ('painter', 5, 'passing', now() - interval '1 s')"
    )
    painter.slow = True
    shift = Shift(house, {"painter": painter}, dying={}, patient=True)
    probe, other = wish(), wish()
    shift.dying = {probe.job_id: 5}  # it dies just after it was asked for, and nobody hears the answer
    await shift.work([probe])
    outcomes = await shift.work([other])

    assert painter.asked == 1
    assert outcomes[other.job_id].code == "provider_away"


async def test_whoever_tries_goes_on_trying_after_its_process_has_died(house: House) -> None:
    painter = Painter(costs_money=False, most_in_flight=1)
    await house.admin.execute(
        "INSERT INTO image_generation.accounts VALUES ('painter', 5, 'passing', now() - interval '1 s')"
    )
    probe = wish()
    shift = Shift(house, {"painter": painter}, dying={probe.job_id: 5}, patient=True)
    outcomes = await shift.work([probe])

    assert (outcomes[probe.job_id].state, painter.asked) == ("completed", 2)
    assert await house.value("SELECT count(*) FROM image_generation.accounts") == 0


@pytest.mark.parametrize("kind", [Trouble.BROKEN, Trouble.FAILED])
async def test_whoever_tries_and_is_answered_holds_nobody_whatever_the_answer_holds(
    house: House, painter: Painter, kind: Trouble
) -> None:
    await house.admin.execute(
        "INSERT INTO image_generation.accounts VALUES ('painter', 5, 'passing', now() - interval '1 s')"
    )
    painter.troubles = [trouble(kind)]
    await made(house, painter)
    [other] = await made(house, painter)
    assert other.state == "completed"
    assert await house.value("SELECT count(*) FROM image_generation.accounts") == 0


async def test_a_provider_that_refuses_a_wish_is_there_for_others(house: House, painter: Painter) -> None:
    await house.admin.execute(
        "INSERT INTO image_generation.accounts VALUES ('painter', 5, 'passing', now() - interval '1 s')"
    )
    painter.troubles = [trouble(Trouble.WISH)]
    outcomes = await made(house, painter, count=2)
    assert sorted(outcome.state for outcome in outcomes) == ["completed", "failed"]
