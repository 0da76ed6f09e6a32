"""Who draws where the one that was asked first cannot."""

import pytest

from services.image_generation.rules.admission import Budgets
from services.image_generation.rules.trouble import Trouble
from tests.image_generation.painters import Painter, made, trouble, wish
from tests.image_generation.shift import Shift
from tests.living import House


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


async def test_a_seed_that_nobody_named_keeps_nobody_from_drawing(house: House, painter: Painter) -> None:
    careless, command = Painter("careless", seeds=False), wish(seed=4, seed_asked_for=False)
    outcomes = await Shift(house, {"careless": careless, "painter": painter}).work([command])
    assert (outcomes[command.job_id].provider, outcomes[command.job_id].state) == ("careless", "completed")

    painter.troubles = [trouble(Trouble.PASSING), trouble(Trouble.PASSING)]
    providers, options = {"painter": painter, "careless": careless}, {"fallbacks": ("careless",)}
    unnamed, named = wish(seed=4, seed_asked_for=False), wish(seed=4)
    outcomes = await Shift(house, providers, options, patient=True).work([unnamed, named])
    assert [outcomes[one.job_id].provider for one in (unnamed, named)] == ["careless", "painter"]


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


async def test_who_cannot_draw_it_is_not_asked(house: House) -> None:
    blind = Painter("blind", aspect_ratios=("16:9",))
    able = Painter("able")
    [outcome] = await made(house, blind, able, fallbacks=("able",))
    assert (outcome.state, outcome.provider) == ("completed", "able")

    [outcome] = await made(house, blind)
    assert (outcome.state, outcome.code) == ("failed", "aspect_ratio_unsupported")
    assert blind.asked == 0
