"""In which order tests are run, and which of them one worker runs on its own."""

from pathlib import Path
from typing import Any, Final

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

TESTS: Final = Path(__file__).parent
FLOORS: Final = (
    "house",
    "contracts",
    "image_generation",
    "depth_map",
    "scraper",
    "media",
    "shared",
    "gateway",
    "deploy",
    "journeys",
    "reliability",
)
"""The quick ones first: what is wrong in one room should be known before whole stacks are started."""

LAST: Final = (
    "reliability/test_controls.py",
    "reliability/test_crash_points.py",
    "reliability/test_figures.py",
    "reliability/figures/test_controls.py",
    "reliability/figures/test_instruments.py",
    "reliability/test_chaos.py",
)
"""The long ones of the last floor, the longest first, so that no worker is left alone with one in the end. Whoever is
about to begin the last two tests of a file is given the next one as well: what follows on a file of so few is short."""

TOGETHER: Final = ("journeys",)
"""Floors whose tests share a whole stack, which one worker starts for all of them."""


def place(path: Path) -> tuple[int, int]:
    """Give the place of a file: by floors, and each as it was collected but for the long ones."""
    within = path.relative_to(TESTS)
    long = {TESTS / file: number for number, file in enumerate(LAST)}
    return FLOORS.index(within.parts[0]), long.get(path, len(LAST))


class Sharing(LoadFileScheduling):
    """Gives a file to a worker, or a floor whose tests belong together."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        floor = file.removeprefix("tests/").partition("/")[0]
        return floor if floor in TOGETHER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing | None:
    return Sharing(config, log) if config.getoption("dist") == "loadfile" else None
