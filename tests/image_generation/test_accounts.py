"""What all replicas share of an account: its places, its money, and the patience that it asks for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from contracts.image_generation import GenerateImage
from services.image_generation import store
from services.image_generation.handlers import following
from services.image_generation.handlers.asking import Asked
from services.image_generation.providers import Done, GenerationRequest, Pending, Provider, Submitted
from services.image_generation.providers.provider import Capabilities, GeneratedPicture
from services.image_generation.rules import Pace, Size
from services.image_generation.rules.admission import FAILURES_UNTIL_CLOSED, Budgets
from services.image_generation.rules.trouble import Trouble, failure_of
from services.image_generation.settings import Settings
from services.image_generation.studio import Studio
from shared.database import open_pool
from shared.errors import Failure, Refused
from tests.image_generation.ateliers import PICTURE
from tests.image_generation.shift import Outcome, Shift
from tests.living import House, lineage

PRICED = Capabilities(
    costs_money=True, seeds=True, negative_prompts=True, most_samples=4, pace=Pace(1, 1), price_micros=10_000
)


class Painter:
    """Draws at once, unless it is told to fail; counts how many it has in hand."""

    def __init__(self, name: str = "painter", **can: Any) -> None:
        self.name = name
        self.capabilities = replace(PRICED, **can)
        self.troubles: list[Failure] = []
        self.asked = 0
        self.in_hand = 0
        self.most_in_hand = 0
        self.polls: list[Failure | Pending] = []
        self.slow = False

    async def submit(self, request: GenerationRequest) -> Submitted:
        self.asked += 1
        await asyncio.sleep(0)
        if self.troubles:
            raise self.troubles.pop(0)
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        return Submitted(request.track_id, {"samples": str(request.samples)})

    async def poll(self, submitted: Submitted) -> Pending | Done:
        if self.polls:
            answer = self.polls.pop(0)
            if isinstance(answer, Failure):
                raise answer
            return answer
        if self.slow:
            await asyncio.sleep(0.02)
        self.in_hand -= 1
        count = int(submitted.resume["samples"])
        return Done(tuple(GeneratedPicture(PICTURE, "image/png", 64, 48, seed) for seed in range(count)), "a brush")

    async def cancel(self, submitted: Submitted) -> None: ...


def trouble(kind: Trouble, seconds: float | None = None) -> Failure:
    return failure_of("painter", kind, "", seconds)


def wish(**more: Any) -> GenerateImage:
    return GenerateImage(**{**lineage(), "description": "a lake", **more})


async def made(house: House, *painters: Painter, count: int = 1, patient: bool = True, **options: Any) -> list[Outcome]:
    shift = Shift(house, {painter.name: painter for painter in painters}, options, patient=patient)
    commands = [wish() for _ in range(count)]
    outcomes = await shift.work(commands)
    return [outcomes[command.job_id] for command in commands]


async def let_time_pass(house: House, seconds: float) -> None:
    await house.admin.execute(
        "UPDATE image_generation.accounts SET closed_until = closed_until - $1::float8 * interval '1 s'", seconds
    )


@pytest.fixture
async def painter() -> AsyncIterator[Painter]:
    return Painter()


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
    painter.slow = True
    await Shift(house, {"painter": painter}).work([wish() for _ in range(40)], workers=10)
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


async def test_a_provider_that_refuses_a_wish_is_there_for_others(house: House, painter: Painter) -> None:
    await house.admin.execute(
        "INSERT INTO image_generation.accounts VALUES ('painter', 5, 'passing', now() - interval '1 s')"
    )
    painter.troubles = [trouble(Trouble.WISH)]
    outcomes = await made(house, painter, count=2)
    assert sorted(outcome.state for outcome in outcomes) == ["completed", "failed"]


@pytest.mark.parametrize("kind", [Trouble.KEY, Trouble.CREDIT, Trouble.PASSING])
async def test_another_draws_where_one_cannot_and_it_is_said(house: House, painter: Painter, kind: Trouble) -> None:
    painter.troubles = [trouble(kind)]
    stand_in = Painter("stand-in")
    outcomes = await made(house, painter, stand_in, count=1, fallbacks=("stand-in",))

    assert [(outcome.state, outcome.provider) for outcome in outcomes] == [("completed", "stand-in")]
    assert await house.value(
        "SELECT count(*) FROM image_generation.outbox WHERE convert_from(body, 'UTF8') LIKE '%painter%'"
    )


@pytest.mark.parametrize("kind", [Trouble.UNKNOWN, Trouble.WISH, Trouble.BUSY])
async def test_nobody_else_is_asked_for_what_may_be_paid_for_or_may_not_be_drawn_or_can_wait(
    house: House, painter: Painter, kind: Trouble
) -> None:
    painter.troubles = [trouble(kind, 30)]
    stand_in = Painter("stand-in")
    await made(house, painter, stand_in, fallbacks=("stand-in",))
    assert stand_in.asked == 0


async def test_whoever_is_named_draws_or_nobody(house: House, painter: Painter) -> None:
    painter.troubles = [trouble(Trouble.CREDIT)]
    stand_in = Painter("stand-in")
    command = wish(provider="painter")
    options = {"fallbacks": ("stand-in",)}
    outcomes = await Shift(house, {"painter": painter, "stand-in": stand_in}, options).work([command])
    assert (outcomes[command.job_id].code, stand_in.asked) == ("provider_credit_used_up", 0)


async def test_where_the_budget_is_used_up_a_free_one_draws(house: House, painter: Painter) -> None:
    free = Painter("free", costs_money=False)
    budgets = Budgets(of_all_micros=0)
    [outcome] = await made(house, painter, free, fallbacks=("free",), budgets=budgets)
    assert (outcome.state, outcome.provider, painter.asked) == ("completed", "free", 0)


@pytest.mark.parametrize("kind", [Trouble.KEY, Trouble.CREDIT])
async def test_a_stand_in_who_never_will_does_not_end_what_the_first_will_draw_later(
    house: House, painter: Painter, kind: Trouble
) -> None:
    painter.troubles = [trouble(Trouble.PASSING, 30)]
    stand_in = Painter("stand-in")
    stand_in.troubles = [trouble(kind)]
    [outcome] = await made(house, painter, stand_in, fallbacks=("stand-in",))
    assert (outcome.state, outcome.code, stand_in.asked) == ("pending", "provider_away", 1)

    [outcome] = await made(house, stand_in)
    assert outcome.state == "failed", "where nobody else may draw it ends"


async def test_what_costs_nothing_is_drawn_also_where_more_was_spent_than_may_be(
    house: House, painter: Painter
) -> None:
    await made(house, painter, count=2)
    free = Painter("free", costs_money=False, most_in_flight=4)
    less = Budgets(of_all_micros=10_000, of_owner_micros=10_000)
    [outcome] = await made(house, painter, free, fallbacks=("free",), budgets=less)
    assert (outcome.state, outcome.provider, painter.asked) == ("completed", "free", 2)


async def test_who_cancels_does_not_wait_for_a_provider_that_is_silent(
    painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "_LET_GO_SECONDS", 0.01)
    asked_to_stop, never = asyncio.Event(), asyncio.Event()

    async def cancel(_: Submitted) -> None:
        asked_to_stop.set()
        await never.wait()

    painter.cancel = cancel  # type: ignore[method-assign]
    painter.polls = [Pending() for _ in range(999)]
    job: Any = SimpleNamespace(cancel_requested=True, hinted=asyncio.Event(), progress=lambda *_: None)
    asked = Asked(painter, Submitted("1", {"samples": "1"}), None, estimate_seconds=1)
    waiting = asyncio.create_task(following.follow(job, asked, 60))
    while len(painter.polls) == 999:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting}, timeout=10)
    assert waiting.cancelled()
    assert asked_to_stop.is_set()


async def test_who_cannot_draw_it_is_not_asked(house: House) -> None:
    blind = Painter("blind", aspect_ratios=("16:9",))
    able = Painter("able")
    [outcome] = await made(house, blind, able, fallbacks=("able",))
    assert (outcome.state, outcome.provider) == ("completed", "able")

    [outcome] = await made(house, blind)
    assert (outcome.state, outcome.code) == ("failed", "aspect_ratio_unsupported")
    assert blind.asked == 0


async def test_what_a_provider_gives_up_is_asked_for_anew_only_so_often(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.FAILED), trouble(Trouble.FAILED)]
    [outcome] = await made(house, painter, patient=False)
    assert (outcome.state, painter.asked) == ("completed", 3)

    painter.polls = [trouble(Trouble.FAILED) for _ in range(9)]
    [outcome] = await made(house, painter, patient=False)
    assert (outcome.state, outcome.code, painter.asked) == ("failed", "generation_failed", 6)


async def test_what_is_paid_for_is_asked_for_however_often_the_question_fails(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.PASSING, 0.01) for _ in range(3)]
    [outcome] = await made(house, painter)
    assert (outcome.state, outcome.attempts, painter.asked) == ("completed", 1, 1)


async def test_with_a_key_that_is_refused_afterwards_the_job_waits(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.KEY)]
    [outcome] = await made(house, painter)
    assert (outcome.state, outcome.known, outcome.attempts) == ("pending", True, 0)


async def test_what_is_drawn_by_who_is_missing_from_the_settings_waits_for_him(house: House, painter: Painter) -> None:
    painter.polls = [trouble(Trouble.KEY)]
    command = wish()
    await Shift(house, {"painter": painter}, patient=True).work([command])
    await house.admin.execute("UPDATE image_generation.tasks SET run_at = now()")
    shift = Shift(house, {"another": Painter("another")}, patient=True)
    outcome = (await shift.work([command]))[command.job_id]
    assert (outcome.state, outcome.code, outcome.attempts) == ("pending", "provider_missing", 0)

    await house.admin.execute("UPDATE image_generation.tasks SET run_at = now()")
    shift = Shift(house, {"another": Painter("another"), "painter": painter})
    outcome = (await shift.work([command]))[command.job_id]
    assert (outcome.state, outcome.provider, painter.asked) == ("completed", "painter", 1)


async def test_a_request_that_nobody_finds_again_counts_once_against_the_account(
    house: House, painter: Painter
) -> None:
    painter.polls = [trouble(Trouble.PASSING, 0.01) for _ in range(FAILURES_UNTIL_CLOSED + 2)]
    await made(house, painter)
    assert await house.value("SELECT failures FROM image_generation.accounts") == 1


def studio(painter: Provider, **options: Any) -> Studio:
    return Studio(providers={"painter": painter}, default="painter", objects=None, deadline_seconds=1, **options)  # type: ignore[arg-type]  # nothing is stored


def test_a_budget_without_prices_ends_the_start() -> None:
    with pytest.raises(Refused, match="price_usd of a picture of painter"):
        studio(Painter(price_micros=None), budgets=Budgets(of_all_micros=1))
    studio(Painter(price_micros=None))


def test_a_stand_in_that_is_not_there_ends_the_start() -> None:
    with pytest.raises(Refused, match="stand-in"):
        studio(Painter(), fallbacks=("stand-in",))


def test_settings_name_providers_budgets_and_hide_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {
        "DATABASE_URL": "postgresql://x",
        "RABBITMQ_URL": "amqp://x",
        "S3_ENDPOINT_URL": "http://x",
        "S3_ACCESS_KEY_ID": "x",
        "S3_SECRET_ACCESS_KEY": "x",
        "MODELSLAB_API_KEY": "a-secret",
        "IMAGE_PROVIDERS": '{"sketch": {}, "modelslab": {"price_usd": "0.005"}, "openai": {"key": "a-secret"}}',
        "IMAGE_PROVIDER_FALLBACKS": "modelslab, sketch",
        "IMAGE_BUDGET_USD": "12.50",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = Settings()  # type: ignore[call-arg]  # they come from the environment

    assert settings.image_provider_fallbacks == ("modelslab", "sketch")
    assert settings.budgets_micros == (12_500_000, None)
    assert settings.image_budget_usd == Decimal("12.50")
    assert settings.providers["modelslab"]["key"].get_secret_value() == "a-secret"
    assert settings.providers["modelslab"]["price_usd"] == "0.005"
    assert "a-secret" not in repr(settings)
