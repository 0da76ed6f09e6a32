"""The figures, scaled down: what is counted has to come out right on any machine, what is timed on a quiet one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from tests.journeys.end_state import books_of, until_quiet
from tests.reliability.figures import frozen, poison_task
from tests.reliability.figures.catalogue import FIGURES
from tests.reliability.figures.ground import QUICK, Ground, Needs, ground
from tests.reliability.figures.lines import Line

NEEDS = Needs(
    processes=frozen.NEEDS.processes,
    environment=QUICK,
    launchers={**frozen.NEEDS.launchers, **poison_task.NEEDS.launchers},
)
"""What any of the figures needs: they share one stack here."""

TOGETHER = (
    ("frozen",),
    ("poison-task", "silence"),
    ("poison-events",),
    ("rolling",),
    ("tripled",),
    ("backlog",),
    ("soak",),
    ("erased",),
)
"""What waits most of its time, and for other services, is measured at the same time."""


@pytest.fixture(scope="module")
async def whole_ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    async with ground(tmp_path_factory.mktemp("figures"), NEEDS) as it:
        yield it


@pytest.fixture
async def quiet_ground(whole_ground: Ground) -> Ground:
    await until_quiet(whole_ground.stack)
    return whole_ground


@pytest.mark.parametrize("names", TOGETHER, ids=" and ".join)
async def test_what_is_counted_comes_out_right(quiet_ground: Ground, names: Sequence[str]) -> None:
    if "frozen" not in names:  # a second process is only good for taking over, and costs time to start
        await asyncio.gather(*(quiet_ground.stack.supervisor.hold(f"{service}-2") for service in NEEDS.processes))
    measured = await asyncio.gather(*(_in_short(quiet_ground, name) for name in names))

    assert [line for lines in measured for line in lines if not line.met and not line.by_the_clock] == []


async def _in_short(it: Ground, name: str) -> list[Line]:
    async with books_of(it.stack) as books:
        return await FIGURES[name].short(replace(it, books=books))


def test_no_figure_is_left_out() -> None:
    assert sorted(name for names in TOGETHER for name in names) == sorted(FIGURES)
