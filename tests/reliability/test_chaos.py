"""All breaks at random for a minute, and nothing is lost; what is timed is judged by `make chaos` alone."""

from pathlib import Path

from rich.console import Console

from tests.reliability.laboratory.experiment import experiment
from tests.reliability.laboratory.premises import Premises
from tests.reliability.laboratory.report import show

SECONDS = 60
SEED = 1


async def test_a_minute_of_random_faults_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    async with Premises(tmp_path) as premises:
        outcome = await experiment(premises, seed=SEED, seconds=SECONDS)
    show(outcome, Console(width=120))
    assert outcome.shortcomings() == []
