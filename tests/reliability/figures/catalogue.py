"""All figures: what each is called, what it needs, and how it is measured in full and in short."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from tests.reliability.figures import (
    backlog,
    erased,
    frozen,
    poison_events,
    poison_task,
    rolling,
    silence,
    soak,
    tripled,
)
from tests.reliability.figures.ground import Ground, Needs
from tests.reliability.figures.lines import Line

Measure = Callable[[Ground], Awaitable[list[Line]]]


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        full: as its bar demands.
        short: as a test has time for; of it only counts mean something.

    """

    title: str
    needs: Needs
    full: Measure
    short: Measure


FIGURES = {
    "frozen": Figure(
        "A worker frozen past its lease, then continued",
        frozen.NEEDS,
        partial(frozen.measure, size=frozen.FULL),
        partial(frozen.measure, size=frozen.SHORT),
    ),
    "poison-events": Figure(
        "One bad event in a hundred",
        poison_events.NEEDS,
        partial(poison_events.measure, size=poison_events.FULL),
        partial(poison_events.measure, size=poison_events.SHORT),
    ),
    "poison-task": Figure(
        "A task that kills its worker",
        poison_task.NEEDS,
        partial(poison_task.measure, size=poison_task.FULL),
        partial(poison_task.measure, size=poison_task.SHORT),
    ),
    "rolling": Figure(
        "Every service restarted in turn under load",
        rolling.NEEDS,
        partial(rolling.measure, size=rolling.FULL),
        partial(rolling.measure, size=rolling.SHORT),
    ),
    "tripled": Figure(
        "Every event delivered three times, shuffled",
        tripled.NEEDS,
        partial(tripled.measure, size=tripled.FULL),
        partial(tripled.measure, size=tripled.SHORT),
    ),
    "erased": Figure(
        "The broker's disk erased under load",
        erased.NEEDS,
        partial(erased.measure, size=erased.FULL),
        partial(erased.measure, size=erased.SHORT),
    ),
    "silence": Figure(
        "Commands and news that vanish",
        silence.NEEDS,
        partial(silence.measure, size=silence.FULL),
        partial(silence.measure, size=silence.SHORT),
    ),
    "backlog": Figure(
        "A backlog",
        backlog.NEEDS,
        partial(backlog.measure, size=backlog.FULL),
        partial(backlog.measure, size=backlog.SHORT),
    ),
    "soak": Figure(
        "Half of the most, for twenty minutes",
        soak.NEEDS,
        partial(soak.measure, size=soak.FULL),
        partial(soak.measure, size=soak.SHORT),
    ),
}
