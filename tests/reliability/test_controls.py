"""Each guarantee is put to the test, as it is and broken: where it is broken the laboratory notices."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.reliability.laboratory.controls import CONTROLS, Control, findings_of
from tests.reliability.laboratory.experiment import drain_limit_seconds, experiment
from tests.reliability.laboratory.mutated import launcher_of
from tests.reliability.laboratory.premises import Premises

SEED, SECONDS = 43, 6
PATIENCE_SECONDS = drain_limit_seconds((), datetime.now(UTC))
"""By the bar all is over by then, unless a retry is waited for."""
SOUND = {control.put_to_the_test: control for control in CONTROLS}.values()
"""Where two guarantees are put to the same test, one is enough to show that it is passed."""


@pytest.fixture(scope="module")
async def premises(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    async with Premises(tmp_path_factory.mktemp("laboratory")) as premises:
        yield premises


@pytest.mark.parametrize("control", SOUND, ids=str)
async def test_a_guarantee_that_holds_loses_nothing_and_does_nothing_twice(
    premises: Premises, control: Control
) -> None:
    assert await findings_of(premises, control, broken=False) == []


@pytest.mark.parametrize("control", CONTROLS, ids=str)
async def test_a_guarantee_that_is_broken_is_noticed_by_what_is_lost_or_happens_twice(
    premises: Premises, control: Control
) -> None:
    findings = await findings_of(premises, control, broken=True)
    assert {finding.kind for finding in findings} - {"wrong"} == {control.breaks}, findings
    assert any(control.told in finding.sentence for finding in findings if finding.kind != "wrong"), findings


async def test_an_experiment_in_a_house_that_forgets_what_it_said_ends_with_losses(premises: Premises) -> None:
    """What judges all that is broken at random gives a bad verdict where there is one to give."""
    async with premises.launching("media", launcher_of("outbox_now_and_then", "media")):
        outcome = await experiment(premises, seed=SEED, seconds=SECONDS, patience_seconds=PATIENCE_SECONDS)
    assert outcome.count("lost") > 0
    assert any(sentence.startswith("lost: ") for sentence in outcome.shortcomings())
