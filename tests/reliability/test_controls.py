"""Each guarantee is put to the test, as it is and broken: where it is broken the laboratory notices."""

from collections.abc import AsyncIterator

import pytest

from tests.reliability.laboratory.controls import CONTROLS, Control, findings_of
from tests.reliability.laboratory.premises import Premises


@pytest.fixture(scope="module")
async def premises(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    async with Premises(tmp_path_factory.mktemp("laboratory")) as premises:
        yield premises


@pytest.mark.parametrize("control", CONTROLS, ids=str)
async def test_a_guarantee_that_holds_loses_nothing_and_does_nothing_twice(
    premises: Premises, control: Control
) -> None:
    assert await findings_of(premises, control, broken=False) == []


@pytest.mark.parametrize("control", CONTROLS, ids=str)
async def test_a_guarantee_that_is_broken_is_noticed_by_what_is_lost_or_happens_twice(
    premises: Premises, control: Control
) -> None:
    kinds = {finding.kind for finding in await findings_of(premises, control, broken=True)}
    assert kinds & {"lost", "double"}, "the laboratory would not notice"
