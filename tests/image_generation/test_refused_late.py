"""What a provider refuses to whoever has lost the job costs nothing, as if he had it still."""

from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts.catalogue import open_envelope, understand
from contracts.image_generation import PaymentExpected, PaymentWaived
from services.image_generation import store
from services.image_generation.providers import GenerationRequest, Submitted
from services.image_generation.rules.admission import Budgets
from services.image_generation.rules.trouble import Trouble
from tests.image_generation.frozen import SETTLED_MEANWHILE, Slow, frozen, lose
from tests.image_generation.lost_requests import again, end, going_on
from tests.image_generation.painters import trouble, wish
from tests.image_generation.shift import Shift
from tests.living import House

COUNTED = (
    "SELECT coalesce(sum(price_micros), 0)::int FROM image_generation.generations WHERE paid AND let_go_at IS NULL"
)


class Refusing(Slow):
    """Refuses the first request, and says so only when it is let."""

    def __init__(self, kind: Trouble, **can: Any) -> None:
        super().__init__(**can)
        self._kind = kind

    async def submit(self, request: GenerationRequest) -> Submitted:
        is_first = not self.began.is_set()
        submitted = await super().submit(request)
        if is_first:
            raise trouble(self._kind, 1)
        return submitted


async def told(house: House, job_id: UUID) -> list[PaymentExpected | PaymentWaived]:
    bodies = await house.rows("SELECT body FROM image_generation.outbox WHERE job_id = $1 ORDER BY id", job_id)
    said = [understand(open_envelope(orjson.loads(bytes(row["body"])))) for row in bodies]
    return [one for one in said if isinstance(one, PaymentExpected | PaymentWaived)]


@pytest.mark.parametrize("kind", [Trouble.WISH, Trouble.KEY, Trouble.CREDIT, Trouble.PASSING, Trouble.FAILED])
async def test_what_is_refused_late_is_given_back_and_told(house: House, kind: Trouble) -> None:
    painter, first = Refusing(kind), wish()
    await lose(house, painter, first)
    assert await house.value(COUNTED) == 0
    assert [(type(one), one.subject_version) for one in await told(house, first.job_id)] == [
        (PaymentExpected, 1),
        (PaymentWaived, 2),
    ]


async def test_a_budget_that_was_given_back_late_is_there_for_others(house: House) -> None:
    painter, first = Refusing(Trouble.WISH), wish()
    await lose(house, painter, first)
    later = Shift(house, {"painter": painter}, {"budgets": Budgets(of_all_micros=10_000)})
    assert (await end(later, again(first))).state == "completed"


@pytest.mark.parametrize("kind", [Trouble.UNKNOWN, Trouble.BROKEN])
async def test_what_may_be_paid_for_stays_counted(house: House, kind: Trouble) -> None:
    """The control."""
    painter, first = Refusing(kind), wish()
    await lose(house, painter, first)
    assert await house.value(COUNTED) == 10_000
    assert len(await told(house, first.job_id)) == 1


async def test_all_others_learn_of_the_account_as_well(house: House) -> None:
    await lose(house, Refusing(Trouble.KEY), wish())
    assert await house.value("SELECT reason FROM image_generation.accounts WHERE closed_until > now()") == "key"


async def test_whoever_takes_the_job_over_once_it_was_refused_asks_anew(house: House) -> None:
    painter, first = Refusing(Trouble.PASSING), wish()
    async with frozen(house, painter, first):
        pass
    assert await house.value("SELECT state FROM image_generation.tasks WHERE id = $1", first.job_id) == "completed"
    assert (painter.asked, await house.value(COUNTED)) == (2, 10_000)


@pytest.mark.parametrize("meanwhile", SETTLED_MEANWHILE)
async def test_only_what_stands_as_it_was_asked_for_is_let_go(house: House, meanwhile: str) -> None:
    painter, first = Refusing(Trouble.WISH), wish()
    async with frozen(house, painter, first) as successor:
        assert (await end(successor, first)).code == "outcome_unknown"
        await house.admin.execute(f"UPDATE image_generation.generations SET {meanwhile}")
        before = await house.rows("SELECT * FROM image_generation.generations")
    assert await house.rows("SELECT * FROM image_generation.generations") == before
    assert [type(one) for one in await told(house, first.job_id)] == [PaymentExpected]


async def test_who_goes_on_by_a_name_that_somebody_has_told_is_let_be(house: House) -> None:
    painter, first = Refusing(Trouble.WISH, asked_by_name=True), wish()
    async with frozen(house, painter, first) as successor:
        await end(successor, first)
        heir = going_on(first, "a guess")
        assert (await end(successor, heir)).state == "completed"
    assert await house.value(COUNTED) == 10_000


async def test_whoever_dies_while_it_is_refused_gives_it_back_and_tells_so_or_neither(house: House) -> None:
    ends = set()
    for step in range(5, 10):  # before that it has not been asked
        painter, first = Refusing(Trouble.WISH), wish()
        before = await house.value(COUNTED)
        await lose(house, painter, first, dying={first.job_id: step})
        given_back = await house.value(COUNTED) == before
        assert (len(await told(house, first.job_id)) == 2) == given_back, step
        ends.add(given_back)
    assert ends == {True, False}


async def test_whoever_writes_nothing_down_without_a_lease_has_it_counted_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    async def nothing(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(store, "update_generation_refused_late", nothing)
    await lose(house, Refusing(Trouble.WISH), wish())
    assert await house.value(COUNTED) == 10_000
