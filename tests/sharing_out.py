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
    "reliability",
    "journeys",
)
"""The quick ones first: what is wrong in one room should be known before whole stacks are started."""

LONG: Final = (
    "reliability/figures/test_controls.py",
    "reliability/test_chaos.py",
    "reliability/test_crash_points.py",
    "reliability/test_controls.py",
    "reliability/test_figures.py",
)
"""The long files of their floor, the longest at the end, so that no worker is left alone with one."""

TOGETHER: Final = ("journeys",)
"""Floors whose tests share a whole stack, which one worker starts for all of them."""


def place(path: Path) -> tuple[int, int]:
    """Give the place of a file: by floors, and each as it was collected but for the long ones."""
    within = path.relative_to(TESTS)
    long = {TESTS / file: number for number, file in enumerate(LONG, start=1)}
    return FLOORS.index(within.parts[0]), long.get(path, 0)


class Sharing(LoadFileScheduling):
    """Gives a file to a worker, or a floor whose tests belong together.

    The newest of several workers begins at the end. There whole stacks are started and broken, and most of the time is
    waited for; in the rooms it is computed. Side by side each takes what the other leaves of the machine, and the files
    where they meet are short.
    """

    def _assign_work_unit(self, node: Any) -> None:
        if len(self.nodes) > 1 and node is self.nodes[-1]:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        floor = file.removeprefix("tests/").partition("/")[0]
        return floor if floor in TOGETHER else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing | None:
    return Sharing(config, log) if config.getoption("dist") == "loadfile" else None
