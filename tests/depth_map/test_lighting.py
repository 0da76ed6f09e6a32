"""Dark pictures are brightened before the network is shown them, and all others stay as they are."""

import numpy as np
import pytest

from services.depth_map.estimators.drawn_scenes import DrawnScenesEstimator
from services.depth_map.estimators.lighting import BRIGHT, brightening
from services.depth_map.estimators.model_files import UNLESS_NAMED
from tests.depth_map.scenes import room, seen

LEVELS = np.arange(256)


@pytest.mark.parametrize("mean", [0.12, 0.2, 0.35, 0.5])
def test_a_dark_picture_comes_to_a_middle_brightness_and_its_order_stays(mean: float) -> None:
    random = np.random.default_rng(2)
    picture = np.clip(random.gamma(2, mean * 255 / 2, (60, 80, 3)), 0, 255).astype(np.uint8)
    assert picture.mean() / 255 < BRIGHT

    lit = brightening(picture)

    assert lit[picture].mean() / 255 == pytest.approx(BRIGHT, abs=0.01)
    assert (np.diff(lit.astype(int)) >= 0).all()
    assert (lit[0], lit[255]) == (0, 255)


def test_a_bright_picture_stays_as_it_is_and_what_is_all_but_black_is_brightened_within_bounds() -> None:
    assert (brightening(np.full((9, 9, 3), 150, np.uint8)) == LEVELS).all()
    barely = brightening(np.full((9, 9, 3), 139, np.uint8)).astype(int) - LEVELS
    assert 0 <= barely.min() <= barely.max() <= 2, "there is no step between dark and bright"
    assert brightening(np.full((9, 9, 3), 1, np.uint8))[1] == round(255 * (1 / 255) ** 0.25)
    assert (brightening(np.zeros((9, 9, 3), np.uint8))[0]) == 0


def test_a_picture_is_seen_alike_whether_it_was_exposed_well_or_not() -> None:
    estimator = DrawnScenesEstimator(UNLESS_NAMED())
    picture = room(320, 240)
    dark = np.rint((picture / 255.0) ** 2.2 * 255).astype(np.uint8)
    assert dark.mean() / 255 < BRIGHT

    well, badly = (estimator.estimate(seen(shown)) for shown in (picture, dark))

    assert np.corrcoef(well.ravel(), badly.ravel())[0, 1] > 0.95
