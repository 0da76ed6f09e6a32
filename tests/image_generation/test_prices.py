"""A picture costs what it cost when it was asked for, whatever it would cost by now."""

import orjson
import pytest

from contracts.catalogue import open_envelope, understand
from contracts.image_generation import ImageGenerated
from services.image_generation.rules.trouble import Trouble
from tests.image_generation.painters import Painter, trouble, wish
from tests.image_generation.shift import Shift
from tests.living import House


async def costs(house: House) -> list[tuple[bool | None, int | None]]:
    bodies = await house.rows("SELECT body FROM image_generation.outbox ORDER BY id")
    said = [understand(open_envelope(orjson.loads(bytes(row["body"])))) for row in bodies]
    return [(one.paid, one.cost_micros) for one in said if isinstance(one, ImageGenerated)]


@pytest.mark.parametrize(
    ("later", "told"),
    [({"price_micros": 50_000}, 10_000), ({"price_micros": None}, 10_000), ({"costs_money": False}, 10_000)],
)
async def test_whoever_goes_on_after_the_settings_were_changed_tells_what_was_paid(
    house: House, later: dict[str, int | None], told: int
) -> None:
    before, after, command = Painter(), Painter(**later), wish(samples=2)
    before.polls = [trouble(Trouble.KEY)]
    await Shift(house, {"painter": before}, patient=True).work([command])
    await house.admin.execute("UPDATE image_generation.tasks SET run_at = now()")
    assert (await Shift(house, {"painter": after}).work([command]))[command.job_id].state == "completed"
    assert await costs(house) == [(True, told)] * 2
    assert await house.value("SELECT price_micros FROM image_generation.generations") == 2 * told


async def test_what_nobody_knew_the_price_of_is_told_so(house: House) -> None:
    command = wish()
    await Shift(house, {"painter": Painter(price_micros=None)}).work([command])
    assert await costs(house) == [(True, None)]


async def test_what_costs_nothing_is_told_so(house: House) -> None:
    await Shift(house, {"painter": Painter(costs_money=False)}).work([wish()])
    assert await costs(house) == [(False, 0)]
