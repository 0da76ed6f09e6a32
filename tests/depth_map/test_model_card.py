"""The card of our own network says how good it is as the benchmark measured it; nobody writes figures by hand."""

import pytest

from tests.benchmarks import depth
from tests.benchmarks.depth import CARD, FIGURES, Row, carded
from tests.depth_map.metrics import Goodness

NAME = "drawn scenes (small network)"


def test_the_card_has_one_place_for_figures_and_points_to_all_of_them() -> None:
    card = CARD.read_text()

    assert [card.count(mark) for mark in FIGURES] == [1, 1]
    before, figures = card.split(FIGURES[0])
    assert "tests/benchmarks/DEPTH.md" in before
    assert (CARD.parent / "../../../tests/benchmarks/DEPTH.md").resolve() == depth.RESULTS
    for line in figures.split(FIGURES[1])[0].splitlines():
        assert line in ("", "Not measured yet.") or line.startswith("|"), "only what the benchmark writes"


def test_figures_that_are_measured_anew_take_the_place_of_the_old_ones_and_of_nothing_else() -> None:
    card = CARD.read_text()
    once = carded(card, ["| first |"])
    twice = carded(once, ["| second |"])

    assert "| first |" in once
    assert "| first |" not in twice
    assert carded(twice, ["| first |"]) == once
    kept, rest = card.split(FIGURES[0])
    assert once.startswith(kept)
    assert once.endswith(rest.split(FIGURES[1])[1])


def test_the_mean_is_that_of_the_photographs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth, "DRAWN", frozenset({"drawn"}))
    orders = {"one": 0.4, "other": 0.6, "drawn": 1.0}
    rows = [Row(NAME, pair, Goodness(0.1, 0.9, order, None), 5.0) for pair, order in orders.items()]

    assert depth._means(rows) == [f"| **{NAME}** | **mean of the photographs** | 0.100 | 0.900 | 0.500 |  | 5 |"]


def test_what_every_estimator_was_trained_on_is_told() -> None:
    assert NAME in depth.TRAINED_ON
