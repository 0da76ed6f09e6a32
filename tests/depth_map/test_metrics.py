"""The figures by which estimators are compared."""

import numpy as np
import pytest

from tests.depth_map.metrics import goodness

TRUTH = np.linspace(0.5, 8, 600).reshape(20, 30)


def test_inverse_depth_of_any_scale_and_shift_is_perfect_and_metres_are_not_asked_of_it() -> None:
    good = goodness(7 / TRUTH + 3, TRUTH, "inverse_relative")

    assert good.relative_error == pytest.approx(0, abs=1e-9)
    assert good.within_a_quarter == 1
    assert good.order == pytest.approx(1)
    assert good.metric_error is None


def test_metres_that_are_all_a_tenth_too_long_are_a_tenth_off_and_in_perfect_order() -> None:
    good = goodness(1 / (1.1 * TRUTH), TRUTH, "metric_metres")

    assert good.metric_error == pytest.approx(0.1)
    assert good.relative_error == pytest.approx(0, abs=1e-9)


def test_depth_that_is_taken_for_nearness_is_in_the_reverse_order() -> None:
    assert goodness(TRUTH, TRUTH, "inverse_relative").order == pytest.approx(-1)


def test_what_is_not_known_plays_no_part() -> None:
    holes = TRUTH.copy()
    holes[:, ::3] = 0
    wrong = 1 / TRUTH
    wrong[:, ::3] = 1e6

    assert goodness(wrong, holes, "metric_metres").metric_error == pytest.approx(0, abs=1e-9)


def test_noise_is_no_order() -> None:
    noise = np.random.default_rng(5).random(TRUTH.shape)

    assert abs(goodness(noise, TRUTH, "inverse_relative").order) < 0.15
